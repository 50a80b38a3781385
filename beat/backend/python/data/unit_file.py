"""Reading single units out of a data file: few system calls, no copies of large units.

Small units are found in chunks read ahead. Large ones are parts of private mappings: what a user
changes in them is seen by nobody else, and the pages go when the last array made of them goes.
"""

from __future__ import annotations

import mmap
import os
from typing import Any
from weakref import WeakSet

import numpy

from .cache_files import LONGEST_HEADER

CHUNK_BYTES = 1 << 17
LARGE_BYTES = 1 << 16
SMALL_FILE_BYTES = 1 << 22
WINDOW_BYTES = 1 << 25
MOST_WINDOWS = 64
_MOST_PER_CALL = 1 << 30  # one system call reads at most 2 GiB

_windows: WeakSet[mmap.mmap] = WeakSet()


class UnitFile:
    """An open data file.

    Parameters
    ----------
    path : str
        The file; `OSError` if it cannot be opened.

    Attributes
    ----------
    chunk : bytes
        The part of the file that was read last for small units.
    chunk_start : int
        Where in the file it begins.
    """

    _descriptor = -1

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size = os.fstat(self._descriptor).st_size
        self.chunk = b""
        self.chunk_start = 0
        self._window: Any = b""
        self._window_start = 0
        self._given = 0
        self._last_end = 0

    def close(self) -> None:
        """Close the file; memory that was given away stays valid."""
        self.chunk = self._window = b""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes of a unit; `OSError` if the file has become shorter."""
        if size <= LARGE_BYTES:
            at = offset - self.chunk_start
            if at < 0 or at + size > len(self.chunk):
                at = self.fill(offset, size)
            return self.chunk[at : at + size]
        if size > _MOST_PER_CALL:
            return self._copy(offset, size).tobytes()
        content = os.pread(self._descriptor, size, offset)
        if len(content) < size:
            raise self._truncated(offset, size)
        return content

    def fill(self, offset: int, size: int) -> int:
        """Replace the chunk by one that holds a small unit; return where in it that begins.

        It is read ahead where units are read in order; else a small file is read as a whole.
        """
        ahead = offset - self.chunk_start - len(self.chunk)
        start, length = offset, size
        if -len(self.chunk) <= ahead <= LONGEST_HEADER:
            length = CHUNK_BYTES
        elif self._size <= SMALL_FILE_BYTES:
            start, length = 0, self._size
        self.chunk = os.pread(self._descriptor, length, start)
        self.chunk_start = start
        if offset + size > start + len(self.chunk):
            raise self._truncated(offset, size)
        return offset - start

    def private(self, offset: int, size: int) -> tuple[Any, int]:
        """Return a writable buffer that holds the bytes of a unit, and where in it they begin.

        Nobody else sees what is changed in those bytes: the bytes of a mapping are given away in
        ascending order only. A mapping holds a file descriptor for as long as arrays made of it
        live; where there are many of them, units out of order are copied.
        """
        in_order = 0 <= offset - self._last_end <= LONGEST_HEADER
        self._last_end = offset + size
        at = offset - self._window_start
        if at < self._given or at + size > len(self._window):
            if not in_order and len(_windows) >= MOST_WINDOWS:
                return self._copy(offset, size).data, 0
            at = self._open_window(offset, size, WINDOW_BYTES if in_order else 0)
        elif self._window.size() < offset + size:  # touching it would end the process
            raise self._truncated(offset, size)
        self._given = at + size
        return self._window, at

    def _open_window(self, offset: int, size: int, length: int) -> int:
        at = offset % mmap.ALLOCATIONGRANULARITY
        start = offset - at
        available = os.fstat(self._descriptor).st_size - start
        if available < at + size:
            raise self._truncated(offset, size)
        length = min(max(length, at + size), available)
        self._window = mmap.mmap(self._descriptor, length, access=mmap.ACCESS_COPY, offset=start)
        self._window_start = start
        _windows.add(self._window)
        return at

    def _copy(self, offset: int, size: int) -> numpy.ndarray[Any, numpy.dtype[numpy.uint8]]:
        content = numpy.empty(size, numpy.uint8)
        done = 0
        while done < size:
            part = content[done : done + _MOST_PER_CALL]
            count = os.preadv(self._descriptor, [part.data], offset + done)
            if not count:
                raise self._truncated(offset, size)
            done += count
        return content

    def _truncated(self, offset: int, size: int) -> OSError:
        return OSError(
            f"truncated data: `{self.path}' has no {size} bytes at {offset} any more; it was "
            "changed while it was in use"
        )
