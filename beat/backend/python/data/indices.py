"""Index intervals of data units, kept compactly, and what several lists of them have in common.

A data unit covers an inclusive interval of the indices of its synchronisation channel. Sources
have up to millions of units: their intervals are kept in two columns of numbers (see `compact`),
and whatever is computed from them takes time by the number of units, never by the span of indices.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, eq, itemgetter
from typing import Any, NamedTuple, TypeAlias, overload

import numpy

Pair = tuple[int, int]

#: The types of arrays, with the number from which on each cannot hold what is given
_WIDTHS = ("b", 1 << 7), ("h", 1 << 15), ("i", 1 << 31), ("q", 1 << 63)

#: Many numbers in little memory: evenly spaced ones take none at all
Column: TypeAlias = "range | array[int]"


def compact(values: Any) -> Column:
    """Keep numbers of at most 64 bits in as few bytes as there may be for each.

    Parameters
    ----------
    values : range, array, numpy.ndarray or iterable of int
        The numbers.

    Returns
    -------
    range or array
        A range if they are evenly spaced, as indices mostly are; else an array of the smallest
        type that holds all of them.

    Raises
    ------
    OverflowError
        If a number has more than 64 bits.
    """
    if isinstance(values, range):
        return values
    if not isinstance(values, (array, numpy.ndarray)):
        values = array("q", values)
    numbers = numpy.asarray(values)
    if len(numbers) < 2:
        return range(int(numbers[0]), int(numbers[0]) + 1) if len(numbers) else range(0)
    step = int(numbers[1]) - int(numbers[0])
    if step and (numpy.diff(numbers) == step).all():
        return range(int(numbers[0]), int(numbers[-1]) + (1 if step > 0 else -1), step)
    largest = max(int(numbers.max()), -int(numbers.min()) - 1)
    code = next(code for code, bound in _WIDTHS if largest < bound)
    return _array(code, numbers)


def _array(code: str, numbers: Any) -> array[int]:
    result: array[int] = array(code)
    result.frombytes(numpy.ascontiguousarray(numbers, dtype=code).tobytes())
    return result


def as_column(values: Any) -> Column:
    """Return what is a column already, and anything else as `compact` does."""
    return values if isinstance(values, (range, array)) else compact(values)


def as_array(column: Column) -> numpy.ndarray[Any, numpy.dtype[numpy.int64]]:
    """Return the numbers of a column for computations."""
    if isinstance(column, range):
        # the whole range at once would get its length by floats, which do not know large numbers
        return numpy.arange(len(column), dtype=numpy.int64) * column.step + column.start
    return numpy.asarray(column, dtype=numpy.int64)


def joined(column: Column, more: Column) -> Column:
    """Return the numbers of both columns; the first may be changed."""
    if not len(column) or not len(more):
        return column if len(column) else more
    if isinstance(column, range) and isinstance(more, range):
        step = more[0] - column[-1]
        if {step} >= {c.step for c in (column, more) if len(c) > 1} and step:
            return range(column[0], more[-1] + (1 if step > 0 else -1), step)
    code = max(_code_of(column), _code_of(more), key="bhiq".index)
    if not isinstance(column, array) or column.typecode != code:
        column = _array(code, as_array(column))
    column.frombytes(as_array(more).astype(code).tobytes())
    return column


def _code_of(column: Column) -> str:
    if isinstance(column, array):
        return column.typecode
    largest = max(column[0], column[-1], -column[0] - 1, -column[-1] - 1)
    return next(code for code, bound in _WIDTHS if largest < bound)


class Interval(NamedTuple):
    """The first and the last index that a data unit covers."""

    start_index: int
    end_index: int


class Intervals(Sequence[Interval]):
    """Consecutive intervals, in at most 16 bytes each, in none if all are of one length.

    Parameters
    ----------
    starts, ends : iterable of int
        The first and the last index of each interval, in ascending order.
    """

    __slots__ = ("ends", "starts")

    def __init__(self, starts: Iterable[int] = (), ends: Iterable[int] = ()) -> None:
        self.starts = as_column(starts)
        self.ends = as_column(ends)
        if isinstance(self.ends, range) and self.ends == self.starts:
            self.ends = self.starts  # one is looked up for both

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

    @classmethod
    def between(cls, starts: Column, stop: int) -> Intervals:
        """Return intervals which end where the next one begins; the last one before ``stop``."""
        if isinstance(starts, range) and starts:
            step = starts.step if len(starts) > 1 else stop - starts[0]
            if starts[-1] + step == stop:
                return cls(starts, range(starts[0] + step - 1, stop, step))
        return cls(starts, numpy.append(as_array(starts)[1:], stop) - 1 if len(starts) else ())

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
            return _equal(self.starts, other.starts) and _equal(self.ends, other.ends)
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

    def as_frames(self) -> list[bytes]:
        """Return the number of intervals, and the starts and the ends, as the frames of a message.

        Of evenly spaced numbers there are the first and the step only: 16 bytes. Of others there
        is each one, in eight bytes.
        """
        return [b"%d" % len(self), _packed(self.starts), _packed(self.ends)]

    @classmethod
    def from_frames(cls, frames: Sequence[bytes | memoryview]) -> Intervals:
        """Take what `as_frames` gave; `ValueError` if it is anything else."""
        count, starts, ends = frames
        return cls(_unpacked(starts, int(count)), _unpacked(ends, int(count)))

    def extend(self, more: Intervals) -> None:
        """Append other intervals."""
        self.starts = joined(self.starts, more.starts)
        self.ends = joined(self.ends, more.ends)

    def position(self, index: int) -> int:
        """Return the position of the first interval that does not end before an index."""
        ends = self.ends
        if isinstance(ends, range):
            position = -((ends.start - index) // ends.step)
            if position < 0:
                return 0
            return position if position < len(ends) else len(ends)
        return bisect_left(ends, index)

    def overlap(self, start_index: int | None, end_index: int | None) -> slice:
        """Return the positions of the intervals that overlap a range."""
        first = 0 if start_index is None else self.position(start_index)
        stop = len(self) if end_index is None else bisect_left(self.starts, end_index + 1)
        empty = start_index is not None and end_index is not None and end_index < start_index
        return slice(first, first if empty else max(first, stop))

    def clipped(self, start_index: int | None, end_index: int | None) -> Intervals:
        """Return the intervals that overlap a range, none of them reaching beyond it."""
        kept = self[self.overlap(start_index, end_index)]
        if len(kept) and start_index is not None and kept.starts[0] < start_index:
            kept.starts = _with(kept.starts, 0, start_index)
        if len(kept) and end_index is not None and kept.ends[-1] > end_index:
            kept.ends = _with(kept.ends, len(kept) - 1, end_index)
        return kept


def common_split(lists: Sequence[Intervals]) -> Intervals:
    """Return the finest intervals cut wherever one of the lists is cut, where all have units."""
    if not lists or not all(map(len, lists)):
        return Intervals()
    first = lists[0]
    if all(intervals == first for intervals in lists[1:]):
        return first
    starts = [as_array(intervals.starts) for intervals in lists]
    ends = [as_array(intervals.ends) for intervals in lists]
    low = max(column[0] for column in starts)
    high = min(column[-1] for column in ends) + 1
    cuts = numpy.concatenate([*starts, *(column + 1 for column in ends)])
    # the lists are sorted already: a stable sort merges them
    cuts = numpy.sort(cuts[(cuts >= low) & (cuts <= high)], kind="stable")
    cuts = cuts[numpy.flatnonzero(numpy.diff(cuts, prepend=low - 1))]
    firsts, lasts = cuts[:-1], cuts[1:] - 1
    covered = numpy.ones(len(firsts), dtype=bool)
    for start, end in zip(starts, ends, strict=True):
        covered &= end[positions_in(start, firsts)] >= firsts
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


def _equal(one: Column, other: Column) -> bool:
    if type(one) is type(other):
        return one == other
    return len(one) == len(other) and all(map(eq, one, other))


def _with(column: Column, position: int, value: int) -> Column:
    """Return a column in which one number is another one."""
    changed = as_array(column).copy()
    changed[position] = value
    return compact(changed)


def _packed(column: Column) -> bytes:
    if len(column) == 2:  # which are told as evenly spaced ones are, whatever they are kept in
        return numpy.array([column[0], column[1] - column[0]], "<i8").tobytes()
    if isinstance(column, range):
        return numpy.array([column.start, column.step], "<i8").tobytes()
    return as_array(column).astype("<i8").tobytes()


def _unpacked(frame: bytes | memoryview, count: int) -> Column:
    if len(frame) == 16 and 0 <= count < 1 << 62:
        start, step = numpy.frombuffer(frame, "<i8").tolist()
        if step < 1 or start + step * count >= 1 << 63:
            raise ValueError(f"no column of {count} numbers: from {start} by steps of {step}")
        return range(start, start + step * count, step)
    if len(frame) != 8 * count:
        raise ValueError(f"no column of {count} numbers: {len(frame)} bytes")
    return compact(numpy.frombuffer(frame, "<i8"))
