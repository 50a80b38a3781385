from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pairs import Peer, peer
from support.units import IMAGE, INTEGER, MEASUREMENT, open_source, values, write_integers

from beat.backend.python.data import RemoteDataSource, RemoteException
from beat.backend.python.data import remote_source as remote_source_module
from beat.backend.python.data.indices import Intervals
from beat.backend.python.data.remote_source import MOST_AHEAD
from beat.backend.python.data.wire import LARGE_FRAME, conversation
from beat.backend.python.data_loaders import DataLoader
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.execution import MessageHandler

Frames = list[bytes]


class Provider:
    """Answers as the wire protocol has it.

    Parameters
    ----------
    inputs : dict
        By name: the units (packed data, start, end); in place of the data there may be an
        exception, which is the unit's failure.
    """

    def __init__(self, inputs: dict[str, list[tuple[Any, int, int]]]) -> None:
        self.inputs = inputs

    def __call__(self, request: Frames) -> Sequence[bytes]:
        command, name = request[0], request[1].decode() if len(request) > 1 else ""
        if command == b"don":
            return [b"ack"]
        if name not in self.inputs:
            return [b"err", b"sys", f"unknown input {name}".encode()]
        units = self.inputs[name]
        if command == b"ifo":
            limits = [str(limit).encode() for unit in units for limit in unit[1:]]
            return [str(len(units)).encode(), *limits]
        data, start, end = units[int(request[2])]
        if isinstance(data, Exception):
            return [b"err", b"usr", str(data).encode()]
        return [str(start).encode(), str(end).encode(), data]


def integers(count: int, length: int = 1) -> list[tuple[Any, int, int]]:
    """Units of some length whose number is their position."""
    return [(numpy.int32(i).tobytes(), i * length, (i + 1) * length - 1) for i in range(count)]


@contextmanager
def provider(
    prefix: str, dataformat: str = INTEGER, **inputs: list[tuple[Any, int, int]]
) -> Iterator[tuple[Peer, zmq.Socket[bytes], dict[str, RemoteDataSource]]]:
    """Start a provider; give it, the socket, and the sources."""
    with peer(Provider(inputs)) as (serving, socket):
        sources = {}
        for name in inputs:
            sources[name] = RemoteDataSource()
            assert sources[name].setup(socket, name, dataformat, prefix)
        yield serving, socket, sources


def asked_for(serving: Peer, name: str = "a") -> list[int]:
    """Return the numbers of the units that were asked for."""
    return [int(f[2]) for f in serving.asked if f[:2] == [b"get", name.encode()]]


def test_reading(prefix: str) -> None:
    with provider(prefix, a=integers(100, 3)) as (serving, _, sources):
        source = sources["a"]
        assert source.ready
        assert len(source) == len(source.infos) == 100
        assert source.data_indices() == [(3 * i, 3 * i + 2) for i in range(100)]
        assert values(source) == [(i, 3 * i, 3 * i + 2) for i in range(100)]
        assert asked_for(serving) == [*range(100)]  # each once
        assert values([source.getAtDataIndex(100)]) == [(33, 99, 101)]
        assert source[100] == source[-1] == (None, None, None)
        assert source.statistics()[0] == 101 * 4
        assert source.statistics()[1] > 0


def test_a_source_without_units(prefix: str) -> None:
    """The requester used to wait for ever."""
    with provider(prefix, a=[]) as (_, _, sources):
        assert len(sources["a"]) == 0
        assert [*sources["a"]] == []


def test_raw_bytes(prefix: str) -> None:
    with provider(prefix, a=integers(3)) as (_, socket, _):
        source = RemoteDataSource()
        source.setup(socket, "a", INTEGER, prefix, unpack=False)
        assert [*source] == integers(3)
        assert type(source[1][0]) is bytes


def test_data_that_is_none(prefix: str) -> None:
    with provider(prefix, a=[(b"", 0, 3), (b"\1\0\0\0", 4, 4)]) as (_, _, sources):
        assert values(sources["a"]) == [(None, 0, 3), (1, 4, 4)]


