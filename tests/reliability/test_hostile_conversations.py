"""Servers and clients outlive whatever is said to them, in no more memory than it takes."""

from __future__ import annotations

import json
import random
import socket as tcp
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import zmq
from support import hostile_server
from support.mutations import HOST, Recorder, changed_message, mutations
from support.pairs import Frames, Peer
from support.peers import Peers, ask

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import RemoteDataSource
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution.service import LoopService

pytestmark = pytest.mark.once

SEED = random.randrange(10**6)
MOST_GROWTH = 64 << 10  # kilobytes
ALL_AT_A_TIME = 50

SESSION = [
    [b"ifo", b"in"],
    [b"get", b"in", b"0"],
    [b"get", b"in", b"7"],
    [b"val", b"\5\0\0\0"],
    [b"wrt", b"out", b"3"],
    [b"wrt", b"out", b"None"],
    [b"rdi"],
    [b"err", b"usr", b"a\nlong story"],
    [b"don", json.dumps({"data": {"volume": {"read": 1}}}).encode()],
]
LASTING = SESSION[:-2]  # after the others, a handler ends


class Server:
    """The server in a process of its own."""

    def __init__(self, prefix: str, address: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, hostile_server.__file__, prefix, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def memory(self) -> int:
        """Return the kilobytes that are in use."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def call(self) -> tcp.socket:
        """Return a new bare connection."""
        if self.address.startswith("ipc"):
            caller = tcp.socket(tcp.AF_UNIX)
            caller.connect(self.address.removeprefix("ipc://"))  # waits for its turn
            caller.settimeout(10)
            return caller
        return tcp.create_connection((HOST, int(self.address.rpartition(":")[2])), 10)


@contextmanager
def server(prefix: str, address: str) -> Iterator[Server]:
    """Start a server, and end it."""
    serving = Server(prefix, address)
    try:
        yield serving
    finally:
        serving.process.kill()
        serving.process.communicate()


@pytest.fixture(scope="module")
def recorded(prefix: str) -> bytes:
    """Return all that a client has sent in a whole session, with the handshake."""
    peers = Peers()
    with server(prefix, HOST) as serving:
        recorder = Recorder(int(serving.address.rpartition(":")[2]))
        recorder.start()
        client = peers.connect(recorder.address)
        for request in LASTING:
            assert ask(client, *request)[0] != b"err"
        sent = recorder.sent
        peers.close()
    assert sent.startswith(b"\xff")
    assert b"wrt" in sent
    return sent


def attack(serving: Server, streams: Iterator[bytes], good: zmq.Socket[bytes] | None) -> int:
    """Say all that to a server, each on a connection of its own; return how many it were."""
    count = 0
    with ExitStack() as stack:
        for count, stream in enumerate(streams, 1):
            caller = stack.enter_context(serving.call())
            with suppress(OSError):  # it may hang up: that is what we are here for
                caller.sendall(stream)
            if count % ALL_AT_A_TIME == 0:
                stack.pop_all().close()
                if good is not None:
                    assert ask(good, b"get", b"in", b"3") == [b"6", b"7", b"\3\0\0\0"]
    return count


def served_client(address: str) -> tuple[Peers, zmq.Socket[bytes]]:
    """Connect a good client, again if the place was still a stranger's when it called."""
    for _ in range(5):
        good = Peers()
        client = good.connect(address)
        with suppress(zmq.Again):
            assert ask(client, b"ifo", b"in")[0] == b"10"
            return good, client
        good.close()
    raise AssertionError("no good client is served after strangers")


@pytest.mark.parametrize(("transport", "count"), [("ipc", 18_000), ("tcp", 2_000)])
def test_bytes_of_strangers(
    prefix: str, recorded: bytes, tmp_path: Path, transport: str, count: int
) -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    address = HOST if transport == "tcp" else f"ipc://{tmp_path}/socket"
    with server(prefix, address) as serving:
        assert attack(serving, mutations(b"GET / HTTP/1.1\r\n\r\n" * 10, chance, 100), None) == 100
        good, client = served_client(serving.address)
        before = serving.memory()
        said = attack(serving, mutations(recorded, chance, count), client)
        grown = serving.memory() - before
        print(said, "streams of bytes,", grown, "kB")
        assert said == count
        assert grown < MOST_GROWTH
        assert ask(client, b"don") == [b"ack"]
        good.close()


@pytest.fixture(scope="module")
def service_of(prefix: str) -> object:
    """Return a maker of services."""
    source = hostile_server.Numbers(DataFormat(prefix, "user/single_integer/1"))
    algorithm = Algorithm(prefix, "user/guess_evaluator_sequential/1")

    def make() -> LoopService:
        service = LoopService({"in": source})
        service.setup(algorithm, prefix)
        service.executor = hostile_server.Evaluator()  # type: ignore[assignment]
        return service

    return make


def test_messages_of_a_client_gone_mad(service_of: object) -> None:
    """Every one of them has an answer that a good client would understand."""
    print("seed", SEED)
    chance = random.Random(SEED)
    kinds: Counter[str] = Counter()
    service = service_of()  # type: ignore[operator]
    for _ in range(20_000):
        frames = changed_message(chance.choice(SESSION), chance)
        reply = service.reply(frames)
        kinds[bytes(reply.frames[0]).decode() if reply.frames else "nothing"] += 1
        if reply.failed:
            assert len(reply.frames) == 3
            assert reply.frames[1] in (b"usr", b"sys")
            assert sum(map(len, reply.frames)) < 20_000
        if reply.last:
            service = service_of()  # type: ignore[operator]
    print(kinds)
    assert kinds["err"] > 1000


def test_messages_of_a_client_gone_mad_over_a_socket(prefix: str, service_of: object) -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    with server(prefix, HOST) as serving:
        before = serving.memory()
        answered = 0
        for _ in range(100):
            mad = Peers()
            client = mad.connect(serving.address)
            for _ in range(10):
                client.send_multipart(changed_message(chance.choice(LASTING), chance))
            answered += bool(client.poll(500))  # not, if the last one's handler was just ending
            mad.close()
        assert answered > 50
        assert serving.memory() - before < MOST_GROWTH
        assert serving.process.poll() is None
        assert asks_for_at_most(20, serving.address) == b"10"


def asks_for_at_most(seconds: float, address: str) -> bytes | None:
    """Ask until the handler of an earlier client has given way; return the answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        good = Peers()
        client = good.connect(address)
        client.setsockopt(zmq.RCVTIMEO, 3000)
        try:
            answer = ask(client, b"ifo", b"in")[0]
        except zmq.Again:
            answer = b"err"
        good.close()
        if answer != b"err":
            return answer
    return None


def test_answers_of_a_server_gone_mad(prefix: str) -> None:
    """A client gets right data or a clear error, and never waits for ever."""
    print("seed", SEED)
    chance = random.Random(SEED)
    good = {
        b"ifo": [b"3", b"0", b"1", b"2", b"3", b"4", b"5"],
        b"get": [b"0", b"1", b"\7\0\0\0"],
    }

    def answer(request: Frames) -> Frames:
        frames = good[request[0]]
        return changed_message(frames, chance) if chance.random() < 0.7 else frames

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    serving = Peer(context, answer)
    serving.start()
    outcomes: Counter[str] = Counter()
    socket = context.socket(zmq.PAIR)
    socket.connect(serving.address)
    try:
        for _ in range(1000):
            source = RemoteDataSource()
            try:
                source.setup(socket, "in", "user/single_integer/1", prefix)
                unit = source[0]
            except (RemoteException, ValueError) as error:
                assert len(str(error)) < 20_000
                outcomes[type(error).__name__] += 1
            else:
                assert len(unit) == 3
                outcomes["data"] += 1
            source.reset()
    finally:
        serving.stop()
        socket.close(0)
        context.term()
    print(outcomes)
    assert min(outcomes["RemoteException"], outcomes["data"]) > 50


@pytest.mark.parametrize("size", [1 << 30, 1 << 40, (1 << 63) - 1])
def test_sizes_that_are_announced_take_no_memory(prefix: str, recorded: bytes, size: int) -> None:
    """A mute promise of a huge frame, from the one client that is listened to."""
    greeting = recorded[: recorded.index(b"ifo")]
    with server(prefix, HOST) as serving:
        before = serving.memory()
        with serving.call() as caller:
            caller.sendall(greeting[:-2] + struct.pack(">BQ", 2, size) + b"x" * 4096)
            caller.settimeout(0.3)
            with suppress(OSError):
                while caller.recv(4096):
                    pass
            assert serving.memory() - before < MOST_GROWTH


# floods

TOTAL = 256 << 20  # bytes, four times as many as memory may grow by


def test_messages_of_many_frames(prefix: str) -> None:
    """Each ends a conversation; the client connects again and goes on."""
    frames = [b"ifo", *[b"x" * 2_000] * 30]  # libzmq keeps a thousand of them
    peers = Peers()
    with server(prefix, HOST) as serving:
        before = serving.memory()
        flooding = peers.connect(serving.address)
        for _ in range(TOTAL // 60_000):
            assert flooding.poll(10_000, zmq.POLLOUT)
            flooding.send_multipart(frames)
        assert serving.memory() - before < MOST_GROWTH
        peers.close()
        assert asks_for_at_most(20, serving.address) == b"10"
        assert serving.memory() - before < MOST_GROWTH


def test_requests_whose_answers_nobody_reads(prefix: str) -> None:
    peers = Peers()
    with server(prefix, HOST) as serving:
        before = serving.memory()
        flooding = peers.connect(serving.address)
        for _ in range(TOTAL // 10_000):
            assert flooding.poll(10_000, zmq.POLLOUT)
            flooding.send_multipart([b"ifo", b"x" * 10_000])
        assert serving.memory() - before < MOST_GROWTH
        peers.close()
        assert asks_for_at_most(20, serving.address) == b"10"


def test_frames_larger_than_units_may_be(
    prefix: str, recorded: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sender is cut off before it has sent much; the limit is for the server to set."""
    monkeypatch.setenv("BEAT_MAX_UNIT_BYTES", str(1 << 20))
    greeting = recorded[: recorded.index(b"ifo") - 2]
    with server(prefix, HOST) as serving:
        before = serving.memory()
        with serving.call() as caller:
            caller.sendall(greeting + struct.pack(">BQ", 2, TOTAL))
            sent = 0
            with suppress(OSError):
                while sent < TOTAL:
                    sent += caller.send(b"x" * (1 << 16))
        assert sent < 32 << 20  # what was on its way
        assert serving.memory() - before < MOST_GROWTH
        assert asks_for_at_most(20, serving.address) == b"10"
