"""With keys, nobody else is heard: bare bytes, what was overheard, what was changed on its way."""

from __future__ import annotations

import socket as tcp
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from support.mutations import HOST, Recorder
from support.peers import Peers, ask
from support.processes import command, free_address, wait_for
from support.small_experiment import write_small_experiment

from beat.backend.python.data.wire import conversation
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution import MessageHandler
from beat.backend.python.execution.keys import (
    ClientKeys,
    KeysError,
    client_keys,
    make_keys,
    server_keys,
)
from beat.backend.python.runner import Runner

pytestmark = pytest.mark.once

GREETING_BYTES = 64
WELCOME_BYTES = 170  # that the server has a key is all that anybody learns
UNITS = [b"5", b"6", b"7"]


class Numbers:
    """A data source of three units."""

    def data_indices(self) -> list[tuple[int, int]]:
        return [(i, i) for i in range(3)]

    def __getitem__(self, index: int) -> tuple[bytes, int, int]:
        return UNITS[index], index, index


class Guarded:
    """Handlers with keys, one after the other, and all that they were asked."""

    def __init__(self, peers: Peers, folder: Path) -> None:
        make_keys(str(folder))
        self.folder = str(folder)
        self.peers = peers
        self.asked: list[Sequence[bytes]] = []

    def handler(self, address: str = HOST) -> MessageHandler:
        handler = self.peers.handler(
            address, data_sources={"in": Numbers()}, keys=server_keys(self.folder, "driver")
        )
        reply = handler.service.reply

        def noted(frames: Sequence[bytes]) -> Any:
            self.asked.append(frames)
            return reply(frames)

        handler.service.reply = noted  # type: ignore[method-assign]
        handler.start()
        return handler

    @property
    def keys(self) -> ClientKeys | None:
        return client_keys(self.folder, "algorithm", "driver")


@pytest.fixture
def guarded(peers: Peers, tmp_path: Path) -> Guarded:
    return Guarded(peers, tmp_path / "keys")


def call(handler: MessageHandler) -> tcp.socket:
    """Return a bare connection to a handler."""
    if handler.address.startswith("ipc"):
        caller = tcp.socket(tcp.AF_UNIX)
        caller.connect(handler.address.removeprefix("ipc://"))
    else:
        caller = tcp.create_connection((HOST, int(handler.address.rpartition(":")[2])))
    caller.settimeout(0.5)
    return caller


def answer_to(handler: MessageHandler, said: bytes) -> bytes:
    """Say something on a bare connection; return all that is answered."""
    heard = b""
    with call(handler) as caller, suppress(OSError):  # that it is cut or silent is fine
        caller.sendall(said)
        while piece := caller.recv(4096):
            heard += piece
    return heard


OLD_PROTOCOL = b"\1\0" + b"\4\0don" + b"\4\0foo"  # two messages of ZMTP 1.0


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_bare_bytes_are_never_a_message(
    guarded: Guarded, tmp_path: Path, transport: str, peers: Peers
) -> None:
    handler = guarded.handler(HOST if transport == "tcp" else f"ipc://{tmp_path}/socket")
    for said in (OLD_PROTOCOL, b"GET /\r\n\r\n" * 20, b"\xff" * 64, bytes(range(256)) * 40):
        assert len(answer_to(handler, said)) <= GREETING_BYTES
    assert guarded.asked == []
    assert ask(peers.client(handler, guarded.keys), b"don") == [b"ack"]
    assert guarded.asked == [[b"don"]]


def record(guarded: Guarded, requests: list[list[bytes]]) -> bytes:
    """Have a good conversation; return all that the client has sent."""
    handler = guarded.handler()
    recorder = Recorder(int(handler.address.rpartition(":")[2]))
    recorder.start()
    client = guarded.peers.connect(recorder.address, guarded.keys)
    for request in requests:
        assert ask(client, *request)[0] != b"err"
    return recorder.sent


def test_what_was_overheard_is_worth_nothing(guarded: Guarded, peers: Peers) -> None:
    """Said again to the next server with the same keys, or to one that has a client."""
    requests = [[b"ifo", b"in"], [b"get", b"in", b"1"], [b"don", b'{"forged": 1}']]
    sent = record(guarded, requests)
    assert guarded.asked == requests
    assert b"don" not in sent
    guarded.asked.clear()
    handler = guarded.handler()
    assert len(answer_to(handler, sent)) <= GREETING_BYTES + WELCOME_BYTES
    client = peers.client(handler, guarded.keys)
    assert ask(client, *requests[1]) == [b"1", b"1", b"6"]
    assert len(answer_to(handler, sent)) <= GREETING_BYTES + WELCOME_BYTES
    assert ask(client, *requests[1]) == [b"1", b"1", b"6"]
    assert guarded.asked == [requests[1]] * 2
    assert handler.statistics == {}


