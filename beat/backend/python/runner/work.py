"""Computes one block: lock, working folder, ranges, processes, records."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ..asset import JSON
from ..data.cache_files import record_path
from ..experiment import Experiment
from .cache import forget, forget_unfinished, keep_damaged
from .decide import Decision, Judge
from .engines import Control, Engine, Limits, Outcome, Usage
from .events import Event
from .inputs import last_index
from .locks import locked
from .plan import Block
from .record import write_json
from .scratch import scratch_folder
from .split import Range, ranges_of
from .workdir import databases_of, make_algorithm_folder, make_provider_folder


@dataclass(frozen=True)
class Workshop:
    """What all blocks of a run have in common.

    Attributes
    ----------
    experiment : Experiment
        What they belong to.
    judge : Judge
        Who decides whether a block has to run.
    engine : Engine
        Where they run.
    slots : threading.Semaphore
        How many may run at a time.
    limits : Limits
        What each may use.
    stop : threading.Event
        Set to end them all.
    kill : threading.Event
        Set to end them at once.
    root_folders : dict
        Where the raw data of databases is.
    on_event : callable
        Told what happens.
    retries : int
        How often a block whose process was killed is run again.
    """

    experiment: Experiment
    judge: Judge
    engine: Engine
    slots: threading.Semaphore
    limits: Limits
    stop: threading.Event
    kill: threading.Event
    root_folders: Mapping[str, str]
    on_event: Callable[[Event], None]
    retries: int = 0

    def do(self, block: Block, decision: Decision) -> Outcome | None:
        """Bring a block to its end.

        Returns
        -------
        Outcome or None
            How it ended; None if its outputs were in the cache.
        """
        if not decision.run:
            return None
        cache = self.judge.cache

        def on_wait(holder: str) -> None:
            self.on_event(Event(block.name, "waiting", reasons=(holder,)))

        with locked(cache, block.paths[0], on_wait, self.stop.wait) as held:
            if not held:
                return Outcome(0, ended_for="it was stopped")
            forced = [block.name] if "forced" in decision.reasons else []
            decision = self.judge.decide(block, forced)
            if not decision.run:  # somebody else has done it meanwhile
                return None
            outcome = self._compute(block, decision)
            record = self.judge.records[block.name]
            self.judge.history.remember(block.name, record, outcome)
            if outcome.succeeded:
                for path in block.paths:
                    write_json(record_path(cache, path), record)
            else:
                forget(cache, block)
            return outcome

    def _compute(self, block: Block, decision: Decision) -> Outcome:
        aside = keep_damaged(self.judge.cache, self.judge.prefix, block)
        self.on_event(Event(block.name, "running", reasons=(*decision.reasons, *aside)))
        forget(self.judge.cache, block)
        algorithm = self.experiment.algorithms[block.configuration["algorithm"]]
        ranges = ranges_of(self.judge.cache, block, algorithm)
        progress = _Progress(block, self.judge.cache, self.on_event)
        if not ranges:
            return self._try_piece(block, None, progress)
        with ThreadPoolExecutor(len(ranges)) as pool:
            pieces = list(pool.map(lambda r: self._try_piece(block, r, progress), ranges))
        return _joined(pieces)

    def _try_piece(self, block: Block, piece: Range | None, progress: _Progress) -> Outcome:
        """Run a block, or one range of it, again if its process was killed."""
        outcome = self._run_piece(block, piece, progress)
        for _ in range(self.retries):
            if not outcome.died or self.stop.is_set():
                break
            forget_unfinished(self.judge.cache, block)
            self.on_event(Event(block.name, "retried", reasons=(outcome.cause,)))
            outcome = self._run_piece(block, piece, progress)
        return outcome

    def _run_piece(self, block: Block, piece: Range | None, progress: _Progress) -> Outcome:
        """Run a block, or one range of it, as soon as there is a slot."""
        while not self.slots.acquire(timeout=0.1):
            if self.stop.is_set():
                return Outcome(0, ended_for="it was stopped")
        try:
            if piece is not None:
                block = replace(block, configuration={**block.configuration, "range": list(piece)})
            note = lambda index: progress.note(piece, index)  # noqa: E731
            control = Control(self.limits, self.stop, self.kill, note)
            with scratch_folder() as folder:
                self._fill(folder, block)
                return self.engine.run(block, folder, control)
        finally:
            self.slots.release()

    def _fill(self, folder: str, block: Block) -> None:
        """Make the working folders of a block."""
        work, experiment = os.path.join(folder, "algorithm"), self.experiment
        make_algorithm_folder(work, block, experiment.algorithms, experiment.databases)
        if databases_of(block):
            work = os.path.join(folder, "databases")
            make_provider_folder(work, block, experiment.prefix, self.root_folders)


class _Progress:
    """Adds up how far the ranges of a block have come."""

    def __init__(self, block: Block, cache: str, on_event: Callable[[Event], None]) -> None:
        self._name = block.name
        self._on_event = on_event
        self._began = time.monotonic()
        self._total = _number_of_indices(cache, block.configuration)
        self._done: dict[Range | None, int] = {}

    def note(self, piece: Range | None, index: int) -> None:
        """Take the last index of a range, and tell if there is anything new."""
        first = piece[0] if piece else 0
        done = max(0, index - first + 1)
        if done == self._done.get(piece, 0):
            return
        self._done[piece] = done
        seconds = time.monotonic() - self._began
        total = sum(self._done.values())
        self._on_event(Event(self._name, "progress", seconds, total, self._total))


def _number_of_indices(cache: str, side: JSON) -> int:
    ends = [
        last_index(cache, item)
        for item in side["inputs"].values()
        if item["channel"] == side["channel"]
    ]
    return max((end + 1 for end in ends if end is not None), default=0)


def _joined(pieces: list[Outcome]) -> Outcome:
    """Return the outcome of a block that ran in several ranges: the first failure, if any."""
    from ..stats import update

    data: JSON = {}
    for piece in pieces:
        if piece.data and not data:
            data = piece.data
        elif piece.data:
            update(data, piece.data)
    first = next((piece for piece in pieces if not piece.succeeded), pieces[0])
    usage = Usage(
        seconds=max(piece.usage.seconds for piece in pieces),
        user=sum(piece.usage.user for piece in pieces),
        system=sum(piece.usage.system for piece in pieces),
        voluntary=sum(piece.usage.voluntary for piece in pieces),
        involuntary=sum(piece.usage.involuntary for piece in pieces),
        peak_bytes=max(piece.usage.peak_bytes for piece in pieces),
    )
    return replace(first, data=data, usage=usage, log="\n".join(piece.log for piece in pieces))