def test_units_that_end_with_a_newline(prefix: str) -> None:
    """Some peers send the units as they are in cache files."""
    type_ = DataFormat(prefix, MEASUREMENT).type
    contents = [numpy.arange(size, dtype=float) for size in (0, 3, *[LARGE_FRAME] * 9)]
    units = []
    for i, content in enumerate(contents):
        units.append((type_(label="\n", values=content).pack() + b"\n", i, i))
    with provider(prefix, MEASUREMENT, a=units) as (_, _, sources):
        for (data, _, _), content in zip(sources["a"], contents, strict=True):
            assert data.label == "\n"
            assert (data.values == content).all()


@pytest.mark.parametrize("size", [100, LARGE_FRAME, 1 << 20])
def test_arrays_are_the_readers_own(prefix: str, size: int) -> None:
    type_ = DataFormat(prefix, IMAGE).type
    contents = [numpy.full((2, size // 2), i, dtype=numpy.uint8) for i in range(6)]
    units = [(type_(value=content).pack(), i, i) for i, content in enumerate(contents)]
    with provider(prefix, IMAGE, a=units) as (_, _, sources):
        kept = []
        for i in (0, 1, 2, 3, 4, 5, 0, 0, 3):
            array = sources["a"][i][0].value
            assert (array == contents[i]).all()
            array[:] = 255 - i
            kept.append((i, array))
        assert all((array == 255 - i).all() for i, array in kept)


# asking ahead


@pytest.fixture
def never_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no wait for a slow peer's: the machine may be busy."""
    monkeypatch.setattr(remote_source_module, "SLOW_SECONDS", 1000)


@pytest.mark.usefixtures("never_slow")
def test_units_in_order_are_asked_for_ahead(prefix: str) -> None:
    with provider(prefix, a=integers(1000)) as (serving, _, sources):
        source = sources["a"]
        source[0]
        assert asked_for(serving) == [0]  # one unit is no order yet
        for i in range(1, 20):
            source[i]
        time.sleep(0.3)
        ahead = asked_for(serving)
        assert ahead == [*range(len(ahead))]
        assert 20 + MOST_AHEAD // 2 - 2 <= len(ahead) <= 20 + MOST_AHEAD


@pytest.mark.parametrize("order", [[5], [9, 3, 6, 0], [4, 2, 2, 7], [0, 2, 4, 6, 8], [9, 8, 7]])
def test_units_at_random_are_not(prefix: str, order: list[int]) -> None:
    with provider(prefix, a=integers(10)) as (serving, socket, sources):
        assert [sources["a"][i][0].value for i in order] == order
        conversation(socket).request(b"don")
        assert asked_for(serving) == order


def test_leaving_the_order(prefix: str) -> None:
    with provider(prefix, a=integers(100)) as (_, _, sources):
        source = sources["a"]
        order = [0, 1, 2, 3, 50, 51, 52, 10, 11, 11, 12, 13, 14, 99, 0, 1, 1, 2]
        assert [source[i][0].value for i in order] == order


def test_slow_units_are_hardly_asked_for_ahead(prefix: str) -> None:
    serve = Provider({"a": integers(100)})

    def slow(request: Frames) -> Sequence[bytes]:
        time.sleep(0.04 if request[0] == b"get" else 0)
        return serve(request)

    with peer(slow) as (serving, socket):
        source = RemoteDataSource()
        source.setup(socket, "a", INTEGER, prefix)
        for i in range(10):
            source[i]
        conversation(socket).request(b"don")
        assert len(asked_for(serving)) <= 12


def test_large_units_are_asked_for_ahead_only_as_far_as_memory_goes(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_source_module, "MOST_BYTES_AHEAD", 5 << 16)
    type_ = DataFormat(prefix, IMAGE).type
    packed = type_(value=numpy.ones((1, 1 << 16), dtype=numpy.uint8)).pack()
    with provider(prefix, IMAGE, a=[(packed, i, i) for i in range(60)]) as (serving, _, sources):
        for i in range(30):
            sources["a"][i]
            assert len(asked_for(serving)) <= i + 1 + 5


def test_sources_share_a_socket(prefix: str) -> None:
    inputs = {"a": integers(60), "b": integers(20, 3), "c": integers(60)}
    with provider(prefix, **inputs) as (serving, socket, sources):
        loader = DataLoader("channel")
        for name in ("a", "b"):
            loader.add(name, sources[name])
        for i, (data, start, end) in enumerate(loader):
            assert (data["a"].value, data["b"].value, start, end) == (i, i // 3, i, i)
            if i % 7 == 0:
                assert sources["c"][i][0].value == i
        assert asked_for(serving) == [*range(60)]
        assert asked_for(serving, "b") == [*range(20)]
        assert conversation(socket).request(b"don", b"{}") == [b"ack"]
        assert serving.asked[-1] == [b"don", b"{}"]


def test_others_may_ask_while_units_are_on_their_way(prefix: str) -> None:
    with provider(prefix, a=integers(200)) as (_, socket, sources):
        for i in range(100):
            assert sources["a"][i][0].value == i
            if i % 10 == 5:
                late = RemoteDataSource()
                late.setup(socket, "a", INTEGER, prefix)
                assert late[150][0].value == 150


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]), st.integers(-1, 30), st.integers(1, 8), st.booleans()
        ),
        max_size=12,
    )
)
def test_any_order_of_reading(prefix: str, steps: list[tuple[str, int, int, bool]]) -> None:
    inputs = {"a": integers(30), "b": integers(17, 2)}
    with provider(prefix, **inputs) as (_, socket, sources):
        for name, first, count, reset in steps:
            for i in range(first, first + count):
                data, start, end = sources[name][i]
                if 0 <= i < len(inputs[name]):
                    assert (data.value, start, end) == (i, *inputs[name][i][1:])
                else:
                    assert (data, start, end) == (None, None, None)
            if reset:
                sources[name].reset()
        assert conversation(socket).request(b"don") == [b"ack"]


