"""The one way into a flow file, for one process or many: datasets, references, attributes."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from types import TracebackType
from typing import Any

import h5py
import numpy

from ..errors import (
    BadReferences,
    BadReservation,
    FlowError,
    MissingData,
    ReversedReferences,
    shorten,
    suggest,
)
from ..processes import H5FLOW_MPI, describe, world
from .files import FlowFiles
from .growth import grow
from .layout import clean, data_path, dset_names, is_below, ref_path, region_path, walk
from .lib import dereference, dereference_chain
from .references import (
    BACKWARD,
    FORWARD,
    Direction,
    References,
    checked,
    create,
    of_dset,
    sides,
)
from .regions import PageCache
from .rows import Array, as_rows, read_rows
from .writing import write_rows

#: before the name of a dataset in a path: follow references from child to parent
BACKWARDS = "~"


class H5FlowDataManager:
    """Access to a flow file.

    ``manager["A", rows]`` gives rows of a dataset; ``manager["A", "B", "C", rows]`` what rows of
    A refer to in B, and these in C (see `dereference_chain`); without rows, all of them.
    References from rows of a dataset to rows of the same one are followed backwards, from child
    to parent, by ``manager["A", "~A", rows]``. ``manager["path"]`` is the HDF5 object itself.

    With several processes, all of them must take part, in the same order, in what changes the
    form of the file: ``create_dset``, ``create_ref``, ``set_attrs``, ``reserve_data``,
    ``write_ref``, ``delete``, ``sync``, ``close_file``, ``finish``; with compression, in
    ``write_data`` too.

    Parameters
    ----------
    filepath : str
        The file. It is opened when it is needed first, and again after `close_file`.
    mode : str
        As for `h5py.File`: "a" to read and write, "r" to read.
    mpi : bool
        Whether the processes of MPI use the file together.
    drop_list : list of str, optional
        Datasets and groups that are not kept: new ones are written into a temporary file, those
        in the file are deleted by `finish`.
    compression : str, optional
        What new datasets and references are compressed with: "gzip" or "lzf".
    becomes : str, optional
        What the file is to become, which errors name. Until then nobody else knows of it, and
        nobody wants it after a failure.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm or None
        The processes; None without MPI.
    rank, size : int
        The number of this process and how many there are; 0 and 1 without MPI.
    """

    def __init__(
        self,
        filepath: str,
        mode: str = "a",
        mpi: bool = H5FLOW_MPI,
        drop_list: list[str] | None = None,
        compression: str | None = None,
        *,
        becomes: str | None = None,
    ) -> None:
        self.filepath = filepath
        self.mode = mode
        self.drop_list = list(drop_list or [])
        self.compression = compression
        self.processes = world(mpi)
        self.comm = self.processes.comm
        self.rank = self.processes.rank
        self.size = self.processes.size
        self.mpi = self.comm is not None
        self._shown = becomes or filepath
        self._private = becomes is not None
        self._files = FlowFiles(filepath, mode, self.drop_list, self.processes, becomes)
        self._forget()

    def _forget(self) -> None:
        """Drop everything that was remembered of the open file."""
        self._dsets: dict[str, Any] = {}
        self._references: dict[tuple[str, str], References] = {}
        self._pages = PageCache(self.processes)
        self._grown: dict[str, None] = {}

    def __repr__(self) -> str:
        return (
            f"H5FlowDataManager(filepath={self.filepath!r}, mode={self.mode!r}, "
            f"mpi={self.mpi}, drop_list={self.drop_list})"
        )

    # -- the file ------------------------------------------------------------------------------

    @property
    def fh(self) -> Any:
        """The HDF5 file, with everything written so far in it."""
        self._flush_regions()
        return self._files.main

    def close_file(self) -> None:
        """Close the file, complete; it is opened again when it is needed.

        Raises
        ------
        OSError
            If HDF5 cannot write everything.
        """
        if not self._files.is_open:
            return
        try:
            self._settle()
            if self._files.writable:
                self._files.flush()  # closing a dataset does not tell when it fails
        except BaseException:
            if self.size == 1:
                self._let_go()
            raise
        self._forget()
        self._files.close()

    def _let_go(self) -> None:
        """Close the file without what could not be written into it."""
        self._files.let_go()
        self._forget()

    def sync(self) -> None:
        """Make what every process has written visible to all."""
        self._settle()
        self._files.flush()
        self.processes.barrier()

    def finish(self) -> None:
        """Delete what is dropped and close the file."""
        if self._files.writable:
            for entry in self.drop_list:
                if self._files.main.get(f"/{clean(entry)}") is not None:
                    self.delete(entry)
        self.close_file()
        self.processes.barrier()
        self._files.discard_temporary()

    def abandon(self) -> None:
        """Close the file after a failure, whatever is in it."""
        if self.size == 1:  # of several, the others would have to close it too
            if not self._private:
                with suppress(OSError, RuntimeError, FlowError):
                    self.close_file()
            self._let_go()
        self._files.discard_temporary()

    def __enter__(self) -> H5FlowDataManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self.size > 1:
            self.abandon()
            return
        try:
            self.finish()
        except BaseException:
            self.abandon()
            raise

    def _flush_regions(self) -> None:
        for references in self._references.values():
            references.flush()

    def _settle(self) -> None:
        """Give the region tables their full length, and the file everything kept in memory."""
        if not self._files.writable:
            return
        for name in sorted(self._grown):
            for ref in self._refs_of(name):
                with suppress(MissingData):
                    references = self._stored(*sides(ref))
                    references.grow(*self._lengths(references))
        self._grown.clear()
        for references in self._references.values():
            references.flush_together()

    # -- what is there -------------------------------------------------------------------------

    def exists(self, name: str) -> bool:
        """Tell whether there is a group or dataset of HDF5 at a path."""
        return self._files.get(f"/{clean(name)}") is not None

    def dset_exists(self, dataset_name: str) -> bool:
        """Tell whether there is a dataset of that name."""
        return self._dset(clean(dataset_name)) is not None

    def ref_exists(self, parent_dataset_name: str, child_dataset_name: str) -> bool:
        """Tell whether there are references between two datasets, in either direction."""
        return self._find(clean(parent_dataset_name), clean(child_dataset_name)) is not None

    def ref_region_exists(self, parent_dataset_name: str, child_dataset_name: str) -> bool:
        """Tell whether there is a region table for the rows of the parent."""
        path = region_path(clean(parent_dataset_name), clean(child_dataset_name))
        return self._files.get(path, h5py.Dataset) is not None

    def attr_exists(self, name: str, key: str) -> bool:
        """Tell whether a group has an attribute."""
        group = self._files.get(f"/{clean(name)}")
        return group is not None and key in group.attrs

    def get_dset(self, dataset_name: str) -> Any:
        """Return the rows of a dataset, an `h5py.Dataset`.

        Raises
        ------
        MissingData
            If there is no such dataset.
        """
        name = clean(dataset_name)
        dset = self._dset(name)
        if dset is None:
            known = [known for file in self._files for known in dset_names(file)]
            raise MissingData(f"no dataset `{name}' in `{self._shown}'{suggest(name, known)}")
        return dset

    def _dset(self, name: str) -> Any:
        dset = self._dsets.get(name)
        if dset is None:
            dset = self._files.get(data_path(name), h5py.Dataset)
            if dset is not None:
                self._dsets[name] = dset
        return dset

    def get_attrs(self, name: str) -> dict[str, Any]:
        """Return the attributes of a group; `MissingData` if there is none.

        Raises
        ------
        MissingData
            If there is no such group.
        """
        group = self._files.get(f"/{clean(name)}")
        if group is None:
            raise MissingData(f"no group `{name}' in `{self._shown}'")
        return {
            key: None if isinstance(value, h5py.Empty) else value
            for key, value in group.attrs.items()
        }

    def get_ref(self, parent_dataset_name: str, child_dataset_name: str) -> tuple[Any, Direction]:
        """Return the references between two datasets, an `h5py.Dataset`, and their direction.

        Returns
        -------
        (h5py.Dataset, (int, int))
            Which column has the rows of the parent, and which those of the child.

        Raises
        ------
        MissingData
            If there are none.
        """
        references, direction = self._between(parent_dataset_name, child_dataset_name)
        return references.ref, direction

    def get_ref_region(self, parent_dataset_name: str, child_dataset_name: str) -> Any:
        """Return the region table for the rows of the parent, an `h5py.Dataset`.

        With several processes it goes as far as the last `sync`.

        Raises
        ------
        MissingData
            If there are no references between the two.
        """
        references, direction = self._between(parent_dataset_name, child_dataset_name)
        if self.size == 1 and self._files.writable:
            references.grow(*self._lengths(references))
        references.flush()
        return references.region(direction).dset

    def get_refs(self, dataset_name: str) -> list[Any]:
        """Return all references from and to a dataset, `h5py.Dataset` objects."""
        return self._refs_of(clean(dataset_name))

    def _refs_of(self, name: str) -> list[Any]:
        return [ref for file in self._files for ref in of_dset(file, name)]

    def _between(self, parent: str, child: str) -> tuple[References, Direction]:
        parent, child = clean(parent), clean(child)
        found = self._find(parent, child)
        if found is None:
            self.get_dset(parent)
            self.get_dset(child)
            pairs = [sides(ref) for ref in self._refs_of(parent)]
            known = [two if one == parent else one for one, two in pairs]
            raise MissingData(
                f"no references between `{parent}' and `{child}' in `{self._shown}'; "
                f"references of `{parent}':{suggest(child, known)}"
            )
        return found

    def _find(self, parent: str, child: str) -> tuple[References, Direction] | None:
        for pair, direction in (((parent, child), FORWARD), ((child, parent), BACKWARD)):
            if pair in self._references or self._files.get(ref_path(*pair), h5py.Dataset):
                return self._stored(*pair), direction
        return None

    def _stored(self, parent: str, child: str) -> References:
        """Return references by their datasets in the order in which the file has them."""
        references = self._references.get((parent, child))
        if references is None:
            file = self._files.get(ref_path(parent, child), h5py.Dataset).file
            references = References(file, parent, child, self.processes, self._pages)
            self._references[parent, child] = references
        return references

    def _lengths(self, references: References) -> tuple[int, int]:
        return len(self.get_dset(references.parent)), len(self.get_dset(references.child))

    # -- making and writing --------------------------------------------------------------------

    def create_dset(
        self, dataset_name: str, dtype: Any = float, shape: int | tuple[int, ...] = ()
    ) -> None:
        """Create an empty dataset; one that is there already stays as it is.

        Parameters
        ----------
        dataset_name : str
            Its name; slashes make groups.
        dtype : dtype
            The kind of its items.
        shape : int or tuple of int
            The shape of a row.
        """
        name = clean(dataset_name)
        if self.dset_exists(name):
            return
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._dsets[name] = self._files.place_for(name).create_dataset(
            data_path(name),
            (0, *shape),
            maxshape=(None, *shape),
            dtype=dtype,
            chunks=True,
            compression=self.compression,
        )

    def create_ref(self, parent_dataset_name: str, child_dataset_name: str) -> None:
        """Prepare references from the rows of a dataset to those of another, or the same one.

        Raises
        ------
        MissingData
            If one of the datasets is not there.
        ReversedReferences
            If there are references already, the other way round.
        """
        parent, child = clean(parent_dataset_name), clean(child_dataset_name)
        targets = self.get_dset(parent), self.get_dset(child)
        found = self._find(parent, child)
        if found is not None:
            if found[1] == BACKWARD:
                raise ReversedReferences(
                    f"`{self._shown}' has references from `{child}' to `{parent}' already; they "
                    "are followed in both directions"
                )
            return
        file = self._files.place_for(ref_path(parent, child), parent, child)
        create(file, parent, child, targets, self.compression)
        self._grown.update({parent: None})

    def set_attrs(self, name: str, **kwargs: Any) -> None:
        """Set attributes of a group, which is created if it is not there; all of them or none.

        None becomes an empty attribute, which `get_attrs` gives back as None.

        Raises
        ------
        TypeError
            If HDF5 has nothing for a value, as for a dictionary.
        """
        path = clean(name)
        file = self._files.place_for(path)
        is_new = path not in file
        group = file.require_group(f"/{path}")
        before = {key: group.attrs[key] for key in kwargs if key in group.attrs}
        try:
            for key, value in kwargs.items():
                group.attrs[key] = h5py.Empty("f") if value is None else value
        except TypeError as error:
            for key in kwargs:
                if key in before:
                    group.attrs[key] = before[key]
                elif key in group.attrs:
                    del group.attrs[key]
            if is_new:
                del file[f"/{path}"]
            raise TypeError(
                f"attribute `{key}' of `{path}': HDF5 cannot hold {shorten(repr(value))}"
            ) from error

    def reserve_data(self, dataset_name: str, spec: Any) -> Any:
        """Make room for rows.

        Parameters
        ----------
        dataset_name : str
            The dataset.
        spec : int, slice, or list of int or slice
            How many rows to append: the processes get theirs in the order of their ranks. Or
            rows that are to be there: the dataset grows to the highest of all processes.

        Returns
        -------
        slice, or list
            The rows appended for this process; else the rows asked for.

        Raises
        ------
        MissingData
            If there is no such dataset.
        BadReservation, TypeError
            If the demand is negative or of another kind.
        """
        name = clean(dataset_name)
        dset = self.get_dset(name)
        count, stop, problem = None, 0, None
        try:
            count, stop = _demand(name, spec)
        except (BadReservation, TypeError) as error:
            problem = error
        demands = self.processes.gather((count or 0, stop, describe(problem)))
        self.processes.agree(problem, [text for _, _, text in demands])
        before = dset.shape[0]
        appended_at = max(before, *(stop for _, stop, _ in demands))
        rows = appended_at + sum(count for count, _, _ in demands)
        if rows > before:
            self._dsets[name] = grow(dset, rows, self.processes)
            self._grown[name] = None
        if count is None:
            return spec
        first = appended_at + sum(count for count, _, _ in demands[: self.rank])
        return slice(first, first + count)

    def write_data(self, dataset_name: str, spec: Any, data: Any) -> None:
        """Assign rows that are there.

        Parameters
        ----------
        dataset_name : str
            The dataset.
        spec : slice, int or array-like of int
            The rows: a slice, a number, or ascending numbers.
        data : array-like
            The content, in the shape of the rows; one value is that of all rows.

        Raises
        ------
        MissingData
            If there is no such dataset.
        TypeError
            If the data does not have the shape of the rows.
        """
        write_rows(self.get_dset(dataset_name), spec, data, self.mpi)

    def write_ref(self, parent_dataset_name: str, child_dataset_name: str, refs: Any) -> None:
        """Append references.

        Parameters
        ----------
        parent_dataset_name, child_dataset_name : str
            Two datasets with references between them, in whichever direction.
        refs : array-like of int, shape (N, 2)
            Row numbers: of the parent, of the child.

        Raises
        ------
        BadReferences
            If one of them is not possible; then nothing is written, by no process.
        MissingData
            If there are no references between the two.
        """
        names = clean(parent_dataset_name), clean(child_dataset_name)
        references, direction = self._between(*names)
        problem, array = None, numpy.empty((0, 2), "i8")
        try:
            rows = len(self.get_dset(names[0])), len(self.get_dset(names[1]))
            array = checked(refs, names, rows)
        except BadReferences as error:
            problem = error
        if direction == BACKWARD:
            array = array[:, ::-1]
        references.append(array, problem, self._lengths(references))

    def delete(self, name: str) -> None:
        """Remove a dataset or a group, and all references of what is below it.

        Raises
        ------
        MissingData
            If the file has no such thing.
        """
        path = clean(name)
        main = self._files.main
        if main.get(f"/{path}") is None:
            raise MissingData(f"no `{path}' in `{self._shown}'{suggest(path, dset_names(main))}")
        self._settle()
        self._forget()
        items = [item for _, item in walk(main) if _is_ref(item)]
        for parent, child in [sides(item) for item in items]:
            ends = (parent, child, ref_path(parent, child), region_path(child, parent))
            if any(is_below(end, path) for end in ends):
                # in the same order on all processes
                _remove(main, ref_path(parent, child))
                _remove(main, region_path(parent, child))
                _remove(main, region_path(child, parent))
        if path in main:
            del main[path]

    # -- reading -------------------------------------------------------------------------------

    def __getitem__(self, args: str | tuple[Any, ...]) -> Any:
        """Return an HDF5 object, rows of a dataset, or what rows refer to; see the class."""
        if isinstance(args, str):
            self._flush_regions()
            found = self._files.get(f"/{clean(args)}")
            if found is None:
                raise MissingData(f"no `{args}' in `{self._shown}'")
            return found
        names, sel = (args, slice(None)) if isinstance(args[-1], str) else (args[:-1], args[-1])
        return self.follow(names, sel)

    def follow(self, names: tuple[Any, ...], sel: Any, indices_only: bool = False) -> Any:
        """Return what rows of the first dataset refer to in the last one.

        Parameters
        ----------
        names : sequence of str
            Datasets, each with references to the next.
        sel : slice, int, or array-like of int or bool
            Rows of the first one.
        indices_only : bool
            Whether to return row numbers.

        Returns
        -------
        numpy.ndarray or numpy.ma.MaskedArray
            The rows themselves if there is one name, else see `dereference_chain`.

        Raises
        ------
        MissingData
            If a dataset, or references between two of them, are not there.
        BadSelection
            If the first dataset does not have the rows.
        """
        dset = self.get_dset(names[0])
        rows = as_rows(sel, dset.shape[0], names[0])
        if len(names) == 1:
            return _numbers(rows) if indices_only else read_rows(dset, rows)
        steps = [self._step(*pair) for pair in pairwise(names)]
        data = None if indices_only else self._dset_on_path(names[-1])
        if len(steps) == 1:
            references, direction = steps[0]
            region = references.region(direction)
            return dereference(rows, references.ref, data, region, ref_direction=direction)
        return dereference_chain(
            rows,
            [references.ref for references, _ in steps],
            data,
            [references.region(direction) for references, direction in steps],
            ref_directions=[direction for _, direction in steps],
        )

    def _dset_on_path(self, name: str) -> Any:
        return self.get_dset(_plain(name) if self._dset(clean(name)) is None else name)

    def _step(self, parent: str, child: str) -> tuple[References, Direction]:
        """Return the references of a step on a path, and in which direction to follow them."""
        one, two = (
            clean(name) if self._dset(clean(name)) is not None else _plain(name)
            for name in (parent, child)
        )
        references, direction = self._between(one, two)
        backwards = one == two and clean(child) != two
        return references, BACKWARD if backwards else direction


def _plain(name: str) -> str:
    return clean(clean(name).removeprefix(BACKWARDS))


def _numbers(rows: range | Array) -> Array:
    return numpy.arange(rows.start, rows.stop) if isinstance(rows, range) else rows


def _demand(name: str, spec: Any) -> tuple[int | None, int]:
    """Return how many rows to append, None if none, and how many rows there must be."""
    if isinstance(spec, (int, numpy.integer)):
        if spec < 0:
            raise BadReservation(f"cannot reserve {spec} rows of `{name}'")
        return int(spec), 0
    if isinstance(spec, (list, tuple, numpy.ndarray)):
        return None, max((_stop(name, item) for item in spec), default=0)
    return None, _stop(name, spec)


def _stop(name: str, spec: Any) -> int:
    """Return how many rows there must be for a slice or a row to be there."""
    if isinstance(spec, (int, numpy.integer)):
        low, stop = int(spec), int(spec) + 1
    elif isinstance(spec, slice) and spec.stop is not None:
        low, stop = min(spec.start or 0, spec.stop), spec.stop
        if spec.start == spec.stop:  # no rows, such as the slice that ends a flow
            return 0
    else:
        raise TypeError(
            f"rows of `{name}' are reserved by a number, a slice with a stop, or a list of "
            f"these, not by {shorten(repr(spec))}"
        )
    if low < 0:
        raise BadReservation(f"cannot reserve rows {shorten(spec)} of `{name}': negative")
    return stop


def _is_ref(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and "dset0" in item.attrs and "dset1" in item.attrs


def _remove(file: Any, path: str) -> None:
    """Remove an object, and the groups around it that are empty then, up to its dataset's."""
    if path in file:
        del file[path]
    group = path.rpartition("/")[0]
    while "/ref" in group and group in file and not len(file[group]):
        del file[group]
        group = group.rpartition("/")[0]
