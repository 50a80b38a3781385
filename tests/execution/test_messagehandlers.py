"""The threads behind the sockets."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket as tcp
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq
from support.peers import Peers, ask

from beat.backend.python.data import DataSource, RemoteDataSource
from beat.backend.python.data.wire import conversation
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution import LoopMessageHandler, MessageHandler, sockets
from beat.backend.python.execution.failures import Failure

AT_ONCE = 0.9  # seconds; what polls notices later


def wait_until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.002)


# addresses


@pytest.mark.parametrize("address", ["127.0.0.1", "tcp://127.0.0.1"])
def test_a_free_port(peers: Peers, address: str) -> None:
    scheme, host, port = peers.handler(address).address.split(":")
    assert (scheme, host) == ("tcp", "//127.0.0.1")
    assert 50000 <= int(port) < 65536


@pytest.mark.parametrize("scheme", ["", "tcp://"])
def test_a_given_port(peers: Peers, scheme: str) -> None:
    with tcp.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert peers.handler(f"{scheme}127.0.0.1:{port}").address == f"tcp://127.0.0.1:{port}"


def test_an_address_of_another_transport(peers: Peers, tmp_path: Any) -> None:
    handler = peers.handler(f"ipc://{tmp_path}/socket")
    handler.start()
    assert handler.address == f"ipc://{tmp_path}/socket"
    assert ask(peers.client(handler), b"ifo", b"x")[:2] == [b"err", b"sys"]


def test_a_port_in_use(peers: Peers) -> None:
    with pytest.raises(zmq.ZMQError, match="in use"):
        MessageHandler(peers.handler().address)


def test_the_address_is_bound_before_the_start(peers: Peers) -> None:
    handler = peers.handler()
    client = peers.client(handler)
    client.send_multipart([b"don"])
    handler.start()
    assert client.recv_multipart() == [b"ack"]


def test_it_listens_to_the_given_host_only(peers: Peers) -> None:
    port = int(peers.handler().address.rpartition(":")[2])
    with open("/proc/net/tcp") as f:
        local = [line.split()[1] for line in f.readlines()[1:]]
    assert f"0100007F:{port:04X}" in local
    assert f"00000000:{port:04X}" not in local


# serving


def test_before_anything_happened(peers: Peers) -> None:
    handler = peers.handler()
    assert handler.statistics == {}
    assert (handler.user_error, handler.system_error) == ("", "")
    assert not handler.stop.is_set()


def test_statistics_are_there_before_the_answer(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    assert ask(peers.client(handler), b"don", b'{"data": 1}') == [b"ack"]
    assert handler.statistics == {"data": 1}
    handler.join(10)
    assert not handler.is_alive()


@pytest.mark.parametrize("kind", ["usr", "sys"])
def test_failures_are_there_before_the_answer(peers: Peers, kind: str) -> None:
    calls: list[int] = []
    handler = peers.handler(kill_callback=lambda: calls.append(1))
    handler.start()
    assert ask(peers.client(handler), b"err", kind.encode(), b"what") == [b"ack"]
    assert (handler.user_error, handler.system_error) == (
        ("what", "") if kind == "usr" else ("", "what")
    )
    handler.join(10)
    assert not handler.is_alive()
    assert not calls


def test_an_unknown_command(peers: Peers) -> None:
    called = threading.Event()
    handler = peers.handler(kill_callback=called.set)
    handler.start()
    assert ask(peers.client(handler), b"foo")[:2] == [b"err", b"sys"]
    assert called.wait(10)
    handler.join(10)
    assert not handler.is_alive()
    assert "foo" in handler.system_error


def test_pipelined_requests_are_answered_in_order(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    client = peers.client(handler)
    for i in range(200):
        client.send_multipart([b"ifo", b"%d" % i])
    for i in range(200):
        assert f"`{i}'".encode() in client.recv_multipart()[2]


def test_large_answers(peers: Peers) -> None:
    handler = peers.handler()
    handler.service.refuse(Failure("usr", "x" * 5_000_000))
    handler.start()
    assert ask(peers.client(handler), b"ifo", b"x") == [b"err", b"usr", b"x" * 5_000_000]


def test_data_sources_can_be_set_later(peers: Peers) -> None:
    handler = peers.handler(data_sources={"a": object()})
    handler.set_data_sources({"b": object()})
    handler.start()
    assert ask(peers.client(handler), b"get", b"a", b"0")[2].endswith(b"known: b")


# the only client


def test_a_second_client_is_told(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    first = peers.client(handler)
    ask(first, b"ifo", b"x")
    second = peers.client(handler)
    assert ask(second, b"ifo", b"x") == [
        b"err",
        b"sys",
        b"this address serves another client already",
    ]
    assert ask(second, b"ifo", b"x")[0] == b"err"  # not only once
    assert b"unknown input" in ask(first, b"ifo", b"x")[2]


def test_a_second_client_while_the_first_is_silent(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    first = peers.client(handler)
    wait_until(lambda: handler._client.connected)
    second = peers.client(handler)
    assert ask(second, b"ifo", b"x")[2] == b"this address serves another client already"
    assert ask(first, b"don") == [b"ack"]


def test_two_clients_at_the_same_time(peers: Peers) -> None:
    handler = peers.handler()
    clients = [peers.client(handler), peers.client(handler)]
    for client in clients:
        client.send_multipart([b"ifo", b"x"])
    time.sleep(0.1)  # let both connect before anybody looks
    handler.start()
    texts = {client.recv_multipart()[2] for client in clients}
    assert texts == {
        b"this address serves another client already",
        b"unknown input `x', known: none",
    }


def test_a_second_client_during_a_long_stream(peers: Peers) -> None:
    handler = peers.handler()
    first, second = peers.client(handler), peers.client(handler)
    for i in range(100):
        first.send_multipart([b"ifo", b"%d" % i])
    handler.start()
    second.send_multipart([b"ifo", b"x"])
    for _ in range(1000):
        first.recv_multipart()
        first.send_multipart([b"ifo", b"x"])
    assert second.recv_multipart()[0] == b"err"


OLD_PROTOCOL = b"\1\0" + b"\4\0don" + b"\4\0foo"  # two messages of ZMTP 1.0


@pytest.mark.parametrize(
    "greeting", [b"", b"GET / HTTP/1.1\r\n\r\n" + b"x" * 200, OLD_PROTOCOL, b"\xff" * 64]
)
def test_whoever_is_no_client_does_no_harm(peers: Peers, greeting: bytes) -> None:
    handler = peers.handler()
    handler.start()
    port = int(handler.address.rpartition(":")[2])
    with tcp.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(greeting)
        time.sleep(0.1)
    client = peers.client(handler)
    assert b"unknown input" in ask(client, b"ifo", b"x")[2]
    with tcp.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(greeting)
        time.sleep(0.1)
    assert ask(client, b"don") == [b"ack"]


def test_a_transport_without_connections(peers: Peers) -> None:
    handler = peers.handler("inproc://handler", context=peers.context)
    handler.start()
    assert b"unknown input" in ask(peers.client(handler), b"ifo", b"x")[2]


def test_a_client_that_goes_away(peers: Peers) -> None:
    called = threading.Event()
    handler = peers.handler(kill_callback=called.set)
    handler.start()
    client = peers.client(handler)
    ask(client, b"ifo", b"x")
    began = time.monotonic()
    client.close()
    handler.join(10)
    assert time.monotonic() - began < AT_ONCE
    assert called.is_set()
    assert "gone" in handler.system_error


def test_what_a_client_said_before_it_went_away_counts(peers: Peers) -> None:
    handler = peers.handler()
    client = peers.client(handler)
    client.setsockopt(zmq.LINGER, 5000)
    wait_until(lambda: client.poll(0, zmq.POLLOUT))
    client.send_multipart([b"err", b"usr", b"my last words"])
    client.close()
    time.sleep(0.1)
    handler.start()
    handler.join(10)
    assert handler.user_error == "my last words"
    assert handler.system_error == ""


def test_a_client_that_does_not_read(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    with peers.context.socket(zmq.PAIR) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.setsockopt(zmq.SNDTIMEO, 200)
        client.connect(handler.address)
        with pytest.raises(zmq.Again):
            while True:
                client.send_multipart([b"ifo", b"x" * 10_000])
        began = time.monotonic()
        handler.kill()
        handler.join(10)
        assert time.monotonic() - began < AT_ONCE
        assert not handler.is_alive()


def test_a_client_that_does_not_read_and_goes_away(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    with peers.context.socket(zmq.PAIR) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.setsockopt(zmq.SNDTIMEO, 200)
        client.setsockopt(zmq.HEARTBEAT_IVL, 100)
        client.connect(handler.address)
        with pytest.raises(zmq.Again):
            while True:
                client.send_multipart([b"ifo", b"x" * 10_000])
    handler.join(10)
    assert not handler.is_alive()


# the end


def test_kill_is_noticed_at_once(peers: Peers) -> None:
    calls: list[int] = []
    handler = peers.handler(kill_callback=lambda: calls.append(1))
    handler.start()
    began = time.monotonic()
    handler.kill()
    handler.join(10)
    assert time.monotonic() - began < AT_ONCE
    assert calls == [1]


def test_the_event_is_noticed_at_once(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    began = time.monotonic()
    handler.stop.set()
    handler.join(10)
    assert time.monotonic() - began < AT_ONCE


def test_destroy_stops_a_running_thread(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    began = time.monotonic()
    handler.destroy()
    assert not handler.is_alive()
    assert time.monotonic() - began < AT_ONCE
    assert handler.context.closed


@pytest.mark.parametrize("steps", ["kjd", "dkj", "dd", "kkjjdd", "jd", "kd"])
@pytest.mark.parametrize("state", ["running", "ended", "never started"])
def test_ends_in_any_order(peers: Peers, steps: str, state: str) -> None:
    handler = peers.handler()
    if state != "never started":
        handler.start()
    if state == "ended":
        ask(peers.client(handler), b"don")
    for step in steps:
        if step == "k":
            handler.kill()
        elif step == "d":
            handler.destroy()
        elif state == "never started":
            with pytest.raises(RuntimeError):
                handler.join()
        elif handler.stop.is_set() or state == "ended":
            handler.join(10)
    assert not handler.is_alive()


def test_a_given_context_is_left_alone(peers: Peers) -> None:
    first = peers.handler(context=peers.context)
    second = peers.handler(context=peers.context)
    first.destroy()
    assert not peers.context.closed
    second.start()
    assert ask(peers.client(second), b"don") == [b"ack"]


def test_a_context_that_is_terminated(peers: Peers) -> None:
    context: zmq.Context[Any] = zmq.Context()
    running = peers.handler(context=context)
    running.start()
    terminator = threading.Thread(target=context.term)
    terminator.start()
    terminator.join(10)
    assert not terminator.is_alive()
    running.kill()
    running.join(10)
    assert not running.is_alive()


def test_a_context_that_is_destroyed(peers: Peers) -> None:
    context: zmq.Context[Any] = zmq.Context()
    handler = peers.handler(context=context)
    context.destroy()
    handler.kill()
    handler.destroy()
    assert handler.socket.closed


def test_no_descriptors_are_left() -> None:
    def cycle() -> None:
        handler = MessageHandler("127.0.0.1")
        handler.start()
        handler.destroy()

    cycle()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        cycle()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def _serve_in_child(pipe: Any) -> None:
    handler = MessageHandler("127.0.0.1")
    pipe.send(handler.address)
    handler.start()
    handler.join()
    handler.destroy()


def test_in_a_forked_child(peers: Peers) -> None:
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_serve_in_child, args=(theirs,))
    child.start()
    assert ask(peers.connect(ours.recv()), b"don") == [b"ack"]
    child.join(10)
    assert child.exitcode == 0


# peers that are stopped


@pytest.fixture
def quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HEARTBEAT_INTERVAL_MS", 100)
    monkeypatch.setattr(sockets, "HEARTBEAT_TIMEOUT_MS", 500)


def _stop_for_ever() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)  # another thread may have taken the signal: this one still runs for a moment


@contextlib.contextmanager
def forked(target: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Run a function in a child, and kill that in the end: nobody can join what is stopped."""
    child = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    child.start()
    try:
        yield
    finally:
        child.kill()
        child.join()


