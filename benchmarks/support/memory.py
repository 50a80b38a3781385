"""How much memory something takes, in a process of its own."""

from __future__ import annotations

import multiprocessing
import tracemalloc
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Function = Callable[..., Any]


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
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (text,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    connection.send(1024 * int(text))


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
