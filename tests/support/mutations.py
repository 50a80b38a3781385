"""Conversations that were overheard, and what hostile or broken peers may make of them."""

from __future__ import annotations

import random
import socket as tcp
import struct
import threading
from collections.abc import Callable, Iterator

HOST = "127.0.0.1"


class Recorder(threading.Thread):
    """Stands between a client and a server, and keeps what the client sends.

    Parameters
    ----------
    port : int
        Of the server.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._server = tcp.create_connection((HOST, port))
        self._listener = tcp.create_server((HOST, 0))
        self.address = f"tcp://{HOST}:{self._listener.getsockname()[1]}"
        self.sent = b""

    def run(self) -> None:
        client, _ = self._listener.accept()
        back = threading.Thread(target=_forward, args=(self._server, client), daemon=True)
        back.start()
        while piece := client.recv(1 << 16):
            self.sent += piece
            self._server.sendall(piece)
        for connection in (self._server, client):
            connection.shutdown(tcp.SHUT_RDWR)
        back.join()
        for connection in (client, self._server, self._listener):
            connection.close()


def _forward(source: tcp.socket, target: tcp.socket) -> None:
    try:
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    except OSError:  # one of them is gone
        pass


def flip(content: bytes, chance: random.Random) -> bytes:
    """Change a few bits."""
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 9)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """Leave out the end."""
    return content[: chance.randrange(len(content))] or b"\0"


def drop(content: bytes, chance: random.Random) -> bytes:
    """Leave out a part."""
    start, end = sorted(chance.randrange(len(content)) for _ in "12")
    return content[:start] + content[end:] or b"\0"


def double(content: bytes, chance: random.Random) -> bytes:
    """Repeat a part."""
    start, end = sorted(chance.randrange(len(content)) for _ in "12")
    return content[:end] + content[start:]


def reorder(content: bytes, chance: random.Random) -> bytes:
    """Exchange two parts."""
    a, b, c = sorted(chance.randrange(len(content)) for _ in "123")
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def announce(content: bytes, chance: random.Random) -> bytes:
    """Announce a frame of a size that will never come."""
    position = chance.randrange(len(content))
    size = chance.choice(
        [0, 1, 255, 1 << 20, 1 << 30, 1 << 35, 1 << 48, (1 << 63) - 1, (1 << 64) - 1]
    )
    flags = chance.choice([2, 3, 6, 255])
    return (
        content[:position] + struct.pack(">BQ", flags, size) + content[position : position + 4096]
    )


def fill(content: bytes, chance: random.Random) -> bytes:
    """Add random bytes."""
    position = chance.randrange(len(content))
    return content[:position] + chance.randbytes(chance.randrange(1, 200)) + content[position:]


def invent(content: bytes, chance: random.Random) -> bytes:
    """Say something else altogether."""
    return chance.randbytes(chance.randrange(1, 300))


CHANGES: list[Callable[[bytes, random.Random], bytes]]
CHANGES = [flip, cut, drop, double, reorder, announce, fill, invent]


def mutations(content: bytes, chance: random.Random, count: int) -> Iterator[bytes]:
    """Yield changed streams of bytes."""
    for _ in range(count):
        changed = content
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            changed = chance.choice(CHANGES)(changed, chance)
        yield changed


def changed_message(frames: list[bytes], chance: random.Random) -> list[bytes]:
    """Return a message of frames that are others, too few, too many or in another order."""
    frames = [*frames]
    for _ in range(chance.choice([1, 1, 2])):
        what = chance.randrange(7)
        position = chance.randrange(len(frames)) if frames else 0
        if what == 0 and len(frames) > 1:
            del frames[position]
        elif what == 1:
            frames.insert(position, chance.choice([b"", b"\xff\xfe", frames[0], b"9" * 30]))
        elif what == 2:
            chance.shuffle(frames)
        elif what == 3:
            frames[position] = chance.choice(CHANGES)(frames[position] or b"\0", chance)
        elif what == 4:
            numbers = [b"-1", b"10", b"1e3", b"None", b"9" * 5000, b"\x00", b"1\n", "٣".encode()]
            frames[position] = chance.choice(numbers)
        elif what == 5:
            frames += [frames[position]] * chance.choice([1, 10, 10_000])
        else:
            frames[0] = chance.choice([b"ifo", b"get", b"don", b"err", b"val", b"wrt", b"rdi"])
    return frames[:10_010]
