from __future__ import annotations

import fcntl
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.flow_files import EVENTS, HITS, write_example

from beat.backend.python.flow import H5FlowDataManager, print_attr, print_data, print_ref
from beat.backend.python.flow.errors import (
    BadReservation,
    BadSelection,
    InputError,
    MissingData,
    MissingFile,
)


def test_rows_are_written_and_read(flow, fill):
    rows = np.arange(20.0)
    fill(flow, "calibrated/hits", rows)
    assert flow.dset_exists("calibrated/hits")
    assert flow.exists("calibrated")
    assert not flow.dset_exists("calibrated")
    assert flow.get_dset("/calibrated/hits/").maxshape == (None,)
    np.testing.assert_array_equal(flow["calibrated/hits", :], rows)
    np.testing.assert_array_equal(flow["calibrated/hits/data"][:], rows)


@pytest.mark.parametrize(
    "sel, expected",
    [
        (slice(2, 5), [2, 3, 4]),
        (slice(None), list(range(10))),
        (slice(-3, None), [7, 8, 9]),
        (slice(None, None, 4), [0, 4, 8]),
        (slice(8, 99), [8, 9]),
        (slice(-1, -1), []),
        (3, [3]),
        (-1, [9]),
        (np.uint8(4), [4]),
        ([7, 2, 2], [7, 2, 2]),
        ([-1, 0], [9, 0]),
        ([], []),
        (np.array([True, False] * 5), [0, 2, 4, 6, 8]),
        (range(3, 6), [3, 4, 5]),
    ],
)
def test_selections_of_one_dataset(flow, fill, sel, expected):
    fill(flow, "A", np.arange(10))
    assert flow["A", sel].tolist() == expected
    assert flow.follow(("A",), sel, indices_only=True).tolist() == expected


@pytest.mark.parametrize(
    "sel, error",
    [
        (10, BadSelection),
        (-11, BadSelection),
        ([0, 10], BadSelection),
        ([True], BadSelection),
        ([0.5], TypeError),
        ("x", MissingData),
        (None, TypeError),
    ],
)
def test_selections_of_rows_that_are_not_there(flow, fill, sel, error):
    fill(flow, "A", np.arange(10))
    with pytest.raises(error):
        flow["A", sel]


def test_rows_far_apart_are_read_without_what_is_between(flow, fill):
    rows = np.arange(300_000)
    fill(flow, "A", rows)
    wanted = np.array([299_999, 5, 150_000, 5, 0])
    assert flow["A", wanted].tolist() == wanted.tolist()


@pytest.mark.parametrize("shape", [(), 3, (2, 3), (0,)])
def test_shapes_of_rows(flow, shape):
    flow.create_dset("A", "f4", shape)
    rows = (shape,) if isinstance(shape, int) else shape
    assert flow.get_dset("A").shape == (0, *rows)
    assert flow.get_dset("A").dtype == "f4"


def test_a_dataset_that_is_there_stays_as_it_is(flow, fill):
    fill(flow, "A", np.arange(3, dtype="i4"))
    flow.create_dset("A", "f8", (2,))
    assert flow.get_dset("A").shape == (3,)
    assert flow.get_dset("A").dtype == "i4"


@pytest.mark.parametrize("name", ["", "/", "//"])
def test_a_dataset_needs_a_name(flow, name):
    with pytest.raises(ValueError, match="must not be empty"):
        flow.create_dset(name, "i4")


# -- reserving -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, length, result",
    [
        (slice(2, 7), 7, slice(2, 7)),
        (slice(None, 4), 4, slice(None, 4)),
        (slice(0, 2), 3, slice(0, 2)),
        (slice(-1, -1), 3, slice(-1, -1)),
        (slice(9, 9), 3, slice(9, 9)),
        ([1, 8], 9, [1, 8]),
        ([slice(0, 5), slice(6, 8)], 8, [slice(0, 5), slice(6, 8)]),
        ([np.int64(4), slice(0, 2)], 5, [4, slice(0, 2)]),
        ([], 3, []),
    ],
)
def test_rows_are_reserved_by_place(flow, fill, spec, length, result):
    fill(flow, "A", np.arange(3))
    assert flow.reserve_data("A", spec) == result
    assert len(flow.get_dset("A")) == length
    flow.sync()
    assert flow["A", :3].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.int16])
