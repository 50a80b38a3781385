from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
import zmq
from support.pairs import peer

from beat.backend.python.data import RemoteException, wire
from beat.backend.python.data.wire import LARGE_FRAME, Conversation, Watch, conversation


def echo(request: list[bytes]) -> Sequence[bytes]:
    return request


def test_one_conversation_per_socket() -> None:
    with peer(echo) as (_, socket), peer(echo) as (_, other):
        assert conversation(socket) is conversation(socket)
        assert conversation(socket) is not conversation(other)
        kept = weakref.ref(conversation(socket))
        assert kept() is not None
    del socket
    gc.collect()
    assert kept() is None


def test_asking_and_waiting() -> None:
    with peer(echo) as (serving, socket):
        assert conversation(socket).request(b"abc", b"", b"1") == [b"abc", b"", b"1"]
        assert serving.asked == [[b"abc", b"", b"1"]]


def test_answers_find_their_requests_whoever_waits_first() -> None:
    with peer(echo) as (serving, socket):
        talk = conversation(socket)
        tickets = [talk.send(b"%d" % i) for i in range(5)]
        assert talk.receive(tickets[3]) == [b"3"]
        assert talk.request(b"don") == [b"don"]
        tickets[1].forget()
        for i in (4, 0, 2, 3):
            assert talk.receive(tickets[i]) == [b"%d" % i]
        assert [frames[0] for frames in serving.asked] == [b"0", b"1", b"2", b"3", b"4", b"don"]


def test_forgotten_answers_are_dropped() -> None:
    with peer(echo) as (_, socket):
        talk = conversation(socket)
        early, late = talk.send(b"early"), talk.send(b"late")
        early.forget()
        assert talk.receive(late) == [b"late"]
        late.forget()
        assert early.answer is None
        assert late.answer is None
        assert talk.request(b"next") == [b"next"]


@pytest.mark.parametrize(
    ("answer", "system", "user"),
    [
        ([b"err", b"usr", b"no such thing"], "", "no such thing"),
        ([b"err", b"sys", "kaputt: ä".encode()], "kaputt: ä", ""),
        ([b"err", b"odd", b"x"], "", "x"),
        ([b"err", b"usr", b"\xff"], "", "\ufffd"),
        ([b"err"], "failed: []", ""),
        ([b"err", b"usr"], "failed: ['usr']", ""),
    ],
)
def test_failures(answer: Sequence[bytes], system: str, user: str) -> None:
    """The kind used to arrive as bytes, so that every failure looked like the user's."""
    with peer(lambda request: answer if request == [b"bad"] else request) as (_, socket):
        talk = conversation(socket)
        with pytest.raises(RemoteException) as caught:
            talk.request(b"bad")
        assert (caught.value.system_error, caught.value.user_error) == (system, user)
        assert talk.request(b"good") == [b"good"]


@pytest.mark.parametrize("shared", [True, False])
def test_large_frames(shared: bool) -> None:
    content = os.urandom(LARGE_FRAME)
    with peer(echo) as (_, socket):
        talk = conversation(socket)
        ticket = talk.send(b"0", content, content[1:], shared=shared)
        small, large, middle = talk.receive(ticket)
        assert (small, bytes(large), middle) == (b"0", content, content[1:])
        assert isinstance(large, memoryview) == shared
        if isinstance(large, memoryview):
            assert not large.readonly


@pytest.mark.parametrize("timeout", [0, 0.05, 0.4])
def test_a_limited_wait(timeout: float) -> None:
    with peer(lambda request: None if request == [b"mute"] else request) as (_, socket):
        talk = conversation(socket)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="no answer from"):
            talk.request(b"mute", timeout=timeout)
        assert timeout - 0.02 <= time.monotonic() - began < timeout + 5


def test_a_slow_answer_is_waited_for() -> None:
    def slow(request: list[bytes]) -> Sequence[bytes]:
        time.sleep(0.8)
        return request

    with peer(slow) as (_, socket):
        assert conversation(socket).request(b"a") == [b"a"]
        assert conversation(socket).request(b"b", timeout=20) == [b"b"]


PEER = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.PAIR)
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
while True:
    request = socket.recv_multipart()
    if request[0] != b"mute":
        socket.send_multipart(request)
"""


class Process:
    """A peer in a process of its own, which listens to the first that connects only."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", PEER], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.socket = zmq.Context.instance().socket(zmq.PAIR)

    def connect(self) -> Conversation:
        """Begin a conversation with it."""
        self.socket.connect(f"tcp://127.0.0.1:{self.port}")
        return conversation(self.socket)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.socket.close(linger=0)


@pytest.fixture
def process():
    made = Process()
    yield made
    made.close()


