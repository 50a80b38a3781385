"""The one way files get their final names: complete, durable, or not at all.

A file is written under a temporary name beside its place, made durable (fsync), renamed, and the
folder made durable too, so that a crash at any moment leaves the old content or the new one.
Temporary names start with a dot: nothing that looks for a file by its name finds one. Temporary
files are locked while their writer lives, wherever that is: the kernel lets go of the locks of the
dead.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import BinaryIO

_TEMPORARY = re.compile(r"\..*\.([0-9]+)-[0-9a-f]{8}\.tmp")


def open_temporary(path: str) -> BinaryIO:
    """Open a new temporary file beside ``path``, to be published or unlinked by the caller."""
    folder, name = os.path.split(os.path.abspath(path))
    unique = f".{name[:100]}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    file = open(os.path.join(folder, unique), "xb")  # noqa: SIM115
    with suppress(OSError):  # not every file system has locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def is_leftover(path: str) -> bool:
    """Tell whether a file is the temporary one of a process that is no more.

    A writer that is not known here may live in another container: then its file is locked.
    """
    match = _TEMPORARY.fullmatch(os.path.basename(path))
    return match is not None and _is_dead(int(match[1])) and not _is_locked(path)


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """Tell whether a process has ended, and nobody has asked yet how: in containers, for ever."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2].startswith(b"Z")
    except OSError:
        return False


def _is_locked(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # held, or not ours to look into
        return True
    return False


def make_durable(files: Sequence[BinaryIO]) -> None:
    """Wait until all that was written to some files is on the disk.

    They are waited for at the same time, so that the file system writes its journal once, and
    not once for each.
    """
    failures: list[OSError] = []

    def sync(file: BinaryIO) -> None:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            failures.append(error)

    for file in files:
        file.flush()
    threads = []
    for file in files[1:]:
        thread = Thread(target=sync, args=(file,))
        try:
            thread.start()
            threads.append(thread)
        except RuntimeError:  # no more threads may be started here, or now
            sync(file)
    sync(files[0])
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def give_name(temporary: BinaryIO, path: str) -> os.stat_result:
    """Give a durable temporary file its final name and close it; return its status."""
    os.replace(temporary.name, path)  # still locked: nobody takes it for a leftover
    status = os.fstat(temporary.fileno())
    temporary.close()
    return status


def publish_file(temporary: BinaryIO, path: str) -> None:
    """Make a temporary file durable, give it its final name and close it."""
    make_durable([temporary])
    give_name(temporary, path)


@contextmanager
def publishing(path: str) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its final name when all of it has been written.

    Raises
    ------
    OSError
        If it cannot be written; whatever was there before is still there.
    """
    temporary = open_temporary(path)
    try:
        yield temporary
        publish_file(temporary, path)
    except BaseException:
        temporary.close()
        os.unlink(temporary.name)
        raise
    sync_folder(os.path.dirname(os.path.abspath(path)))


def publish(path: str, content: bytes) -> None:
    """Write a whole file under its final name; raises what `publishing` raises."""
    with publishing(path) as file:
        file.write(content)


def sync_folder(folder: str) -> None:
    """Make the renames done in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(folder: str) -> Iterator[None]:
    """Wait for others that give or take names in a folder, and keep them from it meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # not every file system has locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
