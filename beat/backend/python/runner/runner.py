"""Runs an experiment: indexes its databases, runs its blocks, collects its results."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..experiment import Experiment
from . import scratch
from .decide import Decision, Judge
from .engines import Engine, Limits, Outcome, ProcessEngine
from .events import Event, Failure, Run, RunFailed
from .history import History, statistics
from .indexing import index_problem, renew_index
from .keeping import keep
from .locks import in_use, locked
from .plan import Block, Plan, make_plan
from .prepare import Parameters, check_forced, select, set_parameters
from .record import make_records
from .results import load_results
from .schedule import SKIPPED, Schedule
from .work import Workshop
from .workdir import resolve_root_folder

if TYPE_CHECKING:
    from ..stores import ResultsStore


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
    strict : bool
        Whether outputs that were made elsewhere, without a record, are computed again.
    store : stores.ResultsStore, optional
        Where the results of analyzers are kept; see `keeping`.
    """

    def __init__(
        self,
        prefix: str,
        cache: str,
        root_folders: Mapping[str, str] | None = None,
        strict: bool = False,
        store: ResultsStore | None = None,
    ) -> None:
        self.store = store
        self.prefix = os.path.abspath(prefix)
        self.cache = os.path.abspath(cache)
        self.root_folders = dict(root_folders or {})
        self.strict = strict

    def plan(
        self, name: str, parameters: Parameters | None = None
    ) -> tuple[Experiment, Plan, Judge]:
        """Plan an experiment without running anything.

        Parameters
        ----------
        name : str
            The experiment.
        parameters : dict, optional
            Values that replace those of the experiment, by (block, parameter).

        Returns
        -------
        tuple
            The experiment, the plan, and who decides which of its blocks have to run.

        Raises
        ------
        RuntimeError
            If the experiment is not valid, or a parameter is not accepted.
        """
        experiment = Experiment(self.prefix, name)
        if experiment.valid:
            set_parameters(experiment, parameters or {})
        plan = make_plan(experiment)
        records = make_records(self.cache, experiment, plan)
        history = History(self.cache, plan.experiment)
        return experiment, plan, Judge(self.cache, self.prefix, records, history, self.strict)

    def decide(
        self,
        name: str,
        force: Collection[str] = (),
        parameters: Parameters | None = None,
        first: str | None = None,
        last: str | None = None,
    ) -> dict[str, Decision]:
        """Tell for each block that `run` would deal with whether it has to run, and why.

        Parameters and exceptions are those of `run`, which runs what is only told here.
        """
        _, plan, judge = self.plan(name, parameters)
        forced = check_forced(plan, force)
        return judge.decide_all(select(plan, first, last), forced)

    def run(
        self,
        name: str,
        *,
        jobs: int = 1,
        force: Collection[str] = (),
        first: str | None = None,
        last: str | None = None,
        parameters: Parameters | None = None,
        engine: Engine | None = None,
        keep_going: bool = False,
        limits: Limits | None = None,
        retries: int = 0,
        on_event: Callable[[Event], None] = lambda event: None,
        stop: threading.Event | None = None,
        kill: threading.Event | None = None,
    ) -> Run:
        """Run an experiment, taking from the cache what is there.

        Parameters
        ----------
        name : str
            The experiment.
        jobs : int
            How many blocks, or ranges of split blocks, run at a time.
        force : collection of str
            Blocks to be run whatever the cache holds; ``*`` means all.
        first, last : str, optional
            Run only what depends on the one, and only what the other depends on.
        parameters : dict, optional
            Values that replace those of the experiment, by (block, parameter).
        engine : Engine, optional
            Where blocks run; by default in processes on this machine.
        keep_going : bool
            Whether blocks that do not depend on a failed one are still run.
        limits : Limits, optional
            What each block may use.
        retries : int
            How often a block is run again whose process was killed by a signal: by the kernel when
            memory runs out, say. Failures of user code are never tried again.
        on_event : callable, optional
            Told about each step, from several threads but never from two at a time.
        stop, kill : threading.Event, optional
            Set the one to end the run, the other too to give blocks no time to clean up.

        Raises
        ------
        RuntimeError
            If the experiment is not valid, or a block or parameter does not exist.
        IndexingFailed
            If a database cannot be indexed.
        RunFailed
            If a block fails; what was computed stays in the cache.
        stores.StoreError
            If the results cannot be kept.
        KeyboardInterrupt
            After everything has been ended.
        """
        on_event = _one_at_a_time(on_event)
        experiment, plan, judge = self.plan(name, parameters)
        os.makedirs(self.cache, exist_ok=True)
        scratch.tidy()
        stop = stop or threading.Event()
        if self._index(experiment, plan, on_event, stop):
            experiment, plan, judge = self.plan(name, parameters)
        forced = check_forced(plan, force)
        plan = select(plan, first, last)
        workshop = Workshop(
            experiment=experiment,
            judge=judge,
            engine=engine or ProcessEngine(self.cache),
            slots=threading.Semaphore(jobs),
            limits=limits or Limits(),
            stop=stop,
            kill=kill or threading.Event(),
            root_folders=self.root_folders,
            on_event=on_event,
            retries=retries,
        )
        run = Run(plan.experiment)
        with in_use(self.cache):
            _Conductor(workshop, plan, run, forced, keep_going).conduct()
            if run.failures or SKIPPED in run.states.values():
                raise RunFailed(run)
            for block in plan.blocks:
                if block.is_analyzer:
                    analyzer = experiment.algorithms[block.configuration["algorithm"]]
                    results = load_results(self.cache, self.prefix, block.paths[0], analyzer)
                    run.results[block.name] = results
        if self.store is not None:
            keep(self.store, plan, run, judge.records)
        return run

    def _index(
        self,
        experiment: Experiment,
        plan: Plan,
        on_event: Callable[[Event], None],
        stop: threading.Event,
    ) -> bool:
        """Index the datasets that are not indexed, or damaged; tell whether there were any."""
        missing = [d for d in plan.datasets if index_problem(self.cache, d.path) is not None]
        for dataset in missing:

            def on_wait(holder: str, name: str = dataset.name) -> None:
                on_event(Event(name, "waiting", reasons=(holder,)))

            on_event(Event(dataset.name, "indexing"))
            began = time.monotonic()
            database = experiment.databases[dataset.database]
            root_folder = resolve_root_folder(database, self.root_folders)
            with locked(self.cache, dataset.path, on_wait, stop.wait) as held:
                if held:
                    renew_index(self.prefix, self.cache, dataset, root_folder)
            on_event(Event(dataset.name, "indexed", time.monotonic() - began))
        return bool(missing)


