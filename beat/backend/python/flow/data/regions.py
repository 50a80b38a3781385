"""Region tables in the making: for each row, where in the references it is mentioned.

References to random rows touch a table all over, so that updating it in the file costs more than
the references themselves. The parts in use are kept in memory, in pages of bounded number, and
written when they are needed in the file.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy

PAGE_ROWS = 1 << 18
MOST_PAGES = 64  # of all tables of a file together: 256 MiB at most

Array = numpy.ndarray[Any, Any]


@dataclass(slots=True)
class Page:
    """A part of a table, and which of its rows the file does not have yet."""

    start: Array
    stop: Array
    first_changed: int = PAGE_ROWS
    last_changed: int = -1


class PageCache:
    """The pages in memory, of all tables of a file, those used last at the end."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[RegionTable, int], Page] = OrderedDict()

    def get(self, table: RegionTable, number: int) -> Page | None:
        """Return a page if it is in memory."""
        page = self._pages.get((table, number))
        if page is not None:
            self._pages.move_to_end((table, number))
        return page

    def add(self, table: RegionTable, number: int, page: Page) -> None:
        """Keep a page, at the expense of the one that was not used for longest."""
        while len(self._pages) >= MOST_PAGES:
            (owner, oldest), old = self._pages.popitem(last=False)
            owner.write_page(oldest, old)
        self._pages[table, number] = page

    def of(self, table: RegionTable) -> list[tuple[int, Page]]:
        """Return the pages of a table."""
        return [(number, page) for (owner, number), page in self._pages.items() if owner is table]

    def forget(self, table: RegionTable) -> None:
        """Drop the pages of a table, whatever is in them."""
        for number, _ in self.of(table):
            del self._pages[table, number]


class RegionTable:
    """The regions of the rows of one dataset in one set of references.

    Parameters
    ----------
    dset : h5py.Dataset
        The table in the file. It may have fewer rows than the dataset: the rows beyond its end
        have no references.
    cache : PageCache
        Where pages are kept.
    """

    def __init__(self, dset: Any, cache: PageCache) -> None:
        self.dset = dset
        self._cache = cache

    @property
    def dtype(self) -> Any:
        """The kind of the rows: fields ``start`` and ``stop``."""
        return self.dset.dtype

    @property
    def shape(self) -> tuple[int]:
        """The number of rows in the file."""
        return self.dset.shape  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return int(self.dset.shape[0])

    def __getitem__(self, rows: slice) -> Array:
        """Return the regions of rows ``start:stop``, those changed in memory included."""
        base = rows.start // PAGE_ROWS * PAGE_ROWS
        page = self._cache.get(self, rows.start // PAGE_ROWS)
        if page is not None and rows.stop <= base + PAGE_ROWS:
            part = slice(rows.start - base, min(rows.stop, len(self)) - base)
            regions = numpy.empty(max(part.stop - part.start, 0), self.dset.dtype)
            regions["start"] = page.start[part]
            regions["stop"] = page.stop[part]
            return regions
        self.flush()
        return self.dset[rows]  # type: ignore[no-any-return]

    def grow(self, rows: int) -> None:
        """Give the table as many rows as its dataset has; all processes do this together."""
        if len(self) < rows:
            self.dset.resize(rows, axis=0)

    def mention(self, rows: Array, positions: Array) -> None:
        """Widen the regions of rows to where they are mentioned now.

        Parameters
        ----------
        rows : numpy.ndarray of int64
            Row numbers, in any order, any number of times.
        positions : numpy.ndarray of int64
            Where in the references each stands: ascending.
        """
        if not len(rows):
            return
        first, last = int(rows.min()) // PAGE_ROWS, int(rows.max()) // PAGE_ROWS
        if first == last:
            self._mention_in_page(first, rows - first * PAGE_ROWS, positions)
            return
        numbers = rows // PAGE_ROWS
        for number in numpy.unique(numbers).tolist():
            here = numbers == number
            self._mention_in_page(number, rows[here] - number * PAGE_ROWS, positions[here])

    def _mention_in_page(self, number: int, rows: Array, positions: Array) -> None:
        page = self._page(number)
        start, stop = page.start[rows], page.stop[rows]
        # Of several values assigned to one row the last one stays: backwards, the lowest start.
        lowest = numpy.where(start == stop, positions, numpy.minimum(start, positions))
        page.start[rows[::-1]] = lowest[::-1]
        page.stop[rows] = numpy.maximum(stop, positions + 1)
        page.first_changed = min(page.first_changed, int(rows.min()))
        page.last_changed = max(page.last_changed, int(rows.max()))

    def _page(self, number: int) -> Page:
        page = self._cache.get(self, number)
        if page is None:
            base = number * PAGE_ROWS
            page = Page(numpy.zeros(PAGE_ROWS, "i8"), numpy.zeros(PAGE_ROWS, "i8"))
            regions = self.dset[base : min(base + PAGE_ROWS, len(self))]
            page.start[: len(regions)] = regions["start"]
            page.stop[: len(regions)] = regions["stop"]
            self._cache.add(self, number, page)
        return page

    def write_page(self, number: int, page: Page) -> None:
        """Bring the changed rows of a page into the file."""
        if page.last_changed < 0:
            return
        rows = slice(page.first_changed, page.last_changed + 1)
        regions = numpy.empty(rows.stop - rows.start, self.dset.dtype)
        regions["start"] = page.start[rows]
        regions["stop"] = page.stop[rows]
        base = number * PAGE_ROWS
        self.dset[base + rows.start : base + rows.stop] = regions
        page.first_changed, page.last_changed = PAGE_ROWS, -1

    def flush(self, rank: int = 0, size: int = 1) -> None:
        """Bring all changes into the file.

        Every process has the same changes: when all of them flush, each writes its share.
        """
        for number, page in self._cache.of(self):
            if number % size == rank:
                self.write_page(number, page)
            else:
                page.first_changed, page.last_changed = PAGE_ROWS, -1

    def holds(self, count: int) -> bool:
        """Tell whether positions up to a number of references fit into the table's numbers."""
        return count <= numpy.iinfo(self.dset.dtype["stop"]).max
