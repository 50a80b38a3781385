"""Writes the prefix and the cache beside it, as this version of the package makes them.

They are read by the tests of every later version: they are made anew only beside those that are
there, in another folder, when the form of a file changes: ``write_store.py FOLDER``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.small_experiment import COPY, write_small_experiment

from beat.backend.python.runner import Runner


def main(folder: str) -> None:
    """Run a small experiment whose block is split into two ranges, and keep all but locks."""
    prefix, cache = Path(folder, "prefix"), Path(folder, "cache")
    name = write_small_experiment(prefix, COPY, count=5, splittable=True, nb_slots=2)
    Runner(str(prefix), str(cache)).run(name)
    for lock in [*cache.rglob("*.lock")]:
        lock.unlink()
    shutil.rmtree(cache / ".beat" / "locks")


if __name__ == "__main__":
    main(sys.argv[1])
