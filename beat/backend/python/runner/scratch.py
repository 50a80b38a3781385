"""Private folders of blocks that run, and what is left of those of runs that were killed.

Each has a file that is locked while its run lives. The kernel lets go of the locks of the dead, so
that the next run knows which folders nobody needs any more.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PREFIX = "beat-"
LOCK = "run.lock"


@contextmanager
def scratch_folder() -> Iterator[str]:
    """Make an empty folder that is removed in the end."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    try:
        # locked before it has its name: nobody takes it for one of the dead
        with open(os.path.join(folder, f".{LOCK}"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(lock.name, os.path.join(folder, LOCK))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def abandoned_folders() -> Iterator[str]:
    """Yield the folders of this user's runs that are no more.

    What is yielded may be removed until the next is asked for.
    """
    for name in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{PREFIX}*", LOCK)):
        folder = os.path.dirname(name)
        with suppress(OSError):
            status = os.lstat(folder)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            with open(name, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails if its run lives
                yield folder


def tidy() -> None:
    """Remove the folders of runs that are no more."""
    for folder in abandoned_folders():
        shutil.rmtree(folder, ignore_errors=True)
