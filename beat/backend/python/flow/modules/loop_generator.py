"""The generator that is used when a configuration has none: all rows of a dataset, in order."""

from __future__ import annotations

import os
import shutil
from typing import Any, ClassVar

from ..core.h5_flow_generator import H5FlowGenerator
from ..data.hdf5 import open_hdf5
from ..data.layout import clean, data_path, dset_names
from ..errors import FlowError, MissingData, suggest
from ..processes import ALONE

#: rows in a slice of a dataset that is not stored in chunks
ROWS_OF_CONTIGUOUS = 16384


class NoInput(FlowError, RuntimeError):
    """A loop over an existing dataset, and no file that has one."""


class H5FlowDatasetLoopGenerator(H5FlowGenerator):
    """Loops over the rows of a dataset of the input, which is copied to the output first.

    Parameters
    ----------
    chunk_size : int or "auto"
        How many rows a slice has; "auto" for as many as HDF5 stores together. With several
        processes, each gets every so many slices.
    **params
        See `H5FlowGenerator`; positions are row numbers.
    """

    class_version = "1.0.0"
    copies_input: ClassVar[bool] = True

    def __init__(self, chunk_size: int | str = "auto", **params: Any) -> None:
        super().__init__(**params)
        if self.input_filename is None:
            raise NoInput(
                f"must specify an input filename! (it has the dataset `{self.dset_name}' "
                "that the flow loops over)"
            )
        if chunk_size != "auto" and (not isinstance(chunk_size, int) or chunk_size < 1):
            raise ValueError(f"chunk_size must be a positive number or 'auto', got {chunk_size!r}")
        self.chunk_size = chunk_size
        self._slices: list[slice] = []
        self._given = 0
        self._copy(self.input_filename)

    def _copy(self, filename: str) -> None:
        """Copy the input, after a look into it, unless it is the output itself."""
        manager = self.data_manager
        if manager.processes.from_first(_is_same(filename, manager.filepath)):
            manager.get_dset(self.dset_name)
            return
        manager.close_file()
        problem = None
        if self.rank == 0:
            try:
                check_source(filename, self.dset_name)
                shutil.copyfile(filename, manager.filepath)
            except (FlowError, OSError) as error:
                problem = error
        manager.processes.agree(problem)

    def init(self) -> None:
        """Cut the rows into slices."""
        dset = self.data_manager.get_dset(self.dset_name)
        chunk = self.chunk_size
        if not isinstance(chunk, int):
            chunk = dset.chunks[0] if dset.chunks else ROWS_OF_CONTIGUOUS
        start = max(self.start_position or 0, 0)
        end = len(dset) if self.end_position is None else min(self.end_position, len(dset))
        self._slices = [
            slice(first, min(first + chunk, end))
            for first in range(start + self.rank * chunk, end, self.size * chunk)
        ]

    def __len__(self) -> int:
        return len(self._slices)

    def next(self) -> slice:
        """Return the next slice."""
        if self._given == len(self._slices):
            return self.EMPTY
        self._given += 1
        return self._slices[self._given - 1]


def check_source(filename: str, dset_name: str) -> None:
    """Look whether a file has the dataset that a flow is to loop over.

    Raises
    ------
    MissingFile, InputError
        If it cannot be opened.
    MissingData
        If it has no such dataset.
    """
    with open_hdf5(filename, "r", ALONE) as file:
        if data_path(clean(dset_name)) not in file:
            near = suggest(clean(dset_name), dset_names(file))
            raise MissingData(f"no dataset `{dset_name}' in `{filename}'{near}")


def _is_same(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)
