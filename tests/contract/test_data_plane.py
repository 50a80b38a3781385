"""Cache files byte by byte, third parties' sources and sinks, and plain sockets as peers."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pytest
import zmq
from support.blocks import INTEGER, Workspace, side
from support.objects import write_object
from support.pairs import peer
from support.peers import Peers, ask

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import (
    CachedDataSink,
    CachedDataSource,
    DataSink,
    DataSource,
    RemoteDataSource,
    getAllFilenames,
    load_data_index,
    load_data_index_db,
)
from beat.backend.python.data_loaders import DataLoader
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution import AlgorithmExecutor, LoopMessageHandler
from beat.backend.python.inputs import Input, InputGroup
from beat.backend.python.outputs import Output, SynchronizationListener

ENDS = "start_index=None, end_index=None"
CACHES = "dataformat_cache=None, database_cache=None"
HANDLER = "host_address, data_sources=None, kill_callback=None, context=None"
SIGNATURES = {
    "data:CachedDataSource.setup": f"self, filename, prefix, {ENDS}, unpack=True",
    "data:RemoteDataSource.setup": "self, socket, input_name, dataformat_name, prefix, unpack=True",
    "data:DatabaseOutputDataSource.setup": "self, view, output_name, dataformat_name, prefix, "
    f"{ENDS}, pack=False",
    "data:CachedDataSink.setup": "self, filename, dataformat, start_index, end_index, "
    "encoding='binary'",
    "data:StdoutDataSink.setup": "self, dataformat, prefix=None, display_data=True",
    "data:DataSource.getAtDataIndex": "self, data_index",
    "data:FileInfos": "file_index, start_index, end_index, offset, size",
    "data:mixDataIndices": "list_of_lists",
    "data:getAllFilenames": f"filename, {ENDS}",
    "data:load_data_index": "cache_root, hash_path",
    "data:load_data_index_db": "cache_root, hash_path",
    "data:foundSplitRanges": "lists, n",
    "inputs:first": "iterable, default=None",
    "inputs:Input": "name, data_format, data_source",
    "inputs:InputGroup": "channel, synchronization_listener=None, restricted_access=True",
    "inputs:InputList.group": "self, name_or_index",
    "outputs:Output": "name, data_sink, synchronization_listener=None, force_start_index=0",
    "outputs:Output.write": "self, data, end_data_index=None",
    "outputs:OutputList.write": "self, data, end_data_index=None",
    "data_loaders:DataLoader": "channel",
    "data_loaders:DataLoader.add": "self, input_name, data_source",
    "data_loaders:DataLoader.count": "self, input_name=None",
    "data_loaders:DataLoader.view": "self, input_name, index",
    "data_loaders:DataView.count": "self, input_name=None",
    "data_loaders:DataLoaderList.loaderOf": "self, input_name",
    "stats:io_statistics": "configuration, input_list=None, output_list=None",
    "helpers:create_inputs_from_configuration": "config, algorithm, prefix, cache_root, "
    "cache_access=<AccessMode.NONE: 0>, db_access=<AccessMode.NONE: 0>, unpack=True, socket=None, "
    "databases=None, no_synchronisation_listeners=False",
    "helpers:create_outputs_from_configuration": "config, algorithm, prefix, cache_root, "
    "input_list=None, data_loaders=None, loop_socket=None",
    "helpers:convert_loop_to_container": "config",
    "helpers:convert_experiment_configuration_to_container": "config",
    "execution:AlgorithmExecutor": f"socket, directory, {CACHES}, library_cache=None, "
    "cache_root='/cache', db_socket=None, loop_socket=None",
    "execution:AlgorithmExecutor.done": "self, stats",
    "execution:DBExecutor": f"message_handler, prefix, cache_root, data, {CACHES}",
    "execution:LoopExecutor": f"message_handler, directory, {CACHES}, library_cache=None, "
    "cache_root='/cache', db_socket=None",
    "execution:LoopExecutor.write": "self, processor_output_name, end_data_index",
    "execution:LoopChannel": "socket",
    "execution:LoopChannel.setup": "self, algorithm, prefix",
    "execution:MessageHandler": HANDLER,
    "execution:LoopMessageHandler": HANDLER,
    "execution:LoopMessageHandler.setup": "self, algorithm, prefix",
    "execution:LoopMessageHandler.set_executor": "self, executor",
    "execution:MessageHandler.send_error": "self, message, kind='usr'",
    "execution:MessageHandler.set_data_sources": "self, data_sources",
    **{
        f"scripts.{name}:main": "arguments=None"
        for name in ("execute", "loop_execute", "databases_provider", "index", "describe")
    },
}


@pytest.mark.parametrize("what", SIGNATURES)
def test_arguments(what: str) -> None:
    module, _, path = what.partition(":")
    called: Any = importlib.import_module(f"beat.backend.python.{module}")
    for name in path.split("."):
        called = getattr(called, name)
    parameters = inspect.signature(called).parameters.values()
    plain = [str(p.replace(annotation=inspect.Parameter.empty)) for p in parameters]
    wanted = SIGNATURES[what].split(", ")
    assert plain[: len(wanted)] == wanted
    assert all("=" in more for more in plain[len(wanted) :])


# cache files, written by hand and read by hand

FORMAT = {
    "count": "uint16",
    "flag": "bool",
    "grid": [0, 2, "float32"],
    "inner": {"z": "complex64", "a": "int8"},
    "name": "string",
    "words": [0, "string"],
}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


#: two units, as the encoding is described: fields sorted by name, nothing between them
PACKED = [
    struct.pack("<H?QQffff", 513, True, 2, 2, 1, 2, 3, 4)
    + struct.pack("<bff", -1, 0.5, -2)
    + text("zoë\n")
    + struct.pack("<Q", 2)
    + text("a")
    + text(""),
    struct.pack("<H?QQ", 0, False, 0, 2)
    + struct.pack("<bff", 10, 0, 0)
    + text("")
    + struct.pack("<Q", 0),
]
CONTENT: list[dict[str, Any]] = [
    {
        "count": numpy.uint16(513),
        "flag": True,
        "grid": numpy.array([[1, 2], [3, 4]], "float32"),
        "inner": {"z": numpy.complex64(0.5 - 2j), "a": numpy.int8(-1)},
        "name": "zoë\n",
        "words": ["a", ""],
    },
    {
        "count": numpy.uint16(0),
        "flag": False,
        "grid": numpy.zeros((0, 2), "float32"),
        "inner": {"z": numpy.complex64(0), "a": numpy.int8(10)},
        "name": "",
        "words": [],
    },
]
UNITS = [(3, 7), (8, 8)]


@pytest.fixture
def formats(tmp_path: Path) -> str:
    write_object(tmp_path / "own", "dataformats", "user/mixed/1", FORMAT)
    return str(tmp_path / "own")


def by_hand(payloads: list[bytes], encoding: bytes = b"binary") -> tuple[bytes, bytes]:
    data, index = encoding + b"\nuser/mixed/1\n", b""
    for (start, end), payload in zip(UNITS, payloads, strict=True):
        data += b"%d %d %d\n%s\n" % (start, end, len(payload) + 1, payload)
        index += b"%d %d\n" % (start, end)
    return data, index


def publish(cache: str, data: bytes, index: bytes) -> None:
    for kind, content in (("data", data), ("index", index)):
        path = Path(cache, f"out.3.8.{kind}")
        path.write_bytes(content)
        path.with_name(f"{path.name}.checksum").write_text(hashlib.sha256(content).hexdigest())


def opened(cache: str, prefix: str, **arguments: Any) -> CachedDataSource:
    source = CachedDataSource()
    assert source.setup(f"{cache}/out.data", prefix, **arguments)
    return source


def test_files_written_by_hand(formats: str, cache: str) -> None:
    publish(cache, *by_hand(PACKED))
    source = opened(cache, formats)
    type_ = DataFormat(formats, "user/mixed/1").type
    for i, (data, start, end) in enumerate(source):
        assert (start, end) == UNITS[i]
        assert data.isclose(type_(**CONTENT[i]))
        assert data.pack() == PACKED[i]
    assert [(info.file_index, info.start_index, info.end_index) for info in source.infos] == [
        (0, 3, 7),
        (0, 8, 8),
    ]
    assert source.infos[0].size == len(PACKED[0]) + 1
    whole = Path(cache, "out.3.8.data").read_bytes()
    for info, packed in zip(source.infos, PACKED, strict=True):
        assert whole[info.offset :][: info.size] == packed + b"\n"
    source.close()
    raw = opened(cache, formats, unpack=False)
    assert [type_().unpack(data).pack() for data, _, _ in raw] == PACKED
    raw.close()


@pytest.mark.parametrize("as_dict", [True, False])
def test_files_read_by_hand(formats: str, cache: str, as_dict: bool) -> None:
    dataformat = DataFormat(formats, "user/mixed/1")
    sink = CachedDataSink()
    assert sink.setup(f"{cache}/out.data", dataformat, 3, 8)
    for content, unit in zip(CONTENT, UNITS, strict=True):
        sink.write(content if as_dict else dataformat.type(**content), *unit)
    sink.close()
    for kind, content in zip(("data", "index"), by_hand(PACKED), strict=True):
        assert Path(cache, f"out.3.8.{kind}").read_bytes() == content
        told = Path(cache, f"out.3.8.{kind}.checksum").read_text()
        assert told == hashlib.sha256(content).hexdigest()


def test_json_files_written_by_hand(cache: str, tmp_path: Path) -> None:
    write_object(tmp_path / "own", "dataformats", "user/mixed/1", {"n": "int32", "w": [0, "int8"]})
    payloads = [json.dumps({"n": n, "w": [1, n]}, indent=4).encode() for n in (7, -8)]
    publish(cache, *by_hand(payloads, b"json"))
    source = opened(cache, str(tmp_path / "own"))
    assert [(data.n, data.w.tolist()) for data, _, _ in source] == [(7, [1, 7]), (-8, [1, -8])]
    source.close()


def test_places_may_be_paths(prefix: str, tmp_path: Path) -> None:
    path, dataformat = tmp_path / "out.data", DataFormat(prefix, INTEGER)
    sink, source = CachedDataSink(), CachedDataSource()
    assert sink.setup(path, dataformat, 0, 1)  # type: ignore[arg-type]
    sink.write({"value": numpy.int32(7)}, 0, 1)
    sink.close()
    assert source.setup(path, prefix)  # type: ignore[arg-type]
    assert [data.value for data, _, _ in source] == [7]
    source.close()
    names = getAllFilenames(path)  # type: ignore[arg-type]
    assert names[0] == [str(tmp_path / "out.0.1.data")]
    assert load_data_index(tmp_path, "out") == [0, 2]  # type: ignore[arg-type]
    assert load_data_index_db(tmp_path, Path("out")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("expected", [OSError, RuntimeError])
def test_a_damaged_index_is_what_either_kind_of_caller_expects(
    formats: str, cache: str, expected: type[Exception]
) -> None:
    publish(cache, *by_hand(PACKED))
    Path(cache, "out.3.8.index.checksum").write_text("0" * 64)
    with pytest.raises(expected, match="wrong checksum"):
        load_data_index(cache, "out")


# third parties


class ListLike(DataSource):
    """Defines how to get an item, which fails as that of a list does."""

    def __init__(self) -> None:
        self.units = [(b"\1\0\0\0", 0, 1), (b"\2\0\0\0", 2, 5)]

    def __getitem__(self, index: int) -> Any:
        return self.units[index]


class CountedListLike(ListLike):
    """Knows its length besides."""

    def __len__(self) -> int:
        return len(self.units)


class Uninitialised(CachedDataSource):
    """Does not call the base constructor."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize("klass", [ListLike, CountedListLike])
