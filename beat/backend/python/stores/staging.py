"""Where new content is written before it gets its place: whole, durable, or not at all.

New content grows in a folder of its own, which its writer keeps locked. It is moved to its place in
one step when it is complete. What a killed writer leaves is a folder nobody holds the lock of, and
is swept away by the next writer.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from contextlib import suppress

from ..publish import open_temporary, publish_file, sync_folder
from .locks import hold, release

GRACE = 60.0  # seconds: a folder this young may belong to somebody who is about to lock it
ATTEMPTS = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY

_STAGE = re.compile(r"\.?[0-9a-f]{16}\.tmp")

Identity = tuple[int, int, int]


def identity(path: str) -> Identity | None:
    """Return what changes when a file or folder is replaced or written; None if there is none."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class Stage:
    """New content of a file or folder.

    Parameters
    ----------
    where : str
        The folder in which it grows; on the same file system as the place where it will be.
    filename : str
        Its own name, for functions that look at the extension.
    hidden : bool
        Whether the folder made for it gets a name that starts with a dot.

    Attributes
    ----------
    path : str
        Where to write.
    """

    def __init__(self, where: str, filename: str, hidden: bool = False) -> None:
        token = ("." if hidden else "") + secrets.token_hex(8) + ".tmp"
        self._folder, self._made = _make_stage(where, token)
        self._lock: int | None = None
        with suppress(OSError):  # where folders cannot be locked nobody can sweep them either
            self._lock = hold(self._folder, _FOLDER, fcntl.LOCK_EX)
        self.path = os.path.join(self._folder, filename)
        self._base: Identity | None = None
        self._base_size = 0

    def start_from(self, path: str) -> None:
        """Begin with what is in a file now, if it is there, to change it or append to it."""
        self._base = identity(path)
        if self._base is None:
            return
        if os.path.isdir(path):
            shutil.copytree(path, self.path)
        else:
            shutil.copyfile(path, self.path)
            self._base_size = os.path.getsize(self.path)

    def is_outdated(self, path: str) -> bool:
        """Tell whether the file that this content began with has been replaced since."""
        return identity(path) != self._base

    def append_to(self, path: str) -> None:
        """Begin with what is in the file now instead, keeping what has been appended."""
        appended = open_temporary(self.path)
        try:
            with open(self.path, "rb") as f:
                f.seek(self._base_size)
                if os.path.exists(path):
                    with open(path, "rb") as current:
                        shutil.copyfileobj(current, appended)
                shutil.copyfileobj(f, appended)
            publish_file(appended, self.path)
        finally:
            appended.close()

    def leftovers(self) -> list[str]:
        """Return what was written beside the place where to write, sorted."""
        return sorted(set(os.listdir(self._folder)) - {os.path.basename(self.path)})

    def sync(self) -> None:
        """Make the content durable."""
        if not os.path.isdir(self.path):
            _sync_file(self.path)
            return
        for folder, _, files in os.walk(self.path):
            for name in files:
                _sync_file(os.path.join(folder, name))
            sync_folder(folder)

    def put(self, path: str) -> None:
        """Move the content to its place in one step; what was there goes away with the stage."""
        if os.path.isdir(self.path) or os.path.isdir(path):
            self.sync()
            _swap(self.path, path)
        else:
            with open(self.path, "rb") as f:
                publish_file(f, path)
        sync_folder(os.path.dirname(path))

    def take(self, path: str) -> None:
        """Move a file or folder here, to go away with the stage."""
        os.rename(path, self.path)

    def discard(self) -> None:
        """Remove the folder with what is still in it, and those around it that were made for it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # something has been put there
            for folder in reversed(self._made):
                os.rmdir(folder)
        if self._lock is not None:
            release(self._lock)


def make_folders(path: str) -> list[str]:
    """Make a folder and those around it, durably; return those that were not there.

    The outermost one comes first.
    """
    made: list[str] = []
    for attempt in range(ATTEMPTS):
        missing = []
        folder = path
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        try:
            for folder in reversed(missing):
                with suppress(FileExistsError):
                    os.mkdir(folder)
                    made.append(folder)
                    sync_folder(os.path.dirname(folder))
        except FileNotFoundError:  # somebody who failed has just taken away what was made for it
            if attempt == ATTEMPTS - 1:
                raise
        else:
            break
    return made


def _make_stage(where: str, token: str) -> tuple[str, list[str]]:
    """Make a new folder; return it and the folders around it that had to be made."""
    folder = os.path.join(where, token)
    for _ in range(ATTEMPTS - 1):
        made = make_folders(where)
        with suppress(FileNotFoundError):  # as above
            os.mkdir(folder)
            return folder, made
    made = make_folders(where)
    os.mkdir(folder)
    return folder, made


def put_content(where: str, path: str, content: bytes) -> None:
    """Publish a small file by way of a stage, so that nothing is left beside it if we are killed.

    Parameters
    ----------
    where : str
        The folder for stages.
    path : str
        The file.
    content : bytes
        What will be in it.
    """
    stage = Stage(where, os.path.basename(path))
    try:
        with open(stage.path, "xb") as f:
            f.write(content)
        stage.put(path)
    finally:
        stage.discard()


def _sync_file(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(new: str, path: str) -> None:
    """Move ``new`` to ``path`` in one step; what was at ``path`` is at ``new`` then."""
    if not os.path.lexists(path):
        os.rename(new, path)
    elif not _exchange(new, path):
        aside = f"{new}.old"
        os.rename(path, aside)
        os.rename(new, path)


def _exchange(first: str, second: str) -> bool:
    """Let two files or folders change places; False where the system cannot do it in one step."""
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if renameat2(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0:
        return True
    reason = ctypes.get_errno()
    if reason in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(reason, os.strerror(reason), second)


def is_stage(name: str) -> bool:
    """Tell whether a folder of this name may be a stage, to be swept away one day."""
    return _STAGE.fullmatch(name) is not None


def sweep(where: str) -> None:
    """Remove the folders of writers that have died."""
    with suppress(FileNotFoundError):
        for name in os.listdir(where):
            if is_stage(name):
                _sweep_one(os.path.join(where, name))


def _sweep_one(folder: str) -> None:
    try:
        if time.time() - os.stat(folder).st_mtime < GRACE:
            return
        lock = hold(folder, _FOLDER, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # its writer lives, or somebody else is sweeping
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        release(lock)
