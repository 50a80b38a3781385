"""The one way files get their final names: complete, durable, or not at all.

A file is written under a temporary name beside its place, made durable (fsync), renamed, and the
folder made durable too, so that a crash at any moment leaves the old content or the new one.
Temporary names start with a dot: nothing that looks for a file by its name finds one.
"""

from __future__ import annotations

import os
import re
from typing import BinaryIO

_TEMPORARY = re.compile(r"\..*\.([0-9]+)-[0-9a-f]{8}\.tmp")


def open_temporary(path: str) -> BinaryIO:
    """Open a new temporary file beside ``path``, to be published or unlinked by the caller."""
    folder, name = os.path.split(os.path.abspath(path))
    unique = f".{name[:100]}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    return open(os.path.join(folder, unique), "xb")


def is_leftover(path: str) -> bool:
    """Tell whether a file is the temporary one of a process of this machine that is no more."""
    match = _TEMPORARY.fullmatch(os.path.basename(path))
    if match is None:
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def publish_file(temporary: BinaryIO, path: str) -> None:
    """Make a temporary file durable, close it and give it its final name."""
    temporary.flush()
    os.fsync(temporary.fileno())
    temporary.close()
    os.replace(temporary.name, path)


def publish(path: str, content: bytes) -> None:
    """Write a whole file under its final name.

    Raises
    ------
    OSError
        If it cannot be written; whatever was there before is still there.
    """
    temporary = open_temporary(path)
    try:
        temporary.write(content)
        publish_file(temporary, path)
    except BaseException:
        temporary.close()
        os.unlink(temporary.name)
        raise
    sync_folder(os.path.dirname(os.path.abspath(path)))


def sync_folder(folder: str) -> None:
    """Make the renames done in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
