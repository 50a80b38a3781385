"""Message handlers and the sockets that connect to them, in one process."""

from __future__ import annotations

from typing import Any, TypeVar

import zmq

from beat.backend.python.execution import MessageHandler
from beat.backend.python.execution.keys import ClientKeys
from beat.backend.python.execution.sockets import close_pair, connect_pair

Handler = TypeVar("Handler", bound=MessageHandler)


class Peers:
    """The handlers and clients of a test."""

    def __init__(self) -> None:
        self.context: zmq.Context[Any] = zmq.Context()
        self.handlers: list[MessageHandler] = []
        self.clients: list[zmq.Socket[bytes]] = []

    def handler(self, address: str = "127.0.0.1", **arguments: Any) -> MessageHandler:
        """Return a new handler."""
        return self.keep(MessageHandler(address, **arguments))

    def keep(self, handler: Handler) -> Handler:
        """Destroy a handler at the end."""
        self.handlers.append(handler)
        return handler

    def client(self, handler: MessageHandler, keys: ClientKeys | None = None) -> zmq.Socket[bytes]:
        """Return a new socket that connects to a handler."""
        return self.connect(handler.address, keys)

    def connect(self, address: str, keys: ClientKeys | None = None) -> zmq.Socket[bytes]:
        """Return a new socket that connects to an address."""
        socket = connect_pair(self.context, address, keys)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        socket.setsockopt(zmq.SNDTIMEO, 10_000)
        self.clients.append(socket)
        return socket

    def close(self) -> None:
        """Close everything."""
        for client in self.clients:
            close_pair(client)
        for handler in self.handlers:
            handler.destroy()
        self.context.destroy(0)


def ask(socket: zmq.Socket[bytes], *frames: bytes) -> list[bytes]:
    """Send a request and return the answer."""
    socket.send_multipart(frames)
    return socket.recv_multipart()
