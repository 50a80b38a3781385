"""From configurations to inputs and outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.blocks import MAIN, Workspace

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import CachedDataSource, DatabaseOutputDataSource
from beat.backend.python.database import Database
from beat.backend.python.helpers import (
    AccessMode,
    convert_experiment_configuration_to_container,
    convert_loop_to_container,
    create_inputs_from_configuration,
    create_outputs_from_configuration,
    parse_inputs,
    parse_outputs,
)
from beat.backend.python.outputs import RemotelySyncedOutput

HASH = "0" * 64
PATH = "00/00/00/" + "0" * 58

CACHED = {"channel": "c", "endpoint": "in", "hash": HASH, "path": PATH}
DATASET = {
    **CACHED,
    "database": "simple/1",
    "protocol": "numbers",
    "set": "ten",
    "output": "out",
    "path": PATH + ".db",
}
BLOCK = {
    "algorithm": "user/echo_sequential/1",
    "parameters": {"offset": 1},
    "queue": "queue",
    "environment": {"name": "e", "version": "1"},
    "nb_slots": 1,
    "channel": "c",
    "inputs": {"in": CACHED, "data": DATASET},
    "outputs": {"out": CACHED},
}


# what is left of an experiment's configuration


def test_access_modes() -> None:
    assert (AccessMode.NONE, AccessMode.LOCAL, AccessMode.REMOTE) == (0, 1, 2)


def test_inputs_are_reduced() -> None:
    assert parse_inputs(BLOCK["inputs"]) == {  # type: ignore[arg-type]
        "in": {"channel": "c", "path": PATH},
        "data": {
            "channel": "c",
            "path": PATH + ".db",
            "database": "simple/1",
            "protocol": "numbers",
            "set": "ten",
            "output": "out",
        },
    }


def test_outputs_are_reduced() -> None:
    assert parse_outputs({"out": CACHED}) == {"out": {"channel": "c", "path": PATH}}


def test_a_block() -> None:
    assert convert_experiment_configuration_to_container(BLOCK) == {
        "uid": os.getuid(),
        "algorithm": "user/echo_sequential/1",
        "parameters": {"offset": 1},
        "channel": "c",
        "inputs": parse_inputs(BLOCK["inputs"]),  # type: ignore[arg-type]
        "outputs": {"out": {"channel": "c", "path": PATH}},
    }


def test_an_analyzer() -> None:
    analyzer = {key: value for key, value in BLOCK.items() if key != "outputs"}
    analyzer["result"] = {"hash": HASH, "path": PATH}
    converted = convert_experiment_configuration_to_container(analyzer)
    assert converted["result"] == {"channel": "c", "path": PATH}
    assert "outputs" not in converted


def test_a_loop_and_a_range() -> None:
    converted = convert_experiment_configuration_to_container(
        {**BLOCK, "range": [1, 2], "loop": {**BLOCK, "algorithm": "user/x/1"}}
    )
    assert converted["range"] == [1, 2]
    assert converted["loop"] == convert_loop_to_container({**BLOCK, "algorithm": "user/x/1"})
    assert converted["loop"]["algorithm"] == "user/x/1"
    assert "range" not in converted["loop"]


def test_what_is_given_is_not_changed() -> None:
    before = repr(BLOCK)
    convert_experiment_configuration_to_container(BLOCK)
    assert repr(BLOCK) == before


# inputs


def inputs_of(
    workspace: Workspace, algorithm: str, inputs: dict[str, Any], **arguments: Any
) -> tuple[Any, Any]:
    """Return the inputs and data loaders of an algorithm of the tests' prefix."""
    configuration = workspace.configure(algorithm, inputs, **arguments.pop("configure", {}))
    return create_inputs_from_configuration(
        configuration,
        Algorithm(workspace.source, algorithm),
        workspace.source,
        str(workspace.cache),
        **{"cache_access": AccessMode.LOCAL, **arguments},
    )


def two_channels(workspace: Workspace) -> dict[str, Any]:
    offset = {**workspace.write_input("offset", [7, 8]), "channel": "other"}
    return {"offset": offset, "in": workspace.write_input("in", [1, 2, 3])}


def test_sequential(workspace: Workspace) -> None:
    inputs, loaders = inputs_of(workspace, "user/add_offsets/1", two_channels(workspace))
    assert [i.name for i in inputs] == ["in"]
    assert inputs["in"].data_format == "user/single_integer/1"
    assert inputs.main_group.channel == MAIN
    assert inputs.main_group.synchronization_listener is not None
    assert [loader.channel for loader in loaders] == ["other"]
    assert loaders.loaderOf("offset").count() == 2


