"""Index intervals of several sources, merged; data loaders and what is read through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from beat.backend.python.data import CachedDataSource, DataSource, mixDataIndices
from beat.backend.python.data_loaders import DataLoader

from .harness import Pair, case
from .support.cache import write_integers
from .support.kinds import INTEGER

SIZES = (1_000, 10_000, 100_000, 1_000_000)

Interval = tuple[int, int]


def merge(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    """Return the finest common split of two lists without holes: a linear merge."""
    common = []
    i = j = 0
    start = max(first[0][0], second[0][0])
    while i < len(first) and j < len(second):
        a, b = first[i][1], second[j][1]
        end = min(a, b)
        if end >= start:
            common.append((start, end))
            start = end + 1
        if a == end:
            i += 1
        if b == end:
            j += 1
    return common


def intervals(n: int, width: int) -> list[Interval]:
    """Return intervals of that width over so many indices, or a few less."""
    return [(start, start + width - 1) for start in range(0, n - n % 6, width)]


class _Source(DataSource):
    """A source in memory."""

    def __init__(self, n: int, width: int) -> None:
        self.infos = intervals(n, width)
        self.ready = True

    def __getitem__(self, index: int) -> Any:
        if 0 <= index < len(self.infos):
            return index, *self.infos[index]
        return None, None, None


@case("mixDataIndices, two inputs", 2, SIZES, growth=1.1)
def mix(folder: Path, n: int) -> Iterator[Pair]:
    """Units of 2 and of 3 indices."""
    lists = intervals(n, 2), intervals(n, 3)
    yield Pair(partial(mixDataIndices, lists), partial(merge, *lists), n)


@case("DataLoader.add, two inputs", 2, SIZES, growth=1.1)
def add(folder: Path, n: int) -> Iterator[Pair]:
    """From sources that third parties made."""
    sources = _Source(n, 2), _Source(n, 3)

    def ours() -> DataLoader:
        loader = DataLoader("main")
        for name, source in zip("ab", sources, strict=True):
            source.infos = [*source.infos]  # nothing is known of a new list
            loader.add(name, source)
        return loader

    def limit() -> list[Interval]:
        return merge(*([*source.infos] for source in sources))

    def same(loader: DataLoader, merged: list[Interval]) -> bool:
        return [*loader.mixed_data_indices] == merged

    yield Pair(ours, limit, n, same)


def _loader(folder: Path, n: int) -> tuple[DataLoader, list[CachedDataSource]]:
    INTEGER.write_format(folder)
    loader, sources = DataLoader("main"), []
    for name, width in (("a", 2), ("b", 3)):
        write_integers(folder / name, INTEGER.name, (n - n % 6) // width, width)
        source = CachedDataSource()
        source.setup(str(folder / f"{name}.data"), str(folder))
        loader.add(name, source)
        sources.append(source)
    return loader, sources


@case("a view of a data loader, and its units", None, SIZES[:3], growth=0.1)
def view(folder: Path, n: int) -> Iterator[Pair]:
    """In the middle of all units; the limit reads the two units that the view is about."""
    loader, (fine, coarse) = _loader(folder, n)
    middle = n // 12 * 2

    def ours() -> int:
        for data, _, _ in loader.view("b", middle):  # type: ignore[union-attr]
            last = data
        return int(last["a"].value + last["b"].value)

    def limit() -> int:
        fine[middle * 3 // 2]
        return int(fine[middle * 3 // 2 + 1][0].value + coarse[middle][0].value)

    yield Pair(ours, limit)
    loader.reset()


@case("data loader, two inputs, unit by unit", 3, SIZES[:3], growth=1.05)
def iterate(folder: Path, n: int) -> Iterator[Pair]:
    """Every index is the beginning of a unit of one of the inputs, or of both."""
    loader, (fine, coarse) = _loader(folder, n)

    def ours() -> int:
        for data, _, _ in loader:
            last = data
        return int(last["a"].value + last["b"].value)

    def limit() -> int:
        for i in range(n // 6):  # in six indices, there are three units of one and two of the other
            fine[3 * i], fine[3 * i + 1], fine[3 * i + 2]
            coarse[2 * i], coarse[2 * i + 1]
        return int(fine[3 * (n // 6) - 1][0].value + coarse[2 * (n // 6) - 1][0].value)

    yield Pair(ours, limit, loader.count())
    loader.reset()
