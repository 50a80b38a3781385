"""Sockets with bounds, and the one client that a served address has.

A PAIR socket serves a single peer. libzmq leaves every further one connected and unheard, so that
it waits for ever: here it is told so, and its connection is closed.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import zmq

from ..data.limits import MAX_WAITING_ANSWERS, MAX_WAITING_REQUESTS, max_unit_bytes
from ..data.wire import close_monitor, conversation, open_monitor, waiting_events

if TYPE_CHECKING:
    import socket as tcp

    from .keys import ClientKeys

FIRST_PORT = 50000
LINGER_MS = 5_000
HANDSHAKE_MS = 10_000
HEARTBEAT_INTERVAL_MS = 2_000
HEARTBEAT_TIMEOUT_MS = 20_000  # one frame must get through in that time: 20 GB on this machine

# libzmq tells that a handshake has succeeded a moment before it has sent its own part of it
TURNING_AWAY_SECONDS = 0.05
TURNED_AWAY = [b"err", b"sys", b"this address serves another client already"]

_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


def open_pair(context: zmq.Context[Any], max_frame_bytes: int) -> zmq.Socket[bytes]:
    """Return a new PAIR socket that neither waits nor stores without limit."""
    socket: zmq.Socket[bytes] = context.socket(zmq.PAIR)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, max_frame_bytes)
    socket.setsockopt(zmq.SNDHWM, MAX_WAITING_REQUESTS)
    socket.setsockopt(zmq.RCVHWM, MAX_WAITING_REQUESTS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
    return socket


def connect_pair(
    context: zmq.Context[Any], address: str, keys: ClientKeys | None = None
) -> zmq.Socket[bytes]:
    """Return a new PAIR socket, connecting to an address with or without ``tcp://``.

    Its connection is watched from now on, until `close_pair`. Heartbeats, which libzmq's own
    threads exchange, let both sides find out that the other is stopped or gone, however long user
    code computes. It must be this side that begins them, and that takes all answers at once: a
    libzmq that is to send one over a broken connection, from which there is more to be read than
    it may store, ends the process. With ``keys``, only the server that they belong to is talked to.
    """
    socket = open_pair(context, max_unit_bytes())
    socket.setsockopt(zmq.RCVHWM, MAX_WAITING_ANSWERS)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, HANDSHAKE_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_INTERVAL_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
    conversation(socket).watch()
    try:
        if keys is not None:
            keys.use(socket)
        if "[" in address:
            socket.setsockopt(zmq.IPV6, 1)
        socket.connect(address if "://" in address else f"tcp://{address}")
    except zmq.ZMQError:
        close_pair(socket)
        raise
    return socket


def close_pair(socket: zmq.Socket[bytes]) -> None:
    """Close a socket made by `connect_pair`; a peer has `LINGER_MS` to take what it is sent."""
    watch = conversation(socket).watch()
    watch.update()
    conversation(socket).close()
    socket.close(LINGER_MS if watch.connected and not watch.gone else 0)


def bind(socket: zmq.Socket[bytes], host_address: str) -> str:
    """Bind a socket and return its full address.

    Parameters
    ----------
    host_address : str
        ``host`` for a free port from 50000 up, or ``host:port``, with or without ``tcp://``; or
        the address of another transport in full.

    Raises
    ------
    zmq.ZMQError
        If that is not possible.
    """
    if "://" in host_address and not host_address.startswith("tcp://"):
        socket.bind(host_address)
        return host_address
    host, _, port = host_address.removeprefix("tcp://").rpartition(":")
    if not (host and port.isdecimal()):
        host, port = host_address.removeprefix("tcp://"), ""
    if host.startswith("["):
        socket.setsockopt(zmq.IPV6, 1)
    if port:
        socket.bind(f"tcp://{host}:{port}")
    else:
        socket.bind_to_random_port(f"tcp://{host}", min_port=FIRST_PORT)
    endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
    return f"tcp://{host}:{endpoint.rpartition(':')[2]}"


class SoleClient:
    """The client that a bound PAIR socket serves; all others are turned away.

    libzmq serves the first whose handshake succeeds. Connections made later are surplus; which of
    several early ones is served shows at the first message. All threads may look at it.

    Parameters
    ----------
    socket : zmq.Socket
        The socket, to be bound.

    Attributes
    ----------
    endpoint : str
        The address that the socket is bound to.
    monitor : zmq.Socket
        Readable when `update` has something to do.
    connected : bool
        Whether there has been a client.
    known : bool
        Whether it has been heard, so that it is known which connection is its.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.endpoint = ""
        self.connected = False
        self.known = False
        self._lock = threading.RLock()
        self._socket = socket
        self._plain = socket.getsockopt(zmq.MECHANISM) == zmq.NULL
        self.monitor = open_monitor(socket, _EVENTS)
        self._candidates: set[int] = set()
        self._surplus: set[int] = set()
        self._unwanted: dict[int, float] = {}

    @property
    def gone(self) -> bool:
        """Whether there has been a client and is none any more."""
        return self.connected and not self._candidates

    def update(self) -> None:
        """Take notice of what has happened to connections."""
        with self._lock:
            for event, connection in waiting_events(self.monitor):
                self._take(event, connection)
            self._refuse_unwanted()

    def patience(self) -> float | None:
        """Return after how many seconds there is something to do, whatever happens until then."""
        if not self._unwanted:
            return None
        with self._lock:
            now = time.monotonic()
            return max(0.0, min(self._unwanted.values(), default=now) - now)

    def _take(self, event: int, connection: int) -> None:
        if event == zmq.EVENT_ACCEPTED:
            (self._surplus if self.connected else self._candidates).add(connection)
        elif event == zmq.EVENT_DISCONNECTED:
            self._surplus.discard(connection)
            self._candidates.discard(connection)
            self._unwanted.pop(connection, None)
        else:  # handshake succeeded: the event does not say whose
            self.connected = True
            self._turn_away(self._surplus)

    def heard(self, frame: zmq.Frame) -> bool:
        """Learn from the first frame of a message which connection is the client's.

        Returns
        -------
        bool
            False if it comes from a stranger, whose bytes libzmq has taken for a message of its
            oldest protocol: it must not be answered.
        """
        with self._lock:
            self.update()
            try:
                served = frame.get(zmq.SRCFD)
            except zmq.ZMQError:
                self.known = self.endpoint.startswith("inproc:")
                if not self.known:
                    self._turn_away(self._candidates)
                return self.known
            self._turn_away(self._candidates - {served})
            self._candidates &= {served}
            self.known = True
            return True

    def _turn_away(self, connections: set[int]) -> None:
        due = time.monotonic() + TURNING_AWAY_SECONDS
        self._unwanted.update(dict.fromkeys(connections, due))
        connections.clear()

    def _refuse_unwanted(self) -> None:
        now = time.monotonic()
        for connection in [c for c, due in self._unwanted.items() if due <= now]:
            del self._unwanted[connection]
            with contextlib.suppress(OSError):  # it may be gone already
                self._refuse(connection)

    def _refuse(self, connection: int) -> None:
        """Send an error, as a message of libzmq's own protocol, and close the connection.

        Where messages are encrypted, the end has to do.
        """
        import socket as tcp

        with tcp.socket(fileno=os.dup(connection)) as peer:
            if not self._is_own(peer):
                return
            if self._plain:
                last = len(TURNED_AWAY) - 1
                frames = (bytes([i < last, len(f)]) + f for i, f in enumerate(TURNED_AWAY))
                peer.send(b"".join(frames))
            peer.shutdown(tcp.SHUT_RDWR)

    def _is_own(self, peer: tcp.socket) -> bool:
        """Tell whether a connection came in by this address; its number may be in use again."""
        name = peer.getsockname()
        if isinstance(name, str):
            return f"ipc://{name}" == self.endpoint
        peer.getpeername()  # OSError if it is no connection
        return self.endpoint.endswith(f":{name[1]}")

    def close(self) -> None:
        """Stop watching, before the socket is closed."""
        with self._lock:
            close_monitor(self._socket, self.monitor)
