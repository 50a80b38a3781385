"""Blocks that fail: the driver learns why, nothing is left behind and nothing hangs."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.blocks import INTEGER, Workspace, side
from support.peers import Peers
from support.processes import (
    Result,
    block_processes,
    command,
    free_address,
    run_block,
    wait_for,
)

pytestmark = pytest.mark.once

SIGNATURES = {
    "setup": "self, parameters",
    "prepare": "self, data_loaders",
    "process": "self, inputs, data_loaders, outputs",
}
SOON = 15.0  # seconds


def code(method: str, *lines: str) -> str:
    """Return the code of an algorithm with one method, and a `process` in any case."""
    text = ["import os, signal, sys, time", "class Algorithm:"]
    text.append(f"    def {method}({SIGNATURES[method]}):")
    text += [f"        {line}" for line in lines]
    if method != "process":
        text += [f"    def process({SIGNATURES['process']}):", "        return True"]
    return "\n".join(text) + "\n"


def sequential(workspace: Workspace, text: str, **declared: Any) -> None:
    """Configure a block with an algorithm of that code, which reads three numbers."""
    workspace.write_algorithm(text, **declared)
    workspace.configure("user/tested/1", {"in": workspace.write_input("in", [1, 2, 3])})


def check_failed(workspace: Workspace, result: Result) -> None:
    """Check what is true of each failed block."""
    assert result.status == 1
    assert result.statistics == {}
    assert workspace.files() == []
    assert result.user_error or result.system_error
    assert (result.user_error or result.system_error) in result.outputs["algorithm"][1]


# the user's failures

RAISED = {
    "NameError": ("a = b", "NameError: name 'b' is not defined"),
    "ImportError": ("import nothing_so_called", "ModuleNotFoundError: No module named"),
    "RuntimeError": ("raise RuntimeError('mine')", "RuntimeError: mine"),
    "KeyError": ("raise KeyError('mine')", "KeyError: 'mine'"),
    "OSError": ("open('/absent')", "FileNotFoundError"),
    "MemoryError": ("raise MemoryError", "out of memory: let the code keep less data"),
    "really no memory": ("x = bytearray(1 << 60)", "out of memory: let the code keep less data"),
    "sys.exit": ("sys.exit(0)", "SystemExit: 0"),
    "recursion": ("(f := lambda: f())()", "RecursionError"),
    "no utf-8": ("raise ValueError('\\ud800')", "ValueError"),
}


@pytest.mark.parametrize("method", SIGNATURES)
@pytest.mark.parametrize("name", RAISED)
def test_user_code_that_raises(workspace: Workspace, method: str, name: str) -> None:
    line, text = RAISED[name]
    sequential(workspace, code(method, line))
    result = run_block(workspace)
    check_failed(workspace, result)
    assert result.system_error == ""
    assert text in result.user_error
    lines = result.user_error.splitlines()
    own = lines.index(f'  File "algorithms/user/tested/1.py", line 4, in {method}')
    assert lines[own - 1] == "Traceback (most recent call last):"
    assert lines[own + 1].strip() == line
    assert str(workspace.prefix) not in result.user_error


@pytest.mark.parametrize("method", SIGNATURES)
def test_user_code_that_returns_false(workspace: Workspace, method: str) -> None:
    sequential(workspace, code(method, "return False"))
    result = run_block(workspace)
    check_failed(workspace, result)
    assert result.user_error == f"'Could not {method} algorithm (returned False)'"


LOADED = {
    "SyntaxError": ("class Algorithm\n    pass\n", 'File "algorithms/user/tested/1.py", line 1'),
    "ImportError": ("import nothing_so_called\n", "No module named 'nothing_so_called'"),
    "NameError": ("a = b\n", "    a = b"),
    "missing class": ("class Algorithms:\n    pass\n", "AttributeError"),
    "constructor": ("class Algorithm:\n    def __init__(self):\n        a = b\n", "    a = b"),
    "no text": ("\0", "null bytes"),
}


@pytest.mark.parametrize("name", LOADED)
def test_user_code_that_cannot_be_loaded(workspace: Workspace, name: str) -> None:
    text, expected = LOADED[name]
    sequential(workspace, text)
    result = run_block(workspace)
    check_failed(workspace, result)
    assert result.system_error == ""
    assert expected in result.user_error
    assert str(workspace.prefix) not in result.user_error


def test_compiled_code(workspace: Workspace) -> None:
    sequential(workspace, "", language="cxx")
    result = run_block(workspace)
    check_failed(workspace, result)
    assert "written in `cxx': this backend runs python only" in result.user_error


WRONG = {
    "too few units": (
        "if inputs['in'].data_index < 1: outputs.write({'value': 0})",
        "missing data",
    ),
    "no unit": ("pass", "missing data on the output(s) `out'"),
    "unknown output": ("outputs['foo'].write({})", "'NoneType' object has no attribute 'write'"),
    "wrong type": ("outputs['out'].write({'value': 1.5})", "TypeError"),
    "beyond the end": ("outputs['out'].write({'value': 0}, 7)", "cannot end at index 7"),
    "advances": ("inputs['in'].group.next()", "Not authorized"),
    "reads on": (
        "while True: inputs['in'].group.restricted_access = False; inputs['in'].next()",
        "no more data",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_user_code_that_does_wrong(workspace: Workspace, name: str) -> None:
    line, text = WRONG[name]
    sequential(workspace, code("process", line, "return True"))
    result = run_block(workspace)
    check_failed(workspace, result)
    assert result.system_error == ""
    assert text in result.user_error


@pytest.mark.parametrize(
    ("parameters", "text"),
    [({"odd": 1}, "undeclared parameter `odd'"), ({"offset": "x"}, "offset")],
)
def test_parameters(workspace: Workspace, parameters: dict[str, Any], text: str) -> None:
    workspace.bring("user/echo_sequential/1")
    given = {"in": workspace.write_input("in", [1])}
    workspace.configure("user/echo_sequential/1", given, parameters=parameters)
    result = run_block(workspace)
    check_failed(workspace, result)
    assert text in result.user_error


# the system's failures


def test_no_cache_files(workspace: Workspace) -> None:
    sequential(workspace, code("process", "return True"))
    for file in workspace.cache.iterdir():
        file.unlink()
    result = run_block(workspace)
    check_failed(workspace, result)
    assert result.user_error == ""
    assert "no cache files" in result.system_error


def test_damaged_cache_files(workspace: Workspace) -> None:
    sequential(workspace, code("process", "return True"))
    Path(workspace.cache, "in.0.2.data").write_bytes(b"binary\nuser/single_integer/1\n")
    result = run_block(workspace)
    check_failed(workspace, result)
    assert "checksum" in result.system_error
    assert result.user_error == ""


def test_damaged_cache_files_that_the_algorithm_reads(workspace: Workspace) -> None:
    sequential(workspace, code("process", "return True"))
    folder = workspace.directory
    (folder / "configuration.json").unlink()
    result = run_block(workspace)
    check_failed(workspace, result)
    assert "configuration.json" in result.system_error


# processes that end at once


@pytest.mark.parametrize(
    ("line", "status"),
    [("os._exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)],
)
@pytest.mark.parametrize("method", SIGNATURES)
def test_an_algorithm_that_dies(workspace: Workspace, method: str, line: str, status: int) -> None:
    sequential(workspace, code(method, line))
    result = run_block(workspace)
    assert result.status == status
    assert "gone" in result.system_error
    assert result.statistics == {}
    assert not [name for name in workspace.files() if not name.startswith(".")]


def test_an_algorithm_that_is_terminated(workspace: Workspace, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    sequential(workspace, code("process", f"open({str(begun)!r}, 'w').close()", "time.sleep(60)"))
    with block_processes(workspace) as processes:
        wait_for(begun)
        processes.terminate_algorithm()
        result = processes.wait()
    assert result.status == -signal.SIGTERM
    assert result.seconds < SOON
    assert workspace.files() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("line", ["time.sleep(60)", "while True: pass"])
def test_a_driver_that_dies(workspace: Workspace, tmp_path: Path, number: int, line: str) -> None:
    begun = tmp_path / "begun"
    sequential(workspace, code("process", f"open({str(begun)!r}, 'w').write('x')", line))
    driver, algorithm = start_with_driver(workspace, tmp_path)
    wait_for(begun)
    driver.send_signal(number)
    driver.wait()
    began = time.monotonic()
    assert ended(algorithm)
    assert time.monotonic() - began < SOON
    assert workspace.files() == []


def test_a_driver_that_dies_while_the_algorithm_does_not_listen(
    workspace: Workspace, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    stubborn = code(
        "process",
        f"open({str(begun)!r}, 'w').close()",
        "while True:",
        "    try:",
        "        time.sleep(60)",
        "    except BaseException:",
        "        pass",
    )
    sequential(workspace, stubborn)
    driver, algorithm = start_with_driver(workspace, tmp_path)
    wait_for(begun)
    driver.kill()
    driver.wait()
    assert ended(algorithm)
    assert workspace.files() == []


def start_with_driver(
    workspace: Workspace, tmp_path: Path
) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """Start a block under a driver of its own; return both processes."""
    script = (
        "import subprocess, sys\n"
        "from beat.backend.python.execution import MessageHandler\n"
        "handler = MessageHandler('127.0.0.1')\n"
        "process = subprocess.Popen([sys.argv[1], '-m', sys.argv[2], sys.argv[3],"
        " handler.address, sys.argv[4]], stderr=subprocess.DEVNULL)\n"
        "print(process.pid, flush=True)\n"
        "handler.start()\n"
        "process.wait()\n"
    )
    python, _, module = command("execute")
    arguments = [python, "-c", script, python, module]
    arguments += [f"--cache={workspace.cache}", str(workspace.directory)]
    driver = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    with driver.stdout:
        return driver, psutil.Process(int(driver.stdout.readline()))


def ended(process: psutil.Process, seconds: float = 25) -> bool:
    """Tell whether a process that is not ours ends in time; end it otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    process.kill()
    return False


