"""The platform's driver of blocks: it starts the scripts, hears of their end and stops the rest.

It knows the scripts by their names and command lines only, and the package by its message handler.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beat.backend.python.execution import MessageHandler

JSON = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60


def install_scripts(folder: Path) -> None:
    """Write the console scripts that the distribution declares, as an installation does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder.mkdir()
    for name, entry_point in project["scripts"].items():
        module, _, function = entry_point.partition(":")
        script = folder / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\n"
            f"sys.exit({function}())\n"
        )
        script.chmod(0o755)


def find_free_address() -> str:
    """Bind to port 0, read, close."""
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    return f"127.0.0.1:{port}"


class _Started:
    """A script, running; what it prints is kept."""

    def __init__(self, script: str, *arguments: str, environment: Mapping[str, str]) -> None:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._files = [open(os.dup(file.fileno()), "rb") for file in (out, err)]  # noqa: SIM115
            self.process = subprocess.Popen(
                [script, *arguments],
                stdout=out,
                stderr=err,
                env=environment,
            )

    def wait(self) -> int:
        """Return the exit status."""
        return self.process.wait(PATIENCE)

    def read(self) -> list[str]:
        """Return what was printed, and what was complained about."""
        for file in self._files:
            file.seek(0)
        return [file.read().decode() for file in self._files]

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        for file in self._files:
            file.close()


class SubprocessDriver:
    """Runs a block in processes of their own.

    Parameters
    ----------
    scripts : Path
        The folder with the console scripts.
    directory : Path
        The working directory: ``configuration.json`` and ``prefix/``.
    cache : Path
        The folder of the cache.
    debug : bool
        Whether the scripts get ``--debug``.
    environment : dict, optional
        The environment of the scripts; by default they find the package here.
    """

    def __init__(
        self,
        scripts: Path,
        directory: Path,
        cache: Path,
        debug: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.scripts = scripts
        self.directory = str(directory)
        self.cache = str(cache)
        self.options = ["--debug"] if debug else []
        self.environment = environment or {**os.environ, "PYTHONPATH": str(ROOT)}
        self.started: list[_Started] = []
        self.algorithm: _Started | None = None

    def kill(self) -> None:
        """End the algorithm: the message handler's call-back."""
        if self.algorithm is not None:
            self.algorithm.process.terminate()

    def _start(self, name: str, *arguments: str) -> _Started:
        script = shutil.which(name, path=str(self.scripts))
        if script is None:
            raise RuntimeError(f"no `{name}' in {self.scripts}")
        self.started.append(
            _Started(script, *self.options, *arguments, environment=self.environment)
        )
        return self.started[-1]

    def process(self, configuration: JSON) -> JSON:
        """Run the block; return the record of its result."""
        handler = MessageHandler("127.0.0.1", kill_callback=self.kill)
        with tempfile.TemporaryDirectory() as folder:
            try:
                parameters = self._start_peers(configuration, folder)
                self.algorithm = self._start(
                    "execute", f"--cache={self.cache}", handler.address, self.directory, *parameters
                )
                handler.start()
                return self._result(handler)
            finally:
                handler.destroy()
                for one in self.started:
                    one.close()

    def _start_peers(self, configuration: JSON, folder: str) -> list[str]:
        """Start providers and evaluator; return their addresses as ``execute`` gets them."""
        loop = configuration.get("loop")
        sides = [configuration, *([loop] if loop else [])]
        databases = any("database" in i for side in sides for i in side["inputs"].values())
        parameters, more = [], []
        if databases:
            address = find_free_address()
            place = shutil.copytree(self.directory, os.path.join(folder, "provider"))
            self._start("databases_provider", address, place, self.cache)
            parameters.append(f"tcp://{address}")
        if databases and loop:
            address = find_free_address()
            place = shutil.copytree(self.directory, os.path.join(folder, "loop_provider"))
            self._start("databases_provider", address, place, self.cache, "loop")
            more.append(f"tcp://{address}")
        if loop:
            address = find_free_address()
            self._start("loop_execute", address, self.directory, self.cache, *more)
            parameters.append(f"--loop=tcp://{address}")
        return parameters

    def _result(self, handler: MessageHandler) -> JSON:
        assert self.algorithm is not None
        status = self.algorithm.wait()
        handler.stop.set()
        handler.join()
        stdout, stderr = self.algorithm.read()
        result = {
            "status": status,
            "stdout": stdout,
            "stderr": stderr if status != 0 else "",
            "timed_out": False,
            "statistics": {"data": handler.statistics},
            "system_error": handler.system_error,
            "user_error": handler.user_error,
        }
        for peer in self.started[:-1]:
            peer.process.terminate()
        for peer in self.started[:-1]:
            status = peer.wait()
            stdout, stderr = peer.read()
            result["stdout"] += stdout
            result["stderr"] += stderr if status != 0 else ""
        result["peers"] = [peer.process.returncode for peer in self.started[:-1]]
        return result
