"""The references of some rows, found in a file without reading more of it than needed."""

from __future__ import annotations

from typing import Any

import numpy

from .rows import GAP_BYTES, Array, read_rows

# A table from row numbers to positions is worth it up to this many times what is looked up.
TABLE_FACTOR = 4
TABLE_LEAST = 1 << 16


def read_links(rows: range | Array, ref: Any, region: Any) -> Array:
    """Return the references among which those of some rows are, shape (m, 2), as written.

    Parameters
    ----------
    rows : range or numpy.ndarray
        Row numbers, ascending.
    ref, region
        See `dereference`.
    """
    if not len(rows):
        return ref[0:0]  # type: ignore[no-any-return]
    if region is None or (isinstance(rows, range) and rows.start == 0 and len(rows) >= len(region)):
        return ref[:]  # type: ignore[no-any-return]
    regions = _regions(rows, region)
    regions = regions[regions["start"] < regions["stop"]]
    if not len(regions):
        return ref[0:0]  # type: ignore[no-any-return]
    start, stop = regions["start"], regions["stop"]
    first, last = int(start.min()), int(stop.max())
    asked = int(stop.sum(dtype="i8") - start.sum(dtype="i8"))
    row_bytes = 2 * ref.dtype.itemsize
    if (last - first - asked) * row_bytes <= GAP_BYTES or last - first <= 4 * asked:
        return ref[first:last]  # type: ignore[no-any-return]
    parts = [ref[low:high] for low, high in _runs(start, stop, GAP_BYTES // row_bytes)]
    return numpy.concatenate(parts)


def _regions(rows: range | Array, region: Any) -> Array:
    if isinstance(rows, range):
        return region[rows.start : min(rows.stop, len(region))]  # type: ignore[no-any-return]
    return read_rows(region, rows[: int(numpy.searchsorted(rows, len(region)))])


def _runs(start: Array, stop: Array, largest_gap: int) -> list[tuple[int, int]]:
    """Merge intervals that overlap or are not far from each other."""
    order = numpy.argsort(start)
    start, reached = start[order].astype("i8"), numpy.maximum.accumulate(stop[order])
    cuts = numpy.flatnonzero(start[1:] - reached[:-1] > largest_gap) + 1
    firsts = start[numpy.append(0, cuts)]
    lasts = reached[numpy.append(cuts - 1, len(reached) - 1)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def locate(rows: range | Array, links: Array, direction: tuple[int, int]) -> tuple[Array, Array]:
    """Return, of the references of the rows, the place in ``rows`` and the row referred to."""
    start, target = direction
    starts, targets = links[:, start], links[:, target].copy()
    if not len(rows) or not len(links):
        return numpy.empty(0, "i8"), targets[:0]
    if isinstance(rows, range):
        if rows.start <= int(starts.min()) and int(starts.max()) < rows.stop:
            return starts.astype("i8") - rows.start, targets
        places = starts.astype("i8") - rows.start
        mine = (places >= 0) & (places < len(rows))
    else:
        places, mine = _look_up(rows, starts.astype("i8"))
    return places[mine], targets[mine]


def _look_up(rows: Array, starts: Array) -> tuple[Array, Array]:
    """Return where in ascending rows others stand, and which of them do."""
    first, last = int(rows[0]), int(rows[-1])
    span = last - first + 1
    if span > TABLE_FACTOR * (len(rows) + len(starts)) + TABLE_LEAST:
        places = numpy.minimum(numpy.searchsorted(rows, starts), len(rows) - 1)
        return places, rows[places] == starts
    table = numpy.full(span, -1, "i8")
    table[rows - first] = numpy.arange(len(rows))
    inside = (starts >= first) & (starts <= last)
    places = numpy.where(inside, table[numpy.where(inside, starts - first, 0)], -1)
    return places, places >= 0


def in_order(positions: Array, targets: Array) -> tuple[Array, Array]:
    """Return references by their place, and for one place by the row referred to."""
    if len(positions) < 2:
        return positions, targets
    if targets.dtype.itemsize > 4:
        order = numpy.lexsort((targets, positions))
        return positions[order], targets[order]
    # Both numbers of a pair in one: sorting numbers is many times faster than sorting pairs.
    keys = positions.astype("u8") << numpy.uint64(32) | targets.astype("u8")
    if bool((keys[1:] >= keys[:-1]).all()):
        return positions, targets
    keys.sort()
    return (keys >> numpy.uint64(32)).astype("i8"), keys.astype(targets.dtype)
