"""How the data of a block is divided among its slots."""

from __future__ import annotations

from ..algorithm import Algorithm
from ..asset import JSON
from ..data import foundSplitRanges
from ..data.indices import Column, joined
from ..data.splits import load_intervals
from .inputs import entries_of
from .plan import Block

Range = tuple[int, int]


def ranges_of(cache: str, block: Block, algorithm: Algorithm) -> list[Range]:
    """Return the ranges of indices a block is run in; none if it is run in one piece.

    They are cut where units of all inputs on the block's channel begin.
    """
    slots = block.configuration["nb_slots"]
    if slots < 2 or block.evaluator or block.is_analyzer or not algorithm.splittable:
        return []
    channel = block.configuration["channel"]
    inputs = block.configuration["inputs"].values()
    indices = [column for i in inputs if i["channel"] == channel for column in _indices(cache, i)]
    ranges = foundSplitRanges(indices, slots)
    return ranges if len(ranges) > 1 else []


def _indices(cache: str, item: JSON) -> list[Column]:
    """Return the starts of an input's units; for a database, of all entries if in doubt."""
    if "database" not in item:
        units = load_intervals(cache, item["path"])
        return [_with_end(units.starts, units.ends[-1] + 1)]
    entries = entries_of(cache, item["path"])
    if entries is None:
        return []
    known = item["output"] in entries.fields
    fields = [item["output"]] if known else entries.fields
    return [_with_end(entries.starts(field), len(entries)) for field in fields]


def _with_end(starts: Column, end: int) -> Column:
    return joined(starts[:], range(end, end + 1))