def _ask_from_child(address: str) -> None:
    context: zmq.Context[Any] = zmq.Context()
    ask(sockets.connect_pair(context, address), b"ifo", b"x")
    time.sleep(0.5)  # the first heartbeat tells when the next ones are due
    _stop_for_ever()


def test_a_client_that_is_stopped(peers: Peers, quick_heartbeats: None) -> None:
    handler = peers.handler()
    handler.start()
    with forked(_ask_from_child, handler.address):
        handler.join(10)
        assert not handler.is_alive()
    assert "gone" in handler.system_error


def _serve_stopped(pipe: Any) -> None:
    handler = MessageHandler("127.0.0.1")
    handler.set_data_sources({"in": _Stopper()})
    pipe.send(handler.address)
    handler.start()
    handler.join()


class _Stopper(DataSource):
    def __getitem__(self, index: int) -> Any:
        _stop_for_ever()


def test_a_handler_that_is_stopped(peers: Peers, quick_heartbeats: None) -> None:
    ours, theirs = multiprocessing.Pipe()
    with forked(_serve_stopped, theirs):
        socket = peers.connect(ours.recv())
        began = time.monotonic()
        with pytest.raises(RemoteException, match="gone"):
            conversation(socket).request(b"get", b"in", b"0")
        assert time.monotonic() - began < 10


