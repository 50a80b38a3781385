from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow_files import regions

from beat.backend.python.flow import dereference, dereference_chain, ref_region_dtype
from beat.backend.python.flow.data import links, rows
from beat.backend.python.flow.errors import BadSelection

REFS = np.array([(0, 5), (2, 1), (0, 3), (4, 4), (2, 1), (0, 4)], "u4")
DATA = np.arange(6) * 10


def region_of(refs, column, length):
    return regions(np.asarray(refs)[:, column], length)


def expected(sel, refs, direction=(0, 1), mask=None, ordered=True):
    """Return what each row refers to, found by looking at every reference."""
    found = []
    for number, row in enumerate(sel):
        start, target = direction
        own = [int(ref[target]) for ref in refs if ref[start] == row]
        found.append([] if mask is not None and mask[number] else sorted(own) if ordered else own)
    return found


def unpadded(result):
    """Return the items of a masked array that are there, row by row."""
    mask = np.ma.getmaskarray(result)
    return [row[~gone].tolist() for row, gone in zip(result.data, mask, strict=True)]


def test_the_dtype_of_region_tables():
    assert ref_region_dtype == np.dtype([("start", "i4"), ("stop", "i4")])


def test_rows_are_padded_to_the_longest_one():
    result = dereference(slice(0, 5), REFS, DATA)
    assert result.filled(-1).tolist() == [
        [30, 40, 50],
        [-1, -1, -1],
        [10, 10, -1],
        [-1, -1, -1],
        [40, -1, -1],
    ]
    assert result.data[1].tolist() == [0, 0, 0]  # padding is never memory of somebody else


@pytest.mark.parametrize("with_region", [False, True])
@pytest.mark.parametrize("direction, length", [((0, 1), 5), ((1, 0), 6)])
@pytest.mark.parametrize(
    "sel",
    [slice(0, 5), slice(1, 4), slice(0, 5, 2), [4, 0, 0], [2], 2, np.array([3, 1]), range(2, 4)],
)
def test_selections(sel, direction, length, with_region):
    region = region_of(REFS, direction[0], length) if with_region else None
    result = dereference(sel, REFS, region=region, ref_direction=direction, indices_only=True)
    chosen = np.atleast_1d(np.arange(10)[sel]) if not isinstance(sel, range) else list(sel)
    assert unpadded(result) == expected(chosen, REFS, direction)
    assert result.dtype == "u4"
    assert result.shape[1] == max(1, *map(len, unpadded(result)))


def test_the_longest_row_is_one_of_those_selected():
    assert dereference([4, 3], REFS).shape == (2, 1)
    assert dereference([4, 2], REFS).shape == (2, 2)


def test_nothing_selected_and_nothing_referred_to():
    assert dereference([], REFS, DATA).shape == (0, 1)
    assert dereference(slice(2, 2), REFS, np.zeros((6, 3))).shape == (0, 1, 3)
    result = dereference([1, 3], REFS, DATA)
    assert result.mask.all()
    assert result.data.tolist() == [[0], [0]]
    assert dereference([0, 1], np.empty((0, 2), "u4"), DATA).mask.tolist() == [[True], [True]]


def test_references_may_be_a_list():
    assert dereference([0, 1], [(0, 1), (1, 0)]).tolist() == [[1], [0]]
    assert dereference([0], []).mask.all()


def test_lists_are_in_the_order_of_writing():
    found = dereference([2, 0, 1, 0], REFS, DATA, as_masked=False)
    assert [row.tolist() for row in found] == [[10, 10], [50, 30, 40], [], [50, 30, 40]]
    assert dereference([], REFS, as_masked=False) == []


@pytest.mark.parametrize("with_region", [False, True])
def test_masked_rows_are_left_out_of_lists_and_arrays(with_region):
    region = region_of(REFS, 0, 5) if with_region else None
    mask = np.array([False, True, False, False, True])
    found = dereference(slice(0, 5), REFS, DATA, region=region, mask=mask, as_masked=False)
    assert [row.tolist() for row in found] == [[50, 30, 40], [], [10, 10], [], []]
    result = dereference(slice(0, 5), REFS, DATA, region=region, mask=mask)
    assert unpadded(result) == [[30, 40, 50], [], [10, 10], [], []]
    everything = dereference(slice(0, 5), REFS, DATA, region=region, mask=np.ones(5, bool))
    assert everything.shape == (5, 1)
    assert everything.mask.all()


