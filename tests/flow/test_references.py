from __future__ import annotations

import h5py
import numpy as np
import pytest
from support.flow_files import regions

from beat.backend.python.flow.data import regions as region_module
from beat.backend.python.flow.errors import BadReferences, MissingData, ReversedReferences


@pytest.fixture
def pair(flow, fill):
    """A file with 6 rows of A, 5 rows of B and empty references from A to B."""
    fill(flow, "A", np.arange(6))
    fill(flow, "B", np.arange(5) * 10)
    flow.create_ref("A", "B")
    return flow


def only_first(flow, refs):
    """Return references for the first process, none for the others."""
    return refs if flow.rank == 0 else np.empty((0, 2), int)


def region_rows(flow, parent, child):
    return [tuple(row) for row in flow.get_ref_region(parent, child)[:].tolist()]


def test_references_lead_both_ways(pair):
    pair.write_ref("A", "B", only_first(pair, [(0, 3), (2, 1), (0, 1)]))
    pair.write_ref("B", "A", only_first(pair, [(3, 5)]))
    pair.sync()
    assert pair.get_ref("A", "B")[1] == (0, 1)
    assert pair.get_ref("B", "A")[1] == (1, 0)
    assert pair.get_ref("A", "B")[0] == pair.get_ref("B", "A")[0]
    assert pair.get_ref("A", "B")[0][:].tolist() == [[0, 3], [2, 1], [0, 1], [5, 3]]
    assert pair["A", "B", :].filled(-1).tolist() == [
        [10, 30],
        [-1] * 2,
        [10, -1],
        [-1] * 2,
        [-1] * 2,
        [30, -1],
    ]
    assert pair["B", "A", [3, 1]].tolist() == [[0, 5], [0, 2]]


def test_what_exists(pair):
    assert pair.ref_exists("A", "B")
    assert pair.ref_exists("B", "A")
    assert not pair.ref_exists("A", "A")
    assert not pair.ref_exists("A", "C")
    assert pair.ref_region_exists("A", "B")
    assert pair.ref_region_exists("B", "A")
    assert not pair.ref_region_exists("A", "C")
    assert [ref.name for ref in pair.get_refs("A")] == ["/A/ref/B/ref"]
    assert [ref.name for ref in pair.get_refs("B")] == ["/A/ref/B/ref"]
    assert pair.get_refs("C") == []


def test_creating_again_is_nothing_and_the_other_way_round_an_error(pair):
    pair.write_ref("A", "B", only_first(pair, [(0, 3)]))
    pair.create_ref("A", "B")
    assert len(pair.get_ref("A", "B")[0]) == 1
    with pytest.raises(ReversedReferences, match="from `A' to `B' already"):
        pair.create_ref("B", "A")


def test_a_failing_create_ref_leaves_nothing_behind(pair):
    with pytest.raises(MissingData, match="no dataset `C'"):
        pair.create_ref("A", "C")
    assert not pair.ref_exists("A", "C")
    assert not pair.exists("C")
    assert list(pair.fh["A/ref"]) == ["B"]


@pytest.mark.parametrize(
    "refs, text",
    [
        ([(0, -1)], r"row -1 in line 0 is not in `B', which has 5 rows"),
        ([(0, 0), (6, 0)], r"row 6 in line 1 is not in `A', which has 6 rows"),
        ([(0, 0), (0, 5)], r"row 5 in line 1 is not in `B'"),
        ([(0.0, 1.0)], r"expected whole numbers, got float64"),
        ([(True, False)], r"expected whole numbers, got bool"),
        ([("0", "1")], r"expected whole numbers"),
        ([0, 1], r"expected shape \(N, 2\), got \(2,\)"),
        ([(0, 1, 2)], r"expected shape \(N, 2\), got \(1, 3\)"),
        ([[[0, 1]]], r"expected shape \(N, 2\)"),
        (3, r"expected shape"),
        (np.array([(2**64 - 1, 0)], "u8"), r"row 18446744073709551615 in line 0"),
    ],
)
def test_a_failing_write_ref_leaves_nothing_behind(pair, refs, text):
    pair.write_ref("A", "B", only_first(pair, [(1, 1)]))
    with pytest.raises(BadReferences, match=f"references A -> B: {text}"):
        pair.write_ref("A", "B", refs)
    pair.sync()
    assert pair.get_ref("A", "B")[0][:].tolist() == [[1, 1]]
    assert region_rows(pair, "A", "B")[:3] == [(0, 0), (0, 1), (0, 0)]
    assert len(pair.get_ref_region("A", "B")) <= 6