def test_rows_are_appended_in_the_order_of_the_processes(flow, kind):
    flow.create_dset("A", "i8")
    for expected in (0, 5 * flow.size):
        own = flow.reserve_data("A", kind(5))
        assert own == slice(expected + 5 * flow.rank, expected + 5 * flow.rank + 5)
    assert len(flow.get_dset("A")) == 10 * flow.size


def test_each_process_appends_as_much_as_it_wants(flow):
    flow.create_dset("A", "i8")
    own = flow.reserve_data("A", flow.rank)
    assert own.stop - own.start == flow.rank
    flow.write_data("A", own, flow.rank)
    flow.sync()
    assert flow["A", :].tolist() == [rank for rank in range(flow.size) for _ in range(rank)]


@pytest.mark.parametrize(
    "spec, error",
    [
        (-1, BadReservation),
        (np.int64(-5), BadReservation),
        (slice(-3, 2), BadReservation),
        (slice(2, -3), BadReservation),
        ([3, -1], BadReservation),
        (slice(2, None), TypeError),
        (1.5, TypeError),
        ("3", TypeError),
        (None, TypeError),
        ([1.5], TypeError),
    ],
)
def test_reservations_that_make_no_sense_change_nothing(flow, fill, spec, error):
    fill(flow, "A", np.arange(3))
    with pytest.raises(error, match="reserve"):
        flow.reserve_data("A", spec)
    assert flow["A", :].tolist() == [0, 1, 2]


def test_reserving_costs_the_same_however_many_references_there_are(flow, monkeypatch):
    """No table of regions is touched before the end."""
    flow.create_dset("A", "i8")
    for number in range(5):
        flow.create_dset(f"B{number}", "i8")
        flow.create_ref("A", f"B{number}")
    resized = []
    resize = h5py.Dataset.resize

    def note(dset, *args, **options):
        resized.append(dset.name)
        resize(dset, *args, **options)

    monkeypatch.setattr(h5py.Dataset, "resize", note)
    flow.reserve_data("A", 3)
    assert resized == ["/A/data"]
    flow.close_file()
    assert all(len(flow.fh[f"A/ref/B{n}/ref_region"]) == 3 * flow.size for n in range(5))


# -- writing ---------------------------------------------------------------------------------------


def test_plain_assignment(flow):
    flow.create_dset("A", "i8")
    flow.reserve_data("A", slice(0, 6))
    if flow.rank == 0:
        flow.write_data("A", slice(0, 3), 7)
        flow.write_data("A", [3, 5], [1, 2])
    flow.sync()
    assert flow["A", :].tolist() == [7, 7, 7, 1, 0, 2]


@pytest.mark.serial
@pytest.mark.parametrize(
    "spec, data", [(slice(0, 2), [1, 2, 3]), (slice(2, 9), [1] * 7), ([3, 1], [1, 2])]
)
def test_data_that_does_not_fit(flow, spec, data):
    flow.create_dset("A", "i8")
    flow.reserve_data("A", 4)
    with pytest.raises(TypeError):
        flow.write_data("A", spec, data)


def test_missing_datasets_are_named_with_near_matches(flow, fill):
    fill(flow, "charge/hits", np.arange(3))
    for call in (
        lambda: flow.get_dset("charge/hit"),
        lambda: flow.reserve_data("charge/hit", 1),
        lambda: flow.write_data("charge/hit", 0, 1),
        lambda: flow["charge/hit", 0],
    ):
        with pytest.raises(
            MissingData, match=r"no dataset `charge/hit' .*did you mean `charge/hits'"
        ):
            call()
    with pytest.raises(KeyError, match="no `charge/none'"):
        flow["charge/none"]


# -- attributes ------------------------------------------------------------------------------------


