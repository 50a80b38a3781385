"""Servers of data units in processes of their own: the package's, and hand-written ones."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import zmq

from beat.backend.python.data import CachedDataSource
from beat.backend.python.execution import LoopExecutor, LoopMessageHandler, MessageHandler
from beat.backend.python.execution.sockets import close_pair, connect_pair

from .database import OUTPUT, open_view
from .kinds import Kind

WINDOW = 64
LARGE_BYTES = 1 << 16
HOST = "127.0.0.1"

Frames = Sequence[Any]
Serve = Callable[..., None]


@contextmanager
def connected(serve: Serve, *arguments: Any) -> Iterator[zmq.Socket[bytes]]:
    """Run ``serve(connection, *arguments)`` in a process; return a socket connected to it.

    The server sends its address over the connection, and ends when it is told ``don``.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there, *arguments))
    process.start()
    there.close()
    context: zmq.Context[Any] = zmq.Context()
    socket = connect_pair(context, here.recv())
    try:
        yield socket
    finally:
        socket.send(b"don")
        process.join(10)
        process.kill()
        close_pair(socket)
        context.term()


def serve_cache(connection: Connection, prefix: Path, stem: Path) -> None:
    """Serve an output in the cache, by the package."""
    source = CachedDataSource()
    source.setup(f"{stem}.data", str(prefix), unpack=False)
    _serve_source(connection, source)


def serve_view(connection: Connection, prefix: Path, n: int, kind: Kind, view: str) -> None:
    """Serve the view of a database, by the package."""
    _serve_source(connection, open_view(prefix, n, kind, view).data_sources[OUTPUT])


def _serve_source(connection: Connection, source: Any) -> None:
    handler = MessageHandler(HOST, {"in": source})
    connection.send(handler.address)
    handler.start()
    handler.join()
    handler.destroy()


def serve_loop(connection: Connection, directory: Path) -> None:
    """Serve the evaluator of a loop, by the package."""
    handler = LoopMessageHandler(HOST)
    executor = LoopExecutor(handler, str(directory), cache_root=str(directory))
    executor.setup()
    executor.prepare()
    connection.send(handler.address)
    executor.process()
    executor.wait()
    executor.close()
    handler.destroy()


def serve_by_hand(connection: Connection, payload: bytes, n: int) -> None:
    """Serve the same payload as unit of whatever index, by hand, and what units there are."""
    context: zmq.Context[Any] = zmq.Context()
    socket = context.socket(zmq.PAIR)
    socket.bind(f"tcp://{HOST}:0")
    connection.send(socket.LAST_ENDPOINT.decode().rstrip("\0"))
    copy = len(payload) < LARGE_BYTES
    while True:
        request = socket.recv_multipart()
        if request[0] == b"get":
            index = request[2]
            socket.send_multipart([index, index, payload], copy=copy)
        elif request[0] == b"ifo":
            limits = (b"%d" % i for i in range(n) for _ in "se")
            socket.send_multipart([b"%d" % n, *limits])
        elif request[0] == b"val":
            socket.send_multipart([b"True", payload])
        else:
            socket.send(b"ack")
            break
    socket.close()
    context.term()


def read_by_hand(socket: zmq.Socket[bytes], n: int, large: bool) -> Frames:
    """Read all units, with a window of requests on their way; return the last answer."""
    for i in range(min(WINDOW, n)):
        socket.send_multipart([b"get", b"in", b"%d" % i])
    answer: Frames = []
    for i in range(n):
        answer = socket.recv_multipart(0, not large)
        if i + WINDOW < n:
            socket.send_multipart([b"get", b"in", b"%d" % (i + WINDOW)])
    return answer