def test_bad_references_of_one_process_are_an_error_for_all(pair):
    last = pair.size - 1
    refs = [(0, 99)] if pair.rank == last else [(0, 1)]
    error = BadReferences if pair.rank == last else RuntimeError
    with pytest.raises(error, match="row 99 in line 0 is not in `B'"):
        pair.write_ref("A", "B", refs)
    assert len(pair.get_ref("A", "B")[0]) == 0


@pytest.mark.parametrize("refs", [[], np.empty((0, 2), int), np.empty((0, 2)), np.empty(0)])
def test_no_references_are_fine(pair, refs):
    pair.write_ref("A", "B", refs)
    assert len(pair.get_ref("A", "B")[0]) == 0


def test_doubled_references_are_kept(pair):
    pair.write_ref("A", "B", only_first(pair, [(0, 1), (0, 1)]))
    pair.sync()
    assert pair["A", "B", 0].tolist() == [[10, 10]]


def test_references_that_are_not_there_are_named_with_near_matches(pair):
    pair.create_dset("Bs", "i4")
    for call in (
        lambda: pair.write_ref("A", "Bs", [(0, 0)]),
        lambda: pair.get_ref("A", "Bs"),
        lambda: pair.get_ref_region("A", "Bs"),
        lambda: pair["A", "Bs", 0],
    ):
        with pytest.raises(MissingData, match=r"between `A' and `Bs'.* \(did you mean `B'\?\)"):
            call()
    with pytest.raises(KeyError, match="no dataset `C'"):
        pair.write_ref("A", "C", [(0, 0)])


# -- region tables -----------------------------------------------------------------------------


def test_regions_stay_tight(pair):
    """Rows that a call does not mention keep their regions."""
    for refs in ([(1, 0), (1, 0)], [(0, 1), (5, 1)], [(3, 4)], [(5, 0)]):
        pair.write_ref("A", "B", only_first(pair, refs))
    pair.sync()
    assert region_rows(pair, "A", "B") == [(2, 3), (0, 2), (0, 0), (4, 5), (0, 0), (3, 6)]
    assert region_rows(pair, "B", "A") == [(0, 6), (2, 4), (0, 0), (0, 0), (4, 5)]


def test_two_interleaved_passes_give_regions_as_small_as_they_can_be(flow, fill, link):
    rows = np.arange(1000)
    fill(flow, "A", rows)
    fill(flow, "B", np.zeros(10_000, "u1"))
    flow.create_ref("A", "B")
    pairs = np.stack([np.repeat(rows, 10), np.arange(10_000)], axis=1)
    for start in (0, 1):
        passes = pairs.reshape(1000, 10, 2)[start::2].reshape(-1, 2)
        for part in np.array_split(passes, 7):
            flow.write_ref("A", "B", part[flow.rank :: flow.size])
    flow.sync()
    table = flow.get_ref_region("A", "B")[:]
    width = table["stop"] - table["start"]
    if flow.size == 1:
        assert (width == 10).all()
    ref = flow.get_ref("A", "B")[0][:]
    np.testing.assert_array_equal(table, regions(ref[:, 0], 1000))
    np.testing.assert_array_equal(flow.get_ref_region("B", "A")[:], regions(ref[:, 1], 10_000))


def test_tables_have_the_length_of_their_datasets_in_the_end(pair, fill):
    pair.write_ref("A", "B", only_first(pair, [(0, 0)]))
    pair.reserve_data("A", slice(0, 5000))
    pair.create_dset("C", "i4")
    pair.create_ref("B", "C")
    pair.sync()
    assert len(pair.fh["A/ref/B/ref_region"]) == 5000
    assert len(pair.fh["B/ref/A/ref_region"]) == 5
    assert len(pair.fh["B/ref/C/ref_region"]) == 5
    assert len(pair.fh["C/ref/B/ref_region"]) == 0
    assert len(pair.get_ref_region("A", "B")) == 5000


