"""Runs a block in processes of its own on this machine.

The processes are the container entry points: ``execute`` for the algorithm, ``loop_execute`` for
the evaluator of a loop, and a ``databases_provider`` for each of them that reads databases. They
talk over sockets in a private folder, which nobody else can connect to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO

from ...asset import JSON
from ...execution import MessageHandler
from ..plan import Block

#: how long a process may take to end after it was asked to, in seconds
PATIENCE = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a block ended.

    Attributes
    ----------
    status : int
        The exit status of the algorithm's process; negative: the number of a signal.
    user_error, system_error : str
        What it reported.
    statistics : dict
        What was read and written.
    log : str
        The last lines that the processes printed.
    seconds : float
        How long it took.
    """

    status: int
    user_error: str = ""
    system_error: str = ""
    statistics: JSON = field(default_factory=dict)
    log: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the block is done."""
        return self.status == 0 and not self.user_error and not self.system_error

    @property
    def explanation(self) -> str:
        """What went wrong, in the words of the one who knows most about it."""
        if self.user_error or self.system_error:
            return self.user_error or self.system_error
        if self.status < 0:
            return f"the process was ended by {signal.Signals(-self.status).name}\n{self.log}"
        return f"the process ended with status {self.status}\n{self.log}"


class ProcessEngine:
    """Runs blocks in processes.

    Parameters
    ----------
    cache : str
        The cache folder.
    """

    def __init__(self, cache: str) -> None:
        self.cache = os.path.abspath(cache)

    def run(self, block: Block, folder: str) -> Outcome:
        """Run a block and wait for it.

        Parameters
        ----------
        block : Block
            What to run.
        folder : str
            A private folder with the working folders ``algorithm`` and, if any database is read,
            ``databases`` in it.
        """
        with _Processes(folder) as processes:
            return self._run(block, folder, processes)

    def _run(self, block: Block, folder: str, processes: _Processes) -> Outcome:
        started = time.monotonic()
        work = os.path.join(folder, "algorithm")
        arguments = [f"--cache={self.cache}"]
        if block.evaluator is not None:
            provider = self._provide(processes, block, folder, "loop")
            evaluator = processes.address("loop")
            processes.start("loop_execute", evaluator, work, self.cache, *provider)
            arguments.append(f"--loop={evaluator}")
        provider = self._provide(processes, block, folder)
        driver = MessageHandler(processes.address("driver"))
        driver.start()
        try:
            execute = processes.start("execute", *arguments, driver.address, work, *provider)
            status = execute.wait()
            if status == 0:
                driver.join(PATIENCE)
        finally:
            driver.kill()
            driver.join()
            driver.destroy()
        return Outcome(
            status,
            driver.user_error,
            driver.system_error,
            driver.statistics,
            processes.log(),
            time.monotonic() - started,
        )

    def _provide(
        self, processes: _Processes, block: Block, folder: str, *section: str
    ) -> list[str]:
        """Start the provider of one side, if it reads any database; return its address."""
        side = block.evaluator if section else block.configuration
        assert side is not None
        if not any("database" in item for item in side["inputs"].values()):
            return []
        address = processes.address("-".join(["databases", *section]))
        work = os.path.join(folder, "databases")
        processes.start("databases_provider", address, work, self.cache, *section)
        return [address]


class _Processes:
    """The processes of one block; all of them, and what they started, end with it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.logs: list[IO[bytes]] = []

    def address(self, name: str) -> str:
        """Return the address of a socket in the private folder."""
        return "ipc://" + os.path.join(self.folder, name)

    def start(self, script: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the container entry points."""
        log = open(os.path.join(self.folder, f"{script}-{len(self.logs)}.log"), "w+b")  # noqa: SIM115
        self.logs.append(log)
        process = subprocess.Popen(
            [sys.executable, "-m", f"beat.backend.python.scripts.{script}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def log(self, lines: int = 20) -> str:
        """Return the last lines that each process printed."""
        texts = []
        for log in self.logs:
            log.seek(0)
            texts += log.read().decode("utf-8", "replace").splitlines()[-lines:]
        return "\n".join(texts)

    def __enter__(self) -> _Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for ask in (signal.SIGTERM, signal.SIGKILL):
            self._signal_all(ask)
            deadline = time.monotonic() + PATIENCE
            for process in self.running:
                with suppress(subprocess.TimeoutExpired):  # then asked again, more firmly
                    process.wait(max(0.0, deadline - time.monotonic()))
        for log in self.logs:
            log.close()

    def _signal_all(self, number: int) -> None:
        for process in self.running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