@pytest.mark.parametrize("moment", ["before", "at once", "later"])
def test_a_peer_that_goes_ends_the_wait(process: Process, moment: str) -> None:
    talk = process.connect()
    assert talk.request(b"hello") == [b"hello"]
    if moment == "before":
        process.kill()
    killer = threading.Timer({"before": 0, "at once": 0.05, "later": 1.0}[moment], process.kill)
    killer.start()
    began = time.monotonic()
    with pytest.raises(RemoteException, match="is gone: 1 requests are unanswered") as caught:
        talk.request(b"mute")
    assert talk.failed
    assert caught.value.system_error
    assert str(process.port) in caught.value.system_error
    assert time.monotonic() - began < 10
    killer.join()


def test_a_peer_that_goes_without_ever_having_answered(process: Process) -> None:
    killer = threading.Timer(1.0, process.kill)
    killer.start()
    with pytest.raises(RemoteException, match="is gone"):
        process.connect().request(b"mute")
    killer.join()


def test_what_came_before_the_peer_went_is_delivered(process: Process) -> None:
    talk = process.connect()
    tickets = [talk.send(b"%d" % i) for i in range(10)]
    unanswered = talk.send(b"mute")
    time.sleep(0.5)
    process.kill()
    assert [talk.receive(ticket) for ticket in tickets] == [[b"%d" % i] for i in range(10)]
    with pytest.raises(RemoteException, match="is gone"):
        talk.receive(unanswered)


def test_a_peer_that_is_there_only_later(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/socket"
    context = zmq.Context.instance()
    socket = context.socket(zmq.PAIR)
    socket.connect(address)

    def begin() -> None:
        time.sleep(0.7)
        late = context.socket(zmq.PAIR)
        late.bind(address)
        late.send_multipart(late.recv_multipart())
        late.close()

    thread = threading.Thread(target=begin)
    thread.start()
    assert conversation(socket).request(b"hello") == [b"hello"]
    thread.join()
    socket.close(linger=0)


def test_a_peer_that_is_never_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CONNECT_PATIENCE", 0.5)
    context = zmq.Context.instance()
    socket = context.socket(zmq.PAIR)
    socket.connect(f"ipc://{tmp_path}/socket")
    with pytest.raises(RemoteException, match="is gone"):
        conversation(socket).request(b"hello")
    socket.close(linger=0)


def test_nothing_is_left_on_the_socket() -> None:
    with peer(lambda request: None if request == [b"mute"] else request) as (_, socket):
        talk = Conversation(socket)
        before = socket.RCVTIMEO, socket.LINGER, socket.HEARTBEAT_IVL
        for _ in range(3):
            with pytest.raises(TimeoutError):
                talk.request(b"mute", timeout=0.3)
        assert before == (socket.RCVTIMEO, socket.LINGER, socket.HEARTBEAT_IVL)
        assert socket._monitor_socket is None
        monitor = socket.get_monitor_socket()  # somebody else may watch it now
        socket.disable_monitor()
        monitor.close()


def test_watching_again_and_again() -> None:
    with peer(lambda request: None) as (_, socket):
        for _ in range(200):
            Watch(socket).close()


def test_a_socket_watched_from_the_beginning(process: Process) -> None:
    watch = conversation(process.socket).watch()
    talk = process.connect()
    assert talk.watch() is watch
    assert talk.request(b"hello") == [b"hello"]
    watch.update()
    assert not watch.gone
    assert not talk.failed
    process.kill()
    with pytest.raises(RemoteException, match="is gone"):
        talk.request(b"mute")
    assert watch.gone
    assert talk.failed
    talk.close()
    talk.close()
    assert watch.monitor.closed


def test_a_failure_is_remembered() -> None:
    with peer(lambda request: [b"err", b"usr", b"no"]) as (_, socket):
        talk = conversation(socket)
        assert not talk.failed
        with pytest.raises(RemoteException):
            talk.request(b"a")
        assert talk.failed


def test_requests_wait_for_room() -> None:
    """A peer that does not read must not lose requests."""
    reading = threading.Event()

    def answer(request: list[bytes]) -> Sequence[bytes] | None:
        reading.wait(10)
        return request if request == [b"last"] else None

    with peer(answer) as (serving, socket):
        socket.setsockopt(zmq.SNDHWM, 10)
        serving.socket.setsockopt(zmq.RCVHWM, 10)
        talk = conversation(socket)
        threading.Timer(0.5, reading.set).start()
        content = b"x" * (1 << 20)
        for _ in range(40):
            talk.send(content).forget()
        talk._open.clear()  # this peer does not answer them
        assert talk.request(b"last") == [b"last"]
        assert len(serving.asked) == 41
