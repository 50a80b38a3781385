"""The ends of a process: by its driver's, by a signal, by a failure."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import zmq

from ..data.wire import conversation
from ..exceptions import RemoteException
from ..execution.failures import Failure
from ..execution.keys import ClientKeys
from ..execution.messagehandlers import Bell
from ..execution.service import failure_frames
from ..execution.sockets import close_pair, connect_pair

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
GRACE_SECONDS = 5.0


class Terminated(BaseException):
    """Raised where the process is when it is asked to end."""


def log_to_stderr(debug: bool) -> None:
    """Log warnings, or with ``debug`` everything, on the standard error."""
    form = "%(asctime)s %(name)s %(levelname)s: %(message)s"
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format=form)


def complain(failure: Failure) -> None:
    """Tell a failure on the standard error."""
    print(f"({failure.kind}) {failure.text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Leave the signal to end, after the block, to whoever had it before.

    While the interpreter ends it is ignored: drivers send it to whoever still runs when a block
    is done, and the status must tell how the work ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    previous = signal.getsignal(signal.SIGTERM)
    atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` in the main thread at the signal to end, so that it can clean up.

    Once is enough: from the signal on, or from the end of the block, it is ignored until
    `orderly_end` is over.
    """

    def end(signal_number: int, frame: object) -> NoReturn:
        signal.signal(signal_number, signal.SIG_IGN)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def end_by_signal() -> int:
    """End this process as the signal does that was caught; return 1 where nothing comes of it."""
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
    return 1


class Driver:
    """The process that ordered the work. It hears how that ends; its own end is this one's.

    Parameters
    ----------
    context : zmq.Context
        The context of the socket.
    address : str
        Where it listens.
    keys : ClientKeys, optional
        The keys to talk to it with.

    Attributes
    ----------
    socket : zmq.Socket
        The connection to it.
    gone : bool
        Whether it is gone.
    last_wish : callable
        What is done if this process must be ended by force.
    """

    def __init__(
        self, context: zmq.Context[Any], address: str, keys: ClientKeys | None = None
    ) -> None:
        self.socket = connect_pair(context, address, keys)
        self.last_wish: Callable[[], object] = lambda: None
        self._watch = conversation(self.socket).watch()
        self._bell = Bell()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="driver", daemon=True)

    @property
    def gone(self) -> bool:
        """Whether it is gone."""
        return self._watch.gone

    def meet(self) -> None:
        """Wait until it is there; `ConnectionError` if it cannot be reached.

        Only what has been there can be found to be gone.
        """
        while not self._watch.connected:
            self._watch.monitor.poll()
            self._watch.update()
            if self._watch.gone:
                raise ConnectionError("the driver cannot be reached")

    def watch(self) -> None:
        """End this process when the driver is gone: it would compute for nobody."""
        self._thread.start()

    def unwatch(self) -> None:
        """Stop watching: from here on, the socket is this thread's."""
        self._ended.set()
        self._bell.ring()
        if self._thread.is_alive():
            self._thread.join()

    def _look_after(self) -> None:
        poller = zmq.Poller()
        poller.register(self._watch.monitor, zmq.POLLIN)
        poller.register(self._bell, zmq.POLLIN)
        while not self._ended.is_set():
            poller.poll()
            self._watch.update()
            if self._watch.gone:
                break
        if self._ended.is_set():
            return
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._ended.wait(GRACE_SECONDS):
            logger.error("the driver is gone, and the algorithm does not end by itself")
            self.last_wish()
            os._exit(1)

    def report(self, failure: Failure) -> None:
        """Tell the driver about a failure, and wait a little for it to take notice."""
        self.unwatch()
        with contextlib.suppress(RemoteException, TimeoutError):
            conversation(self.socket).request(*failure_frames(failure), timeout=REPORT_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self.unwatch()
        close_pair(self.socket)
