"""How much memory something takes, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Function = Callable[..., Any]

LOOK_SECONDS = 0.01


def most_resident(function: Function, *arguments: Any) -> int:
    """Return the most bytes that were resident in a process that called a function."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_report_most_resident, args=(there, function, arguments)
    )
    process.start()
    there.close()
    most: int = here.recv()
    process.join()
    return most


def _report_most_resident(connection: Connection, function: Function, arguments: Any) -> None:
    function(*arguments)
    connection.send(_most_resident(os.getpid()))


def most_allocated(function: Function, *arguments: Any) -> int:
    """Return the most bytes that a call has allocated at a time."""
    tracemalloc.start()
    function(*arguments)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def kept(function: Function, *arguments: Any) -> int:
    """Return how many bytes the result of a call takes, and whatever else it leaves behind."""
    function(*arguments)  # what is made only once does not count
    tracemalloc.start()
    result = function(*arguments)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del result
    return size


def most_resident_of_all(command: list[str]) -> dict[str, int]:
    """Run a command; return the most bytes that were resident in it and in what it started.

    They are by the name of the Python module, or of the program, that a process runs. Processes are
    looked at many times a second: what they reach in their very last moment is not seen.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    most: dict[str, int] = {}
    while process.poll() is None:
        for pid in _family(process.pid):
            with suppress(OSError, IndexError):
                name = _program(pid)
                most[name] = max(most.get(name, 0), _most_resident(pid))
        time.sleep(LOOK_SECONDS)
    _, complaints = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{complaints.decode()}")
    return most


def _family(pid: int) -> list[int]:
    """Return the numbers of a process and of its descendants."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text("ascii").split())
    return found


def _program(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    path = words[words.index("-m") + 1] if "-m" in words else words[1]
    return path.rpartition(".")[2]


def _most_resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
