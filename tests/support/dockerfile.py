"""Reads a Dockerfile, and replays its steps on this machine, without Docker.

A base image is a fresh virtual environment. A path of the image is one below a folder of the stage:
in the text of RUN, wherever a word begins with a slash.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Step = tuple[str, str]


def read_steps(path: Path) -> list[Step]:
    """Return the instructions of a Dockerfile and what they are given."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line]


def files_of_context(folder: Path) -> Iterator[Path]:
    """Yield the files that a build is sent, relative to the folder: what is not ignored."""
    rules = [
        line
        for line in (folder / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]

    def is_ignored(path: Path) -> bool:
        ignored = False
        for rule in rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            names = path.parts if "**/" in rule else map(str, [path, *path.parents[:-1]])
            if any(fnmatch.fnmatch(name, pattern) for name in names):
                ignored = not rule.startswith("!")
        return ignored

    for parent, folders, names in os.walk(folder):
        here = Path(parent).relative_to(folder)
        folders[:] = [name for name in folders if not is_ignored(here / name)]
        yield from (here / name for name in names if not is_ignored(here / name))


@dataclass
class Stage:
    """What the steps of one stage have made so far."""

    root: Path
    environment: dict[str, str]
    folder: str = "/"
    user: str = ""
    command: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    def place(self, path: str) -> Path:
        """Return where a path of the image is on this machine."""
        return self.root / os.path.join(self.folder, path).lstrip("/")


class BuildError(Exception):
    """A step that failed; the text is what it printed."""


class Build:
    """The replay of a Dockerfile.

    Parameters
    ----------
    context : Path
        The folder with the Dockerfile.
    work : Path
        An empty folder, for what is made.
    arguments : dict
        What ``--build-arg`` would be given.
    """

    def __init__(self, context: Path, work: Path, arguments: Mapping[str, str]) -> None:
        self._context = context
        self._work = work
        self._arguments = arguments
        self._values: dict[str, str] = {}
        self.stages: dict[str, Stage] = {}
        for instruction, given in read_steps(context / "Dockerfile"):
            getattr(self, f"_{instruction.lower()}")(given)

    @property
    def stage(self) -> Stage:
        """The last stage there is."""
        return list(self.stages.values())[-1]

    def _expand(self, text: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: self._values[match[1]], text)

    def _arg(self, given: str) -> None:
        name, _, default = given.partition("=")
        self._values[name] = self._arguments.get(name, default)

    def _from(self, given: str) -> None:
        image, *name = self._expand(given).split(" AS ")
        assert image.startswith("python:"), f"{image} has no Python"
        root = self._work / (name[0] if name else "final")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        subprocess.run([sys.executable, "-m", "venv", root / "usr"], check=True)
        environment["PATH"] = f"{root / 'usr' / 'bin'}:/usr/bin:/bin"
        self.stages[root.name] = Stage(root, environment)

    def _workdir(self, given: str) -> None:
        self.stage.folder = given
        self.stage.place("").mkdir(parents=True)

    def _copy(self, given: str) -> None:
        *sources, target = given.split()
        for name in files_of_context(self._context):
            for source in sources:
                if name == Path(source) or Path(source) in name.parents:
                    below = name.name if name == Path(source) else name.relative_to(source)
                    to = self.stage.place(target) / below
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(self._context / name, to)

    def _run(self, given: str) -> None:
        mounts = []
        while match := re.match(r"--mount=(\S+)\s+", given):
            mounts.append(dict(item.split("=") for item in match[1].split(",")))
            given = given[match.end() :]
        for mount in mounts:
            source = self.stages[mount["from"]].place(mount["source"])
            self.stage.place(mount["target"]).symlink_to(source)
        done = subprocess.run(
            ["sh", "-euc", re.sub(r"(?<!\S)/", f"{self.stage.root}/", given)],
            cwd=self.stage.place(""),
            env={**self.stage.environment, **self._values},
            capture_output=True,
            text=True,
        )
        for mount in mounts:
            self.stage.place(mount["target"]).unlink()
        if done.returncode != 0:
            raise BuildError(f"{given}\n{done.stdout}{done.stderr}")

    def _env(self, given: str) -> None:
        self.stage.environment.update(word.split("=", 1) for word in shlex.split(given))

    def _label(self, given: str) -> None:
        words = map(self._expand, shlex.split(given))
        self.stage.labels.update(word.split("=", 1) for word in words)

    def _user(self, given: str) -> None:
        self.stage.user = given

    def _cmd(self, given: str) -> None:
        self.stage.command = given
