"""The HDF5 files of a flow: the one that stays, and a temporary one for what is dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit
from typing import Any

import h5py

from ..processes import Processes
from ..workfile import WorkFile
from .growth import make_room
from .hdf5 import open_hdf5
from .layout import is_listed


class FlowFiles:
    """Where things are, and where new things go.

    Parameters
    ----------
    path : str
        The file that stays.
    mode : str
        As for `h5py.File`.
    drop_list : list of str
        What is kept only as long as the flow runs: datasets, or groups and what is below them.
    processes : Processes
        Who uses the files together.
    becomes : str, optional
        What the file is to become. Until then nobody else knows of it, so that it needs no lock.
    """

    def __init__(
        self,
        path: str,
        mode: str,
        drop_list: list[str],
        processes: Processes,
        becomes: str | None = None,
    ) -> None:
        self._path = path
        self._mode = mode
        self._drop_list = drop_list
        self._processes = processes
        self._locking = None if becomes is None else False
        self._place = becomes or path
        self._main: Any = None
        self._dropped: Any = None
        self._work: WorkFile | None = None

    @property
    def is_open(self) -> bool:
        """Whether one of the files is open."""
        return self._main is not None or self._dropped is not None

    @property
    def writable(self) -> bool:
        """Whether anything can be changed."""
        return self._mode != "r"

    @property
    def main(self) -> Any:
        """The file that stays, opened when it is needed first."""
        if self._main is None:
            self._main = open_hdf5(self._path, self._mode, self._processes, self._locking)
            if self._mode in ("w", "w-", "x"):
                self._mode = "a"  # opened again, it keeps what is in it
            if self._processes.comm is not None and self.writable:
                make_room(self._main, self._processes)
        return self._main

    def _temporary(self, create: bool) -> Any:
        """Return the temporary file; None if there is none and it is not to be created."""
        if self._dropped is None and (create or self._work is not None):
            if self._work is None:
                self._work = WorkFile(self._place, processes=self._processes)
            mode = "a" if os.path.getsize(self._work.path) else "w"
            mode = self._processes.from_first(mode)
            self._dropped = open_hdf5(self._work.path, mode, self._processes, locking=False)
        return self._dropped

    def __iter__(self) -> Iterator[Any]:
        """Yield the files, the one that stays first."""
        yield self.main
        temporary = self._temporary(create=False)
        if temporary is not None:
            yield temporary

    def get(self, path: str, kind: type | tuple[type, ...] = object) -> Any:
        """Return the object at a path, None if there is none of that kind."""
        for file in self:
            item = file.get(path)
            if item is not None and isinstance(item, kind):
                return item
        return None

    def place_for(self, path: str, *others: str) -> Any:
        """Return the file that a new object belongs into.

        Parameters
        ----------
        path : str
            Its place.
        *others : str
            The datasets it belongs to; it is dropped with any of them.
        """
        group = self.get(path, h5py.Group)
        if group is not None and not others:
            return group.file
        dropped = any(is_listed(item, self._drop_list) for item in (path, *others))
        return self._temporary(create=True) if dropped else self.main

    def flush(self) -> None:
        """Have HDF5 write what it holds in memory."""
        for file in self:
            file.flush()

    def close(self) -> None:
        """Close both files; each is opened again when it is needed."""
        main, self._main = self._main, None
        dropped, self._dropped = self._dropped, None
        for file in (main, dropped):
            if file is not None:
                file.close()

    def let_go(self) -> None:
        """Close both files although they cannot be written, as when the disk is full.

        HDF5 does not close a file as long as it cannot write what it holds in memory, and
        crashes at the end of the process then. So it writes that somewhere else.
        """
        for file in (self._main, self._dropped):
            if file is not None and file.driver == "sec2":
                elsewhere = _open_elsewhere()
                os.dup2(elsewhere, file.id.get_vfd_handle())
                os.close(elsewhere)
        with suppress(OSError, RuntimeError):
            self.close()

    def discard_temporary(self) -> None:
        """Remove the temporary file."""
        work, self._work = self._work, None
        if work is not None:
            with suppress(OSError):
                work.discard()


def _open_elsewhere() -> int:
    """Return a descriptor that takes everything: memory, or nothing if files are limited."""
    if getrlimit(RLIMIT_FSIZE)[0] == RLIM_INFINITY:
        return os.memfd_create("unwritten")
    return os.open(os.devnull, os.O_RDWR)