def test_a_mask_must_have_an_item_for_each_row():
    with pytest.raises(ValueError, match="an item for each of 2 rows, got 3"):
        dereference([0, 1], REFS, mask=[True, False, False])


def test_structured_masks_mask_a_row_by_any_field():
    mask = np.zeros(3, [("x", "?"), ("y", "?", (2,))])
    mask["y"][1, 0] = True
    result = dereference([0, 2, 4], REFS, mask=mask)
    assert unpadded(result) == [[3, 4, 5], [], [4]]


def test_rows_with_axes_of_their_own():
    data = np.arange(24).reshape(6, 2, 2)
    result = dereference([0, 1, 2], REFS, data)
    assert result.shape == (3, 3, 2, 2)
    np.testing.assert_array_equal(result[0], data[[3, 4, 5]])
    assert result.mask[1].all()
    assert result.mask[2, :, 0, 0].tolist() == [False, False, True]
    assert result[2, 0].tolist() == [[4, 5], [6, 7]]


def test_rows_with_fields():
    data = np.zeros(6, [("t", "f8"), ("pixels", "u1", (3,)), ("in", [("a", "i4")])])
    data["t"] = DATA
    result = dereference([0, 4], REFS, data)
    assert result["t"].filled(-1).tolist() == [[30, 40, 50], [40, -1, -1]]
    assert result["pixels"].mask.tolist() == [
        [[False] * 3] * 3,
        [[False] * 3, [True] * 3, [True] * 3],
    ]
    assert result["in"]["a"].mask.tolist() == [[False] * 3, [False, True, True]]


def test_what_is_returned_belongs_to_the_caller():
    refs, data = np.array([(0, 0), (1, 1)], order="F"), np.arange(2)
    for result in (dereference([0, 1], refs), dereference([0, 1], refs, data)):
        result[...] = 9
    assert refs.tolist() == [[0, 0], [1, 1]]
    assert data.tolist() == [0, 1]


@pytest.mark.parametrize("sel", [slice(0, None), slice(None), slice(-2, None), slice(1, -1)])
def test_open_slices_need_the_number_of_rows(sel):
    with pytest.raises(BadSelection, match="number of rows"):
        dereference(sel, REFS)
    result = dereference(sel, REFS, region=region_of(REFS, 0, 5))
    assert unpadded(result) == expected(range(5)[sel], REFS)
    with pytest.raises(IndexError, match="row -1"):
        dereference(-1, REFS)


def test_rows_beyond_a_region_table_have_no_references():
    region = region_of(REFS, 0, 3)[:3]
    assert unpadded(dereference([0, 7, 2], REFS, region=region)) == [[3, 4, 5], [], [1, 1]]
    assert unpadded(dereference(slice(5, 7), REFS, region=region)) == [[], []]


def test_a_wide_region_is_still_right():
    region = np.zeros(5, ref_region_dtype)
    region["stop"] = len(REFS)
    result = dereference(slice(0, 5), REFS, region=region)
    assert unpadded(result) == expected(range(5), REFS)


# -- chains ------------------------------------------------------------------------------------


def test_chains():
    steps = [(0, 2), (0, 1), (3, 0)], [(1, 4), (1, 0), (2, 3), (0, 2)]
    result = dereference_chain([0, 3, 1], steps, DATA)
    assert result.shape == (3, 2, 2)
    assert result.filled(-1).tolist() == [
        [[0, 40], [30, -1]],
        [[20, -1], [-1, -1]],
        [[-1, -1], [-1, -1]],
    ]
    indices = dereference_chain([0], steps, DATA, indices_only=True)
    assert indices.filled(9).tolist() == [[[0, 4], [3, 9]]]