class Meddler(threading.Thread):
    """Stands between a client and a server, and changes what the client says, message by message.

    Parameters
    ----------
    port : int
        Of the server.
    change : callable
        Gets the messages of the client, which come all together, and returns those to pass on.
    """

    def __init__(self, port: int, change: Callable[[list[bytes]], list[bytes]]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._change = change
        self._listener = tcp.create_server((HOST, 0))
        self.address = f"tcp://{HOST}:{self._listener.getsockname()[1]}"
        self.meddling = threading.Event()

    def run(self) -> None:
        client, _ = self._listener.accept()
        self._listener.close()
        with client, tcp.create_connection((HOST, self._port)) as server:
            back = threading.Thread(target=self._pass_back, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                while piece := client.recv(1 << 16):
                    if self.meddling.is_set():
                        piece = b"".join(self._change(_messages(piece)))
                    server.sendall(piece)
            for connection in (server, client):
                with suppress(OSError):
                    connection.shutdown(tcp.SHUT_RDWR)
            back.join()

    def _pass_back(self, server: tcp.socket, client: tcp.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(1 << 16):
                client.sendall(piece)
            client.shutdown(tcp.SHUT_RDWR)


def _messages(stream: bytes) -> list[bytes]:
    """Cut a stream of short frames; a byte of flags and one of length go before each."""
    found = []
    while stream:
        size = 2 + stream[1]
        found.append(stream[:size])
        stream = stream[size:]
    return found


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a bit": lambda frames: [frames[0][:-1] + bytes([frames[0][-1] ^ 1]), *frames[1:]],
    "twice": lambda frames: [frames[0], *frames],
    "swapped": lambda frames: frames[::-1],
    "cut": lambda frames: [bytes([0, len(frames[0]) - 12]) + frames[0][2:-10], *frames[1:]],
    "another's": lambda frames: [b"\0\4\3don", *frames],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=[*CHANGES])
def test_what_is_changed_on_its_way_ends_the_conversation(
    guarded: Guarded, peers: Peers, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    handler = guarded.handler()
    meddler = Meddler(int(handler.address.rpartition(":")[2]), change)
    meddler.start()
    client = peers.connect(meddler.address, guarded.keys)
    talk = conversation(client)
    assert talk.request(b"get", b"in", b"0", timeout=20) == [b"0", b"0", b"5"]
    meddler.meddling.set()
    tickets = [talk.send(b"get", b"in", b"%d" % i) for i in range(2)]
    with pytest.raises(RemoteException) as caught:
        for ticket in tickets:
            talk.receive(ticket, timeout=20)
    assert caught.value.system_error
    handler.join(10)
    assert handler.system_error
    assert handler.statistics == {}


# runs


SLOW = """
import time

class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        open({begun!r}, "w").close()
        time.sleep(1)
        raise ValueError("told")
"""


def test_keys_of_a_run_are_told_nowhere(
    tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on command lines, in environments, logs, reports or records; and they end with it."""
    from beat.backend.python.runner import RunFailed

    prefix, begun, temporary = tmp_path / "prefix", tmp_path / "begun", tmp_path / "tmp"
    prefix.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    name = write_small_experiment(prefix, SLOW.format(begun=str(begun)), count=1)
    reports: list[str] = []

    def run() -> None:
        try:
            Runner(str(prefix), cache).run(name)
        except RunFailed as error:
            reports.append(f"{error}{error!r}{vars(error)}")

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(begun)
    (folder,) = temporary.glob("beat-*")
    keys = {file.read_bytes() for file in (folder / "keys").iterdir()}
    children = psutil.Process().children(recursive=True)
    told = repr([(child.cmdline(), child.environ()) for child in children]).encode()
    told += b"".join(log.read_bytes() for log in folder.glob("*.log"))
    thread.join(60)
    assert len(children) >= 2
    assert len(keys) == 8
    assert str(folder / "keys").encode() in told
    assert "told" in reports[0]
    told += reports[0].encode()
    told += b"".join(file.read_bytes() for file in Path(cache).rglob("*") if file.is_file())
    assert not [key for key in keys if key in told]
    assert not (folder / "keys").exists()


def test_no_run_without_encryption(
    tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write_small_experiment(tmp_path, SLOW.format(begun=str(tmp_path / "begun")))
    monkeypatch.setattr(zmq, "has", lambda capability: False)
    with pytest.raises(KeysError, match="built without CURVE"):
        Runner(str(tmp_path), cache).run(name)
    assert not (tmp_path / "begun").exists()


@pytest.mark.parametrize("script", ["execute", "loop_execute", "databases_provider"])
@pytest.mark.parametrize("spoil", ["missing", "wide"])
def test_scripts_refuse_keys_that_are_not_private(tmp_path: Path, script: str, spoil: str) -> None:
    folder = tmp_path / "keys"
    if spoil == "wide":
        make_keys(str(folder))
        (folder / "algorithm.public").chmod(0o644)
    arguments = [f"--keys={folder}", free_address(), str(tmp_path)]
    arguments += [] if script == "execute" else [str(tmp_path)]
    process = subprocess.run(
        command(script, *arguments), capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 1
    assert process.stderr.startswith("(sys) ")
    assert ("others may use it" if spoil == "wide" else "No such file") in process.stderr
    assert "Traceback" not in process.stderr
