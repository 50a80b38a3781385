"""Locks on blocks, so that runs may share a cache; the kernel lets go of those of the dead."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .record import FOLDER


@contextmanager
def locked(
    cache: str, path: str, on_wait: Callable[[], None], stop: Callable[[float], bool]
) -> Iterator[bool]:
    """Hold the lock of what is made at a path of the cache.

    Parameters
    ----------
    cache, path : str
        The cache, and the output.
    on_wait : callable
        Called once if some other run holds it.
    stop : callable
        Waits for that many seconds and tells whether to give up.

    Yields
    ------
    bool
        Whether the lock is held; False after giving up.
    """
    name = os.path.join(cache, FOLDER, "locks", path.replace("/", "") + ".lock")
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "a", encoding="ascii") as file:
        waited = False
        while not _try(file.fileno()):
            if not waited:
                on_wait()
            waited = True
            if stop(0.1):
                yield False
                return
        yield True


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
