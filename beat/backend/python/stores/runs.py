"""Which folder keeps the run of a configuration: found at once, however many runs there are.

A task's folder holds one folder for each run, with the configuration in ``config.json``. Beside
them stands ``.index``. It may be deleted while nobody uses the store, and is made anew:

``runs/<digest of a configuration>``
    a symbolic link to the run's folder; making it claims the configuration;
``state.json``
    the sets of keys that the configurations have, the last number given to a folder, and when the
    task's folder was last changed through the index. If it has been changed since, folders that
    came or went by other hands are looked for;
``lock``
    held by whoever changes anything in the task's folder;
``staging/``
    content on its way in or out.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ..publish import sync_folder
from .base import Names
from .configuration import Configuration, Shape, Target, check_plain, largest_part, parse
from .locks import locked
from .staging import Stage, make_folders, put_content, sweep

logger = logging.getLogger(__name__)

INDEX = ".index"


@dataclass
class _State:
    """What the index knows beside the links."""

    stamp: int  # the time of the last change of the task's folder, in nanoseconds
    shapes: set[Shape] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)  # {run name or "": last number}, one at most


def read_configuration(run: str) -> Configuration | None:
    """Return the configuration of a run's folder; None if there is none that can be read."""
    path = os.path.join(run, Names.CONFIG)
    try:
        with open(path, encoding="utf-8") as f:
            return Configuration(parse(f.read()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, TypeError, ValueError, RecursionError) as error:
        logger.warning("passing over %r, the configuration is damaged: %s", path, str(error)[:200])
        return None


class TaskRuns:
    """The runs of one task.

    Parameters
    ----------
    folder : str
        The folder of the task, which need not be there.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._index = os.path.join(folder, INDEX)
        self._links = os.path.join(self._index, "runs")
        self._state_path = os.path.join(self._index, "state.json")
        self.staging = os.path.join(self._index, "staging")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock of the task, in folders that are made if they are not there."""
        if not os.path.isdir(self._index):
            make_folders(self._index)
            sweep(os.path.dirname(self.folder))
        with self._lock():
            for folder in (self._links, self.staging):
                make_folders(folder)
            yield

    def _lock(self, shared: bool = False) -> AbstractContextManager[None]:
        return locked(os.path.join(self._index, "lock"), shared)

    def stage(self, filename: str) -> Stage:
        """Return a place to write in; that of a new task is beside the task's future folder."""
        if os.path.isdir(self.staging):
            return Stage(self.staging, filename)
        return Stage(os.path.dirname(self.folder), filename, hidden=True)

    @contextmanager
    def picking_up(self) -> Iterator[None]:
        """Keep writers out while a reader opens files, where the reader may."""
        with ExitStack() as stack:
            with suppress(OSError):
                stack.enter_context(self._lock(shared=True))
            yield

    # Finding

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
        if (found := self._linked(digest)) is not None:
            return found
        runs: Callable[[str], str | None] = self._linked
        try:
            shapes = self._shapes_for(digest)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            scanned, shapes = self._scan()  # others have made the store, and we may only read it
            runs = scanned.get
        return runs(digest) or (None if exactly else largest_part(target, shapes, runs))

    def find_to_change(self, target: Target) -> str | None:
        """Return the folder of exactly this configuration.

        To be called with the lock held; what is found stays until the lock is let go of.
        """
        digest = target.configuration.digest
        if (found := self._linked(digest)) is None:
            self._settle(digest)
            found = self._linked(digest)
        return found

    def _link(self, digest: str) -> str:
        return os.path.join(self._links, digest)

    def _linked(self, digest: str) -> str | None:
        """Return the folder that is linked to a digest, if its configuration really has it."""
        try:
            name = os.path.basename(os.readlink(self._link(digest)))
        except OSError:  # no link, or, in a store that was copied without links, something else
            return None
        run = os.path.join(self.folder, name)
        configuration = read_configuration(run)
        return run if configuration is not None and configuration.digest == digest else None

    def _shapes_for(self, digest: str) -> set[Shape]:
        """Return the sets of keys that are stored, once the index can be relied on."""
        state = self._read_state()
        if state is None or not self._is_fresh(state) or os.path.lexists(self._link(digest)):
            with self.changing():
                state = self._settle(digest)
        return state.shapes

    def _scan(self) -> tuple[dict[str, str], set[Shape]]:
        """Return all runs by digest, and the sets of keys, without the help of an index."""
        runs: dict[str, str] = {}
        shapes = set()
        for name in sorted(os.listdir(self.folder)):
            run = os.path.join(self.folder, name)
            configuration = read_configuration(run)
            if configuration is not None:
                runs.setdefault(configuration.digest, run)
                shapes.add(configuration.shape)
        return runs, shapes

    # Making and removing, with the lock held

    def create(self, target: Target, run_info: Any) -> str:
        """Return the folder of exactly this configuration, made if it is not there.

        To be called with the lock held.
        """
        if (found := self.find_to_change(target)) is not None:
            return found
        configuration = target.configuration
        state = self._settle(configuration.digest)
        run = self._claim(self._link(configuration.digest), target, run_info, state)
        state.stamp = self._touch()
        self._fill(run, configuration)
        state.shapes.add(configuration.shape)
        self._write_state(state)
        return run

    def _claim(self, link: str, target: Target, run_info: Any, state: _State) -> str:
        """Make a folder that was not there, linked to the configuration."""
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
            sync_folder(self._links)
            sync_folder(self.folder)
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(run)
                os.unlink(self._link(configuration.digest))
            raise

    def _new_names(self, target: Target, run_info: Any, state: _State) -> Iterator[str]:
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
        state = self._settle(digest)
        state.last = {}
        stage.take(run)
        state.stamp = self._touch()
        os.unlink(self._link(digest))
        self._write_state(state)
        sync_folder(self.folder)
        return True

    # The index itself, with the lock held

    def _settle(self, digest: str) -> _State:
        """Bring the index up to date, and make sure that a digest is linked well or not at all."""
        state = self._read_state()
        broken = self._linked(digest) is None and self._unlink(digest)
        if state is None or broken or not self._is_fresh(state):
            state = self._reconcile(state)
        return state

    def _unlink(self, digest: str) -> bool:
        """Remove a link, and the folder if its maker was killed before it was filled."""
        link = self._link(digest)
        if not os.path.lexists(link):
            return False
        if not os.path.islink(link):  # in a store that was copied without links
            shutil.rmtree(self._links)
            make_folders(self._links)
            return True
        name = os.path.basename(os.readlink(link))
        os.unlink(link)
        with suppress(OSError):  # there is something in it, so it is not ours to remove
            os.rmdir(os.path.join(self.folder, name))
        return True

    def _reconcile(self, state: _State | None) -> _State:
        """Look for folders that have come or gone; without a state, look at all of them."""
        known = None if state is None else self._known()
        if state is None or known is None:
            state, known = _State(0), {}
            shutil.rmtree(self._links, ignore_errors=True)
            make_folders(self._links)
        state.stamp = self._touch()
        state.last = {}
        present = {entry.name for entry in os.scandir(self.folder) if entry.is_dir()} - {INDEX}
        for name, digest in known.items():
            if not os.path.exists(os.path.join(self.folder, name, Names.CONFIG)):
                self._unlink(digest)
        for name in sorted(present - known.keys()):
            self._register(name, state)
        self._write_state(state)
        return state

    def _known(self) -> dict[str, str] | None:
        """Return {folder: digest} of all links; None if something else is among them."""
        known = {}
        with suppress(OSError):
            for digest in os.listdir(self._links):
                known[os.path.basename(os.readlink(self._link(digest)))] = digest
            return known
        return None

    def _register(self, name: str, state: _State) -> None:
        """Link a folder that was found."""
        run = os.path.join(self.folder, name)
        configuration = read_configuration(run)
        if configuration is None:
            return
        linked = self._linked(configuration.digest)
        if linked is not None:
            logger.warning("%r and %r keep the same configuration: using the first", linked, run)
            return
        self._unlink(configuration.digest)
        os.symlink(os.path.join("..", "..", name), self._link(configuration.digest))
        state.shapes.add(configuration.shape)

    def _read_state(self) -> _State | None:
        """Return what the index knows; None if it must be made anew."""
        try:
            with open(self._state_path, encoding="utf-8") as f:
                content = parse(f.read())
            shapes = {tuple(map(str, shape)) for shape in content["shapes"]}
            last = {str(stem): int(number) for stem, number in content["last"].items()}
            return _State(int(content["stamp"]), shapes, last)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def _is_fresh(self, state: _State) -> bool:
        return state.stamp == os.stat(self.folder).st_mtime_ns

    def _touch(self) -> int:
        """Give the task's folder a time of change that no later change can have, and return it.

        The kernel's own times are some milliseconds coarse; one of its own could be that of
        somebody else's change too.
        """
        now = time.time_ns()
        with suppress(PermissionError):  # only the owner of a folder may choose its times
            os.utime(self.folder, ns=(now, now))
        return os.stat(self.folder).st_mtime_ns

    def _write_state(self, state: _State) -> None:
        content = {"stamp": state.stamp, "shapes": sorted(state.shapes), "last": state.last}
        put_content(self.staging, self._state_path, json.dumps(content).encode())