def test_sources_that_are_like_lists(peers: Peers, prefix: str, klass: type[DataSource]) -> None:
    source = klass()
    assert len(source) == 2
    assert [unit[1:] for unit in source] == source.data_indices() == [(0, 1), (2, 5)]
    assert (source.first_data_index(), source.last_data_index()) == (0, 5)
    assert source.getAtDataIndex(4)[1] == 2
    assert source.getAtDataIndex(6) == (None, None, None)
    loader = DataLoader("channel")
    loader.add("in", source)
    assert loader[1] == ({"in": b"\2\0\0\0"}, 2, 5)
    input = Input("in", INTEGER, source)
    input.next()
    input.next()
    assert not input.hasMoreData()
    handler = peers.handler(data_sources={"in": source})
    handler.start()
    remote = RemoteDataSource()
    assert remote.setup(peers.client(handler), "in", INTEGER, prefix)
    assert [(data.value, start, end) for data, start, end in remote] == [(1, 0, 1), (2, 2, 5)]


def test_a_source_that_fails_in_the_midst_does_not_just_end() -> None:
    class Failing(DataSource):
        def __init__(self) -> None:
            self.infos = [(0, 0), (1, 1)]

        def __getitem__(self, index: int) -> Any:
            return ([b""][index], *self.infos[index])

    with pytest.raises(IndexError):
        list(Failing())