def test_legacy(workspace: Workspace, prefix: str) -> None:
    algorithm = Algorithm(prefix, "user/add_offsets/1")
    algorithm.data["api_version"] = 1
    configuration = workspace.configure("user/add_offsets/1", two_channels(workspace))
    inputs, loaders = create_inputs_from_configuration(
        configuration, algorithm, prefix, str(workspace.cache), AccessMode.LOCAL
    )
    assert len(loaders) == 0
    assert inputs.nbGroups() == 2
    assert inputs.main_group.channel == MAIN
    assert inputs.group("other").restricted_access is False
    assert inputs.group("other").synchronization_listener is None


def test_an_unknown_type(workspace: Workspace, prefix: str) -> None:
    algorithm = Algorithm(prefix, "user/add_offsets/1")
    algorithm.data["type"] = "odd"
    configuration = workspace.configure("user/add_offsets/1", two_channels(workspace))
    inputs, loaders = create_inputs_from_configuration(
        configuration, algorithm, prefix, str(workspace.cache), AccessMode.LOCAL
    )
    assert len(inputs) == 0
    assert loaders.main_loader.channel == MAIN  # though the other comes first
    assert [loader.channel for loader in loaders.secondaries()] == ["other"]


def test_nothing_is_reached(workspace: Workspace) -> None:
    inputs, loaders = inputs_of(
        workspace, "user/add_offsets/1", two_channels(workspace), cache_access=AccessMode.NONE
    )
    assert (len(inputs), len(loaders)) == (0, 0)
    given = workspace.index("simple/1", "numbers", "ten", "out")
    inputs, loaders = inputs_of(workspace, "user/echo_sequential/1", {"in": given})
    assert (len(inputs), len(loaders)) == (0, 0)


def test_without_synchronisation(workspace: Workspace) -> None:
    given = two_channels(workspace)
    inputs, _ = inputs_of(workspace, "user/add_offsets/1", given, no_synchronisation_listeners=True)
    assert inputs.main_group.synchronization_listener is None
    assert inputs.main_group.restricted_access


def test_bytes(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [1])}
    inputs, _ = inputs_of(workspace, "user/echo_sequential/1", given, unpack=False)
    assert inputs["in"].data_source[0] == (b"\x01\0\0\0", 0, 0)


def test_a_local_database(workspace: Workspace, prefix: str) -> None:
    given = workspace.index("simple/1", "numbers", "ten", "out")
    inputs, _ = inputs_of(
        workspace,
        "user/echo_sequential/1",
        {"in": given},
        db_access=AccessMode.LOCAL,
        databases={"simple/1": Database(prefix, "simple/1")},
        configure={"range": [2, 4]},
    )
    source = inputs["in"].data_source
    assert isinstance(source, DatabaseOutputDataSource)
    assert [(data.value, start, end) for data, start, end in source] == [
        (2, 2, 2),
        (3, 3, 3),
        (4, 4, 4),
    ]


def test_a_remote_database_needs_a_socket(workspace: Workspace) -> None:
    given = workspace.index("simple/1", "numbers", "ten", "out")
    with pytest.raises(RuntimeError, match=r"`in'.*socket"):
        inputs_of(workspace, "user/echo_sequential/1", {"in": given}, db_access=AccessMode.REMOTE)


def test_a_range_is_for_the_blocks_own_channel(workspace: Workspace) -> None:
    inputs, loaders = inputs_of(
        workspace, "user/add_offsets/1", two_channels(workspace), configure={"range": [1, 1]}
    )
    assert inputs["in"].data_source.data_indices() == [(1, 1)]
    assert loaders.loaderOf("offset").count() == 2


def test_a_range_of_an_autonomous_algorithm(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [1, 2, 3], width=2)}
    _, loaders = inputs_of(workspace, "user/echo_autonomous/1", given, configure={"range": [1, 3]})
    assert loaders.main_loader.infos["in"]["data_source"].data_indices() == [(1, 1), (2, 3)]


# outputs


def outputs_of(
    workspace: Workspace, algorithm: str, inputs: dict[str, Any], **configure: Any
) -> tuple[Any, list[Any]]:
    """Return the outputs of an algorithm of the tests' prefix, and their sinks."""
    input_list, loaders = inputs_of(workspace, algorithm, inputs, configure=configure)
    return create_outputs_from_configuration(
        workspace.configuration,
        Algorithm(workspace.source, algorithm),
        workspace.source,
        str(workspace.cache),
        input_list,
        loaders,
    )


