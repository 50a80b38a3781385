"""Keys in private files, and who is admitted by them."""

from __future__ import annotations

import os
import socket as tcp
import stat
from contextlib import suppress
from pathlib import Path

import pytest
import zmq
from support.mutations import HOST
from support.peers import Peers, ask

from beat.backend.python.data.wire import conversation
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution import MessageHandler, keys
from beat.backend.python.execution.keys import (
    ROLES,
    ClientKeys,
    KeysError,
    ServerKeys,
    client_keys,
    make_keys,
    server_keys,
)

SHORT_MS = 400  # for answers that must not come


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of keys."""
    path = tmp_path / "keys"
    make_keys(str(path))
    return path


def client_of(folder: Path, role: str = "algorithm", server: str = "driver") -> ClientKeys:
    found = client_keys(str(folder), role, server)
    assert found is not None
    return found


def server_of(folder: Path, role: str = "driver") -> ServerKeys:
    found = server_keys(str(folder), role)
    assert found is not None
    return found


# files


def test_the_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        make_keys(str(tmp_path / "keys"))
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    files = sorted((tmp_path / "keys").iterdir())
    assert [f.name for f in files] == sorted(
        f"{role}.{kind}" for role in ROLES for kind in ("public", "secret")
    )
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert len({f.read_bytes() for f in files}) == 2 * len(ROLES)


def test_keys_are_never_made_twice(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        make_keys(str(folder))
    make_keys(str(tmp_path / "others"))
    old, new = (path / "driver.secret" for path in (folder, tmp_path / "others"))
    assert old.read_bytes() != new.read_bytes()


def test_without_a_folder_there_are_no_keys() -> None:
    assert client_keys(None, "algorithm", "driver") is None
    assert server_keys(None, "driver") is None


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o755, 0o770])
def test_a_folder_that_is_not_private(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    for read in (client_of, server_of):
        with pytest.raises(KeysError, match=r"keys: others may use it \(mode 7"):
            read(folder)


@pytest.mark.parametrize("mode", [0o601, 0o604, 0o640, 0o666])
@pytest.mark.parametrize("name", ["algorithm.secret", "algorithm.public", "driver.public"])
def test_a_file_that_is_not_private(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(KeysError, match=rf"{name}: others may use it \(mode 6"):
        client_of(folder)


@pytest.mark.parametrize("what", ["", "algorithm.secret"])
def test_keys_of_another_user(folder: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeysError, match="belongs to user"):
        client_of(folder)


def test_a_folder_that_is_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(KeysError, match="neither a folder"):
        client_of(tmp_path / "link")


@pytest.mark.parametrize("name", ["algorithm.secret", "algorithm.public", "driver.public"])
@pytest.mark.parametrize("how", ["missing", "link", "folder", "pipe", "empty", "long", "odd"])
def test_what_is_no_key(folder: Path, name: str, how: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if how == "link":
        path.symlink_to(folder / "evaluator.secret")
    elif how == "folder":
        path.mkdir(0o700)
    elif how == "pipe":
        os.mkfifo(path, 0o600)
    elif how != "missing":
        path.write_bytes({"empty": b"", "long": content + b"\n", "odd": b"~" + content[1:]}[how])
        path.chmod(0o600)
    with pytest.raises(KeysError, match=name) as caught:
        client_of(folder)
    assert content[1:].decode() not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_do_not_show(folder: Path) -> None:
    shown = repr([client_of(folder), server_of(folder)])
    for file in folder.iterdir():
        assert file.read_text() not in shown


def test_a_libzmq_without_encryption(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq, "has", lambda capability: False)
    for refused in (
        lambda: make_keys(str(tmp_path / "more")),
        lambda: client_of(folder),
        lambda: server_of(folder),
    ):
        with pytest.raises(KeysError, match=r"built without CURVE.*pip install"):
            refused()
    assert not (tmp_path / "more").exists()


# who is admitted


@pytest.fixture(params=["tcp", "ipc"])
def guarded(peers: Peers, folder: Path, tmp_path: Path, request: pytest.FixtureRequest):
    """Return a handler that serves, with keys."""
    address = HOST if request.param == "tcp" else f"ipc://{tmp_path}/socket"
    handler = peers.handler(address, keys=server_of(folder))
    handler.start()
    return handler


def gets_nothing(client: zmq.Socket[bytes]) -> bool:
    """Tell whether a request stays without any answer."""
    with suppress(zmq.Again):  # it has been turned away already
        client.send_multipart([b"ifo", b"x"], zmq.NOBLOCK)
    return not client.poll(SHORT_MS)


def test_who_has_the_keys_is_served(peers: Peers, guarded: MessageHandler, folder: Path) -> None:
    client = peers.client(guarded, client_of(folder))
    assert b"unknown input" in ask(client, b"ifo", b"x")[2]
    assert ask(client, b"don", b'{"data": 1}') == [b"ack"]
    guarded.join(10)
    assert guarded.statistics == {"data": 1}


def test_who_has_not_gets_nothing_and_then_a_good_client_is_served(
    peers: Peers, guarded: MessageHandler, folder: Path, tmp_path: Path
) -> None:
    good = client_of(folder)
    make_keys(str(tmp_path / "others"))
    other = client_of(tmp_path / "others")
    strangers = {
        "no keys": None,
        "another client's keys": ClientKeys(other.public, other.secret, good.server),
        "another role's keys": client_of(folder, "evaluator"),
        "the server's public key, as its own": ClientKeys(good.server, other.secret, good.server),
        "another server's key": ClientKeys(good.public, good.secret, other.server),
        "another secret key": ClientKeys(good.public, other.secret, good.server),
    }
    for name, theirs in strangers.items():
        assert gets_nothing(peers.client(guarded, theirs)), name
    assert ask(peers.client(guarded, good), b"don") == [b"ack"]
    guarded.join(10)
    assert not guarded.system_error


def test_a_second_client_is_turned_away_whatever_its_keys(
    peers: Peers, guarded: MessageHandler, folder: Path
) -> None:
    first = peers.client(guarded, client_of(folder))
    assert b"unknown input" in ask(first, b"ifo", b"x")[2]
    second = peers.client(guarded, client_of(folder))
    with pytest.raises(RemoteException, match="is gone"):
        conversation(second).request(b"ifo", b"x", timeout=20)
    assert gets_nothing(peers.client(guarded))
    assert ask(first, b"don") == [b"ack"]


def test_a_client_that_wants_keys_does_not_talk_to_a_server_without(
    peers: Peers, folder: Path
) -> None:
    plain = peers.handler()
    plain.start()
    assert gets_nothing(peers.client(plain, client_of(folder)))


def test_who_may_talk_to_whom(folder: Path) -> None:
    public = {role: (folder / f"{role}.public").read_bytes() for role in ROLES}
    assert server_of(folder, "driver").admitted == {public["algorithm"]}
    assert server_of(folder, "evaluator").admitted == {public["algorithm"]}
    assert server_of(folder, "databases").admitted == {public["algorithm"], public["evaluator"]}


def test_without_a_doorkeeper_nobody_is_admitted(folder: Path, peers: Peers) -> None:
    with peers.context.socket(zmq.PAIR) as socket:
        server_of(folder).use(socket)
        port = socket.bind_to_random_port(f"tcp://{HOST}")
        assert gets_nothing(peers.connect(f"{HOST}:{port}", client_of(folder)))
        assert not socket.poll(0)


def test_keys_go_with_a_context_of_the_handlers_own(folder: Path, peers: Peers) -> None:
    with pytest.raises(ValueError, match="context of its own"):
        MessageHandler(HOST, keys=server_of(folder), context=peers.context)


def test_two_handlers_with_keys_in_one_process(folder: Path, peers: Peers) -> None:
    for role, clients in keys._SERVED.items():
        handler = peers.handler(keys=server_of(folder, role))
        handler.start()
        assert ask(peers.client(handler, client_of(folder, clients[-1], role)), b"don") == [b"ack"]


def test_an_address_in_use(folder: Path, peers: Peers) -> None:
    with tcp.create_server((HOST, 0)) as other, pytest.raises(zmq.ZMQError, match="in use"):
        MessageHandler(f"{HOST}:{other.getsockname()[1]}", keys=server_of(folder))
