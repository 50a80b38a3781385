"""The contract of data sources, on all of them."""

from __future__ import annotations

import os
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy
import pytest
from support.peers import Peers
from support.units import INTEGER, write_units

from beat.backend.python.data import (
    CachedDataSource,
    DatabaseOutputDataSource,
    DataSource,
    RemoteDataSource,
)
from beat.backend.python.testing import DataSourceContract

Units = Sequence[tuple[int, int, int]]
Make = Callable[[Units], DataSource]


class View:
    """A view whose entries have the values of units, each as often as the unit has indices."""

    def __init__(self, units: Units) -> None:
        entry = namedtuple("entry", "out")
        self._entries = [entry(value) for value, start, end in units for _ in range(start, end + 1)]

    def objects(self) -> list[Any]:
        return self._entries

    def get_output_mapping(self, output: str) -> str:
        return output

    def get(self, output: str, index: int) -> dict[str, Any]:
        return {"value": numpy.int32(self._entries[index].out)}


@pytest.fixture
def sources() -> Iterator[list[DataSource]]:
    """Return a list of sources, which are closed in the end."""
    made: list[DataSource] = []
    yield made
    for source in made:
        source.close()


class TestCachedDataSource(DataSourceContract):
    files = 1

    @pytest.fixture
    def make_source(self, prefix: str, cache: str, sources: list[DataSource]) -> Make:
        def make(units: Units) -> DataSource:
            filename = os.path.join(cache, "units.data")
            size = -(-len(units) // self.files)
            for i in range(0, len(units), size):
                part = units[i : i + size]
                given = [({"value": numpy.int32(v)}, start, end) for v, start, end in part]
                write_units(prefix, filename, given)
            source = CachedDataSource()
            assert source.setup(filename, prefix)
            sources.append(source)
            return source

        return make


class TestCachedDataSourceOfSeveralFiles(TestCachedDataSource):
    files = 3


class TestDatabaseOutputDataSource(DataSourceContract):
    reads_bytes = False

    @pytest.fixture
    def make_source(self, prefix: str, sources: list[DataSource]) -> Make:
        def make(units: Units) -> DataSource:
            source = DatabaseOutputDataSource()
            assert source.setup(View(units), "out", INTEGER, prefix)
            sources.append(source)
            return source

        return make


class TestRemoteDataSource(DataSourceContract):
    @pytest.fixture
    def make_source(self, prefix: str, sources: list[DataSource], peers: Peers) -> Make:
        def make(units: Units) -> DataSource:
            served = DatabaseOutputDataSource()
            assert served.setup(View(units), "out", INTEGER, prefix, pack=True)
            handler = peers.handler(data_sources={"in": served})
            handler.start()
            source = RemoteDataSource()
            assert source.setup(peers.client(handler), "in", INTEGER, prefix)
            sources.append(source)
            return source

        return make
