"""Locks between processes that the kernel takes back when their holder dies.

A lock is never left behind: not by kill -9, and not by a process that was forked while another
thread held one, because children let go of what they inherit.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

_held: set[int] = set()


def _let_go() -> None:
    """Close the locks that a child inherited; its parent still holds them."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def hold(path: str, flags: int, operation: int) -> int:
    """Open a file or folder and lock it; the descriptor is for `release`.

    Parameters
    ----------
    path : str
        What to lock.
    flags : int
        How to open it, as for `os.open`.
    operation : int
        ``fcntl.LOCK_EX`` or ``LOCK_SH``, with ``LOCK_NB`` not to wait.

    Raises
    ------
    BlockingIOError
        If somebody else holds it and ``LOCK_NB`` is given.
    OSError
        If it cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    _held.add(descriptor)
    try:
        fcntl.flock(descriptor, operation)
    except BaseException:
        release(descriptor)
        raise
    return descriptor


def release(descriptor: int) -> None:
    """Let go of a lock; in a child that inherited it there is nothing to let go of."""
    if descriptor in _held:
        _held.discard(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


@contextmanager
def locked(path: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a lock file, which is made if it is not there.

    Parameters
    ----------
    path : str
        The file; it is never removed, or two processes could hold two of the same name.
    shared : bool
        Whether others may hold it too, all of them shared.
    """
    flags = os.O_CREAT | (os.O_RDONLY if shared else os.O_RDWR)
    descriptor = hold(path, flags, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        release(descriptor)
