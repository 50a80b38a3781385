"""Messages of several frames over a socket, for conversations in which each microsecond counts.

zmq's own calls for that compute with enumerations, which costs as much as the socket itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, cast

import zmq

NOBLOCK = int(zmq.NOBLOCK)
NOBLOCK_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
POLLIN = int(zmq.POLLIN)
EVENTS = int(zmq.EVENTS)
RCVMORE = int(zmq.RCVMORE)


def is_readable(socket: zmq.Socket[bytes]) -> bool:
    """Tell whether there is a message to receive."""
    return bool(cast(int, socket.getsockopt(EVENTS)) & POLLIN)


def receive_frames(socket: zmq.Socket[bytes], most: int, copy: bool = True) -> list[Any]:
    """Return the next message, which must be there.

    Parameters
    ----------
    socket : zmq.Socket
        Where it comes in.
    most : int
        How many frames it may have. What goes beyond ``most + 1`` is not kept.
    copy : bool
        Whether frames are given as bytes, else as ``zmq.Frame``.
    """
    frames = [socket.recv(NOBLOCK, copy)]
    for _ in repeat(None, most):
        if not socket.getsockopt(RCVMORE):
            return frames
        frames.append(socket.recv(NOBLOCK, copy))
    while socket.getsockopt(RCVMORE):
        socket.recv(NOBLOCK)
    return frames


def send_frames(socket: zmq.Socket[bytes], frames: Sequence[bytes], copy: bool = True) -> None:
    """Send a message; `zmq.Again` if that is not possible at once."""
    last = len(frames) - 1
    for i, frame in enumerate(frames):
        socket.send(frame, NOBLOCK if i == last else NOBLOCK_MORE, copy=copy)
