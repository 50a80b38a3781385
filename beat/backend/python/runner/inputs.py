"""What the inputs of blocks hold, as far as the runner needs to know."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache

from ..asset import JSON
from ..data.splits import load_intervals
from ..data.viewindex import Entries, read_index


def entries_of(cache: str, path: str) -> Entries | None:
    """Return the entries of a dataset's index; None if there is no index.

    An index is read once for as long as it does not change.
    """
    name = os.path.join(cache, path)
    try:
        status = os.stat(name)
    except FileNotFoundError:
        return None
    return _entries(name, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=16)
def _entries(name: str, identity: tuple[int, ...]) -> Entries:
    return read_index(name)


def last_index(cache: str, item: JSON) -> int | None:
    """Return the last data index of an input; None if it is not there, or damaged."""
    with suppress(RuntimeError, OSError):
        if "database" not in item:
            return load_intervals(cache, item["path"]).ends[-1]
        entries = entries_of(cache, item["path"])
        return len(entries) - 1 if entries else None
    return None
