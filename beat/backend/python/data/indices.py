"""Index intervals of data units, kept compactly, and what several lists of them have in common.

A data unit covers an inclusive interval of the indices of its synchronisation channel. Sources
have up to millions of units: their intervals are kept in two arrays of machine integers, and
whatever is computed from them takes time by the number of units, never by the span of indices.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, overload

import numpy

Pair = tuple[int, int]


class Interval(NamedTuple):
    """The first and the last index that a data unit covers."""

    start_index: int
    end_index: int


class Intervals(Sequence[Interval]):
    """Consecutive intervals, in 16 bytes each.

    Parameters
    ----------
    starts, ends : iterable of int
        The first and the last index of each interval, in ascending order.
    """

    __slots__ = ("ends", "starts")

    def __init__(self, starts: Iterable[int] = (), ends: Iterable[int] = ()) -> None:
        self.starts = _integers(starts)
        self.ends = _integers(ends)

    @classmethod
    def of(cls, units: Sequence[Any]) -> Intervals:
        """Take the intervals of units: objects with start_index and end_index, or pairs."""
        kept = getattr(units, "intervals", None)
        if isinstance(kept, Intervals):
            return kept
        if len(units) and hasattr(units[0], "start_index"):
            first: Any = attrgetter("start_index")
            last: Any = attrgetter("end_index")
        else:
            first, last = itemgetter(0), itemgetter(1)
        return cls(map(first, units), map(last, units))

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Interval: ...

    @overload
    def __getitem__(self, index: slice) -> Intervals: ...

    def __getitem__(self, index: int | slice) -> Interval | Intervals:
        if isinstance(index, slice):
            return Intervals(self.starts[index], self.ends[index])
        # for each unit that is read: the constructor takes three times as long
        return tuple.__new__(Interval, (self.starts[index], self.ends[index]))

    def __iter__(self) -> Iterator[Interval]:
        return map(Interval, self.starts, self.ends)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Intervals):
            return self.starts == other.starts and self.ends == other.ends
        return isinstance(other, Sequence) and self.pairs() == list(other)

    __hash__ = None  # type: ignore[assignment] # equal to lists, which cannot be hashed either

    def __repr__(self) -> str:
        shown = ", ".join(str(pair) for pair in self[:3].pairs())
        return f"<{len(self)} intervals: {shown}{', ...' if len(self) > 3 else ''}>"

    @property
    def intervals(self) -> Intervals:
        """These intervals, under the name that any compact list of units has for them."""
        return self

    def pairs(self) -> list[Pair]:
        """Return the intervals as plain tuples."""
        return list(zip(self.starts, self.ends, strict=True))

    def overlap(self, start_index: int | None, end_index: int | None) -> slice:
        """Return the positions of the intervals that overlap a range."""
        first = 0 if start_index is None else bisect_left(self.ends, start_index)
        stop = len(self) if end_index is None else bisect_left(self.starts, end_index + 1)
        empty = start_index is not None and end_index is not None and end_index < start_index
        return slice(first, first if empty else max(first, stop))

    def clipped(self, start_index: int | None, end_index: int | None) -> Intervals:
        """Return the intervals that overlap a range, none of them reaching beyond it."""
        kept = self[self.overlap(start_index, end_index)]
        if len(kept) and start_index is not None:
            kept.starts[0] = max(kept.starts[0], start_index)
        if len(kept) and end_index is not None:
            kept.ends[-1] = min(kept.ends[-1], end_index)
        return kept


def common_split(lists: Sequence[Intervals]) -> Intervals:
    """Return the finest intervals cut wherever one of the lists is cut, where all have units."""
    if not lists or not all(map(len, lists)):
        return Intervals()
    if len(lists) == 1:
        return lists[0]
    starts = [numpy.asarray(intervals.starts) for intervals in lists]
    ends = [numpy.asarray(intervals.ends) for intervals in lists]
    low = max(first[0] for first in starts)
    high = min(last[-1] for last in ends) + 1
    cuts = numpy.concatenate([*starts, *(last + 1 for last in ends)])
    # the lists are sorted already: a stable sort merges them
    cuts = numpy.sort(cuts[(cuts >= low) & (cuts <= high)], kind="stable")
    cuts = cuts[numpy.flatnonzero(numpy.diff(cuts, prepend=low - 1))]
    firsts, lasts = cuts[:-1], cuts[1:] - 1
    covered = numpy.ones(len(firsts), dtype=bool)
    for first, last in zip(starts, ends, strict=True):
        covered &= last[positions_in(first, firsts)] >= firsts
    return Intervals(firsts[covered], lasts[covered])


def positions_in(starts: Any, indices: Any) -> Any:
    """Return, for each index, the position of the last interval that does not start after it."""
    return numpy.searchsorted(starts, indices, side="right") - 1


def mixDataIndices(list_of_lists: Sequence[Sequence[Any]]) -> list[Pair]:
    """Return the finest common split of several lists of data units.

    Parameters
    ----------
    list_of_lists : list of lists of (start, end)
        The units of each source, in ascending order.

    Returns
    -------
    list of (start, end)
        Intervals cut wherever one of the sources is cut, between the latest start and the
        earliest end; indices for which a source has no unit are in none of them.
    """
    return common_split([Intervals.of(units) for units in list_of_lists]).pairs()


def _integers(values: Iterable[int]) -> array[int]:
    if isinstance(values, array):
        return values
    result: array[int] = array("q")
    if isinstance(values, numpy.ndarray):
        result.frombytes(numpy.ascontiguousarray(values, dtype=numpy.int64).tobytes())
    else:
        result.extend(values)
    return result
