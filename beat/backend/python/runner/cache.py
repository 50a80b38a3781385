"""What the cache holds for a plan."""

from __future__ import annotations

import glob
import logging
import os
import shutil
from collections.abc import Iterable

from ..asset import JSON
from ..data import CachedDataSource
from ..data.cache_files import record_path
from ..publish import is_leftover
from .aside import set_aside
from .inputs import last_index
from .plan import Block

logger = logging.getLogger(__name__)


def what_is_missing(cache: str, prefix: str, block: Block) -> str | None:
    """Say what of a block's outputs is missing, damaged or too short; None if all is there.

    Every output must be readable, pass its checksums and go as far as the data it is made from,
    where that is known.
    """
    for side in block.sides:
        ends = _ends_of_inputs(cache, side)
        for name, path in outputs_of(side).items():
            problem = _problem(cache, prefix, path, ends)
            if problem:
                return f"{name}: {problem}"
    return None


def outputs_of(side: JSON) -> dict[str, str]:
    """Return where the cache keeps what one side of a block makes, by name."""
    paths = {name: output["path"] for name, output in side.get("outputs", {}).items()}
    return {**paths, "result": side["result"]["path"]} if "result" in side else paths


def keep_damaged(cache: str, prefix: str, block: Block) -> list[str]:
    """Set the damaged outputs of a block aside; say which, and where they are now."""
    told = []
    for name, path in (item for side in block.sides for item in outputs_of(side).items()):
        problem = _damage(cache, prefix, path)
        if problem is None:
            continue
        try:
            folder = set_aside(cache, path, _files(cache, path), problem)
        except OSError as error:  # of a full disk, say
            logger.warning("%s is damaged and cannot be set aside: %s", path, error)
        else:
            told.append(f"{name}: set aside in {os.path.relpath(folder, cache)}")
    return told


def _damage(cache: str, prefix: str, path: str) -> str | None:
    """Say how an output is damaged; without any index, it was never finished."""
    try:
        _last_index(cache, prefix, path)
    except OSError as error:
        if any(name.endswith(".index") for name in _files(cache, path)):
            return str(error)
    except RuntimeError:  # its format is not what it was: that is no damage
        pass
    return None


def forget(cache: str, block: Block) -> None:
    """Remove what a block made earlier, the records of it, and what dead writers left behind."""
    forget_unfinished(cache, block)
    for path in block.paths:
        _remove([*_files(cache, path), record_path(cache, path)])


def forget_unfinished(cache: str, block: Block) -> None:
    """Remove what dead writers of a block's outputs left behind."""
    for path in block.paths:
        folder, stem = os.path.split(glob.escape(os.path.join(cache, path)))
        _remove(filter(is_leftover, glob.glob(os.path.join(folder, f".{stem}.*"))))


def _remove(names: Iterable[str]) -> None:
    for name in names:
        try:
            os.unlink(name)
        except FileNotFoundError:
            pass
        except IsADirectoryError:  # no cache has made that
            shutil.rmtree(name)


def _files(cache: str, path: str) -> list[str]:
    return glob.glob(glob.escape(os.path.join(cache, path)) + ".*")


def _problem(cache: str, prefix: str, path: str, ends: set[int]) -> str | None:
    try:
        end = _last_index(cache, prefix, path)
    except (OSError, RuntimeError) as error:
        return f"damaged: {error}"
    if end is None:
        return "not in the cache"
    return f"ends at index {end}, not at {max(ends)}" if ends and end not in ends else None


def _last_index(cache: str, prefix: str, path: str) -> int | None:
    """Read an output as far as it takes to know that it is whole; None if it is not there."""
    source = CachedDataSource()
    try:
        if not source.setup(os.path.join(cache, path + ".data"), prefix):
            return None
        return source.last_data_index()
    finally:
        source.close()


def _ends_of_inputs(cache: str, side: JSON) -> set[int]:
    """Return the last data indices of the inputs on the channel of the block."""
    inputs = [item for item in side["inputs"].values() if item["channel"] == side["channel"]]
    return {end for end in (last_index(cache, item) for item in inputs) if end is not None}
