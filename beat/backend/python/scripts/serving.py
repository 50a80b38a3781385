"""The processes that serve another one: the provider of databases, the evaluator of a loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import zmq

from ..exceptions import UserError
from ..execution import DBExecutor, LoopExecutor, LoopMessageHandler, MessageHandler
from ..execution.block import load_configuration, part_of
from ..execution.failures import Failure, describe_failure
from ..execution.keys import KeysError, client_keys, server_keys
from ..execution.sockets import close_pair, connect_pair
from .privileges import become
from .process import GRACE_SECONDS, Terminated, complain, orderly_end, terminable

LOOK_SECONDS = 1.0


@orderly_end()
def serve_databases(
    address: str, directory: str, cache: str, section: str | None, keys: str | None = None
) -> int:
    """Serve the databases that a block reads from.

    Parameters
    ----------
    address : str
        Where to listen.
    directory : str
        The working directory.
    cache : str
        The folder with the indices of the views.
    section : str or None
        The part of the configuration to look at.
    keys : str, optional
        The folder of the keys; without it, conversations are plain.

    Returns
    -------
    int
        The exit status: 0 if the other side said that it was done, else 1.
    """
    prefix = os.path.join(directory, "prefix")
    try:
        handler = MessageHandler(address, keys=server_keys(keys, "databases"))
    except KeysError as error:
        complain(Failure("sys", str(error)))
        return 1

    def begin() -> None:
        whole = load_configuration(directory)
        configuration = whole if section is None else part_of(whole, section)
        become(configuration.get("datasets_uid", whole.get("datasets_uid")))
        executor = DBExecutor(handler, prefix, cache, configuration, exc=UserError)
        if not executor.process():
            raise ValueError("; ".join(executor.errors))

    return _serve(handler, prefix, begin)


@orderly_end()
def serve_evaluator(
    address: str, directory: str, cache: str, db_address: str | None, keys: str | None = None
) -> int:
    """Serve the processor of a loop.

    Parameters
    ----------
    address, directory, keys
        As of `serve_databases`; so is the exit status that is returned.
    cache : str
        The folder of the cache.
    db_address : str or None
        Where the evaluator's provider of databases listens.
    """
    try:
        proof = client_keys(keys, "evaluator", "databases") if db_address else None
        handler = LoopMessageHandler(address, keys=server_keys(keys, "evaluator"))
    except KeysError as error:
        complain(Failure("sys", str(error)))
        return 1
    context: zmq.Context[Any] = (
        zmq.Context.instance()
    )  # ends with the process: nothing waits for it
    db_socket = connect_pair(context, db_address, proof) if db_address else None
    executors: list[LoopExecutor] = []

    def begin() -> None:
        whole = load_configuration(directory)
        become(part_of(whole, "loop").get("uid", whole.get("uid")))
        executor = LoopExecutor(
            handler, directory, cache_root=cache, db_socket=db_socket, exc=UserError
        )
        executors.append(executor)
        for step in ("setup", "prepare"):
            if not getattr(executor, step)():
                raise UserError(f"Could not {step} algorithm (returned False)")
        executor.process()

    def discard() -> None:
        for executor in executors:
            executor.discard_outputs()

    try:
        return _serve(handler, os.path.join(directory, "prefix"), begin, discard)
    finally:
        for executor in executors:
            executor.close()
        if db_socket is not None:
            close_pair(db_socket)


def _serve(
    handler: MessageHandler,
    prefix: str,
    begin: Callable[[], None],
    last_wish: Callable[[], object] = lambda: None,
) -> int:
    """Let a handler serve until the end; what keeps it from doing so is all that it answers.

    User code that still works when nobody waits for it any more is ended by force, after
    ``last_wish`` was called.
    """
    try:
        with terminable():
            try:
                begin()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
                handler.service.refuse(describe_failure(error, prefix))
                handler.start()
            while not (handler.wait_end(LOOK_SECONDS) or handler.is_alone()):
                pass
    except Terminated:
        handler.service.note(Failure("sys", "terminated"))
        handler.stop.set()
    if handler.is_alive() and not handler.wait_end(GRACE_SECONDS):
        complain(Failure("sys", "user code does not end, and nobody waits for it any more"))
        last_wish()
        os._exit(1)
    handler.destroy()
    if handler.service.finished:
        return 0
    for kind, text in (("usr", handler.user_error), ("sys", handler.system_error)):
        if text:
            complain(Failure(kind, text))
    return 1