# who waits while user code works


def test_a_peer_that_goes_away_while_user_code_works(peers: Peers) -> None:
    started, release = threading.Event(), threading.Event()

    class Slow(DataSource):
        def __getitem__(self, index: int) -> Any:
            started.set()
            release.wait(10)
            return b"", 0, 0

    handler = peers.handler(data_sources={"in": Slow()})
    handler.start()
    assert not handler.is_alone()
    client = peers.client(handler)
    client.send_multipart([b"get", b"in", b"0"])
    assert started.wait(10)
    assert not handler.is_alone()
    client.close()
    wait_until(handler.is_alone)
    assert not handler.wait_end(0.1)
    release.set()
    assert handler.wait_end(10)


def test_a_second_client_while_user_code_works(peers: Peers) -> None:
    release = threading.Event()

    class Slow(DataSource):
        def __getitem__(self, index: int) -> Any:
            release.wait(10)
            return b"", 0, 0

    handler = peers.handler(data_sources={"in": Slow()})
    handler.start()
    peers.client(handler).send_multipart([b"get", b"in", b"0"])
    wait_until(lambda: handler._client.known)
    second = peers.client(handler)
    second.send_multipart([b"ifo", b"in"])
    wait_until(lambda: handler.is_alone() or second.poll(0))  # somebody looks at times
    release.set()
    assert second.recv_multipart()[2] == b"this address serves another client already"


