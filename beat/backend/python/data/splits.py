"""Where the work on a channel can be cut into parts that run side by side.

The indices at which the units of an input start, plus the end of the last one, are all that is
needed: a part may begin only where a unit of every input begins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import compress, islice
from operator import ne
from typing import Any

from .cache_files import INDEX, append_units, covering_files, read_index, verify_file
from .indices import Intervals, Pair


class DamagedIndexError(OSError, RuntimeError):
    """The index of an output cannot be trusted.

    To readers of files that is an `OSError`; schedulers know failures of `load_data_index` as
    `RuntimeError`.
    """


def load_data_index(cache_root: str, hash_path: str) -> list[int]:
    """Return where the units of an output in the cache start, and the index after the last one.

    Parameters
    ----------
    cache_root : str
        The folder of the cache.
    hash_path : str
        The path of the output in it, without range and extension.

    Raises
    ------
    RuntimeError
        If there is no such output.
    DamagedIndexError
        If a file is damaged, or if the files leave a gap.
    """
    path = os.path.join(cache_root, hash_path)
    files = covering_files(path, [INDEX])
    if not files:
        raise RuntimeError(f"there is no index of `{hash_path}' in the cache `{cache_root}'")
    units = Intervals()
    try:
        for file in files:
            verify_file(file.index)
            append_units(units, read_index(file.index), file.index)
    except OSError as error:
        raise DamagedIndexError(str(error)) from None
    return [*units.starts, units.ends[-1] + 1]


def load_data_index_db(cache_root: str, hash_path: str) -> list[list[int]] | None:
    """Return where the units of each field of a database view's index start.

    Parameters
    ----------
    cache_root : str
        The folder of the cache.
    hash_path : str
        The path of the index in it; ``.db`` may be left out.

    Returns
    -------
    list of lists of int, or None
        For each field, in the order of the first entry's: 0, each row in which the value
        differs from the one before, and the number of rows. None if there is no such file.
    """
    path = os.path.join(cache_root, os.fspath(hash_path).removesuffix(".db") + ".db")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        rows = json.load(f)
    if not rows:
        return []
    return [_changes([row[field] for row in rows]) for field in rows[0]]


def _changes(values: Sequence[Any]) -> list[int]:
    """Return 0, each position where the value differs from the one before, and the length."""
    changed = map(ne, islice(values, 1, None), values)
    return [0, *compress(range(1, len(values)), changed), len(values)]


def foundSplitRanges(lists: Sequence[Sequence[int]], n: int) -> list[Pair]:
    """Return ranges of about equal length that can be worked on side by side.

    Parameters
    ----------
    lists : list of lists of int
        For each input, the indices at which its units start, plus the last end + 1.
    n : int
        The number of ranges wanted.

    Returns
    -------
    list of (start, end)
        At most ``n`` ranges, cut only at indices which all lists have. Empty if one of the
        lists is.
    """
    if n < 1 or not lists or not all(map(len, lists)):
        return []
    common = sorted(set(lists[0]).intersection(*lists[1:]))
    if len(common) < 2:
        return []
    ranges: list[Pair] = []
    start, last = common[0], common[-1]
    for index in common[1:-1]:
        if len(ranges) >= n - 1:
            break
        # whole numbers in place of ``index >= (closed + 1) * (last / n)``
        if index * n >= (len(ranges) + 1) * last:
            ranges.append((start, index - 1))
            start = index
    return [*ranges, (start, last - 1)]
