from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.data import DataSource, FileInfos
from beat.backend.python.data.indices import Intervals

UNITS = [(0, 1), (2, 2), (3, 9), (12, 12)]
Info = namedtuple("Info", ["start_index", "end_index"])


class WithInfos(DataSource):
    """Sets the units, does not call the base constructor."""

    def __init__(self, infos: Any) -> None:
        self.infos = infos

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self.infos):
            return None, None, None
        return (f"unit {index}", *UNITS[index])


class ItemsOnly(DataSource):
    """Has nothing but items; counts how often they are asked for."""

    def __init__(self, units: Any = UNITS) -> None:
        self.units = units
        self.asked = 0

    def __getitem__(self, index: int) -> Any:
        self.asked += 1
        if not 0 <= index < len(self.units):
            return None, None, None
        return (f"unit {index}", *self.units[index])


class ItemsWithConstructor(ItemsOnly):
    """The same, after the base constructor."""

    def __init__(self) -> None:
        DataSource.__init__(self)
        super().__init__()


@pytest.fixture(
    params=[
        lambda: WithInfos(UNITS),
        lambda: WithInfos([[*pair] for pair in UNITS]),
        lambda: WithInfos([Info(*pair) for pair in UNITS]),
        lambda: WithInfos([SimpleNamespace(start_index=s, end_index=e) for s, e in UNITS]),
        lambda: WithInfos([FileInfos(7, *pair, 99, 99) for pair in UNITS]),
        ItemsOnly,
        ItemsWithConstructor,
    ],
    ids=["pairs", "lists", "namedtuples", "objects", "fileinfos", "items", "constructor"],
)
def source(request: pytest.FixtureRequest) -> DataSource:
    """Sources of third parties."""
    made: DataSource = request.param()
    return made


def test_everything_works_in_sources_of_third_parties(source: DataSource) -> None:
    units = [(f"unit {i}", *pair) for i, pair in enumerate(UNITS)]
    assert len(source) == 4
    assert [*source] == units
    assert source.data_indices() == UNITS
    assert all(type(pair) is tuple for pair in source.data_indices())
    assert (source.first_data_index(), source.last_data_index()) == (0, 12)
    for index in range(-1, 15):
        inside = [unit for unit in units if unit[1] <= index <= unit[2]]
        assert source.getAtDataIndex(index) == (inside[0] if inside else (None, None, None))
    assert source.statistics() == (0, 0)
    assert source.ready is False
    source.reset()
    source.close()


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), max_size=9), st.integers(-1, 60))
def test_finding_an_index(steps: list[tuple[int, int]], index: int) -> None:
    units: list[tuple[int, int]] = []
    position = 0
    for length, hole in steps:
        units.append((position, position + length - 1))
        position += length + hole

    class Source(WithInfos):
        def __getitem__(self, index: int) -> Any:
            return (index, *units[index])

    expected = [i for i, (start, end) in enumerate(units) if start <= index <= end]
    for infos in (units, Intervals.of(units)):
        found = Source(infos).getAtDataIndex(index) if units else (None, None, None)
        assert found == ((expected[0], *units[expected[0]]) if expected else (None, None, None))


@pytest.mark.parametrize("source", [DataSource(), WithInfos([]), WithInfos(()), ItemsOnly([])])
def test_no_units(source: DataSource) -> None:
    assert len(source) == 0
    assert [*source] == source.data_indices() == []
    assert source[0] == source[-1] == source.getAtDataIndex(0) == (None, None, None)
    for method in (source.first_data_index, source.last_data_index):
        with pytest.raises(IndexError, match="has no data units"):
            method()


def test_units_assigned_later_count() -> None:
    source = WithInfos(UNITS)
    assert source.getAtDataIndex(12)[0] == "unit 3"
    source.infos = UNITS[:2]
    assert source.getAtDataIndex(12) == (None, None, None)
    assert source.last_data_index() == 2
    infos = UNITS[:1]
    source.infos = infos
    assert source.data_indices() == [(0, 1)]
    infos.append(UNITS[1])
    assert source.data_indices() == [(0, 1), (2, 2)]


def test_units_whose_data_is_none() -> None:
    class Empty(ItemsOnly):
        def __getitem__(self, index: int) -> Any:
            return (None, *super().__getitem__(index)[1:])

    source = Empty()
    assert len(source) == 4
    assert [unit[1] for unit in source] == [0, 2, 3, 12]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 1000])
def test_counting_and_finding_by_reading_few_units(count: int) -> None:
    source = ItemsOnly([(i, i) for i in range(count)])
    assert len(source) == count
    assert source.asked <= 25
    source.asked = 0
    assert source.getAtDataIndex(count - 1)[1] == count - 1
    assert source.asked <= 50


def test_a_source_that_does_not_say_how_to_read() -> None:
    class Silent(DataSource):
        pass

    source = Silent()
    source.infos = UNITS
    assert len(source) == 4
    with pytest.raises(NotImplementedError, match="Silent does not say how"):
        source[0]
