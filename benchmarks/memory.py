"""How much memory things take; ``BENCHMARK_GB=4`` makes the large cache file that large."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from beat.backend.python.data import CachedDataSource

from .cache import BLOCK
from .harness import BYTES, Pair, case
from .support.cache import write_cache
from .support.database import PROTOCOL, SET, make_database, open_view
from .support.kinds import INTEGER, MATRIX
from .support.memory import kept, most_allocated, most_resident

FILE_BYTES = int(float(os.environ.get("BENCHMARK_GB", "1")) * (1 << 30))


@case("pack 8 MB", 1.1, quantity=BYTES)
def pack(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is the packed bytes."""
    made = MATRIX.object(MATRIX.write_format(folder))
    yield Pair(lambda: most_allocated(made.pack), lambda: len(made.pack()), same=None)


@case("a unit that is kept, int64", 1, sizes=(10_000,), quantity=BYTES)
def keep(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is 200 bytes."""
    dataformat = INTEGER.write_format(folder)
    write_cache(folder / "out", dataformat, [INTEGER.object(dataformat)] * n)
    source = CachedDataSource()
    source.setup(str(folder / "out.data"), str(folder))
    yield Pair(
        lambda: kept(lambda: [source[i][0] for i in range(n)]), lambda: 200 * n, n, same=None
    )
    source.close()


def read_all(folder: Path) -> None:
    """Read all units of an output, and all their bytes."""
    source = CachedDataSource()
    source.setup(str(folder / "out.data"), str(folder))
    for data, _, _ in source:
        data.value.sum()


@case("read a file of many GB, units of 1 MB", 1, sizes=(FILE_BYTES >> 20,), quantity=BYTES)
def read(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is 200 MB resident, Python and numpy included."""
    dataformat = BLOCK.write_format(folder)
    write_cache(folder / "out", dataformat, [BLOCK.object(dataformat)] * n)
    yield Pair(lambda: most_resident(read_all, folder), lambda: 200_000_000, same=None)


def set_up_view(folder: Path, n: int) -> None:
    """Set up a view whose index is there already."""
    make_database(folder, n).view(PROTOCOL, SET).setup(str(folder / "index.db"))


@case("a view of many entries", 1, sizes=(1_000_000,), quantity=BYTES)
def view(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is 500 MB resident, Python and numpy included."""
    open_view(folder, n)
    yield Pair(lambda: most_resident(set_up_view, folder, n), lambda: 500_000_000, same=None)