# failures


@pytest.mark.usefixtures("never_slow")
def test_a_unit_that_fails_does_so_when_it_is_read(prefix: str) -> None:
    units = integers(100)
    units[10] = (ValueError("unit ten"), 10, 10)
    with provider(prefix, a=units) as (serving, _, sources):
        source = sources["a"]
        for i in range(10):
            assert source[i][0].value == i
        time.sleep(0.3)
        assert 10 in asked_for(serving)
        with pytest.raises(RemoteException, match="unit ten") as caught:
            source[10]
        assert caught.value.user_error == "unit ten"
        for i in range(11, 100):
            assert source[i][0].value == i
        with pytest.raises(RemoteException, match="unit ten"):
            source[10]


@pytest.mark.usefixtures("never_slow")
def test_a_unit_that_fails_and_is_never_read(prefix: str) -> None:
    units = integers(100)
    units[10] = (ValueError("unit ten"), 10, 10)
    with provider(prefix, a=units) as (serving, socket, sources):
        for i in range(9):
            sources["a"][i]
        time.sleep(0.2)
        assert 10 in asked_for(serving)
        assert sources["a"][50][0].value == 50
        assert conversation(socket).request(b"don") == [b"ack"]


def test_an_unknown_input(prefix: str) -> None:
    with provider(prefix) as (_, socket, _):
        with pytest.raises(RemoteException, match="unknown input x") as caught:
            RemoteDataSource().setup(socket, "x", INTEGER, prefix)
        assert caught.value.system_error == "unknown input x"
        assert caught.value.user_error == ""


def test_an_invalid_format(prefix: str) -> None:
    with provider(prefix, a=integers(1)) as (serving, socket, _):
        with pytest.raises(RuntimeError, match=r"`user/missing/1' is not valid"):
            RemoteDataSource().setup(socket, "a", "user/missing/1", prefix)
        assert [frames[0] for frames in serving.asked] == [b"ifo"]  # that of `provider`


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([b"2", b"0", b"1"], "2 units were announced, with 2 numbers"),
        ([b"1"], "1 units were announced, with 0 numbers"),
        ([b"x"], "no number"),
        ([b"1", b"0", b"x"], "no number"),
    ],
)
def test_a_malformed_list_of_units(prefix: str, answer: Frames, message: str) -> None:
    with (
        peer(lambda request: answer) as (_, socket),
        pytest.raises(RemoteException, match=message),
    ):
        RemoteDataSource().setup(socket, "a", INTEGER, prefix)