def test_rows_beyond_the_table_have_no_references(pair):
    pair.write_ref("A", "B", only_first(pair, [(0, 3)]))
    pair.reserve_data("A", slice(0, 5000))
    assert pair["A", "B", [4999, 0]].filled(-1).tolist() == [[-1], [30]]
    assert pair["A", "B", 4990:].mask.all()


def test_pages_of_tables_are_few_and_hold_nothing_back(flow, fill, monkeypatch):
    monkeypatch.setattr(region_module, "PAGE_ROWS", 16)
    monkeypatch.setattr(region_module, "MOST_PAGES", 3)
    fill(flow, "A", np.arange(200))
    fill(flow, "B", np.arange(150))
    flow.create_ref("A", "B")
    flow.create_ref("B", "B")
    rng = np.random.default_rng(1)
    for _ in range(12):
        flow.write_ref("A", "B", np.stack([rng.integers(0, 200, 40), rng.integers(0, 150, 40)], 1))
        flow.write_ref("B", "B", rng.integers(0, 150, (20, 2)))
        row = int(rng.integers(0, 150))
        flow.sync()
        own = flow.get_ref("A", "B")[0][:]
        expected = sorted(own[own[:, 1] == row, 0].tolist())
        assert flow.follow(("B", "A"), row, True).compressed().tolist() == expected
        assert len(flow._pages) <= 3
    flow.close_file()
    ref = flow.fh["A/ref/B/ref"][:]
    np.testing.assert_array_equal(flow.fh["A/ref/B/ref_region"][:], regions(ref[:, 0], 200))
    np.testing.assert_array_equal(flow.fh["B/ref/A/ref_region"][:], regions(ref[:, 1], 150))
    ref = flow.fh["B/ref/B/ref"][:]
    both = regions(ref.reshape(-1), 150)
    table = flow.fh["B/ref/B/ref_region"][:]
    np.testing.assert_array_equal(table["start"], both["start"] // 2)
    np.testing.assert_array_equal(table["stop"], (both["stop"] + 1) // 2)


def test_the_raw_file_shows_what_was_written(pair):
    pair.write_ref("A", "B", only_first(pair, [(2, 3), (4, 3)]))
    if pair.size == 1:
        assert pair.fh["A/ref/B/ref_region"][:].tolist()[2] == (0, 1)
        pair.write_ref("A", "B", [(2, 3)])
        assert pair["A/ref/B/ref_region"][:].tolist()[2] == (0, 3)
    assert pair.get_ref_region("B", "A")[3]["start"] == 0


# -- references within one dataset -------------------------------------------------------------


def test_references_within_a_dataset_are_followed_both_ways(flow, fill):
    """As from particles to those they decayed into."""
    fill(flow, "A", np.array([10, 11, 12, 13]))
    flow.create_ref("A", "A")
    flow.write_ref("A", "A", only_first(flow, [(0, 1), (0, 2), (2, 3)]))
    flow.sync()
    assert flow["A", "A", :].filled(-1).tolist() == [[11, 12], [-1, -1], [13, -1], [-1, -1]]
    assert flow["A", "~A", :].filled(-1).tolist() == [[-1], [10], [10], [12]]
    assert flow["A", "~A", "~A", 3].tolist() == [[[10]]]
    assert flow["A", "~A", "A", 3].tolist() == [[[13]]]
    assert flow["A", "A", "A", 0].filled(-1).tolist() == [[[-1], [13]]]
    assert len(flow.fh["A/ref/A"]) == 2
    assert region_rows(flow, "A", "A") == [(0, 2), (0, 1), (1, 3), (2, 3)]


def test_backwards_is_only_a_mark_where_no_dataset_is_called_like_that(flow, fill, link):
    fill(flow, "A", np.array([10, 11]))
    fill(flow, "~A", np.array([20, 21]))
    link(flow, "A", "~A", np.array([(1, 0)]))
    assert flow["A", "~A", 1].tolist() == [[20]]
    assert flow["~A", "A", 0].tolist() == [[11]]


# -- more than 32 bits -------------------------------------------------------------------------


@pytest.mark.serial
def test_row_numbers_beyond_32_bits_widen_the_references(open_flow):
    """One process does not store what was never written: five billion rows take no room."""
    flow = open_flow(mpi=False)
    big = 5_000_000_000
    flow.create_dset("A", "u1")
    flow.create_dset("B", "i4")
    flow.create_ref("A", "B")
    flow.reserve_data("B", 4)
    flow.write_data("B", slice(0, 4), [1, 2, 3, 4])
    flow.reserve_data("A", slice(0, 10))
    flow.write_ref("A", "B", [(5, 2)])
    assert flow.get_ref("A", "B")[0].dtype == "u4"
    attrs = dict(flow.get_ref("A", "B")[0].attrs)
    flow.reserve_data("A", slice(0, big))
    flow.write_ref("A", "B", [(big - 1, 3), (4_294_967_296, 1)])
    assert flow.get_ref("A", "B")[0].dtype == "u8"
    assert dict(flow.get_ref("A", "B")[0].attrs) == attrs
    assert flow["A", "B", [big - 1, 5, 4_294_967_296]].tolist() == [[4], [3], [2]]
    assert flow.follow(("B", "A"), slice(0, 4), True).filled(0).tolist() == [
        [0],
        [4_294_967_296],
        [5],
        [big - 1],
    ]
    flow.close_file()
    assert flow["B", "A", 3].shape == (1, 1)
    assert flow.get_ref_region("A", "B").dtype["stop"] == "i4"


@pytest.mark.serial
def test_more_references_than_31_bits_can_count_widen_the_regions(open_flow):
    flow = open_flow(mpi=False)
    flow.create_dset("A", "u1")
    flow.create_dset("B", "i4")
    flow.create_ref("A", "B")
    flow.reserve_data("A", 3)
    flow.reserve_data("B", 3)
    flow.write_ref("A", "B", [(0, 1)])
    count = 2**31 - 2
    flow.get_ref("A", "B")[0].resize(count, axis=0)
    flow.write_ref("A", "B", [(1, 1)])
    assert flow.get_ref_region("A", "B").dtype["stop"] == "i4"
    flow.write_ref("A", "B", [(2, 0)])
    assert flow.get_ref_region("A", "B").dtype["stop"] == "i8"
    assert region_rows(flow, "A", "B") == [(0, 1), (count, count + 1), (count + 1, count + 2)]
    assert region_rows(flow, "B", "A")[0] == (count + 1, count + 2)
    assert flow.follow(("A", "B"), slice(1, 3), True).tolist() == [[1], [0]]
    assert "ref" in flow.get_ref_region("A", "B").attrs
    flow.close_file()
    assert flow.follow(("A", "B"), slice(1, 3), True).tolist() == [[1], [0]]


def test_widening_by_all_processes_together(pair, monkeypatch):
    from beat.backend.python.flow.data import growth, references

    refs = [(rank % 6, rank % 5) for rank in range(3 * pair.size)]
    pair.write_ref("A", "B", refs[3 * pair.rank : 3 * pair.rank + 3])
    pair.sync()
    before = pair.follow(("A", "B"), slice(None), True)
    monkeypatch.setattr(references, "UINT32_MAX", 3)
    monkeypatch.setattr(growth, "COPY_ROWS", 2)
    monkeypatch.setattr(
        references.RegionTable, "holds", lambda table, count: table.dtype["stop"] == "i8"
    )
    pair.write_ref("A", "B", only_first(pair, [(5, 4)]))
    pair.sync()
    assert pair.get_ref("A", "B")[0].dtype == "u8"
    assert pair.get_ref_region("B", "A").dtype["stop"] == "i8"
    assert pair.get_ref("A", "B")[0][:-1].tolist() == [list(ref) for ref in refs]
    after = pair.follow(("A", "B"), slice(0, 5), True)
    assert after.filled(99).tolist() == before.filled(99)[:5, : after.shape[1]].tolist()
    assert 4 in pair.follow(("A", "B"), 5, True)


@pytest.mark.serial
def test_a_write_that_fails_shrinks_the_references_again(pair, monkeypatch):
    pair.write_ref("A", "B", [(0, 1)])

    def full(dset, args, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5py.Dataset, "__setitem__", full)
    with pytest.raises(OSError, match="No space left"):
        pair.write_ref("A", "B", [(1, 1), (2, 2)])
    monkeypatch.undo()
    assert pair.get_ref("A", "B")[0][:].tolist() == [[0, 1]]
    assert pair.follow(("A", "B"), slice(None), True).count() == 1