def test_a_cached_source_without_constructor(prefix: str, workspace: Workspace) -> None:
    source = Uninitialised()
    assert (len(source), source[0], source.ready) == (0, (None, None, None), False)
    workspace.write_input("in", [5, 6])
    assert source.setup(str(workspace.cache / "in.data"), prefix)
    assert [data.value for data, _, _ in source] == [5, 6]
    source.close()


class Sink(DataSink):
    """Has arguments of its own names, and no constructor."""

    def write(self, unit: Any, first: int, last: int) -> None:
        self.__dict__.setdefault("units", []).append((unit, first, last))

    def isConnected(self) -> bool:
        return False


def test_a_sink_of_a_third_party(prefix: str) -> None:
    sink = Sink()
    sink.dataformat = DataFormat(prefix, INTEGER)
    listener = SynchronizationListener()
    output = Output("out", sink, listener, force_start_index=4)
    listener.onIntervalChanged(4, 6)
    output.write({"value": numpy.int32(7)}, 5)
    output.write(None)
    assert sink.units[0][0].value == 7
    assert [unit[1:] for unit in sink.units] == [(4, 5), (6, 6)]
    assert sink.units[1][0] is None
    for end in (6, 7):
        with pytest.raises(KeyError):
            output.write(None, end)
    assert not output.isConnected()
    assert not output.isDataMissing()
    output.close()