def limits(sinks: list[Any]) -> list[tuple[int, int]]:
    found = [(sink.start_index, sink.end_index) for sink in sinks]
    for sink in sinks:
        sink.discard()
    return found


def test_the_range_of_the_files(workspace: Workspace) -> None:
    for start, count in ((10, 5), (15, 2)):
        given = workspace.write_input("in", [0] * count, start=start)
    outputs, sinks = outputs_of(workspace, "user/echo_sequential/1", {"in": given})
    assert [output.name for output in outputs] == ["out"]
    assert limits(sinks) == [(10, 16)]


def test_the_range_of_the_configuration(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [*range(9)])}
    _, sinks = outputs_of(workspace, "user/echo_sequential/1", given, range=[3, 5])
    assert limits(sinks) == [(3, 5)]


@pytest.mark.parametrize("algorithm", ["user/echo_sequential/1", "user/echo_autonomous/1"])
def test_the_range_of_the_sources(workspace: Workspace, prefix: str, algorithm: str) -> None:
    given = workspace.index("simple/1", "numbers", "ten", "out")
    configuration = workspace.configure(algorithm, {"in": given})
    asset = Algorithm(prefix, algorithm)
    inputs, loaders = create_inputs_from_configuration(
        configuration,
        asset,
        prefix,
        str(workspace.cache),
        db_access=AccessMode.LOCAL,
        databases={"simple/1": Database(prefix, "simple/1")},
    )
    _, sinks = create_outputs_from_configuration(
        configuration, asset, prefix, str(workspace.cache), inputs, loaders
    )
    assert limits(sinks) == [(0, 9)]


def test_no_range_at_all(workspace: Workspace, prefix: str) -> None:
    given = {**workspace.write_input("in", [1]), "channel": "other"}
    configuration = workspace.configure("user/echo_sequential/1", {"in": given})
    with pytest.raises(RuntimeError, match=f"no data on channel `{MAIN}'"):
        create_outputs_from_configuration(
            configuration,
            Algorithm(prefix, "user/echo_sequential/1"),
            prefix,
            str(workspace.cache),
        )


def test_a_result(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [1, 2])}
    outputs, sinks = outputs_of(workspace, "user/sum_sequential/1", given, result=True)
    assert [output.name for output in outputs] == ["result"]
    assert outputs[0].data_format == "analysis:user/sum_sequential/1"
    assert limits(sinks) == [(0, 1)]


def test_outputs_follow_the_main_group(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [1, 2])}
    outputs, sinks = outputs_of(workspace, "user/echo_sequential/1", given)
    assert outputs[0]._synchronization_listener is not None
    limits(sinks)
    outputs, sinks = outputs_of(workspace, "user/echo_autonomous/1", given)
    assert outputs[0]._synchronization_listener is None
    limits(sinks)


def test_the_outputs_of_a_loop(workspace: Workspace, prefix: str, peers: Any) -> None:
    given = {"in": workspace.write_input("in", [1, 2], start=3)}
    configuration = workspace.configure("user/guess_processor_sequential/1", given)
    outputs, sinks = create_outputs_from_configuration(
        configuration,
        Algorithm(prefix, "user/guess_processor_sequential/1"),
        prefix,
        str(workspace.cache),
        loop_socket=peers.client(peers.handler()),
    )
    assert isinstance(outputs[0], RemotelySyncedOutput)
    assert outputs[0].last_written_data_index == 2
    limits(sinks)


def test_folders_are_made(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [1])}
    _, sinks = outputs_of(workspace, "user/echo_sequential/1", given, output_path="a/b/out")
    sinks[0].discard()
    assert (workspace.cache / "a" / "b").is_dir()


def test_an_output_that_cannot_be_opened(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [1])}
    Path(workspace.cache, "file").write_text("")
    with pytest.raises(OSError, match="file"):
        outputs_of(workspace, "user/echo_sequential/1", given, output_path="file/out")


def test_what_was_written_can_be_read(workspace: Workspace) -> None:
    given = {"in": workspace.write_input("in", [5, 6])}
    outputs, sinks = outputs_of(workspace, "user/echo_autonomous/1", given)
    source = CachedDataSource()
    source.setup(str(workspace.cache / "in.data"), workspace.source)
    for data, _, end in source:
        outputs.write(data, end)
    source.close()
    for sink in sinks:
        sink.close()
    workspace.bring("user/echo_autonomous/1")
    assert workspace.values() == [5, 6]
