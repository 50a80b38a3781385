from __future__ import annotations

import pickle
from collections.abc import Sequence
from types import SimpleNamespace

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.data import mixDataIndices
from beat.backend.python.data.indices import Interval, Intervals

Pair = tuple[int, int]


@st.composite
def unit_lists(draw: st.DrawFn, holes: bool = False) -> list[Pair]:
    """Units one after the other, maybe with holes between them."""
    position = draw(st.integers(0, 6))
    units = []
    for length in draw(st.lists(st.integers(1, 5), max_size=8)):
        units.append((position, position + length - 1))
        position += length + (draw(st.integers(0, 2)) if holes else 0)
    return units


def brute_force_mix(lists: Sequence[Sequence[Pair]]) -> list[Pair]:
    """Look at each index: neighbours belong together where they have the same units."""
    if not lists or not all(lists):
        return []
    result: list[Pair] = []
    last_units = None
    for index in range(max(units[-1][1] for units in lists) + 1):
        here = [next((u for u in units if u[0] <= index <= u[1]), None) for units in lists]
        if None in here:
            last_units = None
            continue
        if here == last_units:
            result[-1] = (result[-1][0], index)
        else:
            result.append((index, index))
        last_units = here
    return result


def test_mixing_the_example_of_the_contract() -> None:
    lists = [[(0, 4), (5, 9)], [(0, 1), (2, 6), (7, 9)]]
    assert mixDataIndices(lists) == [(0, 1), (2, 4), (5, 6), (7, 9)]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([], []),
        ([[]], []),
        ([[(0, 1)], []], []),
        ([[(3, 5)]], [(3, 5)]),
        ([[(0, 9)], [(2, 3), (4, 12)]], [(2, 3), (4, 9)]),
        ([[(0, 1)], [(5, 6)]], []),
        ([[(0, 0), (4, 4)], [(0, 9)]], [(0, 0), (4, 4)]),
        ([[(0, 1), (2, 3)]] * 3, [(0, 1), (2, 3)]),
        ([[(0, 10**12)], [(0, 5), (6, 10**12)]], [(0, 5), (6, 10**12)]),
    ],
)
def test_mixing(lists: list[list[Pair]], expected: list[Pair]) -> None:
    assert mixDataIndices(lists) == expected


@given(st.lists(unit_lists(holes=True), max_size=4))
def test_mixing_is_what_looking_at_each_index_gives(lists: list[list[Pair]]) -> None:
    mixed = mixDataIndices(lists)
    assert mixed == brute_force_mix(lists)
    assert all(type(index) is int for pair in mixed for index in pair)


def test_mixing_takes_time_and_memory_by_units_not_by_indices() -> None:
    far = 10**15
    many = [(i, i) for i in range(far, far + 20_000)]
    assert mixDataIndices([many, [(0, 2 * far)]]) == many


@pytest.mark.parametrize(
    "units",
    [
        [(0, 4), (5, 9)],
        [[0, 4], [5, 9]],
        [SimpleNamespace(start_index=0, end_index=4), SimpleNamespace(start_index=5, end_index=9)],
        [(numpy.int64(0), numpy.int64(4)), (numpy.int64(5), numpy.int64(9))],
        Intervals([0, 5], [4, 9]),
        Intervals(numpy.array([0, 5]), numpy.array([4, 9], dtype=numpy.int32)),
    ],
)
def test_intervals_are_made_of_anything_that_sources_use(units: Sequence[object]) -> None:
    assert Intervals.of(units) == [(0, 4), (5, 9)]


def test_intervals_are_a_sequence_of_named_pairs() -> None:
    intervals = Intervals([0, 5, 7, 8], [4, 6, 7, 9])
    assert len(intervals) == 4
    assert intervals[1] == Interval(5, 6) == (5, 6)
    assert intervals[-1].end_index == 9
    assert [*intervals] == intervals.pairs() == [(0, 4), (5, 6), (7, 7), (8, 9)]
    assert intervals[1:3] == [(5, 6), (7, 7)]
    assert isinstance(intervals[1:3], Intervals)
    assert intervals != [(0, 4)]
    assert intervals != 5
    assert pickle.loads(pickle.dumps(intervals)) == intervals
    assert repr(intervals) == "<4 intervals: (0, 4), (5, 6), (7, 7), ...>"
    with pytest.raises(IndexError):
        intervals[4]


limits = st.none() | st.integers(0, 40)


@given(unit_lists(holes=True), limits, limits)
def test_clipping_to_a_range(units: list[Pair], start: int | None, end: int | None) -> None:
    low = 0 if start is None else start
    high = 1000 if end is None else end
    expected = [(max(s, low), min(e, high)) for s, e in units if e >= low and s <= high >= low]
    before = Intervals.of(units)
    assert before.clipped(start, end) == expected
    assert before == units  # not changed in place
