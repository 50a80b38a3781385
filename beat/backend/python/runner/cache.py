"""What the cache holds for a plan."""

from __future__ import annotations

import glob
import os
import shutil
from contextlib import suppress

from ..asset import JSON
from ..data import CachedDataSource, load_data_index, load_data_index_db
from ..publish import is_leftover
from .plan import Block
from .record import record_path


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


def forget(cache: str, block: Block) -> None:
    """Remove what a block made earlier, the records of it, and what dead writers left behind."""
    for path in block.paths:
        folder, stem = os.path.split(glob.escape(os.path.join(cache, path)))
        names = glob.glob(os.path.join(folder, f"{stem}.*"))
        names += filter(is_leftover, glob.glob(os.path.join(folder, f".{stem}.*")))
        for name in [*names, record_path(cache, path)]:
            try:
                os.unlink(name)
            except FileNotFoundError:
                pass
            except IsADirectoryError:  # no cache has made that
                shutil.rmtree(name)


def _problem(cache: str, prefix: str, path: str, ends: set[int]) -> str | None:
    source = CachedDataSource()
    try:
        if not source.setup(os.path.join(cache, path + ".data"), prefix):
            return "not in the cache"
        end = source.last_data_index()
    except (OSError, RuntimeError) as error:
        return f"damaged: {error}"
    finally:
        source.close()
    return f"ends at index {end}, not at {max(ends)}" if ends and end not in ends else None


def _ends_of_inputs(cache: str, side: JSON) -> set[int]:
    """Return the last data indices of the inputs on the channel of the block."""
    inputs = [item for item in side["inputs"].values() if item["channel"] == side["channel"]]
    return {end for end in (last_index(cache, item) for item in inputs) if end is not None}


def last_index(cache: str, item: JSON) -> int | None:
    """Return the last data index of an input; None if it is not there."""
    if "database" in item:
        lists = load_data_index_db(cache, item["path"])
        return lists[0][-1] - 1 if lists else None
    with suppress(RuntimeError, OSError):
        return load_data_index(cache, item["path"])[-1] - 1
    return None
