"""The contract of a source of data units as a class of tests, for sources of any kind.

Subclass it in a test module, and give a fixture that makes a source of given units::

    class TestMySource(DataSourceContract):
        @pytest.fixture
        def make_source(self, tmp_path):
            def make(units):
                return MySource(write_them(tmp_path, units))

            return make
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

import pytest

from ..data import DataSource

IntegerUnit: TypeAlias = tuple[int, int, int]  # value, first index, last index
MakeSource: TypeAlias = Callable[[Sequence[IntegerUnit]], DataSource]

NO_UNIT = (None, None, None)

MANY = [
    [(7, 0, 0)],
    [(-3, 0, 4)],
    [(7, 0, 2), (0, 3, 3), (-9, 4, 9), (2, 10, 10)],
    [(value, value, value) for value in range(1000)],
]


def read(source: DataSource, position: int) -> tuple[int | None, int | None, int | None]:
    """Return a unit with the field ``value`` in place of the data."""
    data, start, end = source[position]
    return (None if data is None else int(data.value)), start, end


class DataSourceContract:
    """Tests of a data source, ready to be read, whose units have a field ``value``.

    The indices begin with 0, and values of neighbours differ.

    Attributes
    ----------
    reads_bytes : bool
        Whether the source reads bytes, which it counts, rather than to be given objects.
    """

    reads_bytes: ClassVar[bool] = True

    @pytest.fixture
    def make_source(self) -> MakeSource:
        """Give a function that makes a source of units: (value, first index, last index)."""
        raise NotImplementedError("a subclass gives the fixture `make_source`")

    @pytest.mark.parametrize("units", MANY, ids=len)
    def test_units_come_in_their_order(
        self, make_source: MakeSource, units: list[IntegerUnit]
    ) -> None:
        """Iteration and positions give the same, again and again."""
        source = make_source(units)
        assert source.ready
        assert len(source) == len(units)
        for _ in range(2):
            assert [(int(data.value), start, end) for data, start, end in source] == units
        assert [read(source, i) for i in range(len(units))] == units

    @pytest.mark.parametrize("units", MANY, ids=len)
    def test_any_order_will_do(self, make_source: MakeSource, units: list[IntegerUnit]) -> None:
        """Backwards, every third, and the same over and over."""
        source = make_source(units)
        positions = [*reversed(range(len(units))), *range(0, len(units), 3), 0, 0]
        assert [read(source, i) for i in positions] == [units[i] for i in positions]

    @pytest.mark.parametrize("units", MANY, ids=len)
    def test_there_is_nothing_beyond(
        self, make_source: MakeSource, units: list[IntegerUnit]
    ) -> None:
        """Positions do not count from the end, and are no errors."""
        source = make_source(units)
        for position in (-1, -len(units), len(units), len(units) + 5, 10**9):
            assert tuple(source[position]) == NO_UNIT

    @pytest.mark.parametrize("units", MANY, ids=len)
    def test_indices(self, make_source: MakeSource, units: list[IntegerUnit]) -> None:
        """The indices of units are known without reading them."""
        source = make_source(units)
        assert [(int(s), int(e)) for s, e in source.data_indices()] == [u[1:] for u in units]
        assert source.first_data_index() == units[0][1]
        assert source.last_data_index() == units[-1][2]

    @pytest.mark.parametrize("units", MANY, ids=len)
    def test_a_unit_is_found_by_any_of_its_indices(
        self, make_source: MakeSource, units: list[IntegerUnit]
    ) -> None:
        """The first, the last, one between; and none outside."""
        source = make_source(units)
        for value, start, end in units[:: max(1, len(units) // 20)]:
            for index in {start, end, (start + end) // 2}:
                data, first, last = source.getAtDataIndex(index)
                assert (int(data.value), first, last) == (value, start, end)
        for index in (-1, units[-1][2] + 1):
            assert tuple(source.getAtDataIndex(index)) == NO_UNIT

    def test_units_stay_what_they_are(self, make_source: MakeSource) -> None:
        """What was read does not change when more is read."""
        units = MANY[-1]
        source = make_source(units)
        kept = [source[i][0] for i in range(len(units))]
        source.reset()
        assert [int(data.value) for data in kept] == [value for value, _, _ in units]

    def test_a_reset_changes_nothing(self, make_source: MakeSource) -> None:
        """Whatever was opened is opened again."""
        units = MANY[2]
        source = make_source(units)
        for _ in range(3):
            assert [read(source, i) for i in range(len(units))] == units
            source.reset()
        assert len(source) == len(units)

    def test_what_was_read_is_counted(self, make_source: MakeSource) -> None:
        """Bytes and seconds grow with every unit."""
        source = make_source(MANY[2])
        read(source, 0)
        size, seconds = source.statistics()
        read(source, 1)
        assert (source.statistics()[0] > size > 0) == self.reads_bytes
        assert source.statistics()[1] >= seconds >= 0

    def test_it_is_closed_more_than_once(self, make_source: MakeSource) -> None:
        """The second time, there is nothing left to do."""
        source = make_source(MANY[2])
        read(source, 0)
        source.close()
        source.close()
