"""Region tables in the making: for each row, where in the references it is mentioned.

References to random rows touch a table all over, so that updating it in the file costs more than
the references themselves. The parts in use are kept in memory, in pages of bounded number, and
written when they are needed in the file.

Several processes have the same pages: all see all references that are written, in the same order.
What changes pages, or drops them, is done by all together, and only one process writes a page
then: two that did it at different times could bring back what was there before.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy

from ..processes import Processes
from .growth import grow

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
    """The pages in memory, of all tables of a file, those changed last at the end.

    Parameters
    ----------
    processes : Processes
        Who changes the tables together.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self._pages: OrderedDict[tuple[RegionTable, int], Page] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pages)

    def get(self, table: RegionTable, number: int) -> Page | None:
        """Return a page if it is in memory."""
        return self._pages.get((table, number))

    def use(self, table: RegionTable, number: int) -> Page:
        """Return a page to be changed, maybe at the expense of the one changed least recently."""
        page = self._pages.pop((table, number), None)
        if page is None:
            while len(self._pages) >= MOST_PAGES:
                (owner, oldest), old = self._pages.popitem(last=False)
                owner.write_share(oldest, old)
                self.processes.barrier()
            page = table.read_page(number)
        self._pages[table, number] = page
        return page

    def of(self, table: RegionTable) -> list[tuple[int, Page]]:
        """Return the pages of a table."""
        return [(number, page) for (owner, number), page in self._pages.items() if owner is table]


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
            self.dset = grow(self.dset, rows, self._cache.processes)

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
        few = last - first <= MOST_PAGES
        for number in range(first, last + 1) if few else numpy.unique(numbers).tolist():
            here = numpy.flatnonzero(numbers == number)
            if len(here):
                self._mention_in_page(number, rows[here] - number * PAGE_ROWS, positions[here])

    def _mention_in_page(self, number: int, rows: Array, positions: Array) -> None:
        page = self._cache.use(self, number)
        start, stop = page.start[rows], page.stop[rows]
        # Of several values assigned to one row the last one stays: backwards, the lowest start.
        lowest = numpy.where(start == stop, positions, numpy.minimum(start, positions))
        page.start[rows[::-1]] = lowest[::-1]
        page.stop[rows] = numpy.maximum(stop, positions + 1)
        page.first_changed = min(page.first_changed, int(rows.min()))
        page.last_changed = max(page.last_changed, int(rows.max()))

    def read_page(self, number: int) -> Page:
        """Return a page as it is in the file."""
        base = number * PAGE_ROWS
        page = Page(numpy.zeros(PAGE_ROWS, "i8"), numpy.zeros(PAGE_ROWS, "i8"))
        regions = self.dset[base : min(base + PAGE_ROWS, len(self))]
        page.start[: len(regions)] = regions["start"]
        page.stop[: len(regions)] = regions["stop"]
        return page

    def _write_page(self, number: int, page: Page) -> None:
        if page.last_changed < 0:
            return
        rows = slice(page.first_changed, page.last_changed + 1)
        regions = numpy.empty(rows.stop - rows.start, self.dset.dtype)
        regions["start"] = page.start[rows]
        regions["stop"] = page.stop[rows]
        base = number * PAGE_ROWS
        self.dset[base + rows.start : base + rows.stop] = regions
        page.first_changed, page.last_changed = PAGE_ROWS, -1

    def write_share(self, number: int, page: Page) -> None:
        """Bring the changes of a page into the file, if this process is the one to do so."""
        processes = self._cache.processes
        if number % processes.size == processes.rank:
            self._write_page(number, page)
        page.first_changed, page.last_changed = PAGE_ROWS, -1

    def flush(self) -> None:
        """Bring all changes into the file, for this process."""
        for number, page in self._cache.of(self):
            self._write_page(number, page)

    def flush_together(self) -> None:
        """Bring all changes into the file; all processes do this, and wait for each other then."""
        for number, page in self._cache.of(self):
            self.write_share(number, page)

    def holds(self, count: int) -> bool:
        """Tell whether positions up to a number of references fit into the table's numbers."""
        return count <= numpy.iinfo(self.dset.dtype["stop"]).max