def test_no_driver_at_all(workspace: Workspace, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    sequential(workspace, code("process", f"open({str(begun)!r}, 'w').close()"))
    arguments = [f"--cache={workspace.cache}", f"tcp://{free_address()}", str(workspace.directory)]
    process = subprocess.Popen(command("execute", *arguments), stderr=subprocess.DEVNULL)
    time.sleep(1)  # it waits for a driver that is slow to start, and computes nothing for nobody
    assert process.poll() is None
    assert not begun.exists()
    process.terminate()
    assert process.wait(10) != 0
    assert workspace.files() == []


# peers


def loop(workspace: Workspace, **bodies: str) -> None:
    """Configure a loop with an evaluator that has other bodies in some methods."""
    lines = ["import numpy, os, signal, time", "class Algorithm:"]
    signatures = {
        "read": "self, inputs",
        "setup": "self, parameters",
        "prepare": "self, data_loaders",
        "validate": "self, hypothesis",
        "write": "self, outputs, processor_output_name, end_data_index",
    }
    good = {
        "read": "pass",
        "setup": "return True",
        "prepare": "return True",
        "validate": "return True, {'value': numpy.int32(0)}",
        "write": "outputs['out'].write({'value': numpy.int32(0)}, end_data_index)",
    }
    for method, body in {**good, **bodies}.items():
        lines += [f"    def {method}({signatures[method]}):", f"        {body}"]
    text = "\n".join(lines) + "\n"
    end_point = {"type": INTEGER}
    group = {
        "inputs": {"in": end_point},
        "outputs": {"out": end_point},
        "loop": {"request": end_point, "answer": end_point},
    }
    kind = "sequential_loop_evaluator"
    workspace.write_algorithm(text, type=kind, groups=[group], schema_version=3)
    workspace.bring("user/guess_processor_sequential/1")
    given = {"in": workspace.write_input("in", [1, 2, 3])}
    evaluator = side("user/tested/1", given, output_path="evaluated")
    workspace.configure("user/guess_processor_sequential/1", given, loop=evaluator)


def check_loop_failed(workspace: Workspace, result: Result) -> None:
    check_failed(workspace, result)
    assert workspace.files("evaluated") == []
    assert result.statuses["evaluator"] != 0
    assert result.seconds < SOON


@pytest.mark.parametrize("method", ["setup", "prepare", "read", "validate", "write"])
def test_an_evaluator_that_raises(workspace: Workspace, method: str) -> None:
    loop(workspace, **{method: "a = b"})
    result = run_block(workspace)
    check_loop_failed(workspace, result)
    assert result.system_error == ""
    assert f", in {method}\n    a = b\n" in result.user_error
    assert result.user_error.splitlines()[1].startswith('  File "algorithms/user/tested/1.py"')
    assert "NameError" in result.outputs["evaluator"][1]


@pytest.mark.parametrize("method", ["setup", "prepare"])
def test_an_evaluator_that_returns_false(workspace: Workspace, method: str) -> None:
    loop(workspace, **{method: "return False"})
    result = run_block(workspace)
    check_loop_failed(workspace, result)
    assert result.user_error == f"'Could not {method} algorithm (returned False)'"


@pytest.mark.parametrize("line", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
@pytest.mark.parametrize("method", ["setup", "validate"])
def test_an_evaluator_that_dies(workspace: Workspace, method: str, line: str) -> None:
    # not before the processor has found it, which waits a minute for one that it never saw
    loop(workspace, **{method: f"time.sleep(1); {line}"})
    result = run_block(workspace)
    assert result.status == 1
    assert "gone" in result.system_error
    assert workspace.files() == []
    assert result.seconds < SOON


def test_a_processor_that_raises_ends_its_evaluator(workspace: Workspace) -> None:
    loop(workspace)
    workspace.prefix.joinpath("algorithms/user/guess_processor_sequential/1.py").write_text(
        "class Algorithm:\n"
        "    def process(self, inputs, data_loaders, outputs, loop_channel):\n"
        "        a = b\n"
    )
    result = run_block(workspace)
    check_loop_failed(workspace, result)
    assert "a = b" in result.user_error
    assert result.statuses == {"evaluator": 1}


def test_an_evaluator_whose_code_never_ends(workspace: Workspace, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    loop(workspace, validate=f"open({str(begun)!r}, 'w').close(); time.sleep(600)")
    with block_processes(workspace) as processes:
        wait_for(begun)
        processes.terminate_algorithm()
        result = processes.wait()
    assert result.seconds < SOON
    assert result.statuses == {"evaluator": 1}
    assert "user code does not end" in result.outputs["evaluator"][1]
    assert workspace.files() == workspace.files("evaluated") == []


def on_database(workspace: Workspace, set_name: str, made_from: str = "get") -> None:
    """Configure a block that reads one of the sets of a database that fails."""
    workspace.bring("user/echo_sequential/1")
    workspace.bring_database("faulty/1")
    given = workspace.index("faulty/1", "faults", made_from, "out")
    workspace.configure("user/echo_sequential/1", {"in": {**given, "set": set_name}})


@pytest.mark.parametrize("method", ["new", "setup", "get"])
def test_a_view_that_raises(workspace: Workspace, method: str) -> None:
    on_database(workspace, method)
    result = run_block(workspace)
    check_failed(workspace, result)
    assert result.system_error == ""
    assert f"# {method} fails" in result.user_error
    assert result.user_error.splitlines()[1].startswith('  File "databases/faulty/1.py"')
    assert str(workspace.prefix.parent.parent) not in result.user_error
    assert result.statuses["provider"] != 0


def test_a_view_that_is_not_there(workspace: Workspace) -> None:
    on_database(workspace, "absent")
    result = run_block(workspace)
    check_failed(workspace, result)
    assert "Absent" in result.user_error


def test_a_set_that_is_not_there(workspace: Workspace) -> None:
    on_database(workspace, "nowhere")
    result = run_block(workspace)
    check_failed(workspace, result)
    assert "nowhere" in result.system_error


def test_views_that_do_not_compile(workspace: Workspace) -> None:
    on_database(workspace, "get")
    code_file = workspace.prefix / "databases" / "faulty" / "1.py"
    code_file.write_text("class View\n    pass\n")
    result = run_block(workspace)
    check_failed(workspace, result)
    assert 'File "databases/faulty/1.py", line 1' in result.user_error


@pytest.mark.parametrize("line", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
@pytest.mark.parametrize("method", ["__init__(self)", "get(self, output, index)"])
def test_a_provider_that_dies(workspace: Workspace, method: str, line: str) -> None:
    on_database(workspace, "get")
    code_file = workspace.prefix / "databases" / "faulty" / "1.py"
    text = code_file.read_text()
    body = (
        f"class Get(View):\n    def {method}:\n        time.sleep(1); {line}\n\nclass Old(View):\n"
    )
    code_file.write_text("import os, time\n" + text.replace("class Get(View):\n", body, 1))
    with code_file.open("a") as f:
        f.write("\nGet.index = Old.index\n")
    result = run_block(workspace)
    assert result.status == 1
    assert "gone" in result.system_error
    assert workspace.files() == []
    assert result.seconds < SOON


def test_a_view_whose_code_never_ends(workspace: Workspace, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    on_database(workspace, "get")
    code_file = workspace.prefix / "databases" / "faulty" / "1.py"
    endless = f"open({str(begun)!r}, 'w').close()\n        while True: pass"
    code_file.write_text(
        code_file.read_text().replace('raise ValueError("raised in get")', endless)
    )
    with block_processes(workspace) as processes:
        wait_for(begun)
        processes.processes["algorithm"].kill()
        status = processes.processes["provider"].wait(SOON)  # it is not told to end
        result = processes.wait()
    assert status == 1
    assert "user code does not end" in result.outputs["provider"][1]


def test_a_provider_that_is_killed(workspace: Workspace, tmp_path: Path) -> None:
    workspace.write_algorithm(
        code(
            "process",
            f"open({str(tmp_path / 'begun')!r}, 'w').close()",
            "time.sleep(0.2)",
            "outputs['out'].write(inputs['in'].data)",
            "return True",
        )
    )
    workspace.bring_database("simple/1")
    given = workspace.index("simple/1", "numbers", "ten", "out")
    workspace.configure("user/tested/1", {"in": given})
    with block_processes(workspace) as processes:
        wait_for(tmp_path / "begun")
        processes.processes["provider"].kill()
        result = processes.wait()
    assert result.seconds < SOON
    assert result.status in (0, 1)  # all units may have been on their way
    assert (workspace.files() == []) == (result.status == 1)


def test_peers_that_nobody_talks_to_end_with_their_driver(workspace: Workspace) -> None:
    on_database(workspace, "get")
    arguments = (free_address(), str(workspace.directory), str(workspace.cache))
    process = subprocess.Popen(command("databases_provider", *arguments))
    time.sleep(1)
    assert process.poll() is None
    process.terminate()
    assert process.wait(5) != 0


def test_an_address_in_use(workspace: Workspace, peers: Peers) -> None:
    on_database(workspace, "get")
    arguments = (peers.handler().address, str(workspace.directory), str(workspace.cache))
    process = subprocess.run(command("databases_provider", *arguments), capture_output=True)
    assert process.returncode == 1
    assert b"in use" in process.stderr
