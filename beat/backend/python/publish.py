"""The one way files get their final names: complete, durable, or not at all.

A file is written under a temporary name beside its place, made durable (fsync), renamed, and the
folder made durable too, so that a crash at any moment leaves the old content or the new one.
Temporary names start with a dot: nothing that looks for a file by its name finds one.
"""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO, cast


def open_temporary(path: str) -> BinaryIO:
    """Open a new temporary file beside ``path``, to be published or unlinked by the caller."""
    folder, name = os.path.split(os.path.abspath(path))
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115 - the caller publishes or unlinks it
        dir=folder, prefix=f".{name[:100]}.", suffix=".tmp", delete=False
    )
    os.fchmod(handle.fileno(), 0o666 & ~_umask())
    return cast(BinaryIO, handle)


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


def _umask() -> int:
    """Return the process's file mode mask (there is no call that only reads it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
