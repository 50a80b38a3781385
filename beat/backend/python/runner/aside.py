"""What was found damaged in a cache is set aside, not removed: it may tell what has damaged it.

It stands under ``.beat/damaged`` in the cache: a folder ``<path>.<number>`` has the files of one
output, or the index of one set, and ``problem.txt`` with what was wrong. Nobody reads these files
again; ``beat cache gc --damaged`` removes them.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from ..data.cache_files import FOLDER
from ..publish import publish

logger = logging.getLogger(__name__)

PROBLEM = "problem.txt"
_NUMBERED = re.compile(r"(?P<path>.+)\.[0-9]+")


@dataclass(frozen=True)
class SetAside:
    """Damaged files that were set aside.

    Attributes
    ----------
    path : str
        Where they were, relative to the cache.
    folder : str
        Where they are.
    """

    path: str
    folder: str

    @property
    def problem(self) -> str:
        """What was wrong."""
        with suppress(OSError), open(os.path.join(self.folder, PROBLEM), encoding="utf-8") as f:
            return f.read().strip()
        return "unknown"

    def remove(self) -> None:
        """Remove them."""
        shutil.rmtree(self.folder)


def set_aside(cache: str, path: str, names: Iterable[str], problem: str) -> str:
    """Move damaged files out of the way.

    The indices go first: without them, what is left is not taken for an output.

    Parameters
    ----------
    cache, path : str
        The cache, and the output or index.
    names : iterable of str
        The files, in full.
    problem : str
        What is wrong with them.

    Returns
    -------
    str
        Where they are now.

    Raises
    ------
    OSError
        If they cannot be moved.
    """
    folder = _new_folder(os.path.join(_root(cache), path))
    for name in sorted(names, key=lambda name: not name.endswith(".index")):
        os.rename(name, os.path.join(folder, os.path.basename(name)))
    publish(os.path.join(folder, PROBLEM), problem.encode("utf-8", "replace"))
    logger.warning("%s is damaged and set aside in %s: %s", path, folder, problem)
    return folder


def _root(cache: str) -> str:
    return os.path.join(cache, FOLDER, "damaged")


def _new_folder(base: str) -> str:
    os.makedirs(os.path.dirname(base), exist_ok=True)
    for number in count(1):
        with suppress(FileExistsError):
            os.mkdir(f"{base}.{number}")
            break
    return f"{base}.{number}"


def list_set_aside(cache: str) -> Iterator[SetAside]:
    """Yield what was set aside in a cache, by path."""
    root = _root(cache)
    for parent, folders, _ in os.walk(root):
        for match in filter(None, map(_NUMBERED.fullmatch, sorted(folders))):
            folders.remove(match[0])
            path = os.path.relpath(os.path.join(parent, match["path"]), root)
            yield SetAside(path, os.path.join(parent, match[0]))
        folders.sort()
