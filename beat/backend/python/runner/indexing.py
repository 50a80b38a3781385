"""Indexes sets of databases, each in a process of its own: views are user code."""

from __future__ import annotations

import os
import subprocess
import sys

from .plan import Dataset


class IndexingFailed(Exception):
    """A set of a database that could not be indexed; the text says why."""


def index_set(prefix: str, cache: str, dataset: Dataset, root_folder: str) -> None:
    """Index one set of a database.

    Raises
    ------
    IndexingFailed
        If its view fails.
    """
    script = [sys.executable, "-m", "beat.backend.python.scripts.index"]
    arguments = [f"--db_root_folder={root_folder}", os.path.abspath(prefix), os.path.abspath(cache)]
    which = [dataset.database, dataset.protocol, dataset.set]
    ended = subprocess.run(
        [*script, *arguments, *which], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip()
        raise IndexingFailed(f"cannot index {'/'.join(which)} in {root_folder}:\n{said}")
