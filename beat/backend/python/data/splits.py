"""Where the work on a channel can be cut into parts that run side by side.

The indices at which the units of an input start, plus the end of the last one, are all that is
needed: a part may begin only where a unit of every input begins.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from . import viewindex
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
    units = load_intervals(cache_root, hash_path)
    return [*units.starts, units.ends[-1] + 1]


def load_intervals(cache_root: str, hash_path: str) -> Intervals:
    """Return the intervals of an output in the cache; raises what `load_data_index` raises."""
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
    return units


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

    Raises
    ------
    RuntimeError
        If the file is no index.
    """
    path = os.path.join(cache_root, os.fspath(hash_path).removesuffix(".db") + ".db")
    try:
        entries = viewindex.read_index(path)
    except FileNotFoundError:
        return None
    return [[*entries.starts(field), len(entries)] for field in entries.fields]


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
    start, last = _common_from(lists, lists[0][0]), _common_until(lists, lists[0][-1])
    if start is None or last is None or start == last:
        return []
    ranges: list[Pair] = []
    for closed in range(1, n):
        # whole numbers in place of ``index >= closed * (last / n)``
        index = _common_from(lists, max(start + 1, -(-closed * last // n)))
        if index is None or index == last:
            break
        ranges.append((start, index - 1))
        start = index
    return [*ranges, (start, last - 1)]


def _common_from(lists: Sequence[Sequence[int]], index: int) -> int | None:
    """Return the first index, not below a given one, that all lists have."""
    while True:
        places = [bisect_left(list_, index) for list_ in lists]
        if any(place == len(list_) for place, list_ in zip(places, lists, strict=True)):
            return None
        found = max(list_[place] for place, list_ in zip(places, lists, strict=True))
        if found == index:
            return found
        index = found


def _common_until(lists: Sequence[Sequence[int]], index: int) -> int | None:
    """Return the last index, not above a given one, that all lists have."""
    while True:
        places = [bisect_right(list_, index) for list_ in lists]
        if not all(places):
            return None
        found = min(list_[place - 1] for place, list_ in zip(places, lists, strict=True))
        if found == index:
            return found
        index = found
