from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from beat.backend.python.data import CachedDataSink, CachedDataSource, DataSource
from beat.backend.python.database import Database
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.flow import H5FlowManager, bridge
from beat.backend.python.flow.bridge import (
    BridgeError,
    FlowDataSource,
    UnitDataset,
    export_cache,
    export_source,
    export_view,
)
from beat.backend.python.flow.errors import MissingData
from beat.backend.python.flow.units import fixed_dtype, intervals_of, overlaps

pytestmark = pytest.mark.serial

EXAMPLES = str(Path(__file__).resolve().parents[2] / "prefix")
BRIDGE = "beat.backend.python.flow.bridge"


@pytest.fixture
def flow(open_flow):
    return open_flow(mpi=False)


class Units(DataSource):
    """Units in a list."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.infos = [(start, end) for _, start, end in units]

    def __getitem__(self, index):
        return self.units[index]


def made(kind, seed):
    """Return a value of a field, not twice the same."""
    rng = np.random.default_rng(seed)
    if isinstance(kind, DataFormat):
        fields = {name: field for name, field in kind.resolved.items() if name[0] not in "_#"}
        return {name: made(field, seed + n) for n, (name, field) in enumerate(fields.items())}
    if isinstance(kind, list):
        shape = [size or int(rng.integers(0, 4)) for size in kind[:-1]]
        if isinstance(kind[-1], str) and kind[-1] not in ("string", "str"):
            return rng.integers(0, 2, shape).astype(kind[-1])
        items = np.empty(shape, object)
        items.ravel()[:] = [made(kind[-1], seed + n) for n in range(items.size)]
        return items
    if kind in ("string", "str"):
        return "é" * (seed % 5)
    return np.dtype(kind).type(seed % 2)


FORMATS = {
    "every type": "user/every_type/1",
    "texts": "user/measurement/1",
    "objects in objects": "user/person_with_photo/1",
    "objects in arrays": "user/album/1",
    "images": "system/array_2d_uint8/1",
    "numbers": "system/uint64/1",
    "fixed arrays": {"a": [2, 3, "int16"], "o": [2, {"x": "float32", "b": [2, "bool"]}]},
    "mixed dimensions": {"a": [0, 2, "int8"], "b": [2, 0, "int8"], "c": [0, 0, 0, "float64"]},
    "arrays of texts": {"t": [0, 2, "string"], "u": [2, "string"]},
    "arrays of objects": {"o": [0, 2, {"x": "int8"}], "p": [0, 0, {"t": "string"}]},
    "rows of objects": {"o": [0, 2, {"x": "int8", "y": [2, "int8"]}]},
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("form", ["objects", "dictionaries", "packed"])
def test_units_of_any_format_come_back(flow, prefix, monkeypatch, name, form):
    monkeypatch.setattr(bridge, "BATCH", 32)
    declared = FORMATS[name]
    folder = EXAMPLES if name in ("images", "numbers") else prefix
    dataformat = DataFormat(folder, declared)
    assert dataformat.valid, dataformat.errors
    values = [made(dataformat, seed) for seed in range(100)]
    objects = [dataformat.type().from_dict(value, casting="safe") for value in values]
    given = {"objects": objects, "dictionaries": values, "packed": [o.pack() for o in objects]}[
        form
    ]
    given[7] = b"" if form == "packed" else None
    units = [(data, 2 * n + 3, 2 * n + 4) for n, data in enumerate(given)]
    export_source(Units(units), dataformat, flow, "some/units")
    if isinstance(declared, dict):
        read = source_of(flow, dataformat)
    else:
        read = FlowDataSource()
        assert read.setup(flow, "some/units", folder)
    assert len(read) == 100
    assert (read.first_data_index(), read.last_data_index()) == (3, 202)
    for number in (0, 3, 7, 8, 31, 32, 99):
        data, start, end = read[number]
        assert (start, end) == units[number][1:]
        assert data is None if number == 7 else data.isclose(objects[number])
    assert read[100] == read[-1] == (None, None, None)


def source_of(flow, dataformat):
    """Return a source of units whose format has no file."""
    rows = UnitDataset(flow, "some/units", dataformat).read(slice(None))
    limits = intervals_of(flow, "some/units", slice(None)).tolist()
    return SafeUnits([(data, *limit) for data, limit in zip(rows, limits, strict=True)])


class SafeUnits(Units):
    def __getitem__(self, index):
        return self.units[index] if 0 <= index < len(self.units) else (None, None, None)


def test_fields_of_fixed_size_are_fields_of_rows(flow, prefix):
    dataformat = DataFormat(prefix, FORMATS["fixed arrays"])
    expected = [("a", "i2", (2, 3)), ("o", [("x", "f4"), ("b", "?", (2,))], (2,))]
    assert fixed_dtype(dataformat) == np.dtype(expected)
    export_source(Units([]), dataformat, flow, "x")
    assert flow.get_dset("x").dtype == np.dtype(expected)
    assert flow.get_refs("x") == []


def test_others_have_a_group_with_references(flow):
    dataformat = DataFormat(EXAMPLES, "system/array_2d_uint8/1")
    images = [np.arange(6, dtype="u1").reshape(2, 3), np.full((1, 2), 9, "u1")]
    units = [({"value": image}, n, n) for n, image in enumerate(images)]
    export_source(Units(units), dataformat, flow, "images")
    assert flow.get_attrs("images") == {"dataformat": "system/array_2d_uint8/1"}
    pixels = flow["images", "images/value", :]
    assert pixels.filled(99).tolist() == [[0, 1, 2, 3, 4, 5], [9, 9, 99, 99, 99, 99]]
    assert flow["images/value/shape", :].tolist() == [[2, 3], [1, 2]]
    assert flow["images/index", 1].tolist() == [(1, 1, False)]


def test_a_dataset_is_not_written_twice(flow, prefix):
    dataformat = DataFormat(prefix, "user/single_integer/1")
    export_source(Units([]), dataformat, flow, "x")
    with pytest.raises(BridgeError, match="has a dataset `x' already"):
        export_source(Units([]), dataformat, flow, "x")
    with pytest.raises(BridgeError, match="not valid"):
        export_source(Units([]), DataFormat(prefix, "user/malformed/1"), flow, "y")


def test_an_output_in_the_cache(flow, prefix, folder):
    dataformat = DataFormat(prefix, "user/measurement/1")
    path = str(folder / "out.data")
    sink = CachedDataSink()
    sink.setup(path, dataformat, 0, 29)
    for n in range(10):
        sink.write({"label": f"n{n}", "values": np.arange(float(n))}, 3 * n, 3 * n + 2)
    sink.close()
    export_cache(path, prefix, flow, "all")
    export_cache(path, prefix, flow, "some", 4, 8)
    twin = CachedDataSource()
    twin.setup(path, prefix)
    read = FlowDataSource()
    read.setup(flow, "all", prefix)
    assert [unit[1:] for unit in read] == [unit[1:] for unit in twin]
    assert all(one[0].isclose(two[0]) for one, two in zip(read, twin, strict=True))
    twin.close()
    assert flow["some/index", :][["start", "end"]].tolist() == [(4, 5), (6, 8)]
    with pytest.raises(BridgeError, match="no such output in the cache"):
        export_cache(str(folder / "none.data"), prefix, flow, "none")


def test_sources_limit_their_units_and_travel(flow, prefix, folder):
    dataformat = DataFormat(prefix, "user/single_integer/1")
    units = [({"value": np.int32(n)}, 10 * n, 10 * n + 9) for n in range(20)]
    export_source(Units(units), dataformat, flow, "x")
    flow.close_file()
    source = FlowDataSource()
    source.setup(flow.filepath, "x", prefix, start_index=15, end_index=42)
    assert source.data_indices() == [(15, 19), (20, 29), (30, 39), (40, 42)]
    assert [unit[0].value for unit in source] == [1, 2, 3, 4]
    assert source.getAtDataIndex(33)[0].value == 3
    copy = pickle.loads(pickle.dumps(source))
    source.close()
    assert copy[2][0].value == source[2][0].value == 3
    source.close()
    copy.close()
    source.setup(flow.filepath, "x", prefix, start_index=500)
    assert len(source) == 0
    source.close()
    own = FlowDataSource()
    own.setup(flow, "x", prefix)
    with pytest.raises(BridgeError, match="only a source that was set up with a file name"):
        pickle.dumps(own)


def test_rows_of_any_dataset_are_units_of_a_format_that_fits(flow, fill, prefix):
    fill(flow, "numbers", np.arange(5, dtype="i4"))
    fill(flow, "times", np.zeros(3, [("value", "i4")]))
    fill(flow, "others", np.zeros(3, [("x", "i4"), ("y", "i4")]))
    source = FlowDataSource()
    for name, values in (("numbers", [0, 1, 2, 3, 4]), ("times", [0, 0, 0])):
        source.setup(flow, name, prefix, "user/single_integer/1")
        assert [unit[0].value for unit in source] == values
        assert source.data_indices() == [(n, n) for n in range(len(values))]
    source.setup(flow, "others", prefix, "user/single_integer/1")
    with pytest.raises(BridgeError, match=r"rows of `others' .* do not have the fields of "):
        source[0]
    flow.set_attrs("numbers", x=1)
    with pytest.raises(BridgeError, match="`numbers' does not say what dataformat"):
        source.setup(flow, "numbers", prefix)
    with pytest.raises(MissingData, match="did you mean `numbers'"):
        source.setup(flow, "number", prefix)


@pytest.mark.parametrize(
    "ones, others, expected",
    [
        ([(0, 0), (1, 1), (2, 2)], [(0, 1), (2, 9)], [(0, 0), (1, 0), (2, 1)]),
        ([(0, 5)], [(0, 1), (2, 3), (9, 9)], [(0, 0), (0, 1)]),
        ([(0, 1), (8, 9)], [(2, 7)], []),
        ([], [(0, 1)], []),
    ],
)
def test_intervals_with_an_index_in_common(ones, others, expected):
    arrays = (np.array(item, "i8").reshape(-1, 2) for item in (ones, others))
    assert overlaps(*arrays).tolist() == [list(pair) for pair in expected]


# -- a database, and algorithms over it --------------------------------------------------------


@pytest.fixture
def digits(flow, folder):
    """A flow file with the training digits."""
    view = Database(EXAMPLES, "digits/1").view(
        "verification", "train", root_folder=f"{EXAMPLES}/rawdata/digits/1"
    )
    view.index(str(folder / "index.db"))
    view.setup(str(folder / "index.db"), pack=False)
    export_view(view, flow, "digits")
    (folder / "index.db").unlink()
    flow.close_file()
    return view


def test_a_database(flow, digits):
    raw = np.load(f"{EXAMPLES}/rawdata/digits/1/digits.npz")
    assert len(flow.get_dset("digits/image")) == 900
    assert len(flow.get_dset("digits/client_id")) == 10
    rows = flow["digits/image", "digits/file_id", :]["value"]
    assert rows.shape == (900, 1)
    pixels = flow["digits/image", "digits/image/value", :]
    np.testing.assert_array_equal(pixels.reshape(900, 8, 8), raw["images"][rows[:, 0]])
    clients = flow["digits/image", "digits/client_id", :]["value"]
    np.testing.assert_array_equal(clients[:, 0], raw["labels"][rows[:, 0]])
    assert flow["digits/client_id", "digits/image", 3]["number"].compressed().tolist() == list(
        range(270, 360)
    )


def test_outputs_of_a_view_can_be_chosen(flow, digits):
    export_view(digits, flow, "few", ["client_id", "file_id"])
    assert flow["few/file_id", "few/client_id", 95]["value"].tolist() == [[1]]
    with pytest.raises(BridgeError, match=r"no output `imag' .*did you mean `image'"):
        export_view(digits, flow, "none", ["imag"])


def run_stage(folder, source, chunk, end=None, **params):
    config = {
        "flow": {"source": "loop", "stages": ["made"]},
        "loop": {
            "classname": "H5FlowDatasetLoopGenerator",
            "dset_name": source,
            "params": {"chunk_size": chunk},
        },
        "made": {"classname": "AlgorithmStage", "path": BRIDGE, "params": params},
    }
    names = str(folder / "out.h5"), str(folder / "flow.h5")
    manager = H5FlowManager(config, *names, end_position=end, mpi=False)
    manager.init()
    manager.run()
    manager.finish()
    return manager


@pytest.fixture
def numbers(flow, fill):
    fill(flow, "numbers", np.arange(25, dtype="i4"))
    fill(flow, "offsets", np.array([100, 200], "i4"))
    flow.close_file()


@pytest.mark.parametrize("chunk", [1, 7, 100])
@pytest.mark.parametrize(
    "params, expected",
    [
        ({"algorithm": "user/echo_sequential/1"}, range(25)),
        ({"algorithm": "user/echo_sequential/1", "parameters": {"offset": 5}}, range(5, 30)),
        ({"algorithm": "user/echo_legacy/1", "inputs": {"in": "numbers"}}, range(25)),
        (
            {"algorithm": "user/add_offsets/1", "inputs": {"offset": "offsets"}},
            range(300, 325),
        ),
    ],
)
def test_algorithms_as_stages(folder, open_flow, numbers, prefix, chunk, params, expected):
    run_stage(folder, "numbers", chunk, prefix=prefix, **params)
    flow = open_flow("out.h5", "r", mpi=False)
    assert flow["made/out", :]["value"].tolist() == list(expected)
    assert flow["numbers", "made/out", :]["value"][:, 0].tolist() == list(expected)
    assert flow.get_attrs("made/out")["algorithm"] == params["algorithm"]
    read = FlowDataSource()
    read.setup(flow, "made/out", prefix)
    assert read.data_indices() == [(n, n) for n in range(25)]


@pytest.fixture
def projections(flow, digits):
    """A dataset of the first pixels of each digit, with references to the clients."""
    images = flow["digits/image", "digits/image/value", :].reshape(900, 64)[:, 10:14].astype(float)
    units = [({"value": image.filled(0)}, n, n) for n, image in enumerate(images)]
    dataformat = DataFormat(EXAMPLES, "system/array_1d_float64/1")
    export_source(Units(units), dataformat, flow, "projected")
    flow.create_ref("projected", "digits/client_id")
    flow.write_ref("projected", "digits/client_id", [(n, n // 90) for n in range(900)])
    flow.close_file()
    return images.filled(0)


@pytest.mark.parametrize("chunk", [64, 900])
def test_inputs_along_references_and_outputs_of_many_rows(folder, open_flow, projections, chunk):
    """A model for each client, of projections that come in slices of any size."""
    run_stage(
        folder,
        "projected",
        chunk,
        prefix=EXAMPLES,
        algorithm="tutorial/enrolment/1",
        inputs={"projection": "projected", "client_id": "digits/client_id"},
        outputs={"model": "models"},
    )
    flow = open_flow("out.h5", "r", mpi=False)
    read = FlowDataSource()
    read.setup(flow, "models", EXAMPLES)
    assert read.data_indices() == [(90 * n, 90 * n + 89) for n in range(10)]
    for number, (model, _, _) in enumerate(read):
        assert model.client_id == number
        expected = projections[90 * number : 90 * number + 90].mean(axis=0)
        np.testing.assert_allclose(model.value, expected)
    owners = flow.follow(("projected", "models"), slice(None), indices_only=True)
    assert owners[:, 0].tolist() == np.repeat(np.arange(10), 90).tolist()


def test_rows_that_an_algorithm_has_not_finished_with(folder, projections):
    """The last client ends after the last row."""
    with pytest.raises(BridgeError, match="has written output `model' only up to index 89"):
        run_stage(
            folder,
            "projected",
            100,
            end=150,
            prefix=EXAMPLES,
            algorithm="tutorial/enrolment/1",
            inputs={"projection": "projected", "client_id": "digits/client_id"},
        )
    assert sorted(path.name for path in folder.iterdir()) == ["flow.h5"]


@pytest.mark.parametrize(
    "params, text",
    [
        ({"algorithm": "user/nothing/1"}, "algorithm `user/nothing/1' is not valid:\n.*not found"),
        ({"algorithm": "user/sum_sequential/1"}, "is an analyzer; only sequential"),
        ({"algorithm": "user/echo_autonomous/1"}, "is autonomous; only sequential"),
        ({"algorithm": "user/echo_sequential/1", "inputs": {"ni": "x"}}, "no input `ni' .*: in"),
        ({"algorithm": "user/echo_sequential/1", "outputs": {"o": "x"}}, "no output `o' .*: out"),
        ({"algorithm": "user/add_offsets/1"}, "missing: offset"),
        ({"algorithm": "user/echo_sequential/1", "inputs": {"in": "offsets"}}, "missing: numbers"),
    ],
)
def test_algorithms_that_do_not_fit(folder, numbers, prefix, params, text):
    with pytest.raises(BridgeError, match=f"(?s)stage `made': .*{text}"):
        run_stage(folder, "numbers", 10, prefix=prefix, **params)
    assert not (folder / "out.h5").exists()


def test_legacy_algorithms_have_one_channel(folder, numbers, prefix, tmp_path):
    copy = tmp_path / "prefix"
    shutil.copytree(prefix, copy)
    path = copy / "algorithms" / "user" / "echo_legacy" / "1.json"
    declared = json.loads(path.read_text())
    declared["groups"].append({"inputs": {"more": {"type": "user/single_integer/1"}}})
    path.write_text(json.dumps(declared))
    with pytest.raises(BridgeError, match="has inputs of several channels"):
        run_stage(folder, "numbers", 10, prefix=str(copy), algorithm="user/echo_legacy/1")


def test_a_flow_of_units_is_plain_hdf5(flow, digits):
    with h5py.File(flow.filepath, "r") as file:
        assert sorted(file["digits/image"]) == ["data", "index", "ref", "value"]
        assert file["digits/image/value/data"].dtype == "u1"
