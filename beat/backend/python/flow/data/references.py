"""The references between two datasets: pairs of row numbers, and for each row where to look."""

from __future__ import annotations

from typing import Any

import h5py
import numpy

from ..errors import BadReferences, shorten
from ..processes import Processes, describe
from .growth import grow, remake
from .layout import (
    clean,
    dset_of,
    ref_path,
    ref_region_dtype,
    region_path,
    wide_region_dtype,
)
from .regions import Array, PageCache, RegionTable
from .writing import write_rows

UINT32_MAX = (1 << 32) - 1

#: which column of the references to start from, and which to arrive at
Direction = tuple[int, int]
FORWARD: Direction = (0, 1)
BACKWARD: Direction = (1, 0)


class References:
    """The references from the rows of a parent to the rows of a child.

    Parameters
    ----------
    file : h5py.File
        The file they are in.
    parent, child : str
        The names of the datasets, as the file has them.
    processes : Processes
        Who writes together.
    cache : PageCache
        Keeps the parts of region tables that are in use.
    """

    def __init__(
        self, file: Any, parent: str, child: str, processes: Processes, cache: PageCache
    ) -> None:
        self.parent, self.child = parent, child
        self._processes = processes
        self._cache = cache
        self.ref = file[ref_path(parent, child)]
        parent_table = RegionTable(file[region_path(parent, child)], cache)
        if parent == child:
            self.tables = [parent_table]
        else:
            self.tables = [parent_table, RegionTable(file[region_path(child, parent)], cache)]

    def region(self, direction: Direction) -> RegionTable:
        """Return the table of the rows that a direction starts from."""
        return self.tables[direction[0] % len(self.tables)]

    def grow(self, parent_rows: int, child_rows: int) -> None:
        """Give the region tables as many rows as the datasets have; done by all together."""
        for table, rows in zip(self.tables, (parent_rows, child_rows), strict=False):
            table.grow(rows)

    def flush(self) -> None:
        """Bring the region tables in the file up to date, for this process."""
        for table in self.tables:
            table.flush()

    def flush_together(self) -> None:
        """Bring the region tables in the file up to date; done by all together."""
        for table in self.tables:
            table.flush_together()

    def append(self, refs: Array, problem: Exception | None, rows: tuple[int, int]) -> None:
        """Append references; all processes do this together, each with its own ones.

        Parameters
        ----------
        refs : numpy.ndarray of int64, shape (N, 2)
            Row numbers, the parent's first.
        problem : Exception or None
            What this process found wrong with its references.
        rows : (int, int)
            How many rows parent and child have.

        Raises
        ------
        Exception
            The problem, before anything is written; `OtherProcessFailed` where the others are.
        """
        shares = self._processes.gather((refs, describe(problem)))
        self._processes.agree(problem, [text for _, text in shares])
        everything = numpy.concatenate([share for share, _ in shares])
        if not len(everything):
            return
        before = int(self.ref.shape[0])
        self._widen(before + len(everything), int(everything.max()))
        self.grow(*rows)
        self.ref = grow(self.ref, before + len(everything), self._processes)
        try:
            first = before + sum(len(share) for share, _ in shares[: self._processes.rank])
            place = slice(first, first + len(refs))
            write_rows(
                self.ref, place, refs.astype(self.ref.dtype), self._processes.comm is not None
            )
        except BaseException:
            if self._processes.size == 1:  # several end together
                self.ref.resize(before, axis=0)
            raise
        positions = numpy.arange(before, before + len(everything))
        for column in (0, 1):
            self.region((column, 1 - column)).mention(everything[:, column], positions)

    def _widen(self, count: int, highest: int) -> None:
        """Change to wider numbers when there are too many references, or rows, for the others."""
        if highest > UINT32_MAX and self.ref.dtype.itemsize < 8:
            self.ref = remake(self.ref, numpy.dtype("u8"), self._processes)
        for table in self.tables:
            if not table.holds(count):
                table.flush_together()
                table.dset = remake(table.dset, wide_region_dtype, self._processes)


def create(
    file: Any, parent: str, child: str, targets: tuple[Any, Any], compression: str | None
) -> None:
    """Create empty references in a file.

    Parameters
    ----------
    targets : (h5py.Dataset, h5py.Dataset)
        The rows of parent and child, wherever they are.
    """
    ref = file.create_dataset(
        ref_path(parent, child),
        (0, 2),
        maxshape=(None, 2),
        dtype="u4",
        chunks=True,
        compression=compression,
    )
    tables = []
    for path in dict.fromkeys([region_path(parent, child), region_path(child, parent)]):
        table = file.create_dataset(
            path, (0,), maxshape=(None,), dtype=ref_region_dtype, chunks=True
        )
        table.attrs["ref"] = ref.name
        tables.append(table)
    for number, target in enumerate(targets):
        ref.attrs[f"dset{number}"] = target.name
        ref.attrs[f"ref_region{number}"] = tables[number % len(tables)].name


def sides(ref: Any) -> tuple[str, str]:
    """Return the names of parent and child of references in a file."""
    parent, child = (ref.attrs.get(f"dset{number}") for number in (0, 1))
    if isinstance(parent, str) and isinstance(child, str):
        return dset_of(parent), dset_of(child)
    raise BadReferences(f"`{ref.name}' does not say between which datasets it is")


def of_dset(file: Any, name: str) -> list[Any]:
    """Return all references of a dataset, h5py datasets, in the order of the other's name."""
    found: dict[str, Any] = {}
    group = file.get(f"/{clean(name)}/ref")

    def note(path: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if path.endswith("/ref"):
            found[item.name] = item
        elif path.endswith("/ref_region"):
            ref = file.get(item.attrs["ref"])
            if ref is not None:
                found[ref.name] = ref

    if group is not None:
        group.visititems(note)
    return list(found.values())


def checked(refs: Any, names: tuple[str, str], rows: tuple[int, int]) -> Array:
    """Return references as an array of int64, shape (N, 2), after looking at each.

    Raises
    ------
    BadReferences
        If they are no whole numbers, of another shape, or to rows that are not there.
    """
    array = numpy.asarray(refs)
    if array.size == 0:
        return numpy.empty((0, 2), "i8")
    what = f"references {names[0]} -> {names[1]}"
    if array.dtype.kind not in "iu":
        raise BadReferences(f"{what}: expected whole numbers, got {array.dtype}")
    if array.ndim != 2 or array.shape[1] != 2:
        raise BadReferences(f"{what}: expected shape (N, 2), got {array.shape}")
    for column, (name, length) in enumerate(zip(names, rows, strict=True)):
        low, high = int(array[:, column].min()), int(array[:, column].max())
        if low < 0 or high >= length:
            at = int(numpy.argmax((array[:, column] < 0) | (array[:, column] >= length)))
            raise BadReferences(
                f"{what}: row {shorten(array[at, column])} in line {at} is not in `{name}', "
                f"which has {length} rows"
            )
    return array.astype("i8", copy=False)
