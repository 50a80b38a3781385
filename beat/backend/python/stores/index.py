"""The index beside the runs of a task: which folder has the configuration of a digest.

It stands in ``.index`` in the task's folder. It may be deleted while nobody uses the store, and is
made anew:

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

import json
import logging
import os
import shutil
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from .base import Names
from .configuration import Configuration, Shape, parse
from .locks import locked
from .staging import make_folders, put_content, sweep

logger = logging.getLogger(__name__)

INDEX = ".index"


@dataclass
class State:
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


class RunIndex:
    """The index of one task's folder.

    Parameters
    ----------
    folder : str
        The folder of the task, which need not be there.

    Attributes
    ----------
    links, staging : str
        Its folders.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._path = os.path.join(folder, INDEX)
        self._state_path = os.path.join(self._path, "state.json")
        self.links = os.path.join(self._path, "runs")
        self.staging = os.path.join(self._path, "staging")

    def make(self) -> None:
        """Make the folder of the index, to have the lock in."""
        if not os.path.isdir(self._path):
            make_folders(self._path)
            sweep(os.path.dirname(self.folder))

    def lock(self, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the lock of the task."""
        return locked(os.path.join(self._path, "lock"), shared)

    # With or without the lock

    def link(self, digest: str) -> str:
        """Return the link of a digest."""
        return os.path.join(self.links, digest)

    def linked(self, digest: str) -> str | None:
        """Return the folder that is linked to a digest, if its configuration really has it."""
        try:
            name = os.path.basename(os.readlink(self.link(digest)))
        except OSError:  # no link, or, in a store that was copied without links, something else
            return None
        run = os.path.join(self.folder, name)
        configuration = read_configuration(run)
        return run if configuration is not None and configuration.digest == digest else None

    def state_for(self, digest: str) -> State | None:
        """Return what is known; None if it, or what is linked to a digest, is not to be relied on.

        A link that leads nowhere may be that of a run which is just being made.
        """
        state = self._read_state()
        is_good = state is not None and self._is_fresh(state)
        return state if is_good and not os.path.lexists(self.link(digest)) else None

    def scan(self) -> tuple[dict[str, str], set[Shape]]:
        """Return all runs by digest, and the sets of keys, without the help of the index."""
        runs: dict[str, str] = {}
        shapes = set()
        for name in sorted(os.listdir(self.folder)):
            run = os.path.join(self.folder, name)
            configuration = read_configuration(run)
            if configuration is not None:
                runs.setdefault(configuration.digest, run)
                shapes.add(configuration.shape)
        return runs, shapes

    # With the lock held

    def settle(self, digest: str) -> State:
        """Bring the index up to date, and make sure that a digest is linked well or not at all."""
        for folder in (self.links, self.staging):
            make_folders(folder)
        state = self._read_state()
        is_broken = self.linked(digest) is None and self._unlink(digest)
        if is_broken or state is None or not self._is_fresh(state):
            state = self._reconcile(state)
        return state

    def touch(self) -> int:
        """Give the task's folder a time of change that no later change can have, and return it.

        The kernel's own times are some milliseconds coarse; one of its own could be that of
        somebody else's change too.
        """
        now = time.time_ns()
        with suppress(PermissionError):  # only the owner of a folder may choose its times
            os.utime(self.folder, ns=(now, now))
        return os.stat(self.folder).st_mtime_ns

    def write(self, state: State) -> None:
        """Keep what is known."""
        content = {"stamp": state.stamp, "shapes": sorted(state.shapes), "last": state.last}
        put_content(self.staging, self._state_path, json.dumps(content).encode())

    def _unlink(self, digest: str) -> bool:
        """Remove a link, and the folder if its maker was killed before it was filled."""
        link = self.link(digest)
        if not os.path.lexists(link):
            return False
        if not os.path.islink(link):  # in a store that was copied without links
            self._forget()
            return True
        name = os.path.basename(os.readlink(link))
        os.unlink(link)
        with suppress(OSError):  # there is something in it, so it is not ours to remove
            os.rmdir(os.path.join(self.folder, name))
        return True

    def _forget(self) -> None:
        """Remove all links; first what says that they can be relied on."""
        with suppress(FileNotFoundError):
            os.unlink(self._state_path)
        shutil.rmtree(self.links)
        make_folders(self.links)

    def _reconcile(self, state: State | None) -> State:
        """Look for folders that have come or gone; without a state, look at all of them."""
        known = None if state is None else self._known()
        if state is None or known is None:
            self._forget()
            state, known = State(0), {}
        state.stamp = self.touch()
        state.last = {}
        present = {entry.name for entry in os.scandir(self.folder) if entry.is_dir()} - {INDEX}
        for name, digest in known.items():
            if not os.path.exists(os.path.join(self.folder, name, Names.CONFIG)):
                self._unlink(digest)
        for name in sorted(present - known.keys()):
            self._register(name, state)
        self.write(state)
        return state

    def _known(self) -> dict[str, str] | None:
        """Return {folder: digest} of all links; None if something else is among them."""
        known = {}
        with suppress(OSError):
            for digest in os.listdir(self.links):
                known[os.path.basename(os.readlink(self.link(digest)))] = digest
            return known
        return None

    def _register(self, name: str, state: State) -> None:
        """Link a folder that was found."""
        run = os.path.join(self.folder, name)
        configuration = read_configuration(run)
        if configuration is None:
            return
        linked = self.linked(configuration.digest)
        if linked is not None:
            logger.warning("%r and %r keep the same configuration: using the first", linked, run)
            return
        self._unlink(configuration.digest)
        os.symlink(os.path.join("..", "..", name), self.link(configuration.digest))
        state.shapes.add(configuration.shape)

    def _read_state(self) -> State | None:
        """Return what is written; None if the index must be made anew."""
        try:
            with open(self._state_path, encoding="utf-8") as f:
                content = parse(f.read())
            shapes = {tuple(map(str, shape)) for shape in content["shapes"]}
            last = {str(stem): int(number) for stem, number in content["last"].items()}
            return State(int(content["stamp"]), shapes, last)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def _is_fresh(self, state: State) -> bool:
        return state.stamp == os.stat(self.folder).st_mtime_ns
