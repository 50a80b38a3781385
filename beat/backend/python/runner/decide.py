"""Which blocks have to run, and why."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..asset import JSON
from ..data.cache_files import record_path
from .cache import what_is_missing
from .history import History
from .plan import Block, Plan
from .record import differences, read_json


@dataclass(frozen=True)
class Decision:
    """Whether a block has to run.

    Attributes
    ----------
    run : bool
        False if the cache holds what it makes.
    reasons : tuple of str
        Why it has to run.
    """

    run: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judge:
    """Decides about the blocks of a plan.

    Attributes
    ----------
    cache, prefix : str
        The folders.
    records : dict
        What each block is to be made of, by name.
    history : History
        What is remembered of earlier runs.
    strict : bool
        Whether outputs without a record, made by somebody else, are not trusted.
    """

    cache: str
    prefix: str
    records: Mapping[str, JSON]
    history: History
    strict: bool = False

    def decide(self, block: Block, forced: Collection[str] = ()) -> Decision:
        """Decide about one block."""
        if block.name in forced:
            return Decision(True, ("forced",))
        problem = what_is_missing(self.cache, self.prefix, block)
        if problem is not None:
            return Decision(True, self._why_missing(block, problem))
        stale = self._why_stale(block)
        return Decision(bool(stale), stale)

    def decide_all(self, plan: Plan, forced: Collection[str] = ()) -> dict[str, Decision]:
        """Decide about every block, as things are now."""
        return {block.name: self.decide(block, forced) for block in plan.blocks}

    def _why_missing(self, block: Block, problem: str) -> tuple[str, ...]:
        last = self.history.last(block.name)
        if last is None:
            return ("never computed here" if problem.endswith("not in the cache") else problem,)
        if last["state"] == "failed":
            return ("it failed last time",)
        return tuple(differences(last["record"], self.records[block.name])) or (problem,)

    def _why_stale(self, block: Block) -> tuple[str, ...]:
        for path in block.paths:
            file = record_path(self.cache, path)
            record = read_json(file)
            if record is None:
                if os.path.lexists(file):
                    return ("the record of how it was made is damaged",)
                if self.strict:
                    return ("there is no record of how it was made",)
            elif record != self.records[block.name]:
                changes = differences(record, self.records[block.name])
                return tuple(changes) or ("it was made in another way",)
        return ()
