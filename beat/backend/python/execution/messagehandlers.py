"""The threads that serve one peer over a socket: the driver's, a database's, an evaluator's."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import zmq

from ..data.frames import is_readable, receive_frames, send_frames
from ..data.limits import MAX_REQUEST_BYTES, MAX_REQUEST_FRAMES, max_unit_bytes
from .failures import Failure
from .service import LoopService, Service, failure_frames
from .sockets import LINGER_MS, SoleClient, bind, open_pair

if TYPE_CHECKING:
    from ..algorithm import Algorithm
    from .keys import ServerKeys
    from .loop import LoopExecutor

logger = logging.getLogger(__name__)

NO_PEER_SECONDS = 1.0
REQUESTS_PER_LOOK = 64  # a client that never pauses must not hide what else happens
ZERO_COPY_BYTES = 1 << 16
VANISHED = Failure("sys", "the other side is gone, without having said that it is done")


class Bell:
    """Wakes a thread that waits for sockets."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def fileno(self) -> int:
        """Return what is readable once the bell has rung."""
        return self._out

    def ring(self) -> None:
        """Wake the thread."""
        with contextlib.suppress(BlockingIOError):  # it has been rung often enough
            os.write(self._in, b"!")

    def silence(self) -> None:
        """Take notice."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._out, 4096):
                pass

    def __del__(self) -> None:
        os.close(self._out)
        os.close(self._in)


class _StopEvent(threading.Event):
    """An event that is noticed at once by a thread that waits for sockets."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self._bell = bell

    def set(self) -> None:
        super().set()
        self._bell.ring()


