"""The platform's driver over the console scripts: command lines, order, signals, result records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import zmq
from support.blocks import INTEGER, Workspace, side
from support.objects import write_object
from support.platform_driver import (
    JSON,
    ROOT,
    SubprocessDriver,
    find_free_address,
    install_scripts,
)

from beat.backend.python.data import foundSplitRanges, load_data_index
from beat.backend.python.execution import MessageHandler
from beat.backend.python.helpers import convert_experiment_configuration_to_container

PROCESSOR, EVALUATOR = "user/guess_processor_sequential/1", "user/guess_evaluator_sequential/1"
GOOD = {
    "status": 0,
    "stdout": "",
    "stderr": "",
    "timed_out": False,
    "system_error": "",
    "user_error": "",
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installation") / "bin"
    install_scripts(folder)
    return folder


@pytest.fixture
def drive(scripts: Path, workspace: Workspace) -> Any:
    def run(debug: bool = False) -> JSON:
        driver = SubprocessDriver(scripts, workspace.directory, workspace.cache, debug)
        return driver.process(workspace.configuration)

    return run


def sequential(workspace: Workspace, body: str, setup: str = "True", prepare: str = "True") -> None:
    """Configure a block on two numbers."""
    code = (
        "import os, signal, sys, time\n"
        "class Algorithm:\n"
        f"    def setup(self, parameters):\n        return {setup}\n"
        f"    def prepare(self, data_loaders):\n        return {prepare}\n"
        f"    def process(self, inputs, data_loaders, outputs):\n        {body}\n"
    )
    name = workspace.write_algorithm(code)
    workspace.configure(name, {"in": workspace.write_input("in", [5, 6])})


ECHO = "outputs['out'].write(inputs['in'].data.as_dict()); return True"


@pytest.mark.parametrize("debug", [False, True])
def test_the_record_of_a_success(workspace: Workspace, drive: Any, debug: bool) -> None:
    sequential(workspace, "print('seen'); print('told', file=sys.stderr); " + ECHO)
    result = drive(debug)
    data = result.pop("statistics")["data"]
    assert result == {**GOOD, "stdout": "seen\nseen\n", "peers": []}
    assert workspace.values() == [5, 6]
    assert data["files"] == [{"hash": "out", "size": 10, "blocks": 2}]
    assert data["volume"] == {"read": 10, "write": 10}
    assert data["blocks"] == {"read": 2, "write": 2}
    assert data["network"] == {"wait_time": 0.0}
    assert data["time"]["read"] > 0 < data["time"]["write"]


@pytest.mark.parametrize("reads", ["processor", "evaluator"])
def test_all_five_processes(workspace: Workspace, drive: Any, reads: str) -> None:
    """Both providers are started where only one side has anything to ask of them."""
    for name in (PROCESSOR, EVALUATOR):
        workspace.bring(name)
    workspace.bring_database("simple/1")
    database = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    cached = {"in": workspace.write_input("in", [100, 101, 102, 103])}
    ours, theirs = (database, cached) if reads == "processor" else (cached, database)
    workspace.configure(PROCESSOR, ours, loop=side(EVALUATOR, theirs, output_path="evaluated"))
    result = drive()
    data = result.pop("statistics")["data"]
    assert result == {**GOOD, "peers": [0, 0, 0]}
    assert workspace.values() == [1000, 1010, 1020, 1030]
    assert [start for _, start, _ in workspace.units("evaluated")] == [0, 1, 2, 3]
    assert (data["network"]["wait_time"] > 0) == (reads == "processor")


@pytest.mark.parametrize(
    ("code", "user_error"),
    [
        ({"body": ECHO, "setup": "False"}, "'Could not setup algorithm (returned False)'"),
        ({"body": ECHO, "prepare": "None"}, "'Could not prepare algorithm (returned False)'"),
    ],
)
def test_algorithms_that_refuse(
    workspace: Workspace, drive: Any, code: JSON, user_error: str
) -> None:
    sequential(workspace, **code)
    result = drive()
    assert (result["status"], result["user_error"], result["system_error"]) == (1, user_error, "")
    assert result["statistics"] == {"data": {}}
    assert result["stdout"] == ""
    assert user_error in result["stderr"]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("a = b", ["NameError", "a = b", 'File "algorithms/user/tested/1.py", line 8']),
        ("outputs['foo'].write(1)", ["'NoneType' object has no attribute 'write'"]),
        ("raise MemoryError", ["memory"]),
    ],
)
def test_algorithms_that_fail(
    workspace: Workspace, drive: Any, body: str, texts: list[str]
) -> None:
    sequential(workspace, body)
    result = drive()
    assert (result["status"], result["system_error"]) == (1, "")
    assert [text for text in texts if text not in result["user_error"]] == []
    assert str(workspace.directory) not in result["user_error"]
    assert result["statistics"] == {"data": {}}
    assert workspace.files() == []


def test_reading_on_after_the_end(workspace: Workspace, drive: Any) -> None:
    code = (
        "class Algorithm:\n"
        "    def process(self, inputs, outputs):\n"
        "        while True:\n"
        "            inputs['other'].next()\n"
    )
    numbers = {"in": {"type": INTEGER}}
    groups = [
        {"inputs": numbers, "outputs": {"out": {"type": INTEGER}}},
        {"inputs": {"other": {"type": INTEGER}}},
    ]
    name = workspace.write_algorithm(code, api_version=1, type=None, groups=groups)
    other = {**workspace.write_input("other", [1, 2]), "channel": "other"}
    workspace.configure(name, {"in": workspace.write_input("in", [5, 6]), "other": other})
    result = drive()
    assert (result["status"], result["system_error"]) == (1, "")
    assert "no more data" in result["user_error"]


@pytest.mark.parametrize("number", ["SIGTERM", "SIGKILL"])
def test_a_killed_algorithm_has_a_negative_status(
    workspace: Workspace, drive: Any, number: str
) -> None:
    line = f"print('so far'); sys.stdout.flush(); os.kill(os.getpid(), signal.{number})"
    sequential(workspace, line + "; time.sleep(60)")
    result = drive()
    assert result["status"] == -getattr(signal, number)
    assert result["stdout"] == "so far\n"
    assert result["statistics"] == {"data": {}}
    assert workspace.files() == [] or number == "SIGKILL"


def test_a_view_that_raises(workspace: Workspace, drive: Any) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.bring_database("faulty/1")
    declared = json.loads((workspace.prefix / "databases/faulty/1.json").read_text())
    code = (workspace.prefix / "databases/faulty/1.py").read_text()
    given = {
        "channel": "main",
        "path": "in.db",
        "database": "faulty/1",
        "protocol": declared["protocols"][0]["name"],
        "set": "wanted",
        "output": "out",
    }
    numbers = {"name": "wanted", "template": "t", "view": "Wanted", "outputs": {"out": INTEGER}}
    declared["protocols"][0]["sets"] = [numbers]
    code += (
        "\n\nclass Wanted(View):\n    nothing = 0\n\n"
        "    def get(self, output, index):\n        return 1 / self.nothing\n"
    )
    write_object(workspace.prefix, "databases", "faulty/1", declared, code)
    (workspace.cache / "in.db").write_text('[{"out": 1}, {"out": 2}]')
    workspace.configure("user/echo_sequential/1", {"in": given})
    result = drive()
    assert (result["status"], result["system_error"]) == (1, "")
    assert "return 1 / self.nothing" in result["user_error"]
    assert "ZeroDivisionError" in result["user_error"]
    assert 'File "databases/faulty/1.py"' in result["user_error"]


def test_the_parts_of_a_split_block(workspace: Workspace, drive: Any) -> None:
    """The ranges are found as schedulers do; later blocks read all parts as one."""
    workspace.bring("user/echo_sequential/1")
    given = {"in": workspace.write_input("in", [3, 1, 4, 1, 5], width=2)}
    starts = load_data_index(str(workspace.cache), "in")
    assert starts == [0, 2, 4, 6, 8, 10]
    ranges = foundSplitRanges([starts], 2)
    assert ranges == [(0, 5), (6, 9)]
    for limits in ranges:
        workspace.configure("user/echo_sequential/1", given, range=[*limits])
        assert drive()["status"] == 0
    assert [name for name in workspace.files() if name.endswith(".data")] == [
        "out.0.5.data",
        "out.6.9.data",
    ]
    numbers = enumerate([3, 1, 4, 1, 5])
    assert workspace.units() == [(v, 2 * i, 2 * i + 1) for i, v in numbers]


def test_a_configuration_that_an_experiment_gives(workspace: Workspace, drive: Any) -> None:
    """What the platform adds for itself is dropped on the way to the working directory."""
    workspace.bring("user/echo_sequential/1")
    given = {"in": {**workspace.write_input("in", [5, 6]), "hash": "00", "endpoint": "x"}}
    block = side("user/echo_sequential/1", given, output_path="aa/bb/out")
    block["outputs"]["out"] |= {"hash": "00", "endpoint": "y"}
    block |= {"queue": "q", "environment": {"name": "e", "version": "1"}, "nb_slots": 2}
    workspace.configuration = convert_experiment_configuration_to_container(block)
    assert workspace.configuration == {
        "algorithm": "user/echo_sequential/1",
        "parameters": {},
        "channel": "main",
        "uid": os.getuid(),
        "inputs": {"in": {"channel": "main", "path": "in"}},
        "outputs": {"out": {"channel": "main", "path": "aa/bb/out"}},
    }
    workspace.write_configuration()
    assert drive()["status"] == 0
    assert workspace.values("aa/bb/out") == [5, 6]


# the command lines of each script


def start(scripts: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(scripts / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )


def ask(address: str, *requests: list[bytes]) -> list[list[bytes]]:
    """Ask whoever listens at an address, or will; as an old peer does, over a plain socket."""
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 20_000)
        socket.connect(f"tcp://{address}")
        answers = []
        for request in requests:
            socket.send_multipart(request)
            answers.append(socket.recv_multipart())
        return answers


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    try:
        _, complaints = process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode, complaints.decode()


@pytest.mark.parametrize(
    ("form", "section", "expected"),
    [("{}", [], 100), ("tcp://{}", [], 100), ("{}", ["loop"], 0), ("{}", ["other"], 0)],
)
def test_a_provider_and_its_section(
    workspace: Workspace, scripts: Path, form: str, section: list[str], expected: int
) -> None:
    workspace.bring_database("simple/1")
    some = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    ten = {"inputs": {"in": workspace.index("simple/1", "numbers", "ten", "out")}}
    ten["channel"] = some["in"]["channel"]
    workspace.configure("user/echo_sequential/1", some, loop=ten, other={**ten, "range": [0, 4]})
    address = find_free_address()
    arguments = [form.format(address), str(workspace.directory), str(workspace.cache), *section]
    process = start(scripts, "databases_provider", *arguments)
    info, unit, done = ask(address, [b"ifo", b"in"], [b"get", b"in", b"0"], [b"don", b"{}"])
    counts = {"": b"4", "loop": b"10", "other": b"5"}
    assert info[0] == counts["".join(section)]
    assert len(info) == 1 + 2 * int(info[0])
    assert unit == [b"0", b"0", expected.to_bytes(4, "little")]
    assert done == [b"ack"]
    assert ended(process) == (0, "")


def test_a_provider_that_cannot_serve(workspace: Workspace, scripts: Path) -> None:
    """Whoever asks is told why, and may acknowledge that, as old peers do."""
    workspace.configure("user/echo_sequential/1", {})
    address = find_free_address()
    arguments = (address, str(workspace.directory), str(workspace.cache), "missing")
    process = start(scripts, "databases_provider", *arguments)
    [answer] = ask(address, [b"ifo", b"in"])
    assert answer[:2] == [b"err", b"sys"]
    assert b"missing" in answer[2]
    status, complaints = ended(process)
    assert status == 1
    assert "missing" in complaints


def test_an_evaluator_for_an_old_processor(workspace: Workspace, scripts: Path) -> None:
    workspace.bring(EVALUATOR)
    given = {"in": workspace.write_input("in", [3, 4])}
    workspace.configure(PROCESSOR, given, loop=side(EVALUATOR, given, output_path="evaluated"))
    address = find_free_address()
    process = start(
        scripts, "loop_execute", f"tcp://{address}", str(workspace.directory), str(workspace.cache)
    )
    number = 30
    answers = ask(
        address,
        [b"rdi"],
        [b"val", (29).to_bytes(4, "little")],
        [b"val", number.to_bytes(4, "little")],
        [b"wrt", b"out", b"0"],
        [b"rdi"],
        [b"wrt", b"out", b"None"],
        [b"don"],
    )
    ack = [b"ack"]
    assert answers == [
        ack,
        [b"False", (1).to_bytes(4, "little")],
        [b"True", bytes(4)],
        ack,
        ack,
        ack,
        ack,
    ]
    assert ended(process) == (0, "")
    assert workspace.units("evaluated") == [(2, 0, 0), (0, 1, 1)]


def test_options_may_stand_anywhere(workspace: Workspace, scripts: Path) -> None:
    workspace.bring("user/echo_sequential/1")
    workspace.bring_database("simple/1")
    given = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    workspace.configure("user/echo_sequential/1", given)
    handler = MessageHandler("127.0.0.1")
    handler.start()
    cache, directory, address = str(workspace.cache), str(workspace.directory), find_free_address()
    provider = start(scripts, "databases_provider", address, directory, cache, "--debug")
    bare = handler.address.removeprefix("tcp://")
    algorithm = start(scripts, "execute", bare, directory, "--debug", address, f"--cache={cache}")
    assert ended(algorithm)[0] == ended(provider)[0] == 0
    handler.join()
    handler.destroy()
    assert workspace.values() == [100, 101, 102, 103]


# a driver that is no message handler


class OldDriver(threading.Thread):
    """Answers with ``ack``, and keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.context: zmq.Context[Any] = zmq.Context()
        self.socket = self.context.socket(zmq.PAIR)
        self.address = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.told: list[list[bytes]] = []

    def run(self) -> None:
        if self.socket.poll(30_000):
            self.told.append(self.socket.recv_multipart())
            self.socket.send_multipart([b"ack"])

    def close(self) -> None:
        self.join()
        self.socket.close(linger=0)
        self.context.term()


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_driver_is_told(workspace: Workspace, scripts: Path, fails: bool) -> None:
    sequential(workspace, "a = b" if fails else ECHO)
    driver = OldDriver()
    driver.start()
    directory, cache = str(workspace.directory), str(workspace.cache)
    process = start(scripts, "execute", f"--cache={cache}", driver.address, directory)
    assert ended(process)[0] == int(fails)
    driver.close()
    [message] = driver.told
    if fails:
        assert message[:2] == [b"err", b"usr"]
        assert b"NameError" in message[2]
        assert len(message) == 3
    else:
        assert message[0] == b"don"
        assert json.loads(message[1])["blocks"] == {"read": 2, "write": 2}
        assert len(message) == 2


# describing


def test_describe(scripts: Path) -> None:
    told = subprocess.run(
        [str(scripts / "describe"), "name", "1.2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    described = json.loads(told.stdout)
    assert (described["name"], described["version"]) == ("name", "1.2")
    assert {"name", "version", "os"} <= described.keys()
