"""The runs of a task: one folder for each, with the configuration in ``config.json``."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from ..publish import sync_folder
from .base import Names
from .configuration import Configuration, Shape, Target, check_plain, largest_part
from .index import RunIndex, State, read_configuration
from .staging import Stage, put_content

logger = logging.getLogger(__name__)


class TaskRuns:
    """The runs of one task.

    Parameters
    ----------
    folder : str
        The folder of the task, which need not be there.

    Attributes
    ----------
    staging : str
        The folder for what is on its way in or out.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._index = RunIndex(folder)
        self.staging = self._index.staging

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock of the task, whose folder is made if it is not there."""
        self._index.make()
        with self._index.lock():
            yield

    @contextmanager
    def picking_up(self) -> Iterator[None]:
        """Keep writers out while a reader opens files, where the reader may."""
        with ExitStack() as stack:
            with suppress(OSError):
                stack.enter_context(self._index.lock(shared=True))
            yield

    def stage(self, filename: str) -> Stage:
        """Return a place to write in; that of a new task is beside the task's future folder."""
        if os.path.isdir(self.staging):
            return Stage(self.staging, filename)
        return Stage(os.path.dirname(self.folder), filename, hidden=True)

    def configurations(self) -> Iterator[Mapping[str, Any]]:
        """Yield the configurations of all runs."""
        with suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.folder)):
                configuration = read_configuration(os.path.join(self.folder, name))
                if configuration is not None:
                    yield configuration.content

    def find(self, target: Target, exactly: bool = False) -> str | None:
        """Return the folder whose results a query means: an exact one, else the largest part.

        Parameters
        ----------
        target : Target
            The query.
        exactly : bool
            Whether parts do not count.

        Raises
        ------
        AmbiguousRun
            If two parts of the same size are stored.
        """
        digest = target.configuration.digest
        if not os.path.isdir(self.folder):
            return None
        if (found := self._index.linked(digest)) is not None:
            return found
        runs: Callable[[str], str | None] = self._index.linked
        try:
            shapes = self._shapes_for(digest)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            scanned, shapes = self._index.scan()  # a store of others, that we may only read
            runs = scanned.get
        return runs(digest) or (None if exactly else largest_part(target, shapes, runs))

    def _shapes_for(self, digest: str) -> set[Shape]:
        """Return the sets of keys that are stored, once the index can be relied on."""
        state = self._index.state_for(digest)
        if state is None:
            with self.changing():
                state = self._index.settle(digest)
        return state.shapes

    # With the lock held

    def find_to_change(self, target: Target) -> str | None:
        """Return the folder of exactly this configuration.

        To be called with the lock held; what is found stays until the lock is let go of.
        """
        digest = target.configuration.digest
        if (found := self._index.linked(digest)) is None:
            self._index.settle(digest)
            found = self._index.linked(digest)
        return found

    def create(self, target: Target, run_info: Any) -> str:
        """Return the folder of exactly this configuration, made if it is not there.

        To be called with the lock held.
        """
        if (found := self.find_to_change(target)) is not None:
            return found
        configuration = target.configuration
        state = self._index.settle(configuration.digest)
        run = self._claim(target, run_info, state)
        state.stamp = self._index.touch()
        self._fill(run, configuration)
        state.shapes.add(configuration.shape)
        self._index.write(state)
        return run

    def _claim(self, target: Target, run_info: Any, state: State) -> str:
        """Make a folder that was not there, linked to the configuration."""
        link = self._index.link(target.configuration.digest)
        for name in self._new_names(target, run_info, state):
            os.symlink(os.path.join("..", "..", name), link)
            try:
                os.mkdir(os.path.join(self.folder, name))
            except FileExistsError:
                os.unlink(link)
                continue
            break
        return os.path.join(self.folder, name)

    def _fill(self, run: str, configuration: Configuration) -> None:
        """Write the configuration into a new folder, or take the folder back."""
        text = json.dumps(configuration.content, indent=4)
        try:
            put_content(self.staging, os.path.join(run, Names.CONFIG), text.encode())
            sync_folder(self._index.links)
            sync_folder(self.folder)
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(run)
                os.unlink(self._index.link(configuration.digest))
            raise

    def _new_names(self, target: Target, run_info: Any, state: State) -> Iterator[str]:
        """Return names for a new folder, numbered from the largest number that is taken."""
        stem = "" if run_info is None else str(run_info.run_name)
        counter = None if run_info is None else run_info.sweep_counter
        if counter is not None:
            name = f"{stem}-{counter}"
            check_plain("run name", name, target.address)
            state.last = {}
            yield name
            logger.warning("%r keeps another configuration, taking the next number", name)
        number = state.last[stem] if stem in state.last else self._last_number(stem)
        while True:
            number += 1
            state.last = {stem: number}
            name = f"{stem}-{number:03d}" if stem else f"{number:03d}"
            check_plain("run name", name, target.address)
            yield name

    def _last_number(self, stem: str) -> int:
        """Return the largest number after the last dash of the names that start with the stem."""
        names = (name for name in os.listdir(self.folder) if name.startswith(stem))
        ends = (name.rpartition("-")[2] if stem else name for name in names)
        return max((int(end) for end in ends if end.isascii() and end.isdigit()), default=-1)

    def remove(self, target: Target, stage: Stage) -> bool:
        """Move the run of exactly this configuration away in one step; False if there is none.

        To be called with the lock held.
        """
        run = self.find_to_change(target)
        if run is None:
            return False
        digest = target.configuration.digest
        state = self._index.settle(digest)
        state.last = {}
        stage.take(run)
        state.stamp = self._index.touch()
        os.unlink(self._index.link(digest))
        self._index.write(state)
        sync_folder(self.folder)
        return True
