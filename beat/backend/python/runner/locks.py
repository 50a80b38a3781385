"""Locks on blocks, so that runs may share a cache; the kernel lets go of those of the dead."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from ..data.cache_files import FOLDER


@contextmanager
def locked(
    cache: str, path: str, on_wait: Callable[[str], None], stop: Callable[[float], bool]
) -> Iterator[bool]:
    """Hold the lock of what is made at a path of the cache.

    Parameters
    ----------
    cache, path : str
        The cache, and the output.
    on_wait : callable
        Called once if some other run holds it, with a text that tells which.
    stop : callable
        Waits for that many seconds and tells whether to give up.

    Yields
    ------
    bool
        Whether the lock is held; False after giving up.
    """
    name = os.path.join(cache, FOLDER, "locks", path.replace("/", "") + ".lock")
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "a+b", buffering=0) as file:
        waited = False
        while not _try(file.fileno()):
            if not waited:
                on_wait(_holder(file.fileno()))
            waited = True
            if stop(0.1):
                yield False
                return
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        os.ftruncate(file.fileno(), 0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}".encode())
        yield True


def _holder(descriptor: int) -> str:
    """Return what the holder of a lock has written into its file."""
    text = os.pread(descriptor, 200, 0).decode("utf-8", "replace")
    return f"for {text}" if text.isprintable() and text else "for another run"


@contextmanager
def in_use(cache: str) -> Iterator[None]:
    """Keep everybody from tidying what a run may need, for as long as it goes on.

    A cache that this user may only read has what it needs, or the run fails for another reason.
    """
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(_use_file(cache, os.O_RDONLY))
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS):
                raise
        else:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def unused(cache: str) -> Iterator[bool]:
    """Keep runs from beginning; give whether none goes on."""
    with _use_file(cache, os.O_RDWR) as descriptor:
        yield _try(descriptor)


@contextmanager
def _use_file(cache: str, access: int) -> Iterator[int]:
    name = os.path.join(cache, FOLDER, "in-use.lock")
    os.makedirs(os.path.dirname(name), exist_ok=True)
    descriptor = os.open(name, access | os.O_CREAT, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
