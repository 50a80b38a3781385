"""Rows of a dataset: which ones are meant, and how to read them without reading everything."""

from __future__ import annotations

from typing import Any

import numpy

from ..errors import BadSelection, shorten

Array = numpy.ndarray[Any, Any]

# Reading this much that nobody asked for costs about as much as another call.
GAP_BYTES = 1 << 16


def as_rows(sel: Any, length: int | None, name: str = "the dataset") -> range | Array:
    """Return the row numbers that a selection means.

    Parameters
    ----------
    sel : slice, int, range, or array-like of int or bool
        As for an array of one dimension; negative numbers count from the end. A range is taken
        as it is.
    length : int or None
        How many rows there are. None if that is not known: then a slice needs a stop, and
        nothing counts from the end.
    name : str
        Whose rows they are, for errors.

    Returns
    -------
    range or numpy.ndarray of int64
        A range, with a step of 1, if the selection is a plain slice.

    Raises
    ------
    BadSelection
        If a row is not there.
    TypeError
        If the selection is of another kind.
    """
    if isinstance(sel, range):
        return sel
    if isinstance(sel, slice):
        return _as_range(sel, length, name)
    rows = numpy.atleast_1d(numpy.asarray(sel))
    if rows.dtype.kind == "b":
        if length is not None and rows.shape != (length,):
            raise BadSelection(
                f"a mask of shape {rows.shape} cannot select rows of `{name}', which has {length}"
            )
        return numpy.flatnonzero(rows)
    if rows.size and rows.dtype.kind not in "iu":
        raise TypeError(
            f"rows of `{name}' are selected by a slice, or by whole numbers, not by "
            f"{shorten(repr(sel))}"
        )
    return _checked(rows.ravel().astype("i8"), length, name)


def _as_range(sel: slice, length: int | None, name: str) -> range | Array:
    if length is None:
        if sel.stop is None or min(sel.start or 0, sel.stop) < 0:
            raise BadSelection(f"{sel} needs the number of rows of `{name}', which is not known")
        length = max(sel.start or 0, sel.stop)
    start, stop, step = sel.indices(length)
    if step == 1:
        return range(start, max(start, stop))
    return numpy.arange(start, stop, step)


def _checked(rows: Array, length: int | None, name: str) -> Array:
    if not rows.size:
        return rows
    lowest, highest = int(rows.min()), int(rows.max())
    if length is None:
        if lowest < 0:
            raise BadSelection(f"row {lowest} needs the number of rows of `{name}'")
        return rows
    if lowest < -length or highest >= length:
        wrong = lowest if lowest < -length else highest
        raise BadSelection(f"row {wrong} is not in `{name}', which has {length} rows")
    return numpy.where(rows < 0, rows + length, rows) if lowest < 0 else rows


def read_rows(data: Any, rows: range | Array) -> Array:
    """Return rows of an array or a dataset in a file, in any order, any number of times each."""
    if isinstance(rows, range):
        return data[rows.start : rows.stop]  # type: ignore[no-any-return]
    if not len(rows):
        return data[0:0]  # type: ignore[no-any-return]
    first, last = int(rows.min()), int(rows.max())
    span = last - first + 1
    row_bytes = max(1, data.dtype.itemsize * int(numpy.prod(data.shape[1:], dtype="i8")))
    if (span - len(rows)) * row_bytes <= GAP_BYTES or span <= 4 * len(rows):
        return _pick(data[first : last + 1], rows - first)
    wanted, places = numpy.unique(rows, return_inverse=True)
    largest_gap = max(1, GAP_BYTES // row_bytes)
    cuts = numpy.flatnonzero(numpy.diff(wanted) > largest_gap) + 1
    parts = [
        _pick(data[int(run[0]) : int(run[-1]) + 1], run - run[0])
        for run in numpy.split(wanted, cuts)
    ]
    return numpy.concatenate(parts)[places.ravel()]


def _pick(block: Array, rows: Array) -> Array:
    """Return rows of a block; the block itself if it is those rows."""
    if len(rows) == len(block) and rows[0] == 0 and bool((numpy.diff(rows) == 1).all()):
        return block
    return block.take(rows, axis=0)