def test_chains_with_regions_directions_and_masks():
    refs = [np.array([(2, 0), (1, 0), (0, 3)]), np.array([(1, 4), (1, 0), (2, 3), (0, 2)])]
    found = dereference_chain(
        np.array([[0, 3], [0, 0]]),
        refs,
        np.stack([DATA, -DATA], axis=1),
        regions=[region_of(refs[0], 1, 4), region_of(refs[1], 0, 3)],
        mask=[[False, False], [True, True]],
        ref_directions=[(1, 0), (0, 1)],
    )
    assert found.shape == (4, 2, 2, 2)
    assert found[..., 0].filled(99).tolist() == [
        [[0, 40], [30, 99]],
        [[20, 99], [99, 99]],
        [[99, 99]] * 2,
        [[99, 99]] * 2,
    ]


# -- any references ----------------------------------------------------------------------------

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7)), max_size=40)
ROWS = st.one_of(
    st.lists(st.integers(0, 9), max_size=8),
    st.builds(slice, st.integers(0, 9), st.integers(0, 9), st.sampled_from([None, 1, 2])),
)


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(
    pairs=PAIRS,
    sel=ROWS,
    forward=st.booleans(),
    with_region=st.booleans(),
    dtype=st.sampled_from(["u4", "i4", "u8", "i8", "u2"]),
    gap=st.sampled_from([1, 16, 1 << 16]),
    shape=st.sampled_from([(), (2,)]),
    draw=st.data(),
)
def test_any_references(pairs, sel, forward, with_region, dtype, gap, shape, draw):
    """The same as looking at every reference, however they are read."""
    refs = np.array(pairs, dtype).reshape(-1, 2)
    direction = (0, 1) if forward else (1, 0)
    data = np.arange(10 * int(np.prod(shape))).reshape(10, *shape)
    chosen = list(range(10)[sel]) if isinstance(sel, slice) else sel
    mask = draw.draw(
        st.none() | st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen))
    )
    region = region_of(refs, direction[0], 10) if with_region else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "GAP_BYTES", gap)
        patch.setattr(links, "GAP_BYTES", gap)
        patch.setattr(links, "TABLE_LEAST", gap - 1)
        patch.setattr(links, "TABLE_FACTOR", 0 if gap == 1 else 4)
        common = {"region": region, "mask": mask, "ref_direction": direction}
        result = dereference(sel, refs, data, **common)
        found = dereference(sel, refs, as_masked=False, **common)
    rows_of = expected(chosen, refs, direction, mask)
    assert result.shape == (len(chosen), max([1, *map(len, rows_of)]), *shape)
    for row, gone, own in zip(result.data, np.ma.getmaskarray(result), rows_of, strict=True):
        np.testing.assert_array_equal(row[: len(own)], data[own])
        assert gone[len(own) :].all()
        assert not gone[: len(own)].any()
    assert [row.tolist() for row in found] == expected(chosen, refs, direction, mask, ordered=False)


class Counted:
    """References that count how many of them are read."""

    def __init__(self, refs):
        self.refs, self.dtype, self.read = refs, refs.dtype, 0

    def __len__(self):
        return len(self.refs)

    def __getitem__(self, rows):
        part = self.refs[rows]
        self.read += len(part)
        return part


@pytest.mark.parametrize("with_mask", [False, True])
def test_references_far_apart_are_read_without_what_is_between(with_mask):
    numbers = np.arange(200_000)
    refs = Counted(np.stack([numbers, numbers[::-1]], axis=1).astype("u4"))
    region = np.zeros(len(numbers), ref_region_dtype)
    region["start"], region["stop"] = numbers, numbers + 1
    sel = [199_999, 7, 100_000, 8]
    mask = [False, with_mask, False, False]
    result = dereference(sel, refs, region=region, mask=mask)
    assert unpadded(result) == [[0], [] if with_mask else [199_992], [99_999], [199_991]]
    assert refs.read < 10
    regions_read = Counted(region)
    regions_read.shape = region.shape
    dereference(slice(10, 20), refs, region=regions_read)
    assert regions_read.read == 10
