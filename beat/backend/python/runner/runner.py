"""Runs an experiment: indexes its databases, runs its blocks, collects its results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..asset import JSON
from ..experiment import Experiment
from .cache import forget, is_complete
from .engines import Outcome, ProcessEngine
from .plan import Block, Dataset, Plan, make_plan
from .results import Result, load_results
from .workdir import (
    databases_of,
    make_algorithm_folder,
    make_provider_folder,
    resolve_root_folder,
)


class BlockFailed(Exception):
    """A block, or the indexing of a dataset, did not succeed; the text says why."""

    def __init__(self, name: str, explanation: str) -> None:
        super().__init__(name, explanation)
        self.name = name
        self.explanation = explanation

    def __str__(self) -> str:
        return f"`{self.name}' failed:\n{self.explanation}"


@dataclass(frozen=True)
class Event:
    """Something that happened to a dataset or to a block.

    Attributes
    ----------
    name : str
        Which one.
    state : str
        ``indexing``, ``indexed``, ``running``, ``done``, ``cached`` or ``failed``.
    seconds : float
        How long it took, where it is over.
    """

    name: str
    state: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """What a run of an experiment gave.

    Attributes
    ----------
    experiment : str
        The full name of the experiment.
    states : dict
        ``done`` or ``cached``, by name of the block.
    statistics : dict
        What each block that ran read and wrote, by name.
    results : dict
        Results by name, by name of the analyzer.
    """

    experiment: str
    states: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, JSON] = field(default_factory=dict)
    results: dict[str, dict[str, Result]] = field(default_factory=dict)


class Engine(Protocol):
    """Starts blocks somewhere."""

    def run(self, block: Block, folder: str) -> Outcome:
        """Run a block in its working folder and wait for it."""


class Runner:
    """Runs the experiments of a prefix.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    cache : str
        The cache folder, made if it is not there.
    root_folders : dict, optional
        Where the raw data of databases is, by full name; see `workdir.resolve_root_folder`.
    """

    def __init__(
        self, prefix: str, cache: str, root_folders: Mapping[str, str] | None = None
    ) -> None:
        self.prefix = os.path.abspath(prefix)
        self.cache = os.path.abspath(cache)
        self.root_folders = dict(root_folders or {})

    def run(
        self,
        name: str,
        force: bool = False,
        engine: Engine | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> Run:
        """Run an experiment, taking from the cache what is there.

        Parameters
        ----------
        name : str
            The experiment.
        force : bool
            Whether to run every block again.
        engine : Engine, optional
            Where blocks run; by default in processes on this machine.
        on_event : callable, optional
            Told about each step.

        Raises
        ------
        RuntimeError
            If the experiment is not valid.
        BlockFailed
            If a block fails; the outputs of earlier ones stay in the cache.
        """
        experiment = Experiment(self.prefix, name)
        plan = make_plan(experiment)
        run = Run(plan.experiment)
        os.makedirs(self.cache, exist_ok=True)
        self._index(experiment, plan, on_event)
        for block in plan.blocks:
            if not force and is_complete(self.cache, self.prefix, block):
                on_event(Event(block.name, "cached"))
                run.states[block.name] = "cached"
                continue
            outcome = self._compute(
                block, experiment, engine or ProcessEngine(self.cache), on_event
            )
            run.states[block.name] = "done"
            run.statistics[block.name] = outcome.statistics
        for block in plan.blocks:
            if block.is_analyzer:
                run.results[block.name] = self._results(block, experiment)
        return run

    def _compute(
        self,
        block: Block,
        experiment: Experiment,
        engine: Engine,
        on_event: Callable[[Event], None],
    ) -> Outcome:
        on_event(Event(block.name, "running"))
        folder = tempfile.mkdtemp(prefix="beat-")
        try:
            make_algorithm_folder(os.path.join(folder, "algorithm"), block, experiment)
            if databases_of(block):
                databases = os.path.join(folder, "databases")
                make_provider_folder(databases, block, experiment, self.root_folders)
            forget(self.cache, block)
            outcome = engine.run(block, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not outcome.succeeded:
            forget(self.cache, block)
            on_event(Event(block.name, "failed", outcome.seconds))
            raise BlockFailed(block.name, outcome.explanation)
        on_event(Event(block.name, "done", outcome.seconds))
        return outcome

    def _results(self, block: Block, experiment: Experiment) -> dict[str, Result]:
        analyzer = experiment.algorithms[block.configuration["algorithm"]]
        return load_results(self.cache, self.prefix, block.paths[0], analyzer)

    def _index(self, experiment: Experiment, plan: Plan, on_event: Callable[[Event], None]) -> None:
        for dataset in plan.datasets:
            if os.path.isfile(os.path.join(self.cache, dataset.path)):
                continue
            on_event(Event(dataset.name, "indexing"))
            started = time.monotonic()
            database = experiment.databases[dataset.database]
            root_folder = resolve_root_folder(database, self.root_folders)
            index_set(self.prefix, self.cache, dataset, root_folder)
            on_event(Event(dataset.name, "indexed", time.monotonic() - started))


def index_set(prefix: str, cache: str, dataset: Dataset, root_folder: str) -> None:
    """Index one set of a database, in a process of its own: its view is user code.

    Raises
    ------
    BlockFailed
        If the view fails.
    """
    script = [sys.executable, "-m", "beat.backend.python.scripts.index"]
    arguments = [f"--db_root_folder={root_folder}", prefix, cache]
    which = [dataset.database, dataset.protocol, dataset.set]
    ended = subprocess.run(
        [*script, *arguments, *which], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ended.returncode != 0:
        raise BlockFailed(dataset.name, (ended.stderr or ended.stdout).strip())
