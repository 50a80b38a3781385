"""How the data of a block is divided among its slots."""

from __future__ import annotations

import os

import simplejson

from ..algorithm import Algorithm
from ..asset import JSON
from ..data import foundSplitRanges, load_data_index, load_data_index_db
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
    indices = [list_ for i in inputs if i["channel"] == channel for list_ in _indices(cache, i)]
    ranges = foundSplitRanges(indices, slots)
    return ranges if len(ranges) > 1 else []


def _indices(cache: str, item: JSON) -> list[list[int]]:
    """Return the starts of an input's units; for a database, of all entries if in doubt."""
    if "database" not in item:
        return [load_data_index(cache, item["path"])]
    lists = load_data_index_db(cache, item["path"]) or []
    with open(os.path.join(cache, item["path"]), encoding="utf-8") as f:
        fields = list(simplejson.load(f)[0]) if lists else []
    return [lists[fields.index(item["output"])]] if item["output"] in fields else lists
