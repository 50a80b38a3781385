"""How long it takes until something happens: imports, commands, declarations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from beat.backend.python.algorithm import Algorithm

from .harness import Pair, case

#: What the installed console scripts do
COMMAND = "import sys; from {} import main; sys.argv[0] = '{}'; sys.exit(main())"


def python(folder: Path, code: str, *arguments: str) -> Callable[[], int]:
    """Return a function that runs code in a new process; it prints to nowhere.

    All modules are compiled by the first call, and kept in the folder: so it is where a package
    is installed, but not where it is being worked on.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code, *arguments]
    return partial(subprocess.check_call, command, stdout=subprocess.DEVNULL, env=environment)


@case("import execution", 1.15)
def imports(folder: Path, n: int) -> Iterator[Pair]:
    """The limit imports what it needs of others."""
    yield Pair(
        python(folder, "import beat.backend.python.execution"),
        python(folder, "import numpy, zmq"),
    )


@case("execute --help", 6)
def execute_help(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is Python's own start."""
    command = COMMAND.format("beat.backend.python.scripts.execute", "execute")
    yield Pair(python(folder, command, "--help"), python(folder, "pass"))


@case("beat --help", 6)
def beat_help(folder: Path, n: int) -> Iterator[Pair]:
    """The same limit."""
    command = COMMAND.format("beat.backend.python.cli", "beat")
    yield Pair(python(folder, command, "--help"), python(folder, "pass"))


@case("algorithm with 20 formats", 3)
def algorithm(folder: Path, n: int) -> Iterator[Pair]:
    """The limit parses the same files."""
    names = [f"user/format{i}/1" for i in range(20)]
    ends = {f"in{i}": {"type": name} for i, name in enumerate(names)}
    declaration = {
        "schema_version": 3,
        "language": "python",
        "api_version": 2,
        "type": "sequential",
        "groups": [{"inputs": ends, "outputs": {"out": {"type": names[0]}}}],
    }
    fields = {f"field{i}": "float64" for i in range(10)}
    files = {
        folder / "algorithms/user/many/1.json": declaration,
        **{folder / f"dataformats/{name}.json": fields for name in names},
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    paths = [os.fspath(path) for path in files]

    def ours() -> int:
        return len(Algorithm(str(folder), "user/many/1").dataformats) + 1

    def limit() -> int:
        documents = []
        for path in paths:
            with open(path, encoding="utf-8") as f:
                documents.append(json.load(f))
        return len(documents)

    yield Pair(ours, limit)