def test_attributes(flow):
    values = {"classname": "X", "cut": 0.5, "channels": [1, 2], "none": None, "on": True}
    flow.set_attrs("stage/obj0", **values)
    attrs = flow.get_attrs("stage/obj0")
    assert attrs.pop("channels").tolist() == [1, 2]
    assert attrs == {"classname": "X", "cut": 0.5, "none": None, "on": True}
    assert flow.attr_exists("stage/obj0", "cut")
    assert not flow.attr_exists("stage/obj0", "cuts")
    assert not flow.attr_exists("stage/obj1", "cut")
    with pytest.raises(MissingData):
        flow.get_attrs("stage/obj1")


def test_attributes_are_set_all_or_none(flow):
    flow.set_attrs("A", kept=1)
    with pytest.raises(TypeError, match=r"attribute `bad' of `A': HDF5 cannot hold \{'x': 1\}"):
        flow.set_attrs("A", kept=2, new=3, bad={"x": 1})
    assert flow.get_attrs("A") == {"kept": 1}
    with pytest.raises(TypeError):
        flow.set_attrs("B", bad={})
    assert not flow.exists("B")


# -- deleting --------------------------------------------------------------------------------------


def test_delete_takes_the_references_on_both_sides_with_it(open_flow, folder, together):
    together(write_example, folder / "flow.h5")
    flow = open_flow()
    flow.delete("charge/hits")
    assert not flow.ref_exists("charge/events", "charge/hits")
    assert sorted(flow.fh) == ["charge", "tracks"]
    assert sorted(flow.fh["charge/events"]) == ["data"]
    assert sorted(flow.fh["tracks"]) == ["data"]
    np.testing.assert_array_equal(flow["charge/events", :], EVENTS)


def test_deleting_a_group_deletes_what_is_below(open_flow, folder, together):
    together(write_example, folder / "flow.h5")
    flow = open_flow()
    flow.delete("charge")
    assert sorted(flow.fh) == ["tracks"]
    assert sorted(flow.fh["tracks"]) == ["data"]
    with pytest.raises(MissingData, match="no `charge'"):
        flow.delete("charge")


def test_a_deleted_dataset_can_be_made_anew(flow, fill):
    fill(flow, "A", np.arange(3))
    flow.delete("A")
    fill(flow, "A", np.ones(2))
    assert flow["A", :].tolist() == [1, 1]


# -- the file --------------------------------------------------------------------------------------


def test_the_file_is_opened_when_it_is_needed_and_again_after_closing(open_flow, folder, fill):
    flow = open_flow()
    assert not (folder / "flow.h5").exists()
    fill(flow, "A", np.arange(3))
    flow.close_file()
    flow.close_file()
    assert flow["A", :].tolist() == [0, 1, 2]


@pytest.mark.serial
def test_a_new_file_opened_again_keeps_what_is_in_it(open_flow, fill):
    flow = open_flow(mode="w")
    fill(flow, "A", np.arange(3))
    flow.close_file()
    assert flow["A", :].tolist() == [0, 1, 2]


@pytest.mark.serial
def test_analysis_reads_without_mpi(folder):
    path = write_example(folder / "flow.h5")
    with H5FlowDataManager(path, "r", mpi=False) as flow:
        assert (flow.comm, flow.rank, flow.size, flow.mpi) == (None, 0, 1, False)
        hits = flow["charge/events", "charge/hits", 2]
        np.testing.assert_array_equal(hits, HITS[[2, 5]][None])


def test_the_manager_closes_at_the_end_of_a_block_and_lets_errors_pass(folder, processes):
    flow = H5FlowDataManager(str(folder / "flow.h5"))
    with flow:
        flow.create_dset("A", "i4")
    if processes.size > 1:
        return
    with pytest.raises(ZeroDivisionError), flow:
        flow.reserve_data("A", 2)
        1 / 0  # noqa: B018
    with h5py.File(folder / "flow.h5") as file:
        assert len(file["A/data"]) == 2


def test_its_text(flow):
    assert repr(flow).startswith(f"H5FlowDataManager(filepath='{flow.filepath}', mode='a', mpi=")
    assert "drop_list=[]" in repr(flow)


