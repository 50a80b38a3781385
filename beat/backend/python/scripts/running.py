"""The process that runs the algorithm of a block."""

from __future__ import annotations

import os
from typing import Any

import zmq

from ..exceptions import UserError
from ..execution import AlgorithmExecutor
from ..execution.block import load_configuration
from ..execution.failures import Failure, describe_failure
from ..execution.sockets import close_pair, connect_pair
from .privileges import become
from .process import Driver, Terminated, complain, terminable

STEPS = ("setup", "prepare", "process")


class _Executor(AlgorithmExecutor):
    """An executor whose driver is watched until it is told that all is done."""

    driver: Driver

    def done(self, stats: dict[str, Any]) -> None:
        self.driver.unwatch()
        super().done(stats)


def run_algorithm(
    address: str, directory: str, cache: str, db_address: str | None, loop_address: str | None
) -> int:
    """Run the block in a working directory.

    Parameters
    ----------
    address : str
        Where the driver listens.
    directory : str
        The working directory.
    cache : str
        The folder of the cache.
    db_address, loop_address : str or None
        Where the provider of the databases and the evaluator listen.

    Returns
    -------
    int
        The exit status: 0, or 1 after a failure, which the driver has been told.
    """
    context: zmq.Context[Any] = zmq.Context()
    driver = Driver(context, address)
    peers = [connect_pair(context, peer) if peer else None for peer in (db_address, loop_address)]
    failure = None
    try:
        with terminable():
            driver.watch()
            failure = _run(driver, directory, cache, *peers)
            driver.unwatch()
        if failure is not None:
            driver.report(failure)
    except Terminated:
        driver.unwatch()
        failure = Failure("sys", "terminated" if not driver.gone else "the driver is gone")
    finally:
        driver.close()
        for peer in filter(None, peers):
            close_pair(peer)
        context.term()
    if failure is None:
        return 0
    complain(failure)
    return 1


def _run(
    driver: Driver,
    directory: str,
    cache: str,
    db_socket: zmq.Socket[bytes] | None,
    loop_socket: zmq.Socket[bytes] | None,
) -> Failure | None:
    """Go through all steps; return what failed."""
    try:
        become(load_configuration(directory).get("uid"))
        executor = _Executor(
            driver.socket,
            directory,
            cache_root=cache,
            db_socket=db_socket,
            loop_socket=loop_socket,
            exc=UserError,
        )
        executor.driver = driver
        driver.last_wish = executor.discard_outputs
        for step in STEPS:
            if not getattr(executor, step)():
                raise UserError(f"Could not {step} algorithm (returned False)")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
        return describe_failure(error, os.path.join(directory, "prefix"))
    return None
