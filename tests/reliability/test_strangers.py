"""Whoever is not asked to take part cannot: addresses are local, folders private, nothing leaks."""

from __future__ import annotations

import os
import socket as tcp
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.blocks import Workspace
from support.peers import Peers
from support.processes import block_processes, wait_for
from support.small_experiment import write_small_experiment

from beat.backend.python.data.wire import conversation
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution.keys import client_keys
from beat.backend.python.runner import Runner

pytestmark = pytest.mark.once

LISTENING = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
SLOW = """
import time

class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        open({begun!r}, "w").close()
        time.sleep({seconds})
        outputs["out"].write({{"value": inputs["in"].data.value}})
        return True
"""


def listening(processes: list[psutil.Process]) -> dict[int, str]:
    """Return the TCP ports at which some processes listen, and on which address, as hexadecimal."""
    inodes = set()
    for process in processes:
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # what listed them was among them
                inodes.add(os.readlink(descriptor).removeprefix("socket:[").rstrip("]"))
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found[int(port, 16)] = address
    return found


def test_the_processes_of_a_block_listen_where_they_are_told_only(
    workspace: Workspace, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    workspace.write_algorithm(SLOW.format(begun=str(begun), seconds=0.5))
    workspace.bring_database("simple/1")
    given = workspace.index("simple/1", "numbers", "some", "out")
    workspace.configure("user/tested/1", {"in": given})
    with block_processes(workspace) as processes:
        wait_for(begun)
        own = psutil.Process()
        found = listening([own, *own.children(recursive=True)])
        processes.wait()
    assert len(found) >= 2  # the driver and the provider
    assert set(found.values()) <= LOOPBACK


@pytest.fixture
def running(tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run an experiment in a thread; give the folder of the block that is running."""
    prefix, begun, temporary = tmp_path / "prefix", tmp_path / "begun", tmp_path / "tmp"
    prefix.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    code = SLOW.format(begun=str(begun), seconds=0.3)
    name = write_small_experiment(prefix, code, count=8)
    found: dict[str, Any] = {}
    runner = Runner(str(prefix), cache)
    thread = threading.Thread(target=lambda: found.update(run=runner.run(name)))
    thread.start()
    wait_for(begun)
    (folder,) = temporary.glob("beat-*")
    yield folder
    thread.join(60)
    assert found["run"].results["sum"]["total"].value == sum(range(8))


def test_a_run_listens_at_no_port_at_all(running: Path) -> None:
    own = psutil.Process()
    assert listening([own, *own.children(recursive=True)]) == {}


def test_the_sockets_of_a_run_are_in_a_folder_of_its_own(running: Path) -> None:
    status = running.stat()
    assert stat.S_IMODE(status.st_mode) == 0o700
    assert status.st_uid == os.getuid()
    assert len(list(running.glob("*.socket"))) >= 2


SAID = [b"", b"GET /\r\n\r\n", b"\1\0\4\0don\4\0{}", bytes(range(256)), b"\xff" * 64]


def test_callers_at_the_sockets_of_a_run_do_no_harm(running: Path) -> None:
    """Even some who may look into the folder; the fixture tells whether the results are right."""
    for said in SAID:
        for path in running.glob("*.socket"):
            with tcp.socket(tcp.AF_UNIX) as caller:
                caller.connect(str(path))
                caller.sendall(said)
                time.sleep(0.02)


def test_a_second_peer_at_the_sockets_of_a_run_is_turned_away(running: Path, peers: Peers) -> None:
    """Even one that has got the keys; whoever has not gets no answer at all."""
    for path in running.glob("*.socket"):
        stranger = peers.connect(f"ipc://{path}")
        stranger.send_multipart([b"don", b'{"forged": 1}'])
        keys = client_keys(str(running / "keys"), "algorithm", path.stem)
        second = conversation(peers.connect(f"ipc://{path}", keys))
        with pytest.raises(RemoteException, match="is gone"):
            second.request(b"don", b'{"forged": 1}', timeout=20)
        assert not stranger.poll(200)


def test_no_secret_of_the_environment_is_told(
    tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on command lines, in logs, in reports or in records, whatever goes wrong."""
    from beat.backend.python.runner import RunFailed

    secret = "hush-3b1f0e9c"
    monkeypatch.setenv("BEAT_TEST_SECRET", secret)
    prefix, begun = tmp_path / "prefix", tmp_path / "begun"
    prefix.mkdir()
    code = SLOW.format(begun=str(begun), seconds=1) + "        1 / 0\n"
    name = write_small_experiment(prefix, code.replace("return True", "a = b"), count=1)
    reports = []

    def run() -> None:
        try:
            Runner(str(prefix), cache).run(name)
        except RunFailed as error:
            reports.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(begun)
    lines = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    thread.join(60)
    assert len(lines) >= 2
    assert secret not in repr(lines)
    assert "NameError" in reports[0]
    assert secret not in reports[0]
    files = [path for path in Path(cache).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret.encode() in path.read_bytes()]
