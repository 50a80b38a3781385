"""Data units of BEAT in flow files: how objects of a format become rows, and rows objects.

Fields of fixed size are the fields of the rows of one dataset, a row for each object. Every other
field has a dataset of its own, below that one, and references from the objects to its rows:

- an array has a row for each element, in C order. Trailing dimensions of fixed size belong to
  the rows. If more than one dimension is left, the sizes are in the dataset ``shape`` below it;
- a text is one row;
- an object with fields of varying size is a row, whose own fields are treated in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import h5py
import numpy

from .data import H5FlowDataManager
from .data.rows import Array

TEXT = ("string", "str")
#: what the rows of objects hold that have no field of fixed size
NUMBER_FIELD = "number"


def fixed_dtype(declared: Any) -> Any:
    """Return the dtype of a field's values; None if their size varies.

    Parameters
    ----------
    declared : str, list or DataFormat
        A field of ``DataFormat.resolved``.
    """
    if isinstance(declared, list):
        inner = fixed_dtype(declared[-1])
        return None if inner is None or 0 in declared else numpy.dtype((inner, declared[:-1]))
    if isinstance(declared, str):
        return None if declared in TEXT else numpy.dtype(declared)
    fields = [(name, fixed_dtype(field)) for name, field in _fields(declared).items()]
    sized = fields and all(dtype is not None for _, dtype in fields)
    return numpy.dtype(fields) if sized else None


def _fields(dataformat: Any) -> dict[str, Any]:
    return {
        name: field
        for name, field in dataformat.resolved.items()
        if not (name.startswith("__") or name.startswith("#"))
    }


def _column(declared: Any, values: Sequence[Any], dtype: Any) -> Array:
    """Return values of a field of fixed size as one array."""
    if isinstance(declared, list):
        shape = tuple(declared[:-1])
        if not isinstance(declared[-1], str):
            items = [item for value in values for item in numpy.asarray(value).ravel()]
            return _column(declared[-1], items, dtype.base).reshape(len(values), *shape)
        return numpy.array(values, dtype.base).reshape(len(values), *shape)
    if isinstance(declared, str):
        return numpy.array(values, dtype)
    column = numpy.zeros(len(values), dtype)
    for name, field in _fields(declared).items():
        column[name] = _column(field, [value.__dict__[name] for value in values], dtype[name])
    return column


def _value(declared: Any, stored: Any) -> Any:
    """Return a value of fixed size as it is given to formats."""
    if isinstance(declared, list) and not isinstance(declared[-1], str):
        items = numpy.empty(stored.shape, object)
        items.ravel()[:] = [_value(declared[-1], item) for item in stored.ravel()]
        return items
    if isinstance(declared, (list, str)):
        return stored
    return {name: _value(field, stored[name]) for name, field in _fields(declared).items()}


class UnitTable:
    """The objects of a format in a flow file.

    Parameters
    ----------
    name : str
        The dataset.
    dataformat : DataFormat
        The format, valid.
    """

    def __init__(self, name: str, dataformat: Any) -> None:
        self.name = name
        declared = _fields(dataformat)
        sizes = {field: fixed_dtype(kind) for field, kind in declared.items()}
        self._fixed = {field: declared[field] for field, size in sizes.items() if size is not None}
        fields = [(field, sizes[field]) for field in self._fixed] or [(NUMBER_FIELD, "u8")]
        self.dtype = numpy.dtype(fields)
        self._parts = {
            field: _Part(f"{name}/{field}", kind)
            for field, kind in declared.items()
            if sizes[field] is None
        }

    def create(self, flow: H5FlowDataManager) -> None:
        """Create the datasets and references."""
        flow.create_dset(self.name, self.dtype)
        for part in self._parts.values():
            part.create(flow, self.name)

    def append(self, flow: H5FlowDataManager, objects: Sequence[Any]) -> slice:
        """Append objects, None for those without data, and return their rows."""
        rows = flow.reserve_data(self.name, len(objects))
        there = [number for number, value in enumerate(objects) if value is not None]
        values = [objects[number] for number in there]
        data = numpy.zeros(len(objects), self.dtype)
        if not self._fixed:
            data[NUMBER_FIELD] = numpy.arange(rows.start, rows.stop)
        for field, declared in self._fixed.items():
            column = [value.__dict__[field] for value in values]
            data[field][there] = _column(declared, column, self.dtype[field])
        flow.write_data(self.name, rows, data)
        owners = numpy.array(there, "i8") + rows.start
        for field, part in self._parts.items():
            part.append(flow, self.name, owners, [value.__dict__[field] for value in values])
        return rows  # type: ignore[no-any-return]

    def read(self, flow: H5FlowDataManager, rows: Any) -> list[dict[str, Any]]:
        """Return rows as dictionaries that the format takes."""
        stored = flow.follow((self.name,), rows)
        parts = {field: part.read(flow, self.name, rows) for field, part in self._parts.items()}
        return [
            {field: _value(declared, row[field]) for field, declared in self._fixed.items()}
            | {field: values[number] for field, values in parts.items()}
            for number, row in enumerate(stored)
        ]


class _Part:
    """The values of a field whose size varies."""

    def __init__(self, name: str, declared: Any) -> None:
        self.name = name
        dimensions = declared[:-1] if isinstance(declared, list) else []
        kind = declared[-1] if isinstance(declared, list) else declared
        dtype = fixed_dtype(kind)
        zeros = [number for number, size in enumerate(dimensions) if size == 0]
        self._lead = len(dimensions) if dtype is None else zeros[-1] + 1
        self._row_shape = tuple(dimensions[self._lead :])
        self._kind = kind
        self._dtype = h5py.string_dtype() if kind in TEXT else dtype
        self._table = None if self._dtype is not None else UnitTable(name, kind)

    def create(self, flow: H5FlowDataManager, owner: str) -> None:
        if self._table is None:
            flow.create_dset(self.name, self._dtype, self._row_shape)
        else:
            self._table.create(flow)
        flow.create_ref(owner, self.name)
        if self._lead > 1:
            flow.create_dset(f"{self.name}/shape", "i8", self._lead)

    def append(
        self, flow: H5FlowDataManager, owner: str, owners: Array, values: Sequence[Any]
    ) -> None:
        """Append the values of some objects, and references from these to them."""
        arrays = [numpy.asarray(value) for value in values] if self._lead else []
        shapes = numpy.array([array.shape[: self._lead] for array in arrays], "i8")
        shapes = shapes.reshape(len(arrays), self._lead)
        counts = shapes.prod(axis=1) if self._lead else numpy.ones(len(values), "i8")
        items: Any = [item for array in arrays for item in array.ravel()] if arrays else values
        rows = self._append_items(flow, arrays, items, int(counts.sum()))
        pairs = [numpy.repeat(owners, counts), numpy.arange(rows.start, rows.stop)]
        flow.write_ref(owner, self.name, numpy.stack(pairs, axis=1))
        if self._lead > 1:
            flow.reserve_data(f"{self.name}/shape", slice(0, len(flow.get_dset(owner))))
            if len(owners):
                flow.write_data(f"{self.name}/shape", owners, shapes)

    def _append_items(
        self, flow: H5FlowDataManager, arrays: Sequence[Array], items: Any, count: int
    ) -> slice:
        if self._table is not None:
            return self._table.append(flow, items)
        rows: slice = flow.reserve_data(self.name, count)
        if self._kind in TEXT:
            data = numpy.array([str(item) for item in items], object)
        elif isinstance(self._kind, str):
            parts = [array.reshape(-1, *self._row_shape) for array in arrays]
            empty = numpy.zeros((0, *self._row_shape), self._dtype)
            data = numpy.concatenate([empty, *parts]).astype(self._dtype)
        else:
            data = _column(self._kind, items, self._dtype).reshape(count, *self._row_shape)
        flow.write_data(self.name, rows, data)
        return rows

    def read(self, flow: H5FlowDataManager, owner: str, rows: Any) -> list[Any]:
        """Return the values of some objects."""
        found = flow.follow((owner, self.name), rows, indices_only=True)
        counts = (~numpy.ma.getmaskarray(found)).sum(axis=1)
        items = self._items(flow, found.compressed().astype("i8"))
        ends = numpy.cumsum(counts)
        if not self._lead:
            # an object without data has no value either
            return [
                items[end - 1] if count else None for end, count in zip(ends, counts, strict=True)
            ]
        one = self._lead == 1
        shapes = counts[:, None] if one else flow.follow((f"{self.name}/shape",), rows)
        return [
            items[end - prod(shape) : end].reshape(*shape, *self._row_shape)
            for end, shape in zip(ends.tolist(), shapes.tolist(), strict=True)
        ]

    def _items(self, flow: H5FlowDataManager, rows: Array) -> Array:
        """Return elements, in an array with one of them, or of their rows, for each number."""
        if self._table is not None:
            stored: Sequence[Any] = self._table.read(flow, rows)
        else:
            stored = flow.follow((self.name,), rows)
            if isinstance(self._kind, str) and self._kind not in TEXT:
                return stored  # type: ignore[return-value]
        if self._kind in TEXT:
            values: list[Any] = [item.decode() for item in stored]
        elif self._table is None:
            values = [_value(self._kind, item) for item in numpy.asarray(stored).ravel()]
        else:
            values = list(stored)
        items = numpy.empty(len(values), object)
        items[:] = values
        return items.reshape(len(rows), *self._row_shape) if len(rows) else items


def intervals_of(flow: H5FlowDataManager, name: str, rows: Any) -> Array:
    """Return the first and the last data index of rows, shape (n, 2).

    Rows of a dataset that was not made of data units have their own numbers.
    """
    if flow.dset_exists(f"{name}/index"):
        stored = flow.follow((f"{name}/index",), rows)
        return numpy.stack([stored["start"], stored["end"]], axis=1)
    numbers = flow.follow((name,), rows, indices_only=True)
    return numpy.stack([numbers, numbers], axis=1)


def overlaps(ones: Array, others: Array) -> Array:
    """Return which of two ascending lists of intervals have an index in common, shape (N, 2).

    Parameters
    ----------
    ones, others : numpy.ndarray, shape (n, 2)
        First and last index of each.
    """
    first = numpy.searchsorted(others[:, 1], ones[:, 0])
    stop = numpy.searchsorted(others[:, 0], ones[:, 1], side="right")
    counts = numpy.maximum(stop - first, 0)
    rows = numpy.repeat(numpy.arange(len(ones)), counts)
    offsets = numpy.arange(len(rows)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
    return numpy.stack([rows, numpy.repeat(first, counts) + offsets], axis=1)
