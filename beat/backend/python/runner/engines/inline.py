"""Runs a block in this process: for debuggers, profilers and small machines.

There are no limits here, and a crash of user code is the end of everything.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Any

from ...asset import JSON
from ...database import Database
from ...exceptions import UserError
from ...execution import AlgorithmExecutor, LoopExecutor, LoopMessageHandler
from ...execution.failures import describe_failure
from ...execution.sockets import close_pair, connect_pair
from ..plan import Block
from .base import Control, Engine, Outcome, Usage


class InlineEngine:
    """Runs blocks in this process.

    Parameters
    ----------
    cache : str
        The cache folder.
    debug : bool
        Whether to stop in the debugger where a block fails.
    """

    def __init__(self, cache: str, debug: bool = False) -> None:
        self.cache = os.path.abspath(cache)
        self.debug = debug

    def run(self, block: Block, folder: str, control: Control) -> Outcome:
        """Run a block in its private folder; its limits do not count."""
        began = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_THREAD)
        user_error = system_error = ""
        statistics: JSON = {}
        try:
            statistics = self.compute(block, folder, exc=UserError)
        except Exception as error:  # noqa: BLE001 - user code may raise anything
            if self.debug:
                import pdb

                pdb.post_mortem(error.__traceback__)
            failure = describe_failure(error, os.path.join(folder, "algorithm", "prefix"))
            if failure.kind == "usr":
                user_error = failure.text
            else:
                system_error = failure.text
        after = resource.getrusage(resource.RUSAGE_THREAD)
        usage = Usage(
            seconds=time.monotonic() - began,
            user=after.ru_utime - before.ru_utime,
            system=after.ru_stime - before.ru_stime,
            voluntary=after.ru_nvcsw - before.ru_nvcsw,
            involuntary=after.ru_nivcsw - before.ru_nivcsw,
            peak_bytes=after.ru_maxrss * 1024,
        )
        status = 1 if user_error or system_error else 0
        return Outcome(status, user_error, system_error, data=statistics, usage=usage)

    def compute(
        self, block: Block, folder: str, exc: Callable[[Any], Exception] | None = None
    ) -> JSON:
        """Run a block in its private folder; return the statistics of its data.

        Raises
        ------
        UserError
            If the algorithm returns False.
        Exception
            What user code raises, unchanged or as ``exc``.
        """
        work = os.path.join(folder, "algorithm")
        databases = _databases(block, os.path.join(folder, "databases", "prefix"))
        if block.evaluator is None:
            return self._execute(work, databases, exc)
        import zmq

        handler = LoopMessageHandler("ipc://" + os.path.join(folder, "evaluator.socket"))
        socket = connect_pair(zmq.Context.instance(), handler.address)
        evaluator = LoopExecutor(
            handler, work, database_cache=databases, cache_root=self.cache, exc=exc
        )
        try:
            _all_steps(evaluator.setup, evaluator.prepare)
            evaluator.process()
            return self._execute(work, databases, exc, socket)
        finally:
            handler.kill()
            evaluator.wait()
            evaluator.close()
            handler.destroy()
            close_pair(socket)

    def _execute(
        self,
        work: str,
        databases: dict[str, Any],
        exc: Callable[[Any], Exception] | None,
        loop_socket: Any = None,
    ) -> JSON:
        executor = _Executor(
            None,
            work,
            database_cache=databases,
            cache_root=self.cache,
            loop_socket=loop_socket,
            exc=exc,
        )
        _all_steps(executor.setup, executor.prepare, executor.process)
        return executor.statistics


class _Executor(AlgorithmExecutor):
    """Keeps the statistics that it would send to a driver."""

    statistics: JSON

    def done(self, stats: JSON) -> None:
        """Keep them."""
        self.statistics = stats


def _all_steps(*steps: Any) -> None:
    for step in steps:
        if not step():
            raise UserError(f"Could not {step.__name__} algorithm (returned False)")


def _databases(block: Block, prefix: str) -> dict[str, Any]:
    inputs = [item for side in block.sides for item in side["inputs"].values()]
    names = {item["database"] for item in inputs if "database" in item}
    return {name: Database(prefix, name) for name in names}


class DebugEngine:
    """Runs one block in the debugger, and all others elsewhere.

    Parameters
    ----------
    block : str
        The block to be debugged.
    cache : str
        The cache folder.
    others : Engine
        What runs the other blocks.
    """

    def __init__(self, block: str, cache: str, others: Engine) -> None:
        self._block = block
        self._here = InlineEngine(cache, debug=True)
        self._others = others

    def run(self, block: Block, folder: str, control: Control) -> Outcome:
        """Run a block in its private folder and wait for it."""
        engine = self._here if block.name == self._block else self._others
        return engine.run(block, folder, control)
