from __future__ import annotations

import copy
import os
from typing import Any

import numpy
import pytest
from support.pairs import peer
from support.units import INTEGER, open_source, write_integers

from beat.backend.python.data import CachedDataSink, DataSink, RemoteDataSource
from beat.backend.python.data_loaders import DataLoader, DataLoaderList
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.hash import toPath
from beat.backend.python.inputs import Input, InputGroup, InputList
from beat.backend.python.outputs import Output, OutputList
from beat.backend.python.stats import io_statistics, update

HASH = "0123456789abcdef" * 4

NOTHING: dict[str, Any] = {
    "volume": {"read": 0, "write": 0},
    "blocks": {"read": 0, "write": 0},
    "time": {"read": 0, "write": 0},
    "network": {"wait_time": 0},
    "files": [],
}


@pytest.mark.parametrize("arguments", [(), (None, None), (InputList(), OutputList())])
def test_nothing_read_and_nothing_written(arguments: tuple[Any, ...]) -> None:
    configuration = {"outputs": {"out": {"path": toPath(HASH, ""), "channel": "main"}}}
    assert io_statistics(configuration, *arguments) == NOTHING
    assert io_statistics({}, *arguments) == NOTHING


def test_what_was_read(prefix: str, cache: str) -> None:
    filename = os.path.join(cache, "in.data")
    write_integers(prefix, filename, 0, 9)
    inputs, group = InputList(), InputGroup("main", restricted_access=False)
    inputs.add(group)
    group.add(Input("a", INTEGER, open_source(prefix, filename)))
    group.add(Input("b", INTEGER, open_source(prefix, filename)))
    loaders, loader = DataLoaderList(), DataLoader("other")
    loaders.add(loader)
    loader.add("c", open_source(prefix, filename))
    for _ in range(4):
        group.next()
    loader[0], loader[1], loader[1]
    result = io_statistics({}, inputs)
    assert result["blocks"] == {"read": 8, "write": 0}
    assert result["volume"] == {"read": 8 * 5, "write": 0}
    assert result["time"]["read"] > 0
    assert result["network"] == {"wait_time": 0}
    result = io_statistics({}, inputs, None, loaders)
    assert result["blocks"]["read"] == 10
    assert result["volume"]["read"] == 10 * 5


def test_waiting_for_others_is_no_reading(prefix: str) -> None:
    def answer(request: list[bytes]) -> list[bytes]:
        return [b"1", b"0", b"0"] if request[0] == b"ifo" else [b"0", b"0", b"\1\0\0\0"]

    with peer(answer) as (_, socket):
        source = RemoteDataSource()
        source.setup(socket, "a", INTEGER, prefix)
        inputs, group = InputList(), InputGroup("main", restricted_access=False)
        inputs.add(group)
        group.add(Input("a", INTEGER, source))
        group.next()
    result = io_statistics({}, inputs)
    assert result["blocks"]["read"] == 1
    assert result["volume"]["read"] == 4
    assert result["time"]["read"] == 0
    assert result["network"]["wait_time"] > 0


def write_output(prefix: str, cache: str, name: str) -> tuple[OutputList, int]:
    sink = CachedDataSink()
    sink.setup(os.path.join(cache, f"{name}.data"), DataFormat(prefix, INTEGER), 0, 9)
    outputs = OutputList()
    outputs.add(Output(name, sink))
    outputs.write({"value": numpy.int32(1)}, 3)
    outputs.write({"value": numpy.int32(1)}, 9)
    outputs[0:1][0].close()
    return outputs, sink.statistics()[0]


@pytest.mark.parametrize(
    ("configuration", "name"),
    [
        ({"outputs": {"out": {"path": toPath(HASH, ""), "channel": "main"}}}, "out"),
        ({"outputs": {"out": {"path": "elsewhere", "hash": HASH}}}, "out"),
        ({"result": {"path": toPath(HASH, ""), "channel": "main"}}, "result"),
    ],
)
def test_what_was_written(
    prefix: str, cache: str, configuration: dict[str, Any], name: str
) -> None:
    outputs, size = write_output(prefix, cache, name)
    result = io_statistics(configuration, None, outputs)
    assert size > 0
    assert result["volume"] == {"read": 0, "write": size}
    assert result["blocks"] == {"read": 0, "write": 2}
    assert result["time"]["write"] > 0
    assert result["files"] == [{"hash": HASH, "size": size, "blocks": 2}]


def test_an_output_that_is_not_configured(prefix: str, cache: str) -> None:
    outputs, size = write_output(prefix, cache, "out")
    result = io_statistics({"outputs": {}}, None, outputs)
    assert result["volume"]["write"] == size
    assert result["files"] == []


def test_a_sink_that_does_not_count() -> None:
    class Sink(DataSink):
        def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
            pass

        def isConnected(self) -> bool:
            return True

    outputs = OutputList()
    outputs.add(Output("out", Sink()))
    outputs.write(None)
    configuration = {"outputs": {"out": {"path": toPath(HASH, "")}}}
    result = io_statistics(configuration, None, outputs)
    assert result["volume"] == {"read": 0, "write": 0}
    assert result["blocks"] == {"read": 0, "write": 1}
    assert result["files"] == [{"hash": HASH, "size": 0, "blocks": 1}]


def test_adding_up() -> None:
    file = {"hash": HASH, "size": 5, "blocks": 1}
    a = copy.deepcopy(NOTHING)
    b = copy.deepcopy(NOTHING)
    b["volume"]["read"] = 5
    b["network"]["wait_time"] = 0.5
    b["files"] = [file]
    update(a, b)
    update(a, b)
    assert a["volume"] == {"read": 10, "write": 0}
    assert a["network"] == {"wait_time": 1.0}
    assert a["files"] == [file, file]
    assert b["files"] == [file]


@pytest.mark.parametrize(
    ("statistics", "more", "expected"),
    [
        ({}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 3}),
        ({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}, "files": []}, {"a": {"b": 3}}),
        ({"files": [1]}, {"files": [2]}, {"files": [1, 2]}),
    ],
)
def test_no_key_is_added(statistics: Any, more: Any, expected: Any) -> None:
    update(statistics, more)
    assert statistics == expected
