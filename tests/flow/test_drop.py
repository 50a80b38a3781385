from __future__ import annotations

import os

import numpy as np
import pytest
from support.flow_files import write_example

DROPPED = ["B", "x/tmp", "/y/"]


@pytest.fixture
def flow(open_flow):
    return open_flow(drop_list=DROPPED)


@pytest.mark.parametrize(
    "name, dropped",
    [
        ("B", True),
        ("B/more", True),
        ("BIG", False),
        ("x/BB", False),
        ("x/B", False),
        ("x/tmp", True),
        ("x/tmp/deep/er", True),
        ("x/tmp2", False),
        ("tmp", False),
        ("y", True),
        ("y/z", True),
    ],
)
def test_entries_match_whole_components_of_paths(flow, fill, name, dropped):
    fill(flow, name, np.arange(4))
    fill(flow, "kept", np.arange(4))
    flow.create_ref("kept", name)
    flow.write_ref("kept", name, [(1, 2)] if flow.rank == 0 else [])
    flow.set_attrs(name, here=True)
    flow.sync()
    assert flow["kept", name, 1].tolist() == [[2]]
    assert flow[name, "kept", 2].tolist() == [[1]]
    assert flow.get_attrs(name) == {"here": True}
    assert len(flow.get_refs("kept")) == 1
    flow.finish()
    assert flow.dset_exists(name) is not dropped
    assert flow.ref_exists("kept", name) is not dropped
    assert flow["kept", :].tolist() == [0, 1, 2, 3]
    if dropped:
        assert sorted(flow.fh) == ["kept"]
        assert sorted(flow.fh["kept"]) == ["data"]


def test_references_between_two_that_are_dropped(flow, fill, link):
    fill(flow, "B", np.arange(4))
    fill(flow, "y/z", np.arange(4))
    link(flow, "B", "y/z", np.array([(0, 3), (0, 1)]))
    assert flow["B", "y/z", 0].tolist() == [[1, 3]]
    flow.close_file()
    assert flow["B", "y/z", 0].tolist() == [[1, 3]]
    flow.finish()
    assert list(flow.fh) == []


def test_what_is_in_the_file_already_is_used_there_and_deleted_in_the_end(
    open_flow, folder, together
):
    together(write_example, folder / "flow.h5")
    flow = open_flow(drop_list=["charge/hits"])
    flow.create_ref("tracks", "charge/events")
    flow.write_ref("charge/events", "tracks", [(1, 1)] if flow.rank == 0 else [])
    flow.sync()
    assert flow["charge/events", "charge/hits", 3].count() == 2
    flow.finish()
    assert sorted(flow.fh["charge"]) == ["events"]
    assert list(flow.fh["charge/events/ref"]) == ["tracks"]
    assert flow["charge/events", "tracks", 1].tolist() == [[200]]


def test_references_can_be_dropped_alone(open_flow, folder, together):
    together(write_example, folder / "flow.h5")
    flow = open_flow(drop_list=["charge/hits/ref/tracks"])
    flow.finish()
    assert flow.dset_exists("charge/hits")
    assert flow.dset_exists("tracks")
    assert not flow.ref_exists("charge/hits", "tracks")
    assert not flow.ref_region_exists("tracks", "charge/hits")
    assert flow.ref_exists("charge/hits", "charge/events")


def test_new_references_can_be_dropped_alone(open_flow, fill, link):
    flow = open_flow(drop_list=["A/ref/B"])
    for name in "AB":
        fill(flow, name, np.arange(4))
    link(flow, "A", "B", np.array([(0, 3), (0, 1)]))
    assert flow["B", "A", 3].tolist() == [[0]]
    flow.finish()
    assert sorted(flow.fh["A"]) == sorted(flow.fh["B"]) == ["data"]


def test_the_temporary_file_is_beside_the_output_and_goes_away(flow, fill, folder, processes):
    fill(flow, "B", np.arange(4))
    processes.barrier()
    names = os.listdir(folder)
    assert len(names) == 2
    assert [name for name in names if name.startswith(".flow.h5.") and name.endswith(".tmp")]
    processes.barrier()
    flow.finish()
    assert os.listdir(folder) == ["flow.h5"]


@pytest.mark.serial
def test_the_temporary_file_goes_away_on_errors_too(flow, fill, folder):
    with pytest.raises(ZeroDivisionError), flow:
        fill(flow, "B", np.arange(4))
        1 / 0  # noqa: B018
    assert os.listdir(folder) == ["flow.h5"]
    fill(flow, "B", np.arange(4))
    flow.abandon()
    assert os.listdir(folder) == ["flow.h5"]


@pytest.mark.serial
def test_nothing_is_deleted_from_a_file_that_is_only_read(open_flow, folder):
    path = folder / "flow.h5"
    write_example(path)
    before = path.read_bytes()
    flow = open_flow(mode="r", drop_list=["charge"])
    flow["charge/hits", :]
    flow.finish()
    assert path.read_bytes() == before
