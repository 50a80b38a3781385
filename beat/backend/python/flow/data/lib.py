"""Following references: from rows of one dataset to the rows of others that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .layout import ref_region_dtype as ref_region_dtype
from .links import in_order, locate, read_links
from .printing import print_attr as print_attr
from .printing import print_data as print_data
from .printing import print_ref as print_ref
from .rows import Array, as_rows, read_rows

Padded = tuple[Array, Array]


def dereference(
    sel: Any,
    ref: Any,
    data: Any = None,
    region: Any = None,
    mask: Any = None,
    ref_direction: tuple[int, int] = (0, 1),
    indices_only: bool = False,
    as_masked: bool = True,
) -> Any:
    """Return what rows refer to.

    Parameters
    ----------
    sel : slice, int or array-like of int
        The rows to start from, in any order, any number of times each.
    ref : h5py.Dataset or array-like, shape (L, 2)
        The references: pairs of row numbers.
    data : h5py.Dataset or numpy.ndarray, optional
        The rows referred to. Without it, their numbers are returned.
    region : h5py.Dataset or array, optional
        For each row that can be started from, where in ``ref`` it may be mentioned: fields
        ``start`` and ``stop``. Rows beyond its end have no references. Without it, all
        references are read.
    mask : array-like of bool, optional
        For each selected row, True to leave it out.
    ref_direction : (int, int)
        Which column of ``ref`` to start from, and which to arrive at.
    indices_only : bool
        Whether to return row numbers although there is ``data``.
    as_masked : bool
        Whether to return one masked array, rather than a list of arrays.

    Returns
    -------
    numpy.ma.MaskedArray, shape (n, k) and that of a row of ``data``
        For each of the n selected rows the rows it refers to, by their numbers. k is the largest
        number of them, and at least 1; what there is less is masked.
    list of numpy.ndarray
        If not ``as_masked``: n arrays, in the order in which the references were written.

    Raises
    ------
    BadSelection
        If the rows cannot be told from the selection.
    """
    if not hasattr(ref, "dtype"):
        ref = numpy.asarray(ref, "i8").reshape(-1, 2)
    length = None if region is None or not isinstance(sel, slice) else len(region)
    rows = as_rows(sel, length if _is_open(sel) else None)
    kept = None if mask is None else ~_flat_mask(mask, len(rows))
    unique, back = _unique(rows if kept is None else _to_array(rows)[kept])
    positions, targets = locate(unique, read_links(unique, ref, region), ref_direction)
    source = None if indices_only else data
    if not as_masked:
        return _listed(positions, targets, source, len(unique), back, kept)
    padded, padding = _padded(positions, targets, source, len(unique))
    if back is not None:
        padded, padding = padded[back], padding[back]
    if kept is not None:
        padded, padding = _spread(padded, padding, kept)
    return _masked(padded, padding)


def dereference_chain(
    sel: Any,
    refs: Sequence[Any],
    data: Any = None,
    regions: Sequence[Any] | None = None,
    mask: Any = None,
    ref_directions: Sequence[tuple[int, int]] | None = None,
    indices_only: bool = False,
) -> Any:
    """Return what rows refer to over several sets of references.

    Parameters
    ----------
    sel, data, mask, indices_only
        As for `dereference`; a selection of several dimensions is flattened.
    refs, regions, ref_directions : sequence
        For each step, the arguments of `dereference`. Without directions, (0, 1) for each.

    Returns
    -------
    numpy.ma.MaskedArray, shape (n, k1, ..., km) and that of a row of ``data``
        For each of the n selected rows what its references lead to, one axis for each step.
    """
    rows = sel
    shape: tuple[int, ...] = ()
    found: Any = None
    for step, ref in enumerate(refs):
        last = step == len(refs) - 1
        found = dereference(
            rows,
            ref,
            data=data if last else None,
            region=None if regions is None else regions[step],
            mask=mask,
            ref_direction=(0, 1) if ref_directions is None else ref_directions[step],
            indices_only=indices_only or not last,
        )
        shape = (*(shape or (len(found),)), found.shape[1])
        rows, mask = found.data.reshape(-1), numpy.ma.getmaskarray(found).reshape(-1)
    return found.reshape(shape + found.shape[2:])


def _is_open(sel: Any) -> bool:
    """Tell whether only the number of rows says which rows a slice means."""
    return isinstance(sel, slice) and (sel.stop is None or min(sel.start or 0, sel.stop) < 0)


def _flat_mask(mask: Any, length: int) -> Array:
    """Return a mask with one bool for each row; structured ones mask a row by any field."""
    array = numpy.asarray(mask)
    if array.dtype.names is not None:
        fields = numpy.ascontiguousarray(array).view(numpy.bool_)
        array = numpy.any(
            fields.reshape(*array.shape, array.dtype.itemsize), axis=-1, keepdims=True
        )
    array = array.reshape(-1).astype(bool, copy=False)
    if len(array) != length:
        raise ValueError(f"the mask must have an item for each of {length} rows, got {len(array)}")
    return array


def _to_array(rows: range | Array) -> Array:
    return numpy.arange(rows.start, rows.stop) if isinstance(rows, range) else rows


def _unique(rows: range | Array) -> tuple[range | Array, Array | None]:
    """Return the rows in ascending order, once each, and where in them those asked for are."""
    if isinstance(rows, range) or len(rows) < 2 or bool((rows[1:] > rows[:-1]).all()):
        return rows, None
    unique, back = numpy.unique(rows, return_inverse=True)
    return unique, back.reshape(-1)


def _values(targets: Array, source: Any) -> Array:
    if source is None:
        return targets
    rows = targets.astype("i8")
    return (
        source.take(rows, axis=0) if isinstance(source, numpy.ndarray) else read_rows(source, rows)
    )


def _padded(positions: Array, targets: Array, source: Any, length: int) -> Padded:
    """Return what is referred to in rows of equal length, and what is not really there."""
    positions, targets = in_order(positions, targets)
    values = _values(targets, source)
    counts = numpy.bincount(positions, minlength=length)
    most = max(1, int(counts.max())) if length else 1
    shape = (length, most)
    if len(values) == length * most:
        return values.reshape(shape + values.shape[1:]), numpy.zeros(shape, bool)
    firsts = numpy.cumsum(counts) - counts
    places = positions * most + numpy.arange(len(positions)) - firsts[positions]
    padded = numpy.zeros((length * most, *values.shape[1:]), values.dtype)
    padded[places] = values
    padding = numpy.arange(most) >= counts[:, None]
    return padded.reshape(shape + values.shape[1:]), padding


def _listed(
    positions: Array,
    targets: Array,
    source: Any,
    length: int,
    back: Array | None,
    kept: Array | None,
) -> list[Array]:
    """Return what each row refers to, in the order in which it was written."""
    order = numpy.argsort(positions, kind="stable")
    values = _values(targets[order], source)
    ends = numpy.cumsum(numpy.bincount(positions, minlength=length))
    listed = numpy.split(values, ends[:-1]) if length else []
    if back is not None:
        listed = [listed[place] for place in back.tolist()]
    if kept is None:
        return listed
    remaining = iter(listed)
    return [next(remaining) if keep else values[:0] for keep in kept.tolist()]


def _spread(padded: Array, padding: Array, kept: Array) -> Padded:
    """Put rows back among those that were left out, which become all padding."""
    shape = (len(kept), padding.shape[1])
    spread = numpy.zeros(shape + padded.shape[2:], padded.dtype)
    spread[kept] = padded
    around = numpy.ones(shape, bool)
    around[kept] = padding
    return spread, around


def _masked(padded: Array, padding: Array) -> Any:
    """Return a masked array; where a row is masked, so are all of its items and fields."""
    mask: Any = numpy.empty(padded.shape, numpy.ma.make_mask_descr(padded.dtype))
    flags = mask.view(numpy.bool_).reshape(*padding.shape, -1) if mask.size else None
    if flags is not None:
        flags[...] = padding[..., None]
    return numpy.ma.MaskedArray(padded, mask=mask, copy=False)
