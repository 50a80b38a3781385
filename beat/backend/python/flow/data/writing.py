"""Assigning rows of a dataset, by one process or by all together."""

from __future__ import annotations

from typing import Any

import h5py
import numpy

from .rows import as_rows


def write_rows(dset: Any, rows: Any, data: Any, mpi: bool) -> None:
    """Assign rows of a dataset.

    With MPI and compression, HDF5 wants all processes to write at the same time: each its rows,
    of which there may be none.

    Parameters
    ----------
    dset : h5py.Dataset
        The dataset.
    rows : slice, int or list of int
        As for `h5py.Dataset`.
    data : array-like
        The rows, or what can be broadcast to them.
    mpi : bool
        Whether the file was opened with MPI.
    """
    if mpi and dset.id.get_create_plist().get_nfilters():
        _write_together(dset, rows, data)
    else:
        dset[rows] = data


def _write_together(dset: Any, rows: Any, data: Any) -> None:
    """Assign rows in exactly one call of HDF5, as all processes must make the same number."""
    chosen = as_rows(rows, dset.shape[0], dset.name)
    shape = (len(chosen), *dset.shape[1:])
    values = numpy.asarray(data, dset.dtype)
    values = numpy.ascontiguousarray(numpy.broadcast_to(values, shape))
    in_file = dset.id.get_space()
    if isinstance(chosen, range) and len(chosen):
        in_file.select_hyperslab((chosen.start, *(0 for _ in shape[1:])), shape)
    else:
        in_file.select_none()
        for row in numpy.asarray(chosen).tolist():
            start = (row, *(0 for _ in shape[1:]))
            in_file.select_hyperslab(start, (1, *shape[1:]), op=h5py.h5s.SELECT_OR)
    in_memory = h5py.h5s.create_simple(shape)
    together = h5py.h5p.create(h5py.h5p.DATASET_XFER)
    together.set_dxpl_mpio(h5py.h5fd.MPIO_COLLECTIVE)
    dset.id.write(in_memory, in_file, values, dxpl=together)
