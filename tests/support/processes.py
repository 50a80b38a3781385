"""Runs a block in processes of its own, as the platform's driver does."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.blocks import Workspace

from beat.backend.python.execution import MessageHandler

HOST = "127.0.0.1"
SCRIPTS = "beat.backend.python.scripts"
PATIENCE = 60.0


def command(script: str, *arguments: str, preload: str = "") -> list[str]:
    """Return the command line of a script; ``preload`` is what it imports at first."""
    if not preload:
        return [sys.executable, "-m", f"{SCRIPTS}.{script}", *arguments]
    code = f"import sys, {preload}\nfrom {SCRIPTS}.{script} import main\nsys.exit(main())"
    return [sys.executable, "-c", code, *arguments]


def free_address() -> str:
    """Return ``ip:port`` with a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return f"{HOST}:{probe.getsockname()[1]}"


@dataclass
class Result:
    """How a block ended.

    Attributes
    ----------
    status : int
        The exit status of ``execute``.
    statuses : dict
        Those of its peers, by their roles; negative if they had to be terminated.
    outputs : dict
        What each process has printed: (standard output, standard error).
    """

    status: int = 0
    statistics: dict[str, Any] = field(default_factory=dict)
    user_error: str = ""
    system_error: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float = 0.0


class BlockProcesses:
    """The processes of a block: providers of databases, the evaluator, the algorithm.

    Parameters
    ----------
    workspace : Workspace
        The block.
    preload : str
        The modules that the processes import at first.
    """

    def __init__(self, workspace: Workspace, preload: str = "") -> None:
        self.workspace = workspace
        self.preload = preload
        self.handler = MessageHandler(HOST, kill_callback=self.terminate_algorithm)
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._logs: dict[str, tuple[Path, Path]] = {}

    def start(self) -> None:
        """Start all processes the block needs, in the driver's order."""
        configuration = self.workspace.configuration
        sides = [configuration, configuration.get("loop", {})]
        databases = any("database" in i for s in sides for i in s.get("inputs", {}).values())
        cache = str(self.workspace.cache)
        provider = evaluator_provider = evaluator = ""
        if databases:
            provider = free_address()
            self._spawn("provider", "databases_provider", provider, self._copy("provider"), cache)
        if "loop" in configuration and databases:
            evaluator_provider = free_address()
            folder = self._copy("evaluator_provider")
            arguments = (evaluator_provider, folder, cache, "loop")
            self._spawn("evaluator_provider", "databases_provider", *arguments)
        if "loop" in configuration:
            evaluator = free_address()
            more = [f"tcp://{evaluator_provider}"] if evaluator_provider else []
            directory = str(self.workspace.directory)
            self._spawn("evaluator", "loop_execute", evaluator, directory, cache, *more)
        arguments = (self.handler.address, str(self.workspace.directory))
        arguments += (f"tcp://{provider}",) if provider else ()
        arguments += (f"--loop=tcp://{evaluator}",) if evaluator else ()
        self._spawn("algorithm", "execute", f"--cache={cache}", *arguments)
        self.handler.start()

    def _copy(self, role: str) -> str:
        """Return a working directory of the role's own."""
        folder = self.workspace.directory.with_name(role)
        shutil.copytree(self.workspace.directory, folder)
        return str(folder)

    def _spawn(self, role: str, script: str, *arguments: str) -> None:
        folder = self.workspace.directory.parent
        self._logs[role] = (folder / f"{role}.out", folder / f"{role}.err")
        with self._logs[role][0].open("w") as out, self._logs[role][1].open("w") as err:
            self.processes[role] = subprocess.Popen(
                command(script, *arguments, preload=self.preload),
                stdout=out,
                stderr=err,
                text=True,
            )

    def terminate_algorithm(self) -> None:
        """End the algorithm, as the handler's call-back does."""
        if "algorithm" in self.processes:
            self.processes["algorithm"].terminate()

    def wait(self) -> Result:
        """Wait for the algorithm, then end the others; return how all that ended."""
        began = time.monotonic()
        result = Result(status=self.processes["algorithm"].wait(PATIENCE))
        result.seconds = time.monotonic() - began
        self.handler.join(1)
        self.handler.kill()
        self.handler.join()
        for role in ("provider", "evaluator_provider", "evaluator"):
            if role in self.processes:
                result.statuses[role] = self._end(self.processes[role])
        result.statistics = self.handler.statistics
        result.user_error = self.handler.user_error
        result.system_error = self.handler.system_error
        result.outputs = {
            role: (out.read_text(), err.read_text()) for role, (out, err) in self._logs.items()
        }
        return result

    def _end(self, process: subprocess.Popen[str]) -> int:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)  # most end by themselves
        process.terminate()
        process.send_signal(signal.SIGCONT)  # it may have been stopped
        return process.wait(10)

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.handler.destroy()


@contextlib.contextmanager
def block_processes(workspace: Workspace, preload: str = "") -> Iterator[BlockProcesses]:
    """Start the processes of a block, and leave none in the end."""
    processes = BlockProcesses(workspace, preload)
    try:
        processes.start()
        yield processes
    finally:
        processes.close()


def run_block(workspace: Workspace, preload: str = "") -> Result:
    """Run a block in processes of its own; return how it ended."""
    with block_processes(workspace, preload) as processes:
        return processes.wait()


def wait_for(path: Path, seconds: float = 20) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)
