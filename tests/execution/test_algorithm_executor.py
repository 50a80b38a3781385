"""Running the algorithm of a block, in one process with its driver."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from support.blocks import MAIN, Workspace
from support.peers import Peers, ask

from beat.backend.python.database import Database
from beat.backend.python.exceptions import RemoteException, UserError
from beat.backend.python.execution import AlgorithmExecutor, MessageHandler

SUM = {"result": True}


class Run:
    """An executor and the handler it reports to."""

    def __init__(self, workspace: Workspace, peers: Peers, **arguments: Any) -> None:
        self.handler = peers.handler()
        self.handler.start()
        self.socket = peers.client(self.handler)
        self.executor = AlgorithmExecutor(
            self.socket,
            str(workspace.directory),
            cache_root=str(workspace.cache),
            **arguments,
        )

    def all_steps(self) -> bool:
        return self.executor.setup() and self.executor.prepare() and self.executor.process()


@pytest.fixture
def run(workspace: Workspace, peers: Peers) -> Callable[..., Run]:
    """Return what makes an executor for the workspace."""
    return lambda **arguments: Run(workspace, peers, **arguments)


@pytest.mark.parametrize("algorithm", ["echo_sequential", "echo_legacy", "echo_autonomous"])
@pytest.mark.parametrize("width", [1, 3])
def test_from_cache_to_cache(
    workspace: Workspace, run: Callable[..., Run], algorithm: str, width: int
) -> None:
    workspace.bring(f"user/{algorithm}/1")
    given = workspace.write_input("in", [5, 6, 7], width)
    workspace.configure(f"user/{algorithm}/1", {"in": given})
    assert run().all_steps()
    assert workspace.units() == [
        (value, i * width, (i + 1) * width - 1) for i, value in enumerate([5, 6, 7])
    ]


@pytest.mark.parametrize("algorithm", ["sum_sequential", "sum_autonomous"])
def test_analyzers(workspace: Workspace, run: Callable[..., Run], algorithm: str) -> None:
    workspace.bring(f"user/{algorithm}/1")
    workspace.configure(f"user/{algorithm}/1", {"in": workspace.write_input("in", [1, 2, 3])}, True)
    block = run()
    assert block.executor.analysis
    assert block.all_steps()
    assert workspace.units(field="sum") == [(6, 0, 2)]


def test_what_an_executor_shows(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    executor = run().executor
    assert executor.algorithm.name == "user/echo_sequential/1"
    assert executor.prefix == str(workspace.prefix)
    assert executor.schema_version == 1
    assert not executor.analysis
    assert not executor.runner.ready
    assert executor.runner.prepared
    assert [i.name for i in executor.input_list] == ["in"]
    assert [o.name for o in executor.output_list] == ["out"]
    assert len(executor.data_loaders) == 0
    executor.discard_outputs()


def test_parameters(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.write_input("in", [1, 2])
    workspace.configure("user/echo_sequential/1", {"in": given}, parameters={"offset": 40})
    assert run().all_steps()
    assert workspace.values() == [41, 42]


def test_statistics(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1, 2])})
    block = run()
    assert block.all_steps()
    told = block.handler.statistics
    assert told["blocks"] == {"read": 2, "write": 2}
    assert told["volume"]["write"] > 8
    assert [file["hash"] for file in told["files"]] == ["out"]
    block.handler.join(10)
    assert not block.handler.is_alive()
    assert (block.handler.user_error, block.handler.system_error) == ("", "")


def test_without_driver(workspace: Workspace) -> None:
    workspace.bring("user/echo_autonomous/1")
    workspace.configure("user/echo_autonomous/1", {"in": workspace.write_input("in", [1])})
    executor = AlgorithmExecutor(None, str(workspace.directory), cache_root=str(workspace.cache))
    assert executor.setup()
    assert executor.prepare()
    assert executor.process()


def test_the_callers_sockets_stay_open(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    block = run()
    assert block.all_steps()
    assert not block.socket.closed


def test_a_socket_without_any_options_will_do(workspace: Workspace, peers: Peers) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    handler = peers.handler()
    handler.start()
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.PAIR)
    socket.connect(handler.address)
    executor = AlgorithmExecutor(socket, str(workspace.directory), cache_root=str(workspace.cache))
    assert executor.setup()
    assert executor.prepare()
    assert executor.process()
    socket.close()
    context.term()  # nothing of ours is left in it


def test_legacy_algorithms_are_warned_of_once(
    workspace: Workspace, run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    workspace.bring("user/echo_legacy/1")
    workspace.configure("user/echo_legacy/1", {"in": workspace.write_input("in", [1, 2, 3])})
    with caplog.at_level(logging.WARNING, "beat.backend.python"):
        assert run().all_steps()
    assert len([r for r in caplog.records if "API 1" in r.getMessage()]) == 1


# ranges


@pytest.mark.parametrize("algorithm", ["echo_sequential", "echo_legacy", "echo_autonomous"])
def test_a_range_of_a_cached_input(
    workspace: Workspace, run: Callable[..., Run], algorithm: str
) -> None:
    workspace.bring(f"user/{algorithm}/1")
    given = workspace.write_input("in", [0, 1, 2, 3, 4, 5], width=2)
    workspace.configure(f"user/{algorithm}/1", {"in": given}, range=[4, 9])
    assert run().all_steps()
    assert workspace.units() == [(2, 4, 5), (3, 6, 7), (4, 8, 9)]
    assert "out.4.9.data" in workspace.files()


def test_a_range_that_cuts_units_keeps_them(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.write_input("in", [0, 1, 2], width=4)
    workspace.configure("user/echo_sequential/1", {"in": given}, range=[2, 9])
    assert run().all_steps()
    assert workspace.units() == [(0, 2, 3), (1, 4, 7), (2, 8, 9)]


def test_a_range_is_for_the_blocks_own_channel_only(
    workspace: Workspace, run: Callable[..., Run]
) -> None:
    workspace.bring("user/add_offsets/1")
    inputs = {
        "in": workspace.write_input("in", [1, 2, 3, 4]),
        "offset": {**workspace.write_input("offset", [10, 20, 30, 40]), "channel": "other"},
    }
    workspace.configure("user/add_offsets/1", inputs, range=[2, 3])
    assert run().all_steps()
    assert workspace.units() == [(103, 2, 2), (104, 3, 3)]


def test_the_parts_of_a_split_block_are_read_as_one(
    workspace: Workspace, run: Callable[..., Run]
) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.write_input("in", [*range(10)])
    for limits in ([0, 3], [4, 6], [7, 9]):
        workspace.configure("user/echo_sequential/1", {"in": given}, range=limits)
        assert run().all_steps()
    assert workspace.units() == [(i, i, i) for i in range(10)]
    workspace.configure(
        "user/echo_sequential/1", {"in": {"channel": MAIN, "path": "out"}}, output_path="next"
    )
    assert run().all_steps()
    assert workspace.units("next") == [(i, i, i) for i in range(10)]
    assert "next.0.9.data" in workspace.files("next")


@pytest.mark.parametrize("limits", [[2, 4], [2, None], [None, 4], [None, None]])
def test_half_open_ranges(
    workspace: Workspace, run: Callable[..., Run], limits: list[int | None]
) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.write_input("in", [*range(8)])
    workspace.configure("user/echo_sequential/1", {"in": given}, range=limits)
    assert run().all_steps()
    first, last = (0 if limits[0] is None else 2), (7 if limits[1] is None else 4)
    assert workspace.values() == [*range(first, last + 1)]


# databases in this process


@pytest.mark.parametrize(
    ("database", "protocol", "set_name", "output", "values"),
    [
        ("simple/1", "numbers", "ten", "out", [*range(10)]),
        ("simple/1", "steps", "threes", "coarse", [0, 1, 2]),
        ("people/1", "counting", "numbers", "out", [*range(5)]),
    ],
)
@pytest.mark.parametrize("algorithm", ["echo_sequential", "echo_autonomous"])
def test_databases(
    workspace: Workspace,
    run: Callable[..., Run],
    database: str,
    protocol: str,
    set_name: str,
    output: str,
    values: list[int],
    algorithm: str,
) -> None:
    workspace.bring(f"user/{algorithm}/1")
    workspace.bring_database(database)
    given = workspace.index(database, protocol, set_name, output)
    workspace.configure(f"user/{algorithm}/1", {"in": given})
    assert run().all_steps()
    assert workspace.values() == values


def test_a_range_of_a_database(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/add_offsets/1")
    workspace.bring_database("simple/1")
    inputs = {
        "in": workspace.index("simple/1", "numbers", "ten", "out"),
        "offset": workspace.index("simple/1", "numbers", "some", "out", channel="other"),
    }
    workspace.configure("user/add_offsets/1", inputs, range=[3, 5])
    assert run().all_steps()
    assert workspace.units() == [(409, 3, 3), (410, 4, 4), (411, 5, 5)]


def test_databases_are_taken_from_the_cache(
    workspace: Workspace, run: Callable[..., Run], prefix: str
) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.index("simple/1", "numbers", "some", "out")
    workspace.configure("user/echo_sequential/1", {"in": given})
    known = {"simple/1": Database(prefix, "simple/1")}
    assert run(database_cache=known).all_steps()  # it is not in the working directory
    assert workspace.values() == [100, 101, 102, 103]


# failures

SIGNATURES = {
    "__init__": "self",
    "setup": "self, parameters",
    "prepare": "self, data_loaders",
    "process": "self, inputs, data_loaders, outputs",
}


def method(name: str, body: str) -> str:
    """Return the code of a class with one method, and a `process` in any case."""
    lines = ["class Algorithm:", f"    def {name}({SIGNATURES[name]}):", f"        {body}"]
    if name != "process":
        lines += [f"    def process({SIGNATURES['process']}):", "        return True"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("exc", [None, UserError])
def test_the_deepest_frame_is_the_users_own_line(
    workspace: Workspace, run: Callable[..., Run], name: str, exc: Any
) -> None:
    workspace.write_algorithm(method(name, "a = b"))
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2])})
    with pytest.raises(exc or NameError) as info:
        run(exc=exc).all_steps()
    last = info.traceback[-1]
    assert str(last.path) == f"{workspace.prefix}/algorithms/user/tested/1.py"
    assert str(last.statement).strip() == "a = b"
    assert workspace.files() == []


@pytest.mark.parametrize("step", ["setup", "prepare", "process"])
@pytest.mark.parametrize("value", ["False", "None", "0"])
def test_false_values(workspace: Workspace, run: Callable[..., Run], step: str, value: str) -> None:
    workspace.write_algorithm(method(step, f"return {value}"))
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2])})
    block = run()
    results = []
    for name in ("setup", "prepare", "process"):
        results.append(getattr(block.executor, name)())
        if name == step:
            break
    assert results == [True] * (len(results) - 1) + [False]
    assert workspace.files() == []
    assert block.handler.statistics == {}


BODIES = {
    "too few": "inputs['in'].data_index < 1 and outputs['out'].write(inputs['in'].data)",
    "nothing": "None",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_outputs_with_missing_data_are_named(
    workspace: Workspace, run: Callable[..., Run], body: str
) -> None:
    workspace.write_algorithm(
        f"class Algorithm:\n"
        f"    def process(self, inputs, data_loaders, outputs):\n"
        f"        {body}\n"
        f"        return True\n"
    )
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2])})
    block = run()
    with pytest.raises(RuntimeError, match=r"missing data.*`out'"):
        block.all_steps()
    assert workspace.files() == []
    assert block.handler.statistics == {}


def test_a_complete_output_of_a_failed_block_is_not_kept(
    workspace: Workspace, run: Callable[..., Run]
) -> None:
    workspace.write_algorithm(
        "class Algorithm:\n"
        "    def process(self, data_loaders, outputs):\n"
        "        outputs['out'].write({}, 1)\n"
        "        raise ValueError\n",
        type="autonomous",
    )
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2])})
    with pytest.raises((ValueError, AttributeError)):
        run().all_steps()
    assert workspace.files() == []


def test_reading_past_the_end(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.write_algorithm(
        "class Algorithm:\n"
        "    def process(self, inputs, data_loaders, outputs):\n"
        "        while True:\n"
        "            inputs['in'].group.restricted_access = False\n"
        "            inputs['in'].next()\n"
    )
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2])})
    with pytest.raises(RuntimeError, match="no more data"):
        run().all_steps()


def test_an_unknown_output(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.write_algorithm(
        "class Algorithm:\n"
        "    def process(self, inputs, data_loaders, outputs):\n"
        "        outputs['foo'].write({})\n"
    )
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2])})
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'write'"):
        run().all_steps()


def test_an_input_that_is_not_there(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": {"channel": MAIN, "path": "absent"}})
    with pytest.raises(OSError, match=r"`in'.*absent"):
        run()


@pytest.mark.parametrize("part", ["inputs", "outputs"])
def test_names_the_algorithm_does_not_know(
    workspace: Workspace, run: Callable[..., Run], part: str
) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.write_input("in", [1])
    inputs = {"odd": given} if part == "inputs" else {"in": given}
    outputs = {"odd" if part == "outputs" else "out": {"channel": MAIN, "path": "out"}}
    workspace.configure("user/echo_sequential/1", inputs, outputs=outputs)
    with pytest.raises(RuntimeError, match=f"no {part[:-1]} `odd'"):
        run()
    assert workspace.files() == []


def test_an_algorithm_that_is_not_there(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.configure("user/absent/1", {"in": workspace.write_input("in", [1])})
    with pytest.raises(RuntimeError, match="file not found"):
        run()


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_a_configuration_that_is_none(
    workspace: Workspace, run: Callable[..., Run], text: str
) -> None:
    (workspace.directory / "configuration.json").write_text(text)
    with pytest.raises(ValueError, match=r"configuration\.json"):
        run()


def test_compiled_algorithms_are_declared_but_not_run(
    workspace: Workspace, run: Callable[..., Run]
) -> None:
    workspace.write_algorithm("", language="cxx")
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1])})
    with pytest.raises(RuntimeError, match="`cxx'"):
        run()


def test_an_algorithm_without_input_on_its_channel(
    workspace: Workspace, run: Callable[..., Run]
) -> None:
    workspace.bring("user/echo_sequential/1")
    given = {**workspace.write_input("in", [1]), "channel": "other"}
    workspace.configure("user/echo_sequential/1", {"in": given}, range=[0, 0])
    with pytest.raises(RuntimeError, match=f"channel `{MAIN}'"):
        run().all_steps()


def test_a_database_without_data(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.bring_database("simple/1")
    given = workspace.index("simple/1", "numbers", "none", "out")
    workspace.configure("user/echo_sequential/1", {"in": given})
    with pytest.raises(RuntimeError, match="no data on channel"):
        run()


# the driver


def test_a_driver_that_is_gone_at_the_end(workspace: Workspace, run: Callable[..., Run]) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    block = run()
    ask(block.socket, b"ifo", b"x")  # it has been there
    block.handler.destroy()
    began = time.monotonic()
    with pytest.raises(RemoteException, match="gone"):
        block.all_steps()
    assert time.monotonic() - began < 10


def test_a_driver_that_starts_late(workspace: Workspace, peers: Peers) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    handler = peers.handler()
    timer = threading.Timer(0.5, handler.start)
    timer.start()
    executor = AlgorithmExecutor(
        peers.client(handler), str(workspace.directory), cache_root=str(workspace.cache)
    )
    assert executor.setup()
    assert executor.process()
    timer.join()


def test_message_handlers_of_clients_may_share_a_context(
    workspace: Workspace, peers: Peers
) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    handler = peers.keep(MessageHandler("127.0.0.1", context=peers.context))
    handler.start()
    executor = AlgorithmExecutor(
        peers.client(handler), str(workspace.directory), cache_root=str(workspace.cache)
    )
    assert executor.setup()
    assert executor.process()
    handler.join(10)
    handler.destroy()
