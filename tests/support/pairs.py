"""A peer at the other end of a PAIR socket that does exactly what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import zmq

Frames = list[bytes]
Answer = Callable[[Frames], Sequence[bytes] | None]


class Peer(threading.Thread):
    """Answers requests until it is told to stop; keeps all that it was asked.

    Parameters
    ----------
    context : zmq.Context
        For its socket, which is bound to a free port.
    answer : callable
        Gets the frames of a request and returns those of the answer, None for no answer.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], answer: Answer) -> None:
        super().__init__()
        self.socket = context.socket(zmq.PAIR)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.answer = answer
        self.asked: list[Frames] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            if self.socket.poll(20):
                request = self.socket.recv_multipart()
                self.asked.append(request)
                answer = self.answer(request)
                if answer is not None:
                    self.socket.send_multipart(answer)
        self.socket.close(linger=0)

    def stop(self) -> None:
        """End the thread and close the socket."""
        self.stopping.set()
        self.join()


@contextmanager
def peer(answer: Answer) -> Iterator[tuple[Peer, zmq.Socket[bytes]]]:
    """Start a peer; give it and a socket connected to it."""
    context = zmq.Context()
    serving = Peer(context, answer)
    socket = context.socket(zmq.PAIR)
    socket.connect(serving.address)
    serving.start()
    try:
        yield serving, socket
    finally:
        serving.stop()
        socket.close(linger=0)
        context.term()  # hangs if a socket was left open
