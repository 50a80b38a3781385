"""The requesting side of the wire protocol: one conversation per socket, whoever takes part.

Several data sources, and the executor itself, ask over the same PAIR socket. Answers come in the
order of the requests and bear no names: who reads one must know which request it belongs to. So
each socket has one `Conversation`, which keeps the requests that are not yet answered.

Waiting for an answer has no time limit of its own, since a unit may take minutes to compute. A
peer that is gone ends it: the socket's own connection events tell so. Nothing is set on the socket.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from weakref import WeakKeyDictionary, ref

import zmq

from ..exceptions import RemoteException
from .frames import is_readable, receive_frames, send_frames
from .limits import MAX_ANSWER_FRAMES

Frame = bytes | memoryview

#: How long a peer that was never connected may take to be reachable at all, in seconds
CONNECT_PATIENCE = 60.0

#: How long to wait before the connection is watched, in milliseconds
QUIET_MILLISECONDS = 250

#: Frames of that size are handed out without a copy, when that was asked for
LARGE_FRAME = 1 << 16

_WATCHED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_DISCONNECTED
)

_EVENT = struct.Struct("=HI")
_numbers = count()


def open_monitor(socket: zmq.Socket[bytes], events: int) -> zmq.Socket[bytes]:
    """Return a socket that delivers the events of another one.

    libzmq's own thread waits where there is no room for an event, and with it all connections: so
    there always is.
    """
    # the address of an earlier monitor may still be in use for a moment after its end
    address = f"inproc://monitor-{next(_numbers)}"
    socket.monitor(address, events)
    monitor: zmq.Socket[bytes] = socket.context.socket(zmq.PAIR)
    monitor.setsockopt(zmq.RCVHWM, 0)
    monitor.connect(address)
    return monitor


def waiting_events(monitor: zmq.Socket[bytes]) -> Iterator[tuple[int, int]]:
    """Give the events that are there: what happened, and the number that libzmq tells with it."""
    while True:
        try:
            frames = monitor.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        if len(frames) == 2:  # a signal may have come after the first half of one
            yield _EVENT.unpack(frames[0])


def close_monitor(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes]) -> None:
    """Close what `open_monitor` gave, which must come before the other socket is closed.

    No event may come when it is closed: libzmq's own thread would wait for ever for somebody to
    take it.
    """
    with contextlib.suppress(zmq.ZMQError):  # the socket is closed, or its context at an end:
        socket.monitor(None, 0)  # libzmq has done that then
    monitor.close(0)


class Ticket:
    """A request on its way, and its answer once that has come."""

    __slots__ = ("answer", "most", "shared", "wanted")

    def __init__(self, shared: bool, most: int) -> None:
        self.answer: list[Frame] | None = None
        self.shared = shared
        self.most = most
        self.wanted = True

    def forget(self) -> None:
        """Drop the answer, now or when it comes."""
        self.wanted = False
        self.answer = None


class Watch:
    """What has become of the connection of a socket, judged by its events.

    Parameters
    ----------
    socket : zmq.Socket
        A socket that connects, or will.
    connected : bool
        Whether it is known to have been connected.

    Attributes
    ----------
    monitor : zmq.Socket
        Readable when `update` has something to do.
    connected : bool
        Whether the peer has been there.
    gone : bool
        Whether the peer has been there and is no more, or cannot be reached.
    """

    def __init__(self, socket: zmq.Socket[bytes], connected: bool = False) -> None:
        self.connected = connected
        self.gone = False
        self._socket = socket
        self.monitor = open_monitor(socket, _WATCHED)
        self._attempt_failed = False
        self._began = time.monotonic()

    def update(self) -> None:
        """Take notice of the events."""
        for event, _ in waiting_events(self.monitor):
            self._take(event)

    def _take(self, event: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.connected = True
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._attempt_failed = True  # the disconnection that follows is none
        elif event == zmq.EVENT_DISCONNECTED and not self._attempt_failed:
            self.gone = True
        else:
            self._attempt_failed = False
            patient = time.monotonic() < self._began + CONNECT_PATIENCE
            self.gone = self.gone or self.connected or not patient

    def close(self) -> None:
        """Stop watching."""
        close_monitor(self._socket, self.monitor)


class Conversation:
    """The requests made over one socket. As the socket itself, it belongs to one thread.

    The connection is watched while an answer takes long. Whoever owns the socket can have it
    watched from the beginning, so that nothing is missed.

    Parameters
    ----------
    socket : zmq.Socket
        A PAIR socket, connected to a message handler.

    Attributes
    ----------
    failed : bool
        Whether a request has been answered by ``err``, or the peer is gone.
    compact : bool
        Whether the peer is known to be of this package, and so to know ``uni``, which tells in a
        few frames what units there are.
    """

    compact = False

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.failed = False
        self._reference = ref(socket)
        self._open: deque[Ticket] = deque()
        self._answered = False
        self._watch: Watch | None = None

    @property
    def _socket(self) -> zmq.Socket[bytes]:
        socket = self._reference()
        assert socket is not None, "whoever asks holds the socket"
        return socket

    def request(
        self, *frames: bytes, timeout: float | None = None, most: int = MAX_ANSWER_FRAMES
    ) -> list[Frame]:
        """Ask, and wait for the answer: `send` and `receive` in one."""
        return self.receive(self.send(*frames, most=most), timeout)

    def send(self, *frames: bytes, shared: bool = False, most: int = MAX_ANSWER_FRAMES) -> Ticket:
        """Ask, and leave the answer for later.

        Parameters
        ----------
        frames : bytes
            The request.
        shared : bool
            Whether large frames of the answer may come as memory of their own (writable
            memoryviews) rather than as bytes.
        most : int
            How many frames the answer may have.

        Raises
        ------
        RemoteException
            If the peer is gone (system error).
        """
        try:
            send_frames(self._socket, frames)
        except zmq.Again:
            self._wait(zmq.POLLOUT, None)
            send_frames(self._socket, frames)
        ticket = Ticket(shared, most)
        self._open.append(ticket)
        return ticket

    def receive(self, ticket: Ticket, timeout: float | None = None) -> list[Frame]:
        """Wait for the answer to a request.

        Parameters
        ----------
        ticket : Ticket
            What `send` gave.
        timeout : float, optional
            The longest time to wait, in seconds; by default until the peer is gone.

        Returns
        -------
        list of bytes or memoryview
            The frames of the answer.

        Raises
        ------
        RemoteException
            If the answer is ``err``, if it has too many frames, or if the peer is gone (the latter
            two are system errors).
        TimeoutError
            If there is no answer in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while ticket.answer is None:
            self._receive_one(deadline)
        answer = ticket.answer
        if answer[0] == b"err":
            self.failed = True
            texts = [bytes(frame).decode("utf-8", "replace") for frame in answer[1:]]
            if len(texts) != 2:
                texts = ["sys", f"failed: {texts!s:.500}"]
            raise RemoteException(*texts)
        return answer

    def _receive_one(self, deadline: float | None) -> None:
        socket = self._socket
        if len(self._open) == 1 or not is_readable(socket):  # of several, many are there already
            self._wait(zmq.POLLIN, deadline)
        ticket = self._open[0]
        frames = receive_frames(socket, ticket.most, not ticket.shared)
        if ticket.shared:
            frames = [part.buffer if len(part) >= LARGE_FRAME else part.bytes for part in frames]
        if len(frames) > ticket.most:
            frames = [b"err", b"sys", b"an answer of more than %d frames" % ticket.most]
        self._answered = True
        self._open.popleft()
        if ticket.wanted:
            ticket.answer = frames

    def _wait(self, event: int, deadline: float | None) -> None:
        """Wait until the socket can be read from (or written to)."""
        limit = _milliseconds(deadline)
        quiet = QUIET_MILLISECONDS if limit is None else min(limit, QUIET_MILLISECONDS)
        if zmq.zmq_poll([(self._socket, event)], quiet):  # what sockets offer takes twice as long
            return
        if self._watch is not None:
            self._wait_watching(self._watch, event, deadline)
            return
        watch = Watch(self._socket, self._answered)
        try:
            self._wait_watching(watch, event, deadline)
        finally:
            watch.close()

    def _wait_watching(self, watch: Watch, event: int, deadline: float | None) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, event)
        poller.register(watch.monitor, zmq.POLLIN)
        while not watch.gone:
            ready = dict(poller.poll(_milliseconds(deadline)))
            if not ready:
                raise TimeoutError(f"no answer from {self._peer()} in time")
            watch.update()
            if self._socket in ready or self._socket.poll(0, event):
                return
        self.failed = True
        raise RemoteException(
            "sys", f"{self._peer()} is gone: {len(self._open)} requests are unanswered"
        )

    def watch(self) -> Watch:
        """Watch the connection until `close`; to be asked for before the socket connects."""
        if self._watch is None:
            self._watch = Watch(self._socket)
        return self._watch

    def close(self) -> None:
        """Stop watching, before the socket is closed."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _peer(self) -> str:
        return f"the peer at {self._socket.LAST_ENDPOINT!r}"


def _milliseconds(deadline: float | None) -> int | None:
    if deadline is None:
        return None
    return max(0, round(1000 * (deadline - time.monotonic())))


_conversations: WeakKeyDictionary[zmq.Socket[bytes], Conversation] = WeakKeyDictionary()


def conversation(socket: zmq.Socket[bytes]) -> Conversation:
    """Return the conversation that is going on over a socket."""
    found = _conversations.get(socket)
    if found is None:
        found = _conversations[socket] = Conversation(socket)
    return found
