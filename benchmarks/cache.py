"""Cache files: writing, opening, reading in order, at random and by index."""

from __future__ import annotations

import hashlib
import os
import random
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

from beat.backend.python.data import CachedDataSink, CachedDataSource, cache_files

from .harness import Pair, case
from .support.cache import last, map_file, offsets_of, write_cache, write_integers
from .support.handwritten import Q
from .support.kinds import INTEGER, Kind

BLOCK = Kind(
    "uint8[1 MB]",
    "user/block/1",
    {"value": [0, "uint8"]},
    {"value": numpy.arange(1 << 20).astype("uint8")},
    None,
    200,
)


SIZES = (10_000, 500_000)


@case("write small units", 3, sizes=(10_000,))
def write_small(folder: Path, n: int) -> Iterator[Pair]:
    """Into files that become ever longer."""
    dataformat = INTEGER.write_format(folder)
    made = INTEGER.object(dataformat)
    sink = CachedDataSink()
    sink.setup(str(folder / "out.data"), dataformat, 0, 1 << 60)
    data_path, index_path = folder / "limit.data", folder / "limit.index"
    data, index = data_path.open("wb"), index_path.open("wb")
    data.write(f"binary\n{INTEGER.name}\n".encode())
    ours_next = limit_next = 0

    def ours() -> None:
        nonlocal ours_next
        write = sink.write
        for i in range(ours_next, ours_next + n):
            write(made, i, i)
        ours_next += n

    def limit() -> None:
        nonlocal limit_next
        write_data, write_index, pack = data.write, index.write, Q.pack
        for i in range(limit_next, limit_next + n):
            write_data(b"%d %d %d\n%b\n" % (i, i, 9, pack(made.value)))
            write_index(b"%d %d\n" % (i, i))
        limit_next += n

    def same(ours_result: Any, limit_result: Any) -> bool:
        path = write_cache(folder / "whole", dataformat, [made] * n)
        index_of_ours = path.with_suffix(".index").read_bytes()
        data.flush()
        index.flush()
        return (
            path.read_bytes() == data_path.read_bytes() and index_of_ours == index_path.read_bytes()
        )

    yield Pair(ours, limit, n, same)
    sink.discard()
    data.close()
    index.close()


@case("write, checksum and close, units of 1 MB", 1.1, sizes=(200,))
def write_large(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is the slower of both: to write and make durable, or to hash."""
    dataformat = BLOCK.write_format(folder)
    made = BLOCK.object(dataformat)
    packed = made.pack()
    units = [f"{i} {i} {len(packed) + 1}\n".encode() for i in range(n)]
    path = folder / "limit.data"

    def ours() -> Path:
        return write_cache(folder / "out", dataformat, [made] * n)

    def write() -> None:
        with path.open("wb", buffering=0) as f:
            f.write(f"binary\n{BLOCK.name}\n".encode())
            for head in units:
                f.write(head)
                f.write(packed)
                f.write(b"\n")
            os.fsync(f.fileno())

    def checksum() -> None:
        digest = hashlib.sha256()
        for head in units:
            digest.update(head)
            digest.update(packed)
            digest.update(b"\n")
        digest.hexdigest()

    def same(written: Path, nothing: None) -> bool:
        return written.read_bytes() == path.read_bytes()

    yield Pair(ours, [write, checksum], n, same)


@case("open and verify, small units", 2, sizes=(10_000,))
def open_small(folder: Path, n: int) -> Iterator[Pair]:
    """What was verified is forgotten before each time."""
    dataformat = INTEGER.write_format(folder)
    path = write_cache(folder / "out", dataformat, [INTEGER.object(dataformat)] * n)
    paths = [path, path.with_suffix(".index")]

    def ours() -> int:
        cache_files._verified.clear()
        source = CachedDataSource()
        source.setup(str(folder / "out.data"), str(folder))
        return len(source)

    def limit() -> int:
        for hashed in paths:
            content = hashed.read_bytes()
            checksum = Path(f"{hashed}.checksum").read_text("ascii")
            if hashlib.sha256(content).hexdigest() != checksum:
                raise OSError
        return len(offsets_of(path))

    yield Pair(ours, limit, n)


def _reading(folder: Path, n: int, order: list[int]) -> Iterator[Pair]:
    """Read small units; the limit makes no objects."""
    INTEGER.write_format(folder)
    path = write_integers(folder / "out", INTEGER.name, n, 1)
    source = CachedDataSource()
    source.setup(str(folder / "out.data"), str(folder))
    buffer = map_file(path)
    units = offsets_of(path)

    def ours() -> Any:
        for i in order:
            unit = source[i]
        return unit[0].value

    def limit() -> Any:
        unpack = Q.unpack  # which wants to have just these bytes
        for i in order:
            start, end, offset = units[i]
            unit = unpack(buffer[offset : offset + Q.size])[0], start, end
        return unit[0]

    yield Pair(ours, limit, len(order))
    source.close()


@case("read small units in order", 6, SIZES)
def read_in_order(folder: Path, n: int) -> Iterator[Pair]:
    """The first ones."""
    yield from _reading(folder, n, [*range(SIZES[0])])


@case("read small units at random", 7, SIZES)
def read_at_random(folder: Path, n: int) -> Iterator[Pair]:
    """The larger file is longer than what is read as a whole."""
    yield from _reading(folder, n, random.Random(1).sample(range(n), SIZES[0]))


@case("read units of 1 MB", 3, sizes=(200,))
def read_large(folder: Path, n: int) -> Iterator[Pair]:
    """Views of memory that is nobody else's: the limit maps the file anew each time."""
    dataformat = BLOCK.write_format(folder)
    path = write_cache(folder / "out", dataformat, [BLOCK.object(dataformat)] * n)
    source = CachedDataSource()
    source.setup(str(folder / "out.data"), str(folder))
    units = offsets_of(path)

    def ours() -> bytes:
        return last(source)[0].value.tobytes()  # type: ignore[no-any-return]

    def limit() -> bytes:
        buffer = map_file(path)
        for start, end, offset in units:
            (size,) = Q.unpack_from(buffer, offset)
            unit = numpy.frombuffer(buffer, "uint8", size, offset + 8), start, end
        return unit[0].tobytes()

    yield Pair(ours, limit, n)
    source.close()


@case("getAtDataIndex", 6, sizes=(1_000, 10_000, 100_000, 1_000_000), growth=0.1)
def at_data_index(folder: Path, n: int) -> Iterator[Pair]:
    """A thousand indices, near each other."""
    INTEGER.write_format(folder)
    path = write_integers(folder / "out", INTEGER.name, n, 3)
    source = CachedDataSource()
    source.setup(str(folder / "out.data"), str(folder))
    buffer = map_file(path)
    units = offsets_of(path)
    ends = [end for _, end, _ in units]
    indices = [*range(n, n + 1000)]

    def ours() -> Any:
        for index in indices:
            unit = source.getAtDataIndex(index)
        return unit[0].value

    def limit() -> Any:
        unpack = Q.unpack  # which wants to have just these bytes
        for index in indices:
            start, end, offset = units[bisect_left(ends, index)]
            unit = unpack(buffer[offset : offset + Q.size])[0], start, end
        return unit[0]

    yield Pair(ours, limit, len(indices))
    source.close()
