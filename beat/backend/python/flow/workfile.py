"""Files in the making: they stand beside the output, under a name of their own, until published.

A process that is killed leaves its temporary file behind. It was held with a lock that died with
the process, by which the next run on the same output knows, whatever machine the process was on,
that nobody needs the file any more.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
from contextlib import suppress
from typing import BinaryIO

from ..publish import is_leftover, open_temporary, publish_file, sync_folder
from .processes import ALONE, Processes


class WorkFile:
    """A temporary file beside the place where its content, if it ever does, is to appear.

    Parameters
    ----------
    place : str
        That place.
    content : str, optional
        A file to start with a copy of; by default the file is empty.
    processes : Processes
        All that use the file; the first one looks after it.

    Attributes
    ----------
    path : str
        Where the temporary file is.

    Raises
    ------
    OSError
        If it cannot be written there.
    """

    def __init__(
        self, place: str, content: str | None = None, processes: Processes = ALONE
    ) -> None:
        self._place = place
        self._processes = processes
        self._file: BinaryIO | None = None
        self.path = ""
        problem = None
        if processes.rank == 0:
            try:
                self._create(content)
            except OSError as error:
                problem = error
        processes.agree(problem)
        self.path = processes.from_first(self.path)

    def _create(self, content: str | None) -> None:
        remove_abandoned(self._place)
        self._file = open_temporary(self._place)
        self.path = self._file.name
        try:
            with suppress(OSError):  # where there are no locks, nothing is ever cleared away
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if content is not None:
                shutil.copyfile(content, self.path)
        except BaseException:
            self.discard()
            raise

    def publish(self) -> None:
        """Make the content durable and give it its final name; all processes do this together."""
        self._processes.barrier()
        problem = None
        if self._file is not None:
            try:
                publish_file(self._file, self._place)
                sync_folder(os.path.dirname(os.path.abspath(self._place)))
            except OSError as error:
                problem = error
                self.discard()
        self._processes.agree(problem)

    def discard(self) -> None:
        """Remove the file; one process is enough for this, whichever it is."""
        if self._file is not None:
            self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self.path)


def remove_abandoned(place: str) -> None:
    """Remove the temporary files that killed processes left beside a place."""
    folder, name = os.path.split(os.path.abspath(place))
    pattern = f".{glob.escape(name[:100])}.*-*.tmp"
    for candidate in glob.glob(os.path.join(glob.escape(folder), pattern)):
        if is_leftover(candidate):
            with suppress(OSError), open(candidate, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(candidate)
