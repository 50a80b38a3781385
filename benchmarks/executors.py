"""Whole blocks, from cache files or databases to cache files; a loop's round trip."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import cache_files
from beat.backend.python.execution import AlgorithmExecutor, LoopChannel

from .harness import Pair, case
from .support.blocks import AUTONOMOUS, EVALUATOR, PROCESSOR, SEQUENTIAL, Block
from .support.cache import map_file, offsets_of, write_cache, write_integers
from .support.database import NAME, OUTPUT, PROTOCOL, SET
from .support.handwritten import Q, Record
from .support.kinds import INTEGER, Kind
from .support.peers import connected, read_by_hand, serve_by_hand, serve_loop, serve_view

IMAGE = Kind(
    "uint8[300 kB]",
    "user/picture/1",
    {"value": [0, 0, "uint8"]},
    {"value": numpy.arange(480 * 640).reshape(480, 640).astype("uint8")},
    None,
    500,
)


def run(block: Block, db_socket: Any = None, verified: bool = False) -> Path:
    """Run a block, its input verified before or not; return the data file of its output."""
    if not verified:
        cache_files._verified.clear()
    executor = AlgorithmExecutor(
        None, str(block.directory), cache_root=str(block.directory), db_socket=db_socket
    )
    executor.db_socket = None  # whoever serves the data is not told that this was all
    if not (executor.setup() and executor.prepare() and executor.process()):
        raise RuntimeError("the block failed")
    return next(block.directory.glob("out.*.data"))


def _process(data: Any) -> dict[str, Any]:
    """What the users' algorithms do."""
    return {"value": data.value}


def run_by_hand(source: Path, target: Path) -> Path:
    """Decode, process, encode and write integers, without looking left or right."""
    buffer = map_file(source)
    head_end = buffer.find(b"\n", buffer.find(b"\n") + 1) + 1
    unpack, pack, int64 = Q.unpack_from, Q.pack, numpy.int64
    with target.open("wb") as data, target.with_suffix(".index").open("wb") as index:
        data.write(buffer[:head_end])
        for start, end, offset in offsets_of(source):
            unit = Record()
            unit.value = int64(unpack(buffer, offset)[0])
            value = _process(unit)["value"]
            if type(value) is not int64:
                raise TypeError
            data.write(b"%d %d 9\n%b\n" % (start, end, pack(value)))
            index.write(b"%d %d\n" % (start, end))
    return target


def same_bytes(ours: Path, limit: Path) -> bool:
    """Tell whether two files are equal."""
    return ours.read_bytes() == limit.read_bytes()


def _integers(folder: Path, n: int, type_name: str, code: str) -> Iterator[Pair]:
    block = Block(folder)
    block.configure(block.write_algorithm(type_name, code))
    source = write_integers(folder / "in", INTEGER.name, n, 1)
    yield Pair(
        lambda: run(block), lambda: run_by_hand(source, folder / "limit.data"), n, same_bytes
    )


@case("sequential, int64, cache to cache", 3, sizes=(10_000, 100_000), growth=1.05)
def sequential(folder: Path, n: int) -> Iterator[Pair]:
    """The limit decodes, calls, encodes and writes; it syncs nothing."""
    yield from _integers(folder, n, "sequential", SEQUENTIAL)


@case("autonomous, int64, through a data loader", 4, sizes=(10_000, 100_000), growth=1.05)
def autonomous(folder: Path, n: int) -> Iterator[Pair]:
    """The same limit."""
    yield from _integers(folder, n, "autonomous", AUTONOMOUS)


def _images(folder: Path, n: int, verified: bool) -> Iterator[Pair]:
    block = Block(folder, IMAGE)
    block.configure(block.write_algorithm("sequential", SEQUENTIAL))
    source = write_cache(folder / "in", block.dataformat, [IMAGE.object(block.dataformat)] * n)
    target = folder / "limit.data"

    def limit() -> Path:
        shutil.copyfile(source, target)
        for path in (source, target):
            with path.open("rb") as f:
                hashlib.file_digest(f, "sha256")
        return target

    yield Pair(lambda: run(block, verified=verified), limit, n, same_bytes)


@case("sequential, 300 kB images, cache to cache", 0.8, sizes=(500,))
def images(folder: Path, n: int) -> Iterator[Pair]:
    """The limit copies the file and hashes both; ours knows the input, and hashes each byte once.

    Ours also waits for the disk, which the limit does not.
    """
    yield from _images(folder, n, True)


@case("the same, the images not verified before", sizes=(500,))
def unverified_images(folder: Path, n: int) -> Iterator[Pair]:
    """As the first block does that reads an output in a process."""
    yield from _images(folder, n, False)


@case("sequential, int64, remote database", 2, sizes=(5_000,))
def remote(folder: Path, n: int) -> Iterator[Pair]:
    """The limit only transfers the same frames."""
    block = Block(folder)
    database = {"database": NAME, "protocol": PROTOCOL, "set": SET, "output": OUTPUT}
    block.configure(block.write_algorithm("sequential", SEQUENTIAL), source=database)
    with (
        connected(serve_by_hand, Q.pack(1), n) as bare,
        connected(serve_view, block.prefix, n, INTEGER, "View") as socket,
    ):
        yield Pair(lambda: run(block, socket), lambda: read_by_hand(bare, n, False), n, None)


@case("loop: validate", 1.4)
def validate(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is a round trip of the same frames."""
    block = Block(folder)
    evaluator = block.write_algorithm("autonomous_loop_evaluator", EVALUATOR, loop=True)
    processor = block.write_algorithm("autonomous_loop_processor", PROCESSOR, loop=True)
    block.configure(processor, loop=block.side(evaluator, "loop"))
    write_integers(folder / "in", INTEGER.name, 10, 1)
    hypothesis = {"value": numpy.int64(1)}
    packed = Q.pack(1)
    with (
        connected(serve_by_hand, packed, 1) as bare,
        connected(serve_loop, folder) as socket,
    ):
        channel = LoopChannel(socket)
        channel.setup(Algorithm(str(block.prefix), processor), str(block.prefix))

        def limit() -> bool:
            bare.send_multipart([b"val", packed])
            return bare.recv_multipart()[0] == b"True"

        yield Pair(lambda: channel.validate(hypothesis)[0], limit)