@pytest.mark.parametrize("units", [[], [(0, 2), (3, 5)], [(1, 4), (5, 5), (9, 9)]])
def test_peers_of_the_same_package_tell_their_units_in_few_frames(
    prefix: str, units: list[tuple[int, int]]
) -> None:
    with peer(lambda request: Intervals.of(units).as_frames()) as (serving, socket):
        conversation(socket).compact = True
        source = RemoteDataSource()
        source.setup(socket, "a", INTEGER, prefix)
        assert source.data_indices() == units
        assert serving.asked == [[b"uni", b"a"]]


@pytest.mark.parametrize("answer", [[b"2"], [b"x", bytes(16), bytes(16)], [b"1", b"", b""]])
def test_malformed_columns_of_units(prefix: str, answer: Frames) -> None:
    with peer(lambda request: answer) as (_, socket):
        conversation(socket).compact = True
        with pytest.raises(RemoteException, match="malformed answer for input `a'"):
            RemoteDataSource().setup(socket, "a", INTEGER, prefix)


@pytest.mark.parametrize(
    "answer", [[b"1", b"1", b"\1\0\0\0"], [b"x", b"0", b""], [b"0", b"0"], [b"ack"], [b""]]
)
def test_a_malformed_unit(prefix: str, answer: Frames) -> None:
    def serve(request: Frames) -> Sequence[bytes]:
        return [b"1", b"0", b"0"] if request[0] == b"ifo" else answer

    with peer(serve) as (_, socket):
        source = RemoteDataSource()
        source.setup(socket, "a", INTEGER, prefix)
        with pytest.raises(RemoteException, match="the answer begins with"):
            source[0]


@pytest.mark.parametrize("size", [3, 5, LARGE_FRAME])
def test_a_unit_that_does_not_fit_its_format(prefix: str, size: int) -> None:
    with (
        provider(prefix, a=[(b"\0" * size, 0, 0)] * 3) as (_, _, sources),
        pytest.raises(ValueError, match="user/single_integer/1"),
    ):
        [*sources["a"]]


def test_it_cannot_be_pickled(prefix: str) -> None:
    with (
        provider(prefix, a=integers(1)) as (_, _, sources),
        pytest.raises(TypeError, match="belongs to one process"),
    ):
        pickle.dumps(sources["a"])


# with the real server


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, Any]], zmq.Socket[bytes]]]:
    """Start message handlers, and connect to them."""
    context = zmq.Context()
    handlers, sockets = [], []

    def start(data_sources: dict[str, Any]) -> zmq.Socket[bytes]:
        handler = MessageHandler("127.0.0.1", data_sources=data_sources, context=context)
        handler.start()
        handlers.append(handler)
        socket = context.socket(zmq.PAIR)
        socket.connect(handler.address)
        sockets.append(socket)
        return socket

    yield start
    for handler, socket in zip(handlers, sockets, strict=True):
        conversation(socket).request(b"don", timeout=10)
        handler.join(10)
        socket.close(linger=0)
        handler.destroy()
    context.term()


@pytest.mark.parametrize("unpack", [True, False])
def test_the_cache_through_a_message_handler(
    prefix: str, cache: str, serve: Callable[[dict[str, Any]], zmq.Socket[bytes]], unpack: bool
) -> None:
    filename = f"{cache}/output.data"
    write_integers(prefix, filename, 0, 299, 2)
    expected = values(open_source(prefix, filename))
    socket = serve({"a": open_source(prefix, filename, unpack=unpack)})
    source = RemoteDataSource()
    assert source.setup(socket, "a", INTEGER, prefix)
    assert values(source) == expected
    assert values([source[7], source[3], source.getAtDataIndex(299)]) == [
        expected[7],
        expected[3],
        expected[149],
    ]


def test_failures_of_a_message_handler(
    prefix: str, cache: str, serve: Callable[[dict[str, Any]], zmq.Socket[bytes]]
) -> None:
    filename = f"{cache}/output.data"
    write_integers(prefix, filename, 0, 9)
    socket = serve({"a": open_source(prefix, filename, 5, 4), "b": open_source(prefix, filename)})
    source = RemoteDataSource()
    with pytest.raises(RemoteException) as caught:
        source.setup(socket, "unknown", INTEGER, prefix)
    assert caught.value.system_error
    assert source.setup(socket, "a", INTEGER, prefix)
    assert [*source] == []
    assert source.setup(socket, "b", INTEGER, prefix)
    assert len(values(source)) == 10
