"""What every source of data units can do, whatever it reads from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Any

from .indices import Intervals, Pair

Unit = tuple[Any, Any, Any]  # data, first index, last index

NO_UNIT: Unit = (None, None, None)


class DataSource:
    """A sequence of data units.

    Subclasses set `infos` and define ``__getitem__``, or only the latter; they need not call
    this constructor.

    Attributes
    ----------
    infos : sequence
        The units: objects with ``start_index`` and ``end_index``, or (start, end) pairs, in
        ascending order. It may be assigned at any time.
    ready : bool
        Whether the source has been set up.
    nb_bytes_read : int
        How many bytes have been read.
    read_duration : float
        How long that took, in seconds.
    """

    infos: Any = ()
    ready = False
    nb_bytes_read = 0
    read_duration = 0.0
    _converted: tuple[Any, Intervals] | None = None

    def __init__(self) -> None:
        self.infos = []

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.infos) or self._count_by_reading()

    def _count_by_reading(self) -> int:
        if self._try(0)[1] is None:
            return 0
        last, step = 0, 1  # there is a unit at ``last``
        while self._try(last + step)[1] is not None:
            last += step
            step *= 2
        candidates = range(last + 1, last + step)
        missing = bisect_left(candidates, True, key=lambda i: self._try(i)[1] is None)
        return last + 1 + missing

    def _try(self, index: int) -> Unit:
        """Return a unit, of which nobody knows whether it is there: some lists say so that way."""
        try:
            return self[index]
        except IndexError:
            return NO_UNIT

    def __getitem__(self, index: int) -> Unit:
        """Return (data, first index, last index) of a unit, three times None if there is none."""
        if 0 <= index < len(self.infos):
            raise NotImplementedError(f"{type(self).__name__} does not say how to read a unit")
        return NO_UNIT

    def __iter__(self) -> Iterator[Unit]:
        if len(self.infos):
            return map(self.__getitem__, range(len(self.infos)))
        return takewhile(lambda unit: unit[1] is not None, map(self._try, count()))

    def first_data_index(self) -> int:
        """Return the first index of the first unit; `IndexError` if there are no units."""
        return self._limits()[0]

    def last_data_index(self) -> int:
        """Return the last index of the last unit; `IndexError` if there are no units."""
        return self._limits()[1]

    def _limits(self) -> Pair:
        if len(self.infos):
            units = Intervals.of([self.infos[0], self.infos[-1]])
            return units.starts[0], units.ends[-1]
        units_read = len(self)
        if not units_read:
            raise IndexError(f"{type(self).__name__} has no data units")
        return self[0][1], self[units_read - 1][2]

    def data_indices(self) -> list[Pair]:
        """Return (first index, last index) of each unit."""
        return self._intervals().pairs()

    def _intervals(self) -> Intervals:
        infos = self.infos
        if not len(infos):
            return Intervals.of([(start, end) for _, start, end in self])
        kept = getattr(infos, "intervals", None)
        if isinstance(kept, Intervals):
            return kept
        if (
            self._converted is None
            or self._converted[0] is not infos
            or len(self._converted[1]) != len(infos)
        ):
            self._converted = (infos, Intervals.of(infos))
        return self._converted[1]

    def getAtDataIndex(self, data_index: int) -> Unit:
        """Return the unit that covers an index, as ``[i]`` does."""
        units = getattr(self.infos, "intervals", None)
        if units is None:
            if not len(self.infos):
                return self._find_by_reading(data_index)
            units = self._intervals()
        position = units.position(data_index)
        covered = position < len(units.ends) and units.starts[position] <= data_index
        return self[position] if covered else NO_UNIT

    def _find_by_reading(self, data_index: int) -> Unit:
        position = bisect_left(range(len(self)), data_index, key=lambda i: self[i][2])
        unit = self._try(position)
        return unit if unit[1] is not None and unit[1] <= data_index else NO_UNIT

    def statistics(self) -> tuple[int, float]:
        """Return the number of bytes read, and how long that took in seconds."""
        return self.nb_bytes_read, self.read_duration

    def reset(self) -> None:
        """Let go of whatever was opened or kept for reading; units can still be read."""

    def close(self) -> None:
        """Let go of everything."""
        self.reset()


def intervals_of(source: DataSource) -> Intervals:
    """Return the intervals of a source's units, compactly if it does not make pairs its own way."""
    if getattr(source.data_indices, "__func__", None) is DataSource.data_indices:
        return source._intervals()
    return Intervals.of(source.data_indices())
