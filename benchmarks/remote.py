"""Data units from other processes; the limit sends the same frames over bare sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zmq

from beat.backend.python.data import RemoteDataSource

from .cache import BLOCK
from .harness import Pair, case
from .support.cache import last, write_cache
from .support.kinds import INTEGER, Kind
from .support.peers import connected, read_by_hand, serve_by_hand, serve_cache, serve_view


def _source(socket: zmq.Socket[bytes], folder: Path, kind: Kind) -> RemoteDataSource:
    source = RemoteDataSource()
    source.setup(socket, "in", kind.name, str(folder))
    return source


def _reading(ours_at: Any, folder: Path, n: int, kind: Kind) -> Iterator[Pair]:
    packed = kind.object(kind.write_format(folder)).pack()
    large = len(packed) > 1000
    with connected(serve_by_hand, packed, n) as bare, ours_at as socket:
        source = _source(socket, folder, kind)

        def ours() -> int:
            return int(last(source)[1])

        def limit() -> int:
            return int(bytes(read_by_hand(bare, n, large)[0]))

        yield Pair(ours, limit, n)


@case("8 B units from the cache", 1.5, sizes=(5_000,))
def small_from_cache(folder: Path, n: int) -> Iterator[Pair]:
    """Integers."""
    dataformat = INTEGER.write_format(folder)
    write_cache(folder / "out", dataformat, [INTEGER.object(dataformat)] * n)
    yield from _reading(connected(serve_cache, folder, folder / "out"), folder, n, INTEGER)


@case("8 B units from a view", 2.5, sizes=(5_000,))
def small_from_view(folder: Path, n: int) -> Iterator[Pair]:
    """Integers that user code makes."""
    yield from _reading(connected(serve_view, folder, n, INTEGER, "View"), folder, n, INTEGER)


@case("1 MB units from the cache", 1.15, sizes=(100,))
def large_from_cache(folder: Path, n: int) -> Iterator[Pair]:
    """The limit has the bytes in memory already."""
    dataformat = BLOCK.write_format(folder)
    write_cache(folder / "out", dataformat, [BLOCK.object(dataformat)] * n)
    yield from _reading(connected(serve_cache, folder, folder / "out"), folder, n, BLOCK)


@case("1 MB units from a view", 1.15, sizes=(100,))
def large_from_view(folder: Path, n: int) -> Iterator[Pair]:
    """The limit has the packed bytes already."""
    yield from _reading(connected(serve_view, folder, n, BLOCK, "Blocks"), folder, n, BLOCK)


@case("what units there are", 1.1, sizes=(100_000,))
def info(folder: Path, n: int) -> Iterator[Pair]:
    """The request that a source begins with; the limit makes numbers of the frames."""
    with (
        connected(serve_by_hand, b"", n) as bare,
        connected(serve_view, folder, n, INTEGER, "View") as socket,
    ):

        def ours() -> int:
            return len(_source(socket, folder, INTEGER))

        def limit() -> int:
            bare.send_multipart([b"ifo", b"in"])
            numbers = [*map(int, bare.recv_multipart())]
            return len([*zip(numbers[1::2], numbers[2::2], strict=True)])

        yield Pair(ours, limit, n)