@pytest.mark.serial
def test_missing_truncated_and_foreign_files(folder):
    path = write_example(folder / "flow.h5")
    with pytest.raises(MissingFile, match=r"no such file: .*flov.h5' .did you mean `flow.h5'"):
        H5FlowDataManager(str(folder / "flov.h5"), "r").get_dset("A")
    with pytest.raises(FileNotFoundError, match="no folder"):
        H5FlowDataManager(str(folder / "none" / "flow.h5"), "r").get_dset("A")
    content = Path(path).read_bytes()
    (folder / "half.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"half.h5' .*truncated, {len(content) // 2} bytes"):
        H5FlowDataManager(str(folder / "half.h5"), "r").get_dset("A")
    (folder / "text.h5").write_text("no HDF5 at all " * 100)
    with pytest.raises(OSError, match="it is no HDF5 file"):
        H5FlowDataManager(str(folder / "text.h5"), "r").get_dset("A")


@pytest.mark.serial
def test_a_file_that_another_program_has_open(folder):
    path = write_example(folder / "flow.h5")
    with open(path, "rb") as other, pytest.raises(InputError, match="another program has it open"):
        fcntl.flock(other, fcntl.LOCK_EX)
        H5FlowDataManager(path, mpi=False).get_dset("A")


@pytest.mark.serial
def test_what_is_printed(folder, capsys):
    path = write_example(folder / "flow.h5")
    with H5FlowDataManager(path, "r") as flow:
        print_data(flow.fh)
        print_ref(flow.fh)
        print_attr(flow.fh["charge/events"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "charge/events: 4 rows, [('time', '<f8'), ('id', '<i4')]"
    assert lines[1:3] == ["charge/hits: 6 rows, float32 (2,)", "tracks: 3 rows, int64"]
    assert "charge/events -> charge/hits: 5 references (charge/events/ref/charge/hits/ref)" in lines
    assert "/: classname = EventBuilder" in lines


@pytest.mark.parametrize("compression", ["gzip", "lzf"])
def test_compression(open_flow, fill, link, compression):
    flow = open_flow(compression=compression)
    fill(flow, "A", np.arange(1000))
    fill(flow, "B", np.zeros((10, 3)))
    link(flow, "A", "B", np.array([(900, 2), (3, 4)]))
    flow.close_file()
    for path in ("A/data", "B/data", "A/ref/B/ref"):
        assert flow.fh[path].compression == compression
    assert flow["A", 998:].tolist() == [998, 999]
    assert flow.follow(("A", "B"), [3, 900], indices_only=True).tolist() == [[4], [2]]


def test_compressed_rows_may_be_written_by_some_of_the_processes(open_flow):
    flow = open_flow(compression="gzip")
    flow.create_dset("A", "i8", (2,))
    flow.reserve_data("A", slice(0, 8))
    nothing = np.zeros((0, 2))
    first, last = flow.rank == 0, flow.rank == flow.size - 1
    flow.write_data("A", slice(0, 3) if first else slice(-1, -1), 5 if first else nothing)
    flow.write_data("A", [4, 7] if last else [], 6 if last else nothing)
    flow.sync()
    assert flow["A", :][:, 0].tolist() == [5, 5, 5, 0, 6, 0, 0, 6]


def test_compressed_rows_are_read_while_more_are_written(open_flow):
    flow = open_flow(compression="gzip")
    flow.create_dset("A", "f8")
    rows = np.random.default_rng(flow.rank).random((40, 70))
    for part in rows:
        own = flow.reserve_data("A", 70)
        flow.write_data("A", own, part)
        np.testing.assert_array_equal(flow["A", own], part)
    flow.close_file()
    everything = flow["A", :].reshape(40, flow.size, 70)
    np.testing.assert_array_equal(everything[:, flow.rank], rows)


def test_what_others_wrote_is_there_after_sync(flow):
    flow.create_dset("A", "i8")
    own = flow.reserve_data("A", 100)
    flow.write_data("A", own, flow.rank + 1)
    flow.sync()
    expected = np.repeat(np.arange(flow.size) + 1, 100)
    np.testing.assert_array_equal(flow["A", :], expected)