class _Conductor:
    """Starts blocks as they become ready, and takes note of how they end."""

    def __init__(
        self,
        workshop: Workshop,
        plan: Plan,
        run: Run,
        forced: Collection[str],
        keep_going: bool,
    ) -> None:
        self.workshop = workshop
        self.run = run
        self.forced = forced
        self.blocks = {block.name: block for block in plan.blocks}
        dependencies = {
            block.name: block.dependencies & self.blocks.keys() for block in plan.blocks
        }
        self.schedule = Schedule(dependencies, keep_going)
        self.ended: queue.SimpleQueue[tuple[Block, Outcome | None]] = queue.SimpleQueue()

    def conduct(self) -> None:
        """Bring every block to its end."""
        with ThreadPoolExecutor(max(1, len(self.blocks)), "block") as pool:
            futures = []
            try:
                while not self.schedule.over:
                    for name in self._startable():
                        self.schedule.start(name)
                        futures.append(pool.submit(self._do, self.blocks[name]))
                    if not self.schedule.over:
                        self._take(*self.ended.get())
            except KeyboardInterrupt:
                self._end_all()
                raise
        for future in futures:
            future.result()
        self.run.states.update(self.schedule.states)

    def _startable(self) -> list[str]:
        if self.workshop.stop.is_set():
            self.schedule.stop()
        return self.schedule.ready()

    def _do(self, block: Block) -> None:
        outcome: Outcome | None = Outcome(1, system_error="it was not run")
        try:
            decision = self.workshop.judge.decide(block, self.forced)
            outcome = self.workshop.do(block, decision)
        finally:
            self.ended.put((block, outcome))

    def _take(self, block: Block, outcome: Outcome | None) -> None:
        tell = self.workshop.on_event
        if outcome is None:
            self.schedule.finish(block.name, cached=True)
            tell(Event(block.name, "cached"))
            return
        self.run.statistics[block.name] = statistics(outcome)
        if outcome.succeeded:
            self.schedule.finish(block.name)
            tell(Event(block.name, "done", outcome.usage.seconds))
            return
        self.schedule.fail(block.name)
        algorithm = block.configuration["algorithm"]
        self.run.failures.append(Failure(block.name, algorithm, outcome))
        tell(Event(block.name, "failed", outcome.usage.seconds))

    def _end_all(self) -> None:
        """End what is running: gently, and at once if asked again."""
        self.workshop.stop.set()
        self.schedule.stop()
        try:
            while not self.schedule.over:
                self._take(*self.ended.get())
        except KeyboardInterrupt:
            self.workshop.kill.set()


def _one_at_a_time(on_event: Callable[[Event], None]) -> Callable[[Event], None]:
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            on_event(event)

    return tell