def test_uneven_units_and_what_the_group_says_of_them() -> None:
    class Source(DataSource):
        def __init__(self, units: list[tuple[int, int]]) -> None:
            self.infos = units

        def __getitem__(self, index: int) -> Any:
            return (index, *self.infos[index]) if index < len(self.infos) else (None,) * 3

    group = InputGroup("channel", restricted_access=False)
    for name, units in {"a": [(0, 3), (4, 5)], "b": [(0, 0), (1, 4), (5, 5)]}.items():
        group.add(Input(name, INTEGER, Source(units)))
    steps = []
    while group.hasMoreData():
        group.next()
        indices = (group.data_index, group.data_index_end)
        common = (group.first_data_index, group.last_data_index)
        changed = [input.hasDataChanged() for input in group]
        steps.append((indices, common, changed, [input.isDataUnitDone() for input in group]))
    assert steps == [
        ((0, 3), (0, 0), [True, True], [False, True]),
        ((0, 4), (1, 3), [False, True], [True, False]),
        ((1, 5), (4, 4), [True, False], [False, True]),
        ((4, 5), (5, 5), [False, True], [True, True]),
    ]
    with pytest.raises(RuntimeError, match="no more data"):
        group.next()


# plain sockets at the other end


@pytest.mark.parametrize("data", [{"value": 1}, "text", 7])
def test_what_a_source_cannot_have_meant(peers: Peers, data: Any) -> None:
    """The handler answers, and goes on."""

    class Wrong(DataSource):
        def __init__(self) -> None:
            self.infos = [(0, 0)]

        def __getitem__(self, index: int) -> Any:
            return data, 0, 0

    handler = peers.handler(data_sources={"in": Wrong()})
    handler.start()
    client = peers.client(handler)
    answer = ask(client, b"get", b"in", b"0")
    assert answer[:2] == [b"err", b"usr"]
    assert type(data).__name__ in repr(answer[2]) or repr(data).encode() in answer[2]
    assert ask(client, b"ifo", b"in") == [b"1", b"0", b"0"]


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("kind", ["usr", "sys"])
def test_an_old_peer_that_fails(kind: str, waits: bool) -> None:
    peers, calls = Peers(), []
    try:
        handler = peers.handler(kill_callback=lambda: calls.append(1))
        handler.start()
        socket = peers.context.socket(zmq.PAIR)
        socket.connect(handler.address)
        socket.send_multipart([b"err", kind.encode(), "wäs".encode()])
        if waits:
            assert socket.recv_multipart() == [b"ack"]
        socket.close()
        handler.join(5)
        assert not handler.is_alive()
        errors = {"usr": handler.user_error, "sys": handler.system_error}
        assert errors.pop(kind) == "wäs"
        assert [*errors.values()] == [""]
        assert handler.statistics == {}
        assert calls == []
    finally:
        peers.close()


