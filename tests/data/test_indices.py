from __future__ import annotations

import pickle
from array import array
from collections.abc import Sequence
from types import SimpleNamespace

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.data import mixDataIndices
from beat.backend.python.data.indices import (
    Column,
    Interval,
    Intervals,
    as_array,
    compact,
    joined,
)

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


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_any_column_keeps_its_numbers(numbers: list[int]) -> None:
    column = compact(numbers)
    assert [*column] == numbers
    assert as_array(column).tolist() == numbers
    assert compact(as_array(column)) == column


@given(st.lists(st.lists(st.integers(-(2**40), 2**40) | st.integers(0, 3), max_size=4)))
def test_columns_are_joined(parts: list[list[int]]) -> None:
    column: Column = range(0)
    for part in parts:
        column = joined(column, compact(part))
    assert [*column] == [number for part in parts for number in part]


def test_evenly_spaced_numbers_take_no_memory() -> None:
    parts = [range(start, start + 100) for start in range(0, 1000, 100)]
    column: Column = range(0)
    for part in parts:
        column = joined(column, compact([*part]))
    assert column == range(1000)
    assert compact([5, 8, 11]) == range(5, 12, 3)
    assert compact([5]) == range(5, 6)
    assert joined(range(3), range(3, 9, 2)).typecode == "b"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("number", "width"), [(127, 1), (-129, 2), (2**31 - 1, 4), (-(2**31) - 1, 8)]
)
def test_other_numbers_take_as_few_bytes_as_there_may_be(number: int, width: int) -> None:
    column = compact([0, number, 0])
    assert isinstance(column, array)
    assert column.itemsize == width


def test_numbers_of_more_than_64_bits() -> None:
    with pytest.raises(OverflowError):
        compact([2**63])


@given(unit_lists(holes=True))
def test_intervals_as_frames(units: list[Pair]) -> None:
    frames = Intervals.of(units).as_frames()
    assert len(frames) == 3
    assert Intervals.from_frames(frames) == units


@given(unit_lists(holes=True), st.integers(0, 30), st.integers(0, 30))
def test_part_of_intervals_as_frames(units: list[Pair], start: int, end: int) -> None:
    part = Intervals.of(units).clipped(start, end)
    assert Intervals.from_frames(part.as_frames()) == part


def test_two_of_several_intervals_as_frames() -> None:
    part = Intervals.of([(0, 1), (2, 5), (6, 6), (7, 9)]).clipped(3, 6)
    assert Intervals.from_frames(part.as_frames()) == [(3, 5), (6, 6)]


def test_frames_of_regular_intervals_are_small() -> None:
    frames = Intervals(range(0, 30_000_000, 3), range(2, 30_000_000, 3)).as_frames()
    assert [*map(len, frames)] == [8, 16, 16]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"1", bytes(16)],
        [b"x", bytes(16), bytes(16)],
        [b"-1", bytes(16), bytes(16)],
        [b"3", bytes(16), bytes(16)],  # a step of nothing
        [b"3", bytes(23), bytes(24)],
        [b"3", b"\xff" * 16, b"\xff" * 16],
        [b"9" * 30, bytes(8) + b"\1" + bytes(7), bytes(16)],
        [b"9" * 18, bytes(8) + b"\xff" * 7 + b"\0", bytes(16)],
    ],
)
def test_frames_that_are_no_intervals(frames: list[bytes]) -> None:
    with pytest.raises(ValueError):
        Intervals.from_frames(frames)


@given(st.sets(st.integers(0, 30), min_size=1), st.integers(1, 5))
def test_intervals_between_their_starts(starts: set[int], more: int) -> None:
    ordered = sorted(starts)
    stop = ordered[-1] + more
    intervals = Intervals.between(compact(ordered), stop)
    ends = [start - 1 for start in [*ordered[1:], stop]]
    assert intervals == [*zip(ordered, ends, strict=True)]


def test_no_intervals_between() -> None:
    assert Intervals.between(range(0), 0) == []


@given(unit_lists(holes=True), st.integers(-3, 50))
def test_positions(units: list[Pair], index: int) -> None:
    expected = sum(end < index for _, end in units)
    assert Intervals.of(units).position(index) == expected


@given(unit_lists(holes=True), unit_lists(holes=True))
def test_intervals_are_extended(ones: list[Pair], others: list[Pair]) -> None:
    high = ones[-1][1] + 1 if ones else 0
    others = [(start + high, end + high) for start, end in others]
    intervals = Intervals.of(ones)
    intervals.extend(Intervals.of(others))
    assert intervals == [*ones, *others]
