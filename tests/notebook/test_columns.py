from __future__ import annotations

import numpy
import pytest
from support.units import IMAGE, INTEGER, MEASUREMENT, open_source, write_units

from beat.backend.python.data_loaders import DataLoader, DataView
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.notebook import columns, variables


def image(*shape):
    return {"value": numpy.arange(numpy.prod(shape), dtype=numpy.uint8).reshape(shape)}


@pytest.fixture
def images(prefix, cache):
    write_units(prefix, f"{cache}/images.data", [(image(2, 3), 0, 1), (image(2, 3), 2, 5)], IMAGE)
    return open_source(prefix, f"{cache}/images.data")


@pytest.fixture
def loader(prefix, cache, images):
    numbers = [({"value": numpy.int32(n)}, n, n) for n in range(6)]
    write_units(prefix, f"{cache}/numbers.data", numbers, INTEGER)
    loader = DataLoader("channel")
    loader.add("image", images)
    loader.add("number", open_source(prefix, f"{cache}/numbers.data"))
    return loader


def test_units_of_a_source(images):
    found = columns(images)
    assert list(found) == ["data_index", "data_index_end", "value"]
    assert found["data_index"].tolist() == [0, 2]
    assert found["data_index_end"].tolist() == [1, 5]
    assert [one.shape for one in found["value"]] == [(2, 3), (2, 3)]


def test_scalars_keep_their_types(loader):
    found = columns(loader)
    assert list(found) == ["data_index", "data_index_end", "image.value", "number.value"]
    assert found["number.value"].dtype == numpy.int32
    assert found["number.value"].tolist() == [0, 1, 2, 3, 4, 5]
    assert {column.shape for column in found.values()} == {(6,)}


def test_a_view_of_a_loader(loader):
    view = loader.view("image", 1)
    assert isinstance(view, DataView)
    assert columns(view)["number.value"].tolist() == [2, 3, 4, 5]


def test_units_without_data(prefix, cache):
    units = [(None, 0, 0), ({"value": numpy.int32(3)}, 1, 1), (None, 2, 2)]
    write_units(prefix, f"{cache}/some.data", units)
    found = columns(open_source(prefix, f"{cache}/some.data"))
    assert found["value"].tolist() == [None, 3, None]
    assert found["data_index"].tolist() == [0, 1, 2]


def test_parts_of_objects_and_lists_of_objects(prefix):
    album = DataFormat(prefix, "user/person_with_photo/1").type()
    found = columns([(album, 0, 0), (album, 1, 1)])
    assert any("." in name for name in found)
    assert all(column.shape == (2,) for column in found.values())


def test_what_views_of_databases_give_and_values_without_names():
    plain = columns([({"a": 1, "b": {"c": "x"}}, 0, 0), ({"a": 2.5}, 1, 1), (b"bytes", 2, 2)])
    assert plain["a"].tolist() == [1, 2.5, None]
    assert plain["b.c"].tolist() == ["x", None, None]
    assert plain["data"].tolist() == [None, None, b"bytes"]


def test_no_units():
    assert {name: column.tolist() for name, column in columns([]).items()} == {
        "data_index": [],
        "data_index_end": [],
    }


def test_variables_have_dimensions(images):
    found = variables(images)
    assert found["data_index"][0] == ("unit",)
    dimensions, values = found["value"]
    assert dimensions == ("unit", "value_0", "value_1")
    assert (values.shape, values.dtype) == ((2, 2, 3), numpy.uint8)
    assert (values[0] == image(2, 3)["value"]).all()


def test_variables_of_several_shapes_stay_objects(prefix, cache):
    units = [
        ({"label": "a", "values": numpy.ones(2)}, 0, 0),
        ({"label": "b", "values": numpy.ones(3)}, 1, 1),
    ]
    write_units(prefix, f"{cache}/series.data", units, MEASUREMENT)
    found = variables(open_source(prefix, f"{cache}/series.data"))
    for name in ("label", "values"):
        dimensions, values = found[name]
        assert (dimensions, values.shape, values.dtype) == (("unit",), (2,), object)


def test_pandas_takes_columns(loader):
    pandas = pytest.importorskip("pandas", reason="only users who like pandas need it")
    table = pandas.DataFrame(columns(loader))
    assert table.shape == (6, 4)
    assert table["number.value"].dtype == numpy.int32
    assert table["number.value"].sum() == 15
    assert table["image.value"][0].shape == (2, 3)


def test_xarray_takes_variables(loader):
    xarray = pytest.importorskip("xarray", reason="only users who like xarray need it")
    dataset = xarray.Dataset(variables(loader))
    assert dict(dataset.sizes) == {"unit": 6, "image.value_0": 2, "image.value_1": 3}
    assert dataset["image.value"].dtype == numpy.uint8
    assert int(dataset["number.value"].sum()) == 15
