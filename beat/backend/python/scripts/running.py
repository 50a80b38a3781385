"""The process that runs the algorithm of a block."""

from __future__ import annotations

import os
import threading
from typing import Any

import zmq

from ..exceptions import UserError
from ..execution import AlgorithmExecutor
from ..execution.block import load_configuration
from ..execution.failures import Failure, describe_failure
from ..execution.keys import KeysError, client_keys
from ..execution.sockets import close_pair, connect_pair
from .privileges import become
from .process import Driver, Terminated, complain, end_by_signal, orderly_end, terminable

NOTE_SECONDS = 0.1
STEPS = ("setup", "prepare", "process")
TERMINATED = Failure("sys", "terminated")


class _Executor(AlgorithmExecutor):
    """An executor whose driver is watched until it is told that all is done."""

    driver: Driver

    def done(self, stats: dict[str, Any]) -> None:
        self.driver.unwatch()
        super().done(stats)


class ProgressNote:
    """Notes in a file, a few times a second, the data index that an executor is at.

    Parameters
    ----------
    path : str or None
        The file; None for no notes.
    """

    def __init__(self, path: str | None) -> None:
        self._file = None if path is None else open(path, "wb", buffering=0)  # noqa: SIM115
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, executor: AlgorithmExecutor) -> None:
        """Begin to take notes."""
        if self._file is not None:
            self._thread = threading.Thread(target=self._take, args=(executor,), daemon=True)
            self._thread.start()

    def _take(self, executor: AlgorithmExecutor) -> None:
        assert self._file is not None
        noted = -1
        over = False
        while not over:
            over = self._ended.wait(NOTE_SECONDS)
            if executor.data_index != noted:
                noted = executor.data_index
                os.pwrite(self._file.fileno(), b"%20d" % noted, 0)

    def end(self) -> None:
        """Take the last note."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._file is not None:
            self._file.close()


@orderly_end()
def run_algorithm(
    address: str,
    directory: str,
    cache: str,
    db_address: str | None,
    loop_address: str | None,
    progress: str | None = None,
    keys: str | None = None,
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
    progress : str, optional
        The file to note in how far it has come.
    keys : str, optional
        The folder of the keys; without it, conversations are plain.

    Returns
    -------
    int
        The exit status: 0, or 1 after a failure, which the driver has been told. After the signal
        to end, the process ends by that, as drivers expect of what they kill.
    """
    context: zmq.Context[Any] = (
        zmq.Context.instance()
    )  # ends with the process: nothing waits for it
    servers = {"driver": address, "databases": db_address, "evaluator": loop_address}
    try:
        proofs = {name: client_keys(keys, "algorithm", name) for name in servers if servers[name]}
    except KeysError as error:
        complain(Failure("sys", str(error)))
        return 1
    driver = Driver(context, address, proofs["driver"])
    peers = [
        connect_pair(context, server, proofs[name]) if (server := servers[name]) else None
        for name in ("databases", "evaluator")
    ]
    note = ProgressNote(progress)
    failure = None
    try:
        with terminable():
            driver.meet()
            driver.watch()
            failure = _run(driver, note, directory, cache, *peers)
            driver.unwatch()
        if failure is not None:
            driver.report(failure)
    except ConnectionError as error:
        failure = Failure("sys", str(error))
    except Terminated:
        driver.unwatch()
        failure = Failure("sys", "the driver is gone") if driver.gone else TERMINATED
    finally:
        note.end()
        driver.close()
        for peer in filter(None, peers):
            close_pair(peer)
    if failure is None:
        return 0
    complain(failure)
    return end_by_signal() if failure is TERMINATED else 1


def _run(
    driver: Driver,
    note: ProgressNote,
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
        note.follow(executor)
        for step in STEPS:
            if not getattr(executor, step)():
                raise UserError(f"Could not {step} algorithm (returned False)")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
        return describe_failure(error, os.path.join(directory, "prefix"))
    return None
