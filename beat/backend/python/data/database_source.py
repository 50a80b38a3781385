"""Data units made by the view of a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter, ne
from time import perf_counter
from typing import Any, Protocol

import numpy

from .formats import load_format
from .indices import Column, Intervals, compact
from .source import NO_UNIT, DataSource, Unit
from .viewindex import Entries


class RunningView(Protocol):
    """What a source needs of a view that has been set up."""

    def objects(self) -> Sequence[Any]:
        """Return the entries of the view's range."""

    def get(self, output: str, index: int) -> Any:
        """Return the data of an output for an entry, counted from the start of the range.

        If its class has a method ``reader(output)``, what that returns is called instead.
        """

    def get_output_mapping(self, output: str) -> str:
        """Return the field of the entries that belongs to an output."""


class DatabaseOutputDataSource(DataSource):
    """The data units of one output of a database view.

    Consecutive entries that are equal in the output's field form one unit. The index of an
    entry is its place in the whole index of the view, whatever part of it the view delivers.
    """

    view: RunningView
    output_name: str
    dataformat: Any = None
    pack = False
    _convert: Any = None
    _infos: Any = ()
    _columns: tuple[Column, Column] = (range(0), range(0))

    def setup(
        self,
        view: RunningView,
        output_name: str,
        dataformat_name: str,
        prefix: str | None,
        start_index: int | None = None,
        end_index: int | None = None,
        pack: bool = False,
    ) -> bool:
        """Find the units.

        Parameters
        ----------
        view : views.Runner
            The view, set up.
        output_name, dataformat_name : str
            The output, and its format.
        prefix : str or None
            The prefix folder, for the format. Without one, as in tests of views, the data is
            delivered as the view gives it.
        start_index, end_index : int, optional
            Units that overlap this range are delivered, their indices clipped to it.
        pack : bool
            Whether the data is delivered as bytes.

        Returns
        -------
        bool
            True.

        Raises
        ------
        RuntimeError
            If the format is not valid.
        """
        if prefix is not None:
            self.dataformat = load_format(prefix, dataformat_name)
            codec = self.dataformat.type._codec
            self._convert = codec.encode if pack else codec.build
        self.view = view
        # of the class: an attribute of an instance may be anything
        reader: Any = getattr(type(view), "reader", None)
        self._get: Callable[[int], Any] = (
            partial(view.get, output_name) if reader is None else reader(view, output_name)
        )
        self.output_name = output_name
        self.prefix = prefix
        self.pack = pack
        known_start: int | None = getattr(view, "start_index", None)
        self._view_start = start_index or 0 if known_start is None else known_start
        self.infos = self._units().clipped(start_index, end_index)
        self.ready = True
        return True

    def _units(self) -> Intervals:
        field = self.view.get_output_mapping(self.output_name)
        entries = self.view.objects()
        if isinstance(entries, Entries):
            known = entries.runs(field, self._view_start)
            if known is not None:
                return known
        try:
            return _equal_runs([*map(attrgetter(field), entries)], self._view_start)
        except AttributeError:
            fields = getattr(entries[0], "_fields", ())
            raise AttributeError(
                f"output `{self.output_name}': the entries of the view have no field `{field}', "
                f"only {fields!r:.200}"
            ) from None

    @property
    def infos(self) -> Any:
        """The units, see `DataSource`."""
        return self._infos

    @infos.setter
    def infos(self, infos: Any) -> None:
        self._infos = infos
        units = Intervals.of(infos)
        self._columns = units.starts, units.ends

    def __getitem__(self, index: int) -> Unit:
        starts, ends = self._columns
        if not 0 <= index < len(starts):
            if len(self._infos) == len(starts):
                return NO_UNIT
            self.infos = self._infos  # a list that has grown since it was assigned
            return self[index]
        began = perf_counter()
        start = starts[index]
        data = self._get(start - self._view_start)
        convert = self._convert
        if convert is not None and isinstance(data, dict):
            data = convert(data)
        elif self.pack:
            data = b"" if data is None else type(data)._codec.pack(data)
        if self.pack:
            self.nb_bytes_read += len(data)
        self.read_duration += perf_counter() - began
        return data, start, start if ends is starts else ends[index]


def _equal_runs(values: Sequence[Any], offset: int) -> Intervals:
    """Return the intervals of consecutive equal values, counted from ``offset``."""
    if not values:
        return Intervals()
    changes = map(ne, islice(values, 1, None), values)
    changed = numpy.fromiter(changes, dtype=bool, count=len(values) - 1)
    cuts = numpy.append(offset, numpy.flatnonzero(changed) + (offset + 1))
    return Intervals.between(compact(cuts), offset + len(values))
