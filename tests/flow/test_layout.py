"""Files of others open here, and ours open there: both as the layout is described."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from support.flow_files import (
    EVENT_HITS,
    EVENTS,
    HIT_TRACKS,
    HITS,
    TRACKS,
    regions,
    write_example,
)

from beat.backend.python.flow.errors import BadReferences


@pytest.fixture
def foreign(open_flow, folder, together):
    together(write_example, folder / "foreign.h5")
    return open_flow("foreign.h5")


def test_datasets_of_others(foreign):
    np.testing.assert_array_equal(foreign["charge/events", :], EVENTS)
    np.testing.assert_array_equal(foreign["charge/hits", [5, 1]], HITS[[5, 1]])
    assert foreign.get_attrs("charge/events")["classname"] == "EventBuilder"
    assert foreign.ref_exists("charge/events", "charge/hits")
    assert foreign.ref_exists("tracks", "charge/hits")
    assert not foreign.ref_exists("tracks", "charge/events")
    assert len(foreign.get_refs("charge/hits")) == 2


def test_references_of_others(foreign):
    hits = foreign["charge/events", "charge/hits", :]
    assert hits.shape == (4, 2, 2)
    np.testing.assert_array_equal(hits[0], HITS[[1, 3]])
    assert hits.mask[1].all()
    events = foreign["charge/hits", "charge/events", [3, 4]]
    assert events["id"].filled(-1).tolist() == [[10], [-1]]
    tracks = foreign["charge/events", "charge/hits", "tracks", :]
    assert tracks.filled(0).tolist() == [
        [[300, 0], [100, 300]],
        [[0, 0], [0, 0]],
        [[0, 0], [200, 0]],
        [[0, 0], [0, 0]],
    ]


def test_files_of_others_can_be_added_to(foreign):
    own = foreign.reserve_data("charge/hits", slice(0, 8))
    if foreign.rank == 0:
        foreign.write_data("charge/hits", slice(6, own.stop), [[60, 61], [70, 71]])
    first = foreign.rank == 0
    foreign.write_ref("charge/hits", "charge/events", [(7, 1)] if first else [])
    foreign.create_ref("charge/events", "tracks")
    foreign.write_ref("charge/events", "tracks", [(3, 2)] if first else [])
    foreign.sync()
    assert foreign["charge/events", "charge/hits", 1].tolist() == [[[70, 71]]]
    assert foreign["charge/events", "charge/hits", 0].tolist() == [HITS[[1, 3]].tolist()]
    assert foreign["tracks", "charge/events", 2]["id"].tolist() == [[13]]
    assert len(foreign.fh["charge/hits/ref/tracks/ref_region"]) == 8


def test_our_files_are_laid_out_in_the_same_way(flow, fill, link):
    fill(flow, "charge/events", EVENTS)
    fill(flow, "charge/hits", HITS)
    fill(flow, "tracks", TRACKS)
    link(flow, "charge/events", "charge/hits", np.array(EVENT_HITS))
    link(flow, "charge/hits", "tracks", np.array(HIT_TRACKS))
    flow.set_attrs("charge/events", classname="EventBuilder", class_version="1.2.0")
    flow.close_file()
    if flow.rank == 0:
        twin = flow.filepath + ".twin"
        write_example(twin)
        with h5py.File(flow.filepath, "r", driver=None) as ours, h5py.File(twin, "r") as theirs:
            assert tree(ours) == tree(theirs)
    flow.processes.barrier()


def tree(file):
    """Return everything that counts in a file: contents, kinds, attributes."""
    found = {}

    def note(path, item):
        attrs = {key: str(value) for key, value in item.attrs.items()}
        found[path] = attrs
        if isinstance(item, h5py.Dataset):
            found[path] = (item.dtype, item.maxshape, item[:].tolist(), attrs)

    file.visititems(note)
    return found


def test_the_chunks_of_new_datasets_are_those_h5py_takes_for_empty_ones(flow):
    flow.create_dset("A", "i8")
    flow.create_dset("B", [("a", "f8"), ("b", "f8")])
    flow.create_ref("A", "B")
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        for path in ("A/data", "B/data", "A/ref/B/ref", "A/ref/B/ref_region"):
            dset = flow.fh[path]
            twin = file.create_dataset(
                path, (0, *dset.shape[1:]), dset.dtype, maxshape=(None, *dset.shape[1:])
            )
            assert dset.chunks == twin.chunks


def test_regions_that_are_empty_in_another_way(foreign):
    """Start equal to stop, whatever they are, means none."""
    foreign.fh["charge/events/ref/charge/hits/ref_region"][1] = (3, 3)
    foreign.sync()
    assert foreign["charge/events", "charge/hits", 1].mask.all()
    foreign.write_ref("charge/events", "charge/hits", [(1, 0)] if foreign.rank == 0 else [])
    foreign.sync()
    assert foreign["charge/events", "charge/hits", 1].tolist() == [[[0, 1]]]
    assert list(foreign.get_ref_region("charge/events", "charge/hits")[1]) == [5, 6]


def test_references_that_do_not_say_whose_they_are(foreign):
    del foreign.fh["charge/events/ref/charge/hits/ref"].attrs["dset0"]
    foreign.reserve_data("charge/events", slice(0, 9))
    with pytest.raises(BadReferences, match="does not say between which datasets it is"):
        foreign.sync()
    foreign._grown.clear()


def test_regions_are_as_the_description_says():
    table = regions(np.array([3, 1, 3]), 5)
    assert table.tolist() == [(0, 0), (1, 2), (0, 0), (0, 3), (0, 0)]


def test_rows_that_one_process_reserved_are_written_by_many(open_flow, folder, together):
    def reserve():
        with h5py.File(folder / "flow.h5", "w") as file:
            file.create_dataset("A/data", (5000, 2), "i8", maxshape=(None, 2), fillvalue=-1)
            file["A/data"][:3] = 7
            file["A/data"].attrs["unit"] = "mm"

    together(reserve)
    flow = open_flow()
    share = slice(1000 + 100 * flow.rank, 1100 + 100 * flow.rank)
    flow.write_data("A", share, flow.rank)
    flow.sync()
    assert flow["A", :4][:, 0].tolist() == [7, 7, 7, -1]
    for rank in range(flow.size):
        assert (flow["A", slice(1000 + 100 * rank, 1100 + 100 * rank)] == rank).all()
    assert flow.get_dset("A").attrs["unit"] == "mm"
    assert flow["A", 4999].tolist() == [[-1, -1]]


@pytest.mark.parametrize(
    "sel, expected",
    [
        (slice(-2, None), [2, 3]),
        (slice(2, 99), [2, 3]),
        (slice(None, None, 2), [0, 2]),
        (-1, [3]),
        (np.int16(2), [2]),
        ([3, 0, 3], [3, 0, 3]),
        ([True, False, False, True], [0, 3]),
        (slice(-1, -1), []),
        ([], []),
    ],
)
def test_selections_at_the_start_of_a_path(foreign, sel, expected):
    found = foreign["charge/events", "charge/hits", sel]
    everything = foreign["charge/events", "charge/hits"]
    assert len(found) == len(expected)
    for row, number in zip(found, expected, strict=True):
        assert row.compressed().tolist() == everything[number].compressed().tolist()
    chain = foreign["charge/events", "charge/hits", "tracks", sel]
    assert chain.shape[0] == len(expected)


@pytest.mark.parametrize("sel", [4, -5, [0, 4], [True, False]])
def test_rows_that_are_not_there_at_the_start_of_a_path(foreign, sel):
    with pytest.raises(IndexError, match="`charge/events', which has 4"):
        foreign["charge/events", "charge/hits", sel]
