"""Sockets of which the nth call fails: sending, receiving or waiting, by whichever thread."""

from __future__ import annotations

import errno
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import zmq

from beat.backend.python.data import wire
from beat.backend.python.execution import messagehandlers

_poll = select.poll


class FailAt:
    """Lets the nth of all calls fail.

    Parameters
    ----------
    n : int
        Which one; with 0, none.

    Attributes
    ----------
    calls : int
        How many calls there were.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.calls = 0
        self._lock = threading.Lock()

    @property
    def failed(self) -> bool:
        """Whether there was an nth call."""
        return 0 < self.n <= self.calls

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, but counts."""

        def counted(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.calls += 1
                failing = self.calls == self.n
            if failing:
                raise zmq.ZMQError(errno.EIO, f"call {self.n} fails: {function.__name__}")
            return function(*arguments, **options)

        return counted


class _Waiter:
    """What `select.poll` makes, of which waiting is counted."""

    def __init__(self, counted: FailAt) -> None:
        waiter = _poll()
        self.register = waiter.register
        self.poll = counted(waiter.poll)


@contextmanager
def failing(n: int) -> Iterator[FailAt]:
    """Let the nth call of all sockets fail while the block is on."""
    counted = FailAt(n)
    with (
        patch.object(zmq.Socket, "send", counted(zmq.Socket.send)),
        patch.object(zmq.Socket, "recv", counted(zmq.Socket.recv)),
        patch.object(zmq.Socket, "poll", counted(zmq.Socket.poll)),
        patch.object(zmq.Poller, "poll", counted(zmq.Poller.poll)),
        patch.object(wire.zmq, "zmq_poll", counted(zmq.zmq_poll)),
        patch.object(messagehandlers.select, "poll", lambda: _Waiter(counted)),
    ):
        yield counted
