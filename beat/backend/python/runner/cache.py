"""What the cache holds for a plan."""

from __future__ import annotations

import glob
import os
from contextlib import suppress

from ..asset import JSON
from ..data import CachedDataSource, load_data_index, load_data_index_db
from .plan import Block


def is_complete(cache: str, prefix: str, block: Block) -> bool:
    """Tell whether the cache holds everything a block makes, whole and unchanged.

    Every output must be readable, pass its checksums and go as far as the data it is made from.
    """
    return all(_side_is_complete(cache, prefix, side) for side in block.sides)


def forget(cache: str, block: Block) -> None:
    """Remove what a block made earlier."""
    for path in block.paths:
        stem = glob.escape(os.path.join(cache, path))
        for name in glob.glob(f"{stem}.*"):
            with suppress(FileNotFoundError):
                os.unlink(name)


def _side_is_complete(cache: str, prefix: str, side: JSON) -> bool:
    ends = _ends_of_inputs(cache, side)
    paths = [output["path"] for output in side.get("outputs", {}).values()]
    paths += [side["result"]["path"]] if "result" in side else []
    return all(_end_of_output(cache, prefix, path) in ends for path in paths)


def _ends_of_inputs(cache: str, side: JSON) -> set[int]:
    """Return the last data indices of the inputs on the channel of the block."""
    ends = set()
    for item in side["inputs"].values():
        if item["channel"] == side["channel"]:
            last = _last_index(cache, item)
            if last is not None:
                ends.add(last)
    return ends


def _last_index(cache: str, item: JSON) -> int | None:
    if "database" in item:
        indices = load_data_index_db(cache, item["path"])
        return None if indices is None else next(iter(indices.values()))[-1] - 1
    with suppress(RuntimeError, OSError):
        return load_data_index(cache, item["path"])[-1] - 1
    return None


def _end_of_output(cache: str, prefix: str, path: str) -> int | None:
    """Return the last data index of an output; None if it is missing or damaged."""
    source = CachedDataSource()
    try:
        if source.setup(os.path.join(cache, path + ".data"), prefix):
            return source.last_data_index()
    except (OSError, RuntimeError):
        return None
    finally:
        source.close()
    return None