def test_an_old_peer_acknowledges_failures(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    client = peers.client(handler)
    assert ask(client, b"ifo", b"in")[:2] == [b"err", b"sys"]
    client.send_multipart([b"ack"])
    assert ask(client, b"don", b'{"a": 1}') == [b"ack"]
    assert handler.statistics == {"a": 1}


class StandIn:
    """Has of an evaluator's executor what the wire asks for."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def validate(self, hypothesis: Any) -> tuple[bool, dict[str, Any]]:
        self.called.append(hypothesis.value)
        return False, {"value": hypothesis.value}

    def write(self, processor_output_name: str, end_data_index: int | None) -> None:
        self.called.append((processor_output_name, end_data_index))

    def read(self) -> None:
        self.called.append("read")


def test_the_serving_side_of_a_loop(peers: Peers, prefix: str) -> None:
    handler = LoopMessageHandler("127.0.0.1")
    peers.keep(handler)
    executor: Any = StandIn()
    handler.setup(Algorithm(prefix, "user/guess_evaluator_sequential/1"), prefix)
    handler.set_executor(executor)
    handler.start()
    client = peers.client(handler)
    ack = [b"ack"]
    assert ask(client, b"rdi") == ack
    assert ask(client, b"val", b"\5\0\0\0") == [b"False", b"\5\0\0\0"]
    assert ask(client, b"wrt", b"out", b"None") == ask(client, b"wrt", b"out", b"12") == ack
    assert ask(client, b"don") == ack
    handler.join(5)
    assert not handler.is_alive()
    assert executor.called == ["read", 5, ("out", None), ("out", 12)]
    assert (handler.statistics, handler.user_error, handler.system_error) == ({}, "", "")


ARGUMENTS = "self, inputs, data_loaders, outputs, loop_channel"


def provider(request: list[bytes]) -> list[bytes]:
    units = [b"0", b"0", b"1", b"1"]
    if request[0] == b"ifo":
        return [b"2", *units]
    if request[0] == b"get":
        return [request[2], request[2], bytes([3 + int(request[2]), 0, 0, 0])]
    return [b"ack"]


def evaluator(request: list[bytes]) -> list[bytes]:
    return [b"True", bytes(4)] if request[0] == b"val" else [b"ack"]


@contextmanager
def executing(
    workspace: Workspace, *answers: Callable[[list[bytes]], list[bytes]], body: str = ""
) -> Iterator[Any]:
    """Make a processor on a database, with plain sockets for its driver, provider and evaluator."""
    workspace.bring("user/guess_processor_sequential/1")
    if body:
        code = f"class Algorithm:\n    def process({ARGUMENTS}):\n        {body}\n"
        path = workspace.prefix / "algorithms/user/guess_processor_sequential/1.py"
        path.write_text(code)
    details = {"database": "simple/1", "protocol": "numbers", "set": "some", "output": "out"}
    given = {"in": {"channel": "main", "path": "in.db", **details}}
    name = "user/guess_processor_sequential/1"
    workspace.configure(name, given, loop=side("user/x/1", {}))
    with (
        peer(answers[0]) as (driver, socket),
        peer(answers[1]) as (database, db_socket),
        peer(answers[2]) as (loop, loop_socket),
    ):
        executor = AlgorithmExecutor(
            socket,
            str(workspace.directory),
            cache_root=str(workspace.cache),
            db_socket=db_socket,
            loop_socket=loop_socket,
        )
        yield executor, driver, database, loop


def test_everything_that_an_executor_asks(workspace: Workspace) -> None:
    with executing(workspace, lambda request: [b"ack"], provider, evaluator) as made:
        executor, driver, database, loop = made
        assert executor.setup()
        assert executor.prepare()
        assert executor.process()
    assert [request[0] for request in loop.asked] == 2 * [b"rdi", b"val", b"wrt"] + [b"don"]
    assert loop.asked[1] == [b"val", b"\3\0\0\0"]
    assert loop.asked[2] == [b"wrt", b"out", b"None"]
    assert loop.asked[-1] == [b"don"]
    assert database.asked[:3] == [[b"ifo", b"in"], [b"get", b"in", b"0"], [b"get", b"in", b"1"]]
    [(done, statistics)] = database.asked[3:]
    assert driver.asked == [[done, statistics]]
    assert done == b"don"
    assert json.loads(statistics)["blocks"] == {"read": 2, "write": 2}
    assert workspace.values() == [3, 4]


@pytest.mark.parametrize("command", [b"ifo", b"get"])
@pytest.mark.parametrize("kind", ["usr", "sys"])
def test_a_provider_that_fails(workspace: Workspace, command: bytes, kind: str) -> None:
    def failing(request: list[bytes]) -> list[bytes]:
        return [b"err", kind.encode(), b"why"] if request[0] == command else provider(request)

    with (
        pytest.raises(RemoteException) as info,
        executing(workspace, lambda request: [b"ack"], failing, evaluator) as (executor, *_),
    ):
        assert executor.setup()
        assert executor.prepare()
        executor.process()
    errors = {"usr": info.value.user_error, "sys": info.value.system_error}
    assert errors.pop(kind) == "why"
    assert [*errors.values()] == [""]
    assert str(info.value) == f"({kind}) why"
    assert workspace.files() == []


@pytest.mark.parametrize("command", [b"rdi", b"val", b"wrt", b"don"])
def test_an_evaluator_that_fails(workspace: Workspace, command: bytes) -> None:
    def failing(request: list[bytes]) -> list[bytes]:
        return [b"err", b"usr", b"why"] if request[0] == command else evaluator(request)

    with executing(workspace, lambda request: [b"ack"], provider, failing) as made:
        executor, driver, _, loop = made
        assert executor.setup()
        assert executor.prepare()
        with pytest.raises(RemoteException, match="why"):
            executor.process()
    assert loop.asked[-1][0] == command  # it knows that it failed
    assert driver.asked == []
    assert workspace.files() == []


@pytest.mark.parametrize("body", ["a = b", "return 0"])
def test_the_evaluator_hears_of_the_processors_failure(workspace: Workspace, body: str) -> None:
    with executing(workspace, lambda request: [b"ack"], provider, evaluator, body=body) as (
        executor,
        driver,
        _,
        loop,
    ):
        assert executor.setup()
        assert executor.prepare()
        try:
            assert executor.process() is False
        except NameError:
            assert body == "a = b"
    assert loop.asked[0] == [b"rdi"]
    assert [request[:2] for request in loop.asked[1:]] == [[b"err", b"usr"]]
    assert driver.asked == []


def test_a_call_back_that_ends_what_it_belongs_to(peers: Peers) -> None:
    """The call-back runs on the handler's thread, and may kill or destroy it from there."""
    ended = threading.Event()

    def call_back() -> None:
        handler.stop.set()
        handler.destroy()
        ended.set()

    handler = peers.handler(kill_callback=call_back)
    handler.start()
    assert ask(peers.client(handler), b"what")[:2] == [b"err", b"sys"]
    assert ended.wait(10)
    handler.join(10)
    assert not handler.is_alive()
