"""Serving the views of databases, in one process with their client."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import zmq
from support.blocks import INTEGER, Workspace
from support.peers import Peers, ask

from beat.backend.python.data import RemoteDataSource
from beat.backend.python.database import Database
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.exceptions import RemoteException, UserError
from beat.backend.python.execution import AlgorithmExecutor, DBExecutor

Provide = Callable[..., tuple[DBExecutor, zmq.Socket[bytes]]]


@pytest.fixture
def provide(workspace: Workspace, peers: Peers) -> Provide:
    """Return what serves a configuration: the executor, and a socket connected to it."""

    def provide(**arguments: Any) -> tuple[DBExecutor, zmq.Socket[bytes]]:
        data = arguments.pop("data", workspace.configuration)
        handler = peers.handler()
        executor = DBExecutor(
            handler, str(workspace.prefix), str(workspace.cache), data, **arguments
        )
        assert executor.process()
        return executor, peers.client(handler)

    return provide


def configure(workspace: Workspace, *indexed: Any, **more: Any) -> None:
    """Configure an algorithm that reads numbers from outputs of databases."""
    workspace.bring("user/echo_sequential/1")
    inputs = {f"in{i or ''}": given for i, given in enumerate(indexed)}
    for name in {given["database"] for given in indexed}:
        workspace.bring_database(name)
    workspace.configure("user/echo_sequential/1", inputs, **more)


def remote(workspace: Workspace, socket: zmq.Socket[bytes], name: str = "in") -> RemoteDataSource:
    source = RemoteDataSource()
    source.setup(socket, name, INTEGER, str(workspace.prefix))
    return source


@pytest.mark.parametrize(
    ("indexed", "units"),
    [
        (("simple/1", "numbers", "some", "out"), [(100 + i, i, i) for i in range(4)]),
        (("simple/1", "steps", "threes", "coarse"), [(i, 3 * i, 3 * i + 2) for i in range(3)]),
        (("simple/1", "numbers", "none", "out"), []),
        (("people/1", "verification", "train", "file_id"), [(i + 1, i, i) for i in range(6)]),
    ],
)
def test_what_is_served(
    workspace: Workspace, provide: Provide, indexed: Any, units: list[Any]
) -> None:
    configure(workspace, workspace.index(*indexed))
    executor, socket = provide()
    source = remote(workspace, socket)
    assert [(data.value, start, end) for data, start, end in source] == units
    assert ask(socket, b"don") == [b"ack"]
    executor.wait()


def test_what_an_executor_shows(workspace: Workspace, peers: Peers) -> None:
    configure(
        workspace,
        workspace.index("simple/1", "steps", "threes", "coarse"),
        workspace.index("simple/1", "steps", "threes", "fine"),
        workspace.index("simple/1", "numbers", "ten", "out", channel="other"),
    )
    handler = peers.handler()
    executor = DBExecutor(
        handler, str(workspace.prefix), str(workspace.cache), workspace.configuration
    )
    assert executor.valid
    assert executor.errors == []
    assert executor.address == handler.address
    assert [*executor.databases] == ["simple/1"]
    assert len(executor.views) == 2
    assert sorted(executor.data_sources) == ["in", "in1", "in2"]
    executor.wait()  # nothing has begun


def test_a_configuration_file(workspace: Workspace, provide: Provide) -> None:
    configure(workspace, workspace.index("simple/1", "numbers", "some", "out"))
    _, socket = provide(data=str(workspace.directory / "configuration.json"))
    assert len(remote(workspace, socket)) == 4


def test_only_what_matters_is_looked_at(workspace: Workspace, provide: Provide) -> None:
    configure(workspace, workspace.index("simple/1", "numbers", "some", "out"))
    keys = ("inputs", "channel")
    _, socket = provide(data={key: workspace.configuration[key] for key in keys})
    assert len(remote(workspace, socket)) == 4


def test_given_databases(workspace: Workspace, provide: Provide, prefix: str) -> None:
    workspace.bring("user/echo_sequential/1")
    given = workspace.index("simple/1", "numbers", "some", "out")
    workspace.configure("user/echo_sequential/1", {"in": given})
    _, socket = provide(database_cache={"simple/1": Database(prefix, "simple/1")})
    assert len(remote(workspace, socket)) == 4


def test_cached_inputs_are_none_of_its_business(workspace: Workspace, provide: Provide) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.configure("user/echo_sequential/1", {"in": workspace.write_input("in", [1])})
    executor, socket = provide()
    assert executor.data_sources == {}
    assert ask(socket, b"ifo", b"in")[:2] == [b"err", b"sys"]


def test_ranges_are_for_the_blocks_own_channel(workspace: Workspace, provide: Provide) -> None:
    configure(
        workspace,
        workspace.index("simple/1", "steps", "threes", "coarse"),
        workspace.index("simple/1", "steps", "threes", "coarse", channel="other"),
        range=[2, 6],
    )
    executor, socket = provide()
    assert len(executor.views) == 2
    assert remote(workspace, socket, "in").data_indices() == [(2, 2), (3, 5), (6, 6)]
    assert remote(workspace, socket, "in1").data_indices() == [(0, 2), (3, 5), (6, 8)]
    assert [data.value for data, _, _ in remote(workspace, socket, "in")] == [0, 1, 2]


def test_the_wire(workspace: Workspace, provide: Provide, prefix: str) -> None:
    configure(workspace, workspace.index("simple/1", "steps", "threes", "coarse"))
    _, socket = provide()
    assert ask(socket, b"ifo", b"in") == [b"3", b"0", b"2", b"3", b"5", b"6", b"8"]
    packed = DataFormat(prefix, INTEGER).type(value=numpy.int32(1)).pack()
    assert ask(socket, b"get", b"in", b"1") == [b"3", b"5", packed]


@pytest.mark.parametrize("algorithm", ["echo_sequential", "echo_legacy", "echo_autonomous"])
@pytest.mark.parametrize("limits", [None, [2, 5]])
def test_a_whole_block(
    workspace: Workspace, provide: Provide, peers: Peers, algorithm: str, limits: Any
) -> None:
    configure(workspace, workspace.index("simple/1", "numbers", "ten", "out"), range=limits)
    workspace.bring(f"user/{algorithm}/1")
    workspace.configuration["algorithm"] = f"user/{algorithm}/1"
    workspace.write_configuration()
    provider, socket = provide()
    driver = peers.handler()
    driver.start()
    executor = AlgorithmExecutor(
        peers.client(driver),
        str(workspace.directory),
        cache_root=str(workspace.cache),
        db_socket=socket,
    )
    assert executor.setup()
    assert executor.prepare()
    assert executor.process()
    provider.wait()
    first, last = limits or (0, 9)
    assert workspace.units() == [(i, i, i) for i in range(first, last + 1)]
    assert driver.statistics["network"]["wait_time"] > 0
    assert provider.message_handler.statistics == driver.statistics


# failures


@pytest.mark.parametrize("exc", [None, UserError])
def test_a_view_that_raises(workspace: Workspace, provide: Provide, exc: Any) -> None:
    configure(workspace, workspace.index("faulty/1", "faults", "get", "out"))
    _, socket = provide(exc=exc)
    source = remote(workspace, socket)
    for _ in range(2):  # it goes on serving
        with pytest.raises(RemoteException) as info:
            source[0]
        assert info.value.kind == "usr"
        text = info.value.user_error
        assert text.startswith('Traceback (most recent call last):\n  File "databases/faulty/1.py"')
        assert 'raise ValueError("raised in get")  # get fails' in text
        assert text.endswith("ValueError: raised in get")


def test_a_view_that_raises_once(workspace: Workspace, provide: Provide) -> None:
    configure(workspace, workspace.index("faulty/1", "faults", "get_once", "out"))
    executor, socket = provide()
    source = remote(workspace, socket)
    assert source[0][0].value == 0
    with pytest.raises(RemoteException, match="raised once in get"):
        source[1]
    assert source[1][0].value == 1
    assert source[2][0].value == 2
    assert ask(socket, b"don") == [b"ack"]
    executor.wait()


def test_a_view_that_delivers_what_does_not_fit(
    workspace: Workspace, provide: Provide, prefix: str
) -> None:
    configure(workspace, workspace.index("simple/1", "numbers", "some", "out"))
    database = Database(prefix, "simple/1")
    executor, socket = provide(database_cache={"simple/1": database})
    (view,) = executor.views.values()
    for wrong in ({"value": 1.5}, {}, {"value": numpy.int32(1), "x": 1}, 7):
        view.obj.get = lambda output, index, wrong=wrong: wrong
        assert ask(socket, b"get", b"in", b"0")[:2] == [b"err", b"usr"]


@pytest.mark.parametrize("step", ["new", "setup"])
@pytest.mark.parametrize("exc", [None, UserError])
def test_views_that_cannot_be_made(workspace: Workspace, peers: Peers, step: str, exc: Any) -> None:
    given = workspace.index("faulty/1", "faults", "get", "out")
    configure(workspace, {**given, "set": step})
    with pytest.raises(exc or ValueError, match=f"raised in {step}") as info:
        DBExecutor(
            peers.handler(),
            str(workspace.prefix),
            str(workspace.cache),
            workspace.configuration,
            exc=exc,
        )
    assert f"# {step} fails" in str(info.traceback[-1].statement)


@pytest.mark.parametrize("change", [{"protocol": "x"}, {"set": "x"}, {"output": "x"}])
def test_what_the_database_lacks(
    workspace: Workspace, peers: Peers, change: dict[str, str]
) -> None:
    given = workspace.index("simple/1", "numbers", "some", "out")
    configure(workspace, {**given, **change})
    with pytest.raises(KeyError, match="x"):
        DBExecutor(
            peers.handler(), str(workspace.prefix), str(workspace.cache), workspace.configuration
        )


def test_a_set_that_is_not_indexed(workspace: Workspace, peers: Peers) -> None:
    given = workspace.index("simple/1", "numbers", "some", "out")
    configure(workspace, {**given, "path": "absent.db"})
    with pytest.raises(OSError, match=r"absent\.db"):
        DBExecutor(
            peers.handler(), str(workspace.prefix), str(workspace.cache), workspace.configuration
        )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "`inputs' is missing"),
        ({"inputs": {}}, "`channel' is missing"),
        ([], "`inputs' is missing"),
        ("/absent/configuration.json", "/absent/configuration.json"),
        (
            {"channel": "main", "inputs": {"in": {"database": "absent/1"}}},
            "database `absent/1'.*not found",
        ),
    ],
)
def test_configurations_that_are_not_valid(
    workspace: Workspace, peers: Peers, data: Any, error: str
) -> None:
    if isinstance(data, list):
        path = workspace.directory / "list.json"
        path.write_text(json.dumps(data))
        data = str(path)
    executor = DBExecutor(peers.handler(), str(workspace.prefix), str(workspace.cache), data)
    assert not executor.valid
    assert any(re.search(error, line) for line in executor.errors)
    assert executor.process() is False
    executor.wait()


def test_a_client_gone_while_the_view_works(
    workspace: Workspace, peers: Peers, prefix: str
) -> None:
    configure(workspace, workspace.index("simple/1", "numbers", "some", "out"))
    handler = peers.handler()
    database = Database(prefix, "simple/1")
    executor = DBExecutor(
        handler,
        str(workspace.prefix),
        str(workspace.cache),
        workspace.configuration,
        database_cache={"simple/1": database},
    )
    (view,) = executor.views.values()
    started, release = threading.Event(), threading.Event()

    def slow(output: str, index: int) -> dict[str, Any]:
        started.set()
        release.wait(10)
        return {"value": numpy.int32(1)}

    view.obj.get = slow
    executor.process()
    client = peers.client(handler)
    client.send_multipart([b"get", b"in", b"0"])
    assert started.wait(10)
    client.close()
    time.sleep(0.1)
    release.set()
    handler.join(5)
    assert not handler.is_alive()