class MessageHandler(threading.Thread):
    """Serves one peer until that says it is done, fails or goes away.

    It is bound when it is made, so that its address can be told before it is started.

    Parameters
    ----------
    host_address : str
        ``host`` for a free port from 50000 up, or ``host:port``; with or without ``tcp://``.
    data_sources : dict, optional
        Data sources by the name of the input.
    kill_callback : callable, optional
        Called without arguments by `kill`, after a request that failed and when the peer goes
        away without having said that it is done or has failed.
    context : zmq.Context, optional
        The context of the sockets; without it, the handler has its own.
    keys : ServerKeys, optional
        The keys of the clients that may connect, and the server's; without them, whoever comes
        first is served. They go with a context of the handler's own.

    Attributes
    ----------
    address : str
        The full address.
    stop : threading.Event
        Set it to end the thread.

    Raises
    ------
    ValueError
        If there are both keys and a context.
    zmq.ZMQError
        If it cannot listen at that address.
    """

    def __init__(
        self,
        host_address: str,
        data_sources: Mapping[str, Any] | None = None,
        kill_callback: Callable[[], object] | None = None,
        context: zmq.Context[Any] | None = None,
        keys: ServerKeys | None = None,
    ) -> None:
        if keys is not None and context is not None:
            raise ValueError("a handler with keys has a context of its own, got another one")
        super().__init__(daemon=True)
        max_frame_bytes = self._max_frame_bytes()
        self.service = self._make_service(data_sources)
        self._kill_callback = kill_callback
        self._own_context = context is None
        self.context: zmq.Context[Any] = zmq.Context() if context is None else context
        self._bell = Bell()
        self.stop = _StopEvent(self._bell)
        self._ended = threading.Event()
        self._outgoing: deque[tuple[Failure, threading.Event]] = deque()
        self.socket = open_pair(self.context, max_frame_bytes)
        if keys is not None:
            keys.use(self.socket)
            keys.doorkeeper(self.context).start()
        self._client = SoleClient(self.socket)
        try:
            self.address = self._client.endpoint = bind(self.socket, host_address)
        except zmq.ZMQError:
            self._close()
            raise
        # zmq's own way to wait for several sockets costs a third of an answer's time. A socket's
        # descriptor tells only what is new since a vain attempt to receive (or send): there must
        # be one before each wait
        self._waiter = select.poll()
        for watched in (self.socket, self._client.monitor):
            self._waiter.register(cast(int, watched.getsockopt(zmq.FD)), select.POLLIN)
        self._waiter.register(self._bell, select.POLLIN)
        self._only_socket = [(self.socket.getsockopt(zmq.FD), select.POLLIN)]

    def _make_service(self, data_sources: Mapping[str, Any] | None) -> Service:
        return Service(data_sources)

    def _max_frame_bytes(self) -> int:
        return MAX_REQUEST_BYTES

    @property
    def statistics(self) -> dict[str, Any]:
        """What the peer reported when it was done."""
        return self.service.statistics

    @property
    def user_error(self) -> str:
        """The user's failure, if there was one."""
        return self.service.user_error

    @property
    def system_error(self) -> str:
        """The failure of the system, if there was one."""
        return self.service.system_error

    def set_data_sources(self, data_sources: Mapping[str, Any]) -> None:
        """Replace the data sources."""
        self.service.data_sources = data_sources

    def run(self) -> None:
        """Serve; called by `start`."""
        try:
            self._serve()
        except zmq.ZMQError as error:
            logger.debug("%s: %s", self.address, error)
            if error.errno not in (zmq.ETERM, zmq.ENOTSOCK):  # the context's owner knows that
                self.service.note(Failure("sys", f"{self.address}: {error}"))
                self._call_back()
            self._close()
        finally:
            self._ended.set()

    def _serve(self) -> None:
        self._client.update()
        served = 0
        while not self.stop.is_set():
            if self._outgoing:
                self._send_outgoing()
            gone = self._client.gone  # first, so that what was said before counts
            frames = self._receive()
            if frames is not None:
                served += 1
                if served % REQUESTS_PER_LOOK == 0:
                    self._client.update()
                if not self._answer(frames):
                    return
            elif gone:
                self.service.note(VANISHED)
                self._call_back()
                return
            else:
                self._wait()

    def _receive(self) -> Sequence[bytes] | None:
        """Return the next request, if there is one already."""
        while is_readable(self.socket):
            if self._client.known:
                return receive_frames(self.socket, MAX_REQUEST_FRAMES)
            frames = receive_frames(self.socket, MAX_REQUEST_FRAMES, copy=False)
            if self._client.heard(frames[0]):
                return [frame.bytes for frame in frames]
        return None

    def _wait(self, seconds: float | None = None) -> None:
        """Wait for the socket, a change of connections or another thread."""
        limits = [limit for limit in (seconds, self._client.patience()) if limit is not None]
        ready = self._waiter.poll(math.ceil(1000 * min(limits)) if limits else None)
        if ready == self._only_socket:
            return
        self._client.update()
        self._bell.silence()

    def _answer(self, frames: Sequence[bytes]) -> bool:
        """Answer a request; return whether to go on."""
        reply = self.service.reply(frames)
        if reply.frames:
            self._send(reply.frames)
        if reply.failed:
            self._call_back()
        return not reply.last

    def _send(self, frames: Sequence[bytes], patience: float | None = None) -> bool:
        """Send a message; return False if the peer is gone, or there is none in due time."""
        copy = len(frames[-1]) < ZERO_COPY_BYTES
        deadline = None if patience is None else time.monotonic() + patience
        while not self.stop.is_set():
            try:
                send_frames(self.socket, frames, copy)
                return True
            except zmq.Again:
                self._client.update()
            left = None if deadline is None else deadline - time.monotonic()
            if self._client.gone or (left is not None and left <= 0):
                return False
            self._wait(left)
        return False

    def _send_outgoing(self) -> None:
        while self._outgoing:
            failure, sent = self._outgoing.popleft()
            self._send(failure_frames(failure), NO_PEER_SECONDS)
            sent.set()

    def send_error(self, message: str, kind: str = "usr") -> None:
        """Tell the peer about a failure, without waiting for one that is not there.

        Parameters
        ----------
        message : str
            What happened.
        kind : str
            ``usr`` or ``sys``.
        """
        failure = Failure(kind, message)
        if self.is_alive() and threading.current_thread() is not self:
            sent = threading.Event()
            self._outgoing.append((failure, sent))
            self._bell.ring()
            sent.wait(NO_PEER_SECONDS)
        elif not self.socket.closed:
            self._send(failure_frames(failure), NO_PEER_SECONDS)

    def _call_back(self) -> None:
        if self._kill_callback is not None:
            self._kill_callback()

    def kill(self) -> None:
        """End the thread, now, and call the call-back."""
        self.stop.set()
        self._call_back()

    def wait_end(self, seconds: float) -> bool:
        """Wait for the end of a thread that was started; return whether it has come.

        `join` will not do where a signal may interrupt it: it takes the thread for ended then.
        """
        return self._ended.wait(seconds)

    def is_alone(self) -> bool:
        """Tell whether the peer is gone; if so, the thread ends as soon as user code lets it."""
        self._client.update()
        if self._client.gone:
            self._bell.ring()
        return self._client.gone

    def destroy(self) -> None:
        """End the thread and close the sockets; the context too, if it is the handler's own."""
        self.stop.set()
        if self.ident is not None and threading.current_thread() is not self:
            self._ended.wait()
            self.join()
        self._close()

    def _close(self) -> None:
        """Close the sockets; a peer has `LINGER_MS` to take what it is sent."""
        with contextlib.suppress(zmq.ZMQError):  # somebody may have closed them already
            self._client.update()
        self._client.close()
        self.socket.close(0 if self._client.gone else LINGER_MS)
        if self._own_context and not self.context.closed:
            self.context.term()


class LoopMessageHandler(MessageHandler):
    """Serves the processor of a loop: its hypotheses, and its steps, go to the evaluator.

    Parameters are those of `MessageHandler`.
    """

    service: LoopService

    def _make_service(self, data_sources: Mapping[str, Any] | None) -> Service:
        return LoopService(data_sources)

    def _max_frame_bytes(self) -> int:
        return max_unit_bytes()  # a hypothesis is users' data

    def setup(self, algorithm: Algorithm, prefix: str) -> None:
        """Learn the formats of the loop.

        Parameters
        ----------
        algorithm : Algorithm
            The evaluator.
        prefix : str
            The folder it comes from.
        """
        self.service.setup(algorithm, prefix)

    def set_executor(self, executor: LoopExecutor) -> None:
        """Hand over what runs the evaluator."""
        self.service.executor = executor
