"""Data units as columns, the form in which pandas and xarray take data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy

from ..baseformat import baseformat

START = "data_index"
END = "data_index_end"


def columns(units: Iterable[tuple[Any, Any, Any]]) -> dict[str, numpy.ndarray[Any, Any]]:
    """Return the data of units as columns, for ``pandas.DataFrame``.

    Parameters
    ----------
    units : DataSource, DataLoader, DataView or iterable of (data, start, end)
        The units, all of which are read.

    Returns
    -------
    dict of numpy.ndarray
        By name of the column, an array of one dimension with an item for each unit. Columns are
        the fields of the format, ``field.part`` for a part of an object, ``input.field`` for a
        loader; then ``data_index`` and ``data_index_end``, the indices that the unit covers,
        unless fields are called so. Scalars keep their types. Arrays, texts, and columns that
        some units have no value for (it is None there) are arrays of objects.
    """
    gathered, starts, ends = _gather(units)
    found = {name: _typed(values) for name, values in gathered.items()}
    return {START: numpy.array(starts, numpy.int64), END: numpy.array(ends, numpy.int64)} | found


def variables(
    units: Iterable[tuple[Any, Any, Any]],
) -> dict[str, tuple[tuple[str, ...], numpy.ndarray[Any, Any]]]:
    """Return the data of units as variables with dimensions, for ``xarray.Dataset``.

    Parameters
    ----------
    units
        As of `columns`.

    Returns
    -------
    dict of (dimensions, numpy.ndarray)
        The columns that `columns` has. Arrays of numbers whose shape is the same in all units
        are one array with further dimensions, called ``<column>_0`` and so on; the first
        dimension is ``unit``.
    """
    return {name: _stacked(name, column) for name, column in columns(units).items()}


def _gather(
    units: Iterable[tuple[Any, Any, Any]],
) -> tuple[dict[str, list[Any]], list[int], list[int]]:
    """Return the values of each column, None where a unit has none, and the indices of units."""
    gathered: dict[str, list[Any]] = {}
    starts: list[int] = []
    ends: list[int] = []
    for data, start, end in units:
        for name, value in _leaves(data):
            values = gathered.setdefault(name, [])
            values += [None] * (len(starts) - len(values))
            values.append(value)
        starts.append(start)
        ends.append(end)
    for values in gathered.values():
        values += [None] * (len(starts) - len(values))
    return gathered, starts, ends


def _leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names of columns and the values that a unit has there."""
    if isinstance(data, baseformat):
        data = data.__dict__
    if isinstance(data, Mapping):
        for name, value in data.items():
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif data is not None:
        yield path or "data", data


def _typed(values: list[Any]) -> numpy.ndarray[Any, Any]:
    """Return a column: of the scalars' type if they are of one type, else of objects."""
    scalars = isinstance(values[0], (numpy.generic, bool, int, float, complex))
    if scalars and len({type(value) for value in values}) == 1:
        return numpy.array(values)
    column = numpy.empty(len(values), object)
    for position, value in enumerate(values):
        column[position] = value
    return column


def _stacked(
    name: str, column: numpy.ndarray[Any, Any]
) -> tuple[tuple[str, ...], numpy.ndarray[Any, Any]]:
    numbers = [v for v in column if isinstance(v, numpy.ndarray) and v.dtype.kind in "biufc"]
    shapes = {value.shape for value in numbers}
    if len(numbers) != len(column) or len(shapes) != 1:
        return ("unit",), column
    (shape,) = shapes
    return ("unit", *(f"{name}_{axis}" for axis in range(len(shape)))), numpy.stack(numbers)
