"""Child processes that are watched, and of which nothing is left at the end."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from .base import Control, Usage

#: how long a process may take to end after it was asked to, or its peer is gone, in seconds
PATIENCE = 5.0

#: how often progress is looked at, in seconds
TICK = 0.2


class Child:
    """A process that runs one of the container entry points, with all that it starts in turn.

    Attributes
    ----------
    name : str
        The entry point.
    status : int or None
        The exit status, negative for a signal; None while it runs.
    usage : Usage
        What it used, once it has ended.
    """

    def __init__(self, script: str, arguments: tuple[str, ...], log_path: str) -> None:
        self.name = script
        self.status: int | None = None
        self.usage = Usage()
        self._log_path = log_path
        self._started = time.monotonic()
        with open(log_path, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"beat.backend.python.scripts.{script}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.descriptor = os.pidfd_open(self._process.pid)

    def limit_memory(self, megabytes: int | None) -> None:
        """Let it have no more memory than that."""
        if megabytes is not None:
            limit = megabytes << 20
            with suppress(ProcessLookupError):  # it has ended already
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (limit, limit))

    def collect(self) -> None:
        """Take the exit status, once `descriptor` is readable."""
        _, status, used = os.wait4(self._process.pid, 0)
        self.status = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.usage = Usage(
            seconds=time.monotonic() - self._started,
            user=used.ru_utime,
            system=used.ru_stime,
            voluntary=used.ru_nvcsw,
            involuntary=used.ru_nivcsw,
            peak_bytes=used.ru_maxrss * 1024,
        )
        os.close(self.descriptor)

    def signal(self, number: int) -> None:
        """Send a signal to it and to everything it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def log(self) -> str:
        """Return what it has printed."""
        with open(self._log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


class Children:
    """The processes of one block. They all end with it.

    Parameters
    ----------
    folder : str
        Where their logs go.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def start(self, script: str, *arguments: str) -> Child:
        """Start one of the container entry points."""
        log_path = os.path.join(self._folder, f"{script}-{len(self._children)}.log")
        child = Child(script, arguments, log_path)
        self._children.append(child)
        return child

    def wait_for(self, main: Child, control: Control, on_tick: Callable[[], None]) -> str:
        """Wait until a process ends, or end it when it is time to.

        Returns
        -------
        str
            Why it was ended from here; empty if it ended by itself.
        """
        began = time.monotonic()
        limit = control.limits.seconds
        lost_at: float | None = None
        while main.status is None:
            ended = self._wait(TICK)
            on_tick()
            now = time.monotonic()
            lost_at = now if lost_at is None and any(c is not main for c in ended) else lost_at
            if control.stop.is_set():
                return self._end(main, control, "it was stopped")
            if limit is not None and now - began > limit:
                return self._end(main, control, f"it took longer than {limit:g} s")
            if lost_at is not None and now - lost_at > PATIENCE:
                return self._end(main, control, f"its {self._lost(main)} ended before it")
        return ""

    def _lost(self, main: Child) -> str:
        return ", ".join(c.name for c in self._children if c is not main and c.status is not None)

    def _wait(self, seconds: float) -> list[Child]:
        """Wait for any process to end, and return those that have."""
        poller = select.poll()
        running = {child.descriptor: child for child in self._children if child.status is None}
        for descriptor in running:
            poller.register(descriptor, select.POLLIN)
        ended = [running[descriptor] for descriptor, _ in poller.poll(round(seconds * 1000))]
        for child in ended:
            child.collect()
        return ended

    def _end(self, main: Child, control: Control, reason: str) -> str:
        main.signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while main.status is None and time.monotonic() < deadline and not control.kill.is_set():
            self._wait(TICK)
        main.signal(signal.SIGKILL)
        while main.status is None:
            self._wait(TICK)
        return reason

    def log(self, lines: int = 20) -> str:
        """Return the last lines that each process printed."""
        texts = []
        for child in self._children:
            texts += child.log().splitlines()[-lines:]
        return "\n".join(texts)

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        deadline = time.monotonic() + PATIENCE
        for child in self._children:
            child.signal(signal.SIGTERM)
        while any(child.status is None for child in self._children):
            if time.monotonic() > deadline:
                break
            self._wait(TICK)
        for child in self._children:  # and what they may have started
            child.signal(signal.SIGKILL)
        while any(child.status is None for child in self._children):
            self._wait(TICK)
