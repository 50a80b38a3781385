"""Opening HDF5 files, with errors that say which file and what is wrong with it."""

from __future__ import annotations

import os
from typing import Any

import h5py

from ..errors import InputError, MissingFile, shorten, suggest
from ..processes import Processes


def open_hdf5(path: str, mode: str, processes: Processes, locking: bool | None = None) -> Any:
    """Open a file, for one process or for all together.

    Raises
    ------
    MissingFile
        If there is no such file.
    InputError
        If it is no HDF5 file, or damaged, or held by another program.
    """
    options: dict[str, Any] = {}
    if processes.comm is not None:
        # No chunks in memory: what one process writes, others would not read, and compressed
        # chunks that were read before they are written together would be damaged.
        options = {"driver": "mpio", "comm": processes.comm, "rdcc_nbytes": 0, "rdcc_nslots": 1}
    elif locking is not None:
        options = {"locking": locking}
    if mode in ("r", "r+") and not os.path.exists(path):
        raise MissingFile(f"no such file: `{path}'{_near_files(path)}")
    try:
        return h5py.File(path, mode, **options)
    except OSError as error:
        raise InputError(f"cannot open `{path}' as HDF5: {_reason(path, error)}") from error


def _reason(path: str, error: OSError) -> str:
    text = str(error)
    if "truncated" in text:
        return f"it is truncated, {os.path.getsize(path)} bytes are left of it ({shorten(text)})"
    if "signature" in text:
        return f"it is no HDF5 file ({shorten(text)})"
    if "lock" in text:
        return f"another program has it open ({shorten(text)})"
    return shorten(text)


def _near_files(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f" (and no folder `{folder}')"
    return suggest(name, (found for found in os.listdir(folder) if not found.startswith(".")))