def test_our_own_second_client_raises(peers: Peers, prefix: str) -> None:
    handler = peers.handler()
    handler.start()
    ask(peers.client(handler), b"ifo", b"x")
    with pytest.raises(RemoteException, match="serves another client"):
        RemoteDataSource().setup(peers.client(handler), "in", "user/single_integer/1", prefix)


# unasked


def test_send_error_to_a_waiting_client(peers: Peers) -> None:
    handler = peers.handler()
    client = peers.client(handler)
    handler.send_error("what")
    assert client.recv_multipart() == [b"err", b"usr", b"what"]


def test_send_error_while_serving(peers: Peers) -> None:
    handler = peers.handler()
    handler.start()
    client = peers.client(handler)
    ask(client, b"ifo", b"x")
    handler.send_error("what", kind="sys")
    assert client.recv_multipart() == [b"err", b"sys", b"what"]
    client.send_multipart([b"ack"])
    assert ask(client, b"don") == [b"ack"]


def test_send_error_to_a_client_that_is_gone(peers: Peers) -> None:
    handler = peers.handler()
    client = peers.client(handler)
    wait_until(lambda: handler._client.update() or handler._client.connected)
    client.close()
    wait_until(lambda: handler._client.update() or handler._client.gone)
    began = time.monotonic()
    handler.send_error("what")
    assert time.monotonic() - began < AT_ONCE


def test_send_error_without_client(peers: Peers) -> None:
    began = time.monotonic()
    peers.handler().send_error("what")
    assert time.monotonic() - began < 4


def test_send_error_after_the_end(peers: Peers) -> None:
    handler = peers.handler()
    handler.destroy()
    handler.send_error("what")


# loops


def test_a_loop_handler_without_evaluator(peers: Peers) -> None:
    handler = LoopMessageHandler("127.0.0.1")
    peers.handlers.append(handler)
    handler.start()
    assert ask(peers.client(handler), b"val", b"")[:2] == [b"err", b"sys"]
    handler.join(10)
    assert not handler.is_alive()
