"""Experiments at size: many blocks, and many samples.

``BENCHMARK_SAMPLES=1000000`` makes the largest database that large; by default it has 100,000.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from beat.backend.python.runner import Runner

from .harness import BYTES, Pair, case
from .support.experiment import write_experiment
from .support.memory import most_resident_of_all

FEW_SAMPLES = 100
MOST_SAMPLES = int(os.environ.get("BENCHMARK_SAMPLES", "100000"))
SIZES = sorted({10_000, min(100_000, MOST_SAMPLES), MOST_SAMPLES})
COMMAND = [sys.executable, "-c", "from beat.backend.python.cli import main; main()"]


@case("plan many blocks", 1, sizes=(500,))
def plan(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is a second."""
    name = write_experiment(folder, n, 1)
    runner = Runner(str(folder), str(folder / "cache"))
    yield Pair(lambda: len(runner.decide(name)), lambda: time.sleep(1), same=None)


@cache
def memory_of_a_run(samples: int) -> dict[str, int]:
    """Run an experiment from the database on; return the peaks of memory by process."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        name = write_experiment(Path(folder), 2, samples)
        options = [f"--prefix={folder}", f"--cache={folder}/cache"]
        return most_resident_of_all([*COMMAND, *options, "run", name])


def _memory(process: str, samples: int) -> Iterator[Pair]:
    yield Pair(
        lambda: memory_of_a_run(samples)[process],
        lambda: memory_of_a_run(FEW_SAMPLES)[process],
        same=None,
    )


@case("memory of the indexing process", 1.2, sizes=SIZES, growth=0.05, quantity=BYTES)
def index(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is the same process with 100 samples; so it is for all that follow."""
    yield from _memory("index", n)


@case("memory of the databases' provider", 1.2, sizes=SIZES, growth=0.05, quantity=BYTES)
def provider(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is the same process with 100 samples."""
    yield from _memory("databases_provider", n)


@case("memory of the algorithms' processes", 1.3, sizes=SIZES, growth=0.05, quantity=BYTES)
def algorithm(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is the same process with 100 samples."""
    yield from _memory("execute", n)


@case("memory of `beat run`", 1.2, sizes=SIZES, growth=0.05, quantity=BYTES)
def run(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is the same process with 100 samples."""
    yield from _memory("-c", n)
