"""Datasets that get more rows, or wider numbers, also where several processes write at once.

MPI wants all room in a file to be there before anybody writes. Datasets that are created with it
are like that. Those that a single process has written get their room as they are written, and
must be made anew before several processes can write more of them.
"""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import h5py

from ..processes import Processes
from .layout import walk
from .writing import write_rows

COPY_ROWS = 1 << 20


def grow(dset: Any, rows: int, processes: Processes) -> Any:
    """Return a dataset with more rows; all processes do this together.

    It replaces the one given, from which it may differ.
    """
    if processes.comm is not None and _gets_room_when_written(dset):
        dset = remake(dset, dset.dtype, processes)
    dset.resize(rows, axis=0)
    processes.barrier()  # HDF5 fills them with zeros: not after others wrote theirs
    return dset


def make_room(file: Any, processes: Processes) -> None:
    """Make room in a file for all rows there are; all processes do this together."""
    found = [item for _, item in walk(file) if isinstance(item, h5py.Dataset)]
    for dset in found:
        if _gets_room_when_written(dset) and _has_holes(dset):
            remake(dset, dset.dtype, processes)


def _gets_room_when_written(dset: Any) -> bool:
    layout = dset.id.get_create_plist()
    return (
        dset.chunks is not None
        and layout.get_alloc_time() != h5py.h5d.ALLOC_TIME_EARLY
        and not layout.get_nfilters()  # which are always written by all together
    )


def _has_holes(dset: Any) -> bool:
    chunks = prod(ceil(length / size) for length, size in zip(dset.shape, dset.chunks, strict=True))
    return bool(dset.id.get_num_chunks() < chunks)


def remake(dset: Any, dtype: Any, processes: Processes) -> Any:
    """Put a dataset of another dtype, otherwise equal, into the place of one, and return it."""
    processes.barrier()
    file, place = dset.file, dset.name
    made = file.create_dataset(
        f"{place}.remade",
        dset.shape,
        maxshape=dset.maxshape,
        dtype=dtype,
        chunks=dset.chunks,
        compression=dset.compression,
        compression_opts=dset.compression_opts,
        fillvalue=dset.fillvalue,
    )
    processes.barrier()
    for number, start in enumerate(range(0, len(dset), COPY_ROWS)):
        rows = dset[start : min(start + COPY_ROWS, len(dset))]
        rows = rows if number % processes.size == processes.rank else rows[:0]
        part = slice(start, start + len(rows))
        write_rows(made, part, rows.astype(dtype), processes.comm is not None)
    for key, value in dset.attrs.items():
        made.attrs[key] = value
    del file[place]
    file.move(made.name, place)
    processes.barrier()
    return file[place]
