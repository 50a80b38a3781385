"""Peers that stop at any step of the conversation, in any way: the block ends, and says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from support.blocks import Workspace, side
from support.processes import command, free_address

pytestmark = pytest.mark.once

# A peer that answers some requests as it should, then does what it is told: be killed, leave or say
# something that makes no sense; silence is left out, since a unit may take as long as it likes.
PEER = """
import os, signal, sys, zmq
address, step, manner = sys.argv[1], int(sys.argv[2]), sys.argv[3]
answers = {b"ifo": [b"3", *(b"%d" % (i // 2) for i in range(6))], b"val": [b"True", bytes(4)]}
context = zmq.Context()
socket = context.socket(zmq.PAIR)
socket.bind(address)
print("bound", flush=True)
while True:
    request = socket.recv_multipart()
    if step == 0:
        if manner == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif manner == "leave":
            socket.close(0)
            context.term()
            sys.exit(0)
        else:
            socket.send_multipart([b"\\xff\\xfe nonsense"] * 4)
            continue
    step -= 1
    if request[0] == b"get":
        socket.send_multipart([request[2], request[2], bytes(4)])
    else:
        socket.send_multipart(answers.get(request[0], [b"ack"]))
"""

COPY = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write(inputs["in"].data)
        return True
"""

MANNERS = ["kill", "leave", "nonsense"]
SOON = 12.0  # seconds, beside those that heartbeats take to notice a stopped peer
HEARTBEATS = 25.0


@contextmanager
def fake(step: int, manner: str) -> Iterator[str]:
    """Start a fake peer; give its address."""
    address = f"tcp://{free_address()}"
    process = subprocess.Popen(
        [sys.executable, "-c", PEER, address, str(step), manner], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"bound\n"
        yield address
    finally:
        process.kill()
        process.communicate()


def run(workspace: Workspace, limit: float, driver: str, *more: str) -> tuple[int, str]:
    """Run ``execute`` against fake peers; return its status, and what it has complained about."""
    arguments = [f"--cache={workspace.cache}", driver, str(workspace.directory), *more]
    process = subprocess.Popen(
        command("execute", *arguments), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        _, complaint = process.communicate(timeout=limit)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, complaint


def on_database(workspace: Workspace) -> None:
    """Configure a block that reads a database."""
    workspace.write_algorithm(COPY)
    workspace.bring_database("simple/1")
    given = workspace.index("simple/1", "numbers", "ten", "out")
    workspace.configure("user/tested/1", {"in": given})


@pytest.mark.parametrize(
    ("step", "manner"),
    # what is asked: the list of units, three units, the end
    [(step, manner) for step in (0, 2) for manner in MANNERS],
)
def test_a_provider_that_stops(workspace: Workspace, step: int, manner: str) -> None:
    on_database(workspace)
    with fake(99, "leave") as driver, fake(step, manner) as provider:
        status, complaint = run(workspace, SOON, driver, provider)
    assert status == 1
    assert complaint.startswith("(sys)") or "(sys)" in complaint
    assert ("malformed" if manner == "nonsense" else "gone") in complaint
    assert workspace.files() == []


@pytest.mark.parametrize("manner", MANNERS)
def test_an_evaluator_that_stops(workspace: Workspace, manner: str) -> None:
    given = {"in": workspace.write_input("in", [1, 2, 3])}
    workspace.bring("user/guess_processor_sequential/1")
    workspace.bring("user/guess_evaluator_sequential/1")
    evaluator = side("user/guess_evaluator_sequential/1", given, output_path="evaluated")
    workspace.configure("user/guess_processor_sequential/1", given, loop=evaluator)
    with fake(99, "leave") as driver, fake(1, manner) as loop:
        status, complaint = run(workspace, SOON, driver, f"--loop={loop}")
    assert status == 1
    assert complaint
    assert workspace.files() == []


@pytest.mark.parametrize("manner", MANNERS)
def test_a_driver_that_stops_at_the_end(workspace: Workspace, manner: str) -> None:
    """The first thing a driver is told is that all is done."""
    workspace.write_algorithm(COPY)
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2, 3])})
    with fake(0, manner) as driver:
        status, complaint = run(workspace, SOON, driver)
    assert status in (0, 1)
    assert (status == 1) == bool(complaint)


def test_a_driver_that_is_stopped_while_the_algorithm_works(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Its kernel still takes what it is sent: only the silence of its heartbeats tells."""
    begun = tmp_path / "begun"
    slow = f"open({str(begun)!r}, 'w').close(); import time; time.sleep(60)"
    workspace.write_algorithm(COPY.replace("        outputs", f"        {slow}\n        outputs"))
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2, 3])})
    address = f"tcp://{free_address()}"
    driver = subprocess.Popen(
        [sys.executable, "-c", PEER, address, "99", "leave"], stdout=subprocess.PIPE
    )
    arguments = [f"--cache={workspace.cache}", address, str(workspace.directory)]
    process = subprocess.Popen(command("execute", *arguments), stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        driver.send_signal(signal.SIGSTOP)
        _, complaint = process.communicate(timeout=HEARTBEATS + SOON)
    finally:
        for one in (driver, process):
            one.kill()
            one.communicate()
    assert process.returncode == 1
    assert "the driver is gone" in complaint
    assert workspace.files() == []


def test_what_an_algorithm_has_started_ends_with_its_run(tmp_path: Path, cache: str) -> None:
    """The processes of processes, too, when the runner is told to stop, and when a block fails."""
    from support.small_experiment import write_small_experiment

    from beat.backend.python.runner import RunFailed, Runner

    folder = tmp_path / "prefix"
    folder.mkdir()
    note = tmp_path / "grandchild"
    code = (
        "import os, subprocess\n\n"
        "class Algorithm:\n"
        "    def process(self, inputs, data_loaders, outputs):\n"
        "        child = subprocess.Popen(['sleep', '300'])\n"
        f"        open({str(note)!r}, 'w').write(str(child.pid))\n"
        "        os._exit(3)\n"
    )
    name = write_small_experiment(folder, code)
    with pytest.raises(RunFailed, match="status 3"):
        Runner(str(folder), cache).run(name)
    grandchild = int(note.read_text())
    for _ in range(100):
        if not psutil.pid_exists(grandchild) or (
            psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE
        ):
            break
        time.sleep(0.05)
    else:
        os.kill(grandchild, signal.SIGKILL)
        raise AssertionError("a process that the algorithm has started is still there")
