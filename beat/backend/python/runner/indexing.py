"""Indexes sets of databases, each in a process of its own: views are user code."""

from __future__ import annotations

import os
import subprocess
import sys

from ..data.cache_files import record_path
from ..hash import hashFileContents
from .aside import set_aside
from .inputs import entries_of
from .plan import Dataset
from .record import read_json, write_json

CONTENT = "content"


class IndexingFailed(Exception):
    """A set of a database that could not be indexed; the text says why."""


def index_set(prefix: str, cache: str, dataset: Dataset, root_folder: str) -> None:
    """Index one set of a database, and note the checksum of the index.

    Parameters
    ----------
    prefix, cache : str
        The folders.
    dataset : Dataset
        The set.
    root_folder : str
        Where the raw data is.

    Raises
    ------
    IndexingFailed
        If its view fails.
    """
    script = [sys.executable, "-m", "beat.backend.python.scripts.index"]
    arguments = [f"--db_root_folder={root_folder}", os.path.abspath(prefix), os.path.abspath(cache)]
    which = [dataset.database, dataset.protocol, dataset.set]
    record = record_path(cache, dataset.path)
    write_json(record, {CONTENT: None})  # if this is the end of us, the index has to be made again
    ended = subprocess.run(
        [*script, *arguments, *which], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip()
        raise IndexingFailed(f"cannot index {'/'.join(which)} in {root_folder}:\n{said}")
    index = os.path.join(cache, dataset.path)
    write_json(record, {CONTENT: hashFileContents(index)})


def renew_index(prefix: str, cache: str, dataset: Dataset, root_folder: str) -> None:
    """Index one set of a database if there is need to; a damaged index is set aside first.

    Raises
    ------
    IndexingFailed
        If its view fails.
    OSError
        If a damaged index cannot be set aside.
    """
    problem = index_problem(cache, dataset.path)
    if problem is None:  # somebody else has done it meanwhile
        return
    index = os.path.join(cache, dataset.path)
    if os.path.lexists(index):
        set_aside(cache, dataset.path, [index], problem)
    index_set(prefix, cache, dataset, root_folder)


def index_problem(cache: str, path: str) -> str | None:
    """Say what is wrong with an index; None if nothing is.

    One that was made elsewhere, of which there is no record here, must only be readable.
    """
    index = os.path.join(cache, path)
    if not os.path.isfile(index):
        return "there is no such file"
    file = record_path(cache, path)
    record = read_json(file)
    if record is not None:
        expected = record.get(CONTENT)
        return None if expected == hashFileContents(index) else f"wrong checksum: not {expected}"
    if os.path.lexists(file):
        return "the record of how it was made is damaged"
    try:
        entries_of(cache, path)
    except RuntimeError as error:
        return str(error)
    return None
