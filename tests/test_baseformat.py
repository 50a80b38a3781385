"""Typed objects: making, setting, comparing, copying, and the functions of the binary form."""

from __future__ import annotations

import copy
import io
import json
import multiprocessing
import pickle
import struct
import subprocess
import sys
from typing import Any

import numpy
import pytest
from support.formats import class_of

from beat.backend.python import baseformat as module
from beat.backend.python.baseformat import (
    baseformat,
    pack_array,
    pack_scalar,
    read_some,
    read_string,
    unpack_array,
    unpack_scalar,
)

PERSON: dict[str, Any] = {
    "name": "string",
    "age": "int8",
    "height": "float64",
    "phase": "complex64",
    "active": "bool",
    "tags": [0, "string"],
    "image": [0, 0, "uint8"],
    "birth": {"year": "int16", "month": "uint8"},
    "visits": [0, {"day": "int32", "score": "float32"}],
}


def person(**values: Any) -> Any:
    """Return somebody."""
    return class_of(PERSON, "user/person/1")(
        **{
            "name": "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}",
            "age": 7,
            "height": 1.5,
            "phase": 1 + 2j,
            "active": True,
            "tags": ["a", "b"],
            "image": [[1, 2], [3, 4]],
            "birth": {"year": 2001, "month": 2},
            "visits": [{"day": 1, "score": 0.5}, {}],
            **values,
        }
    )


def test_everything_clients_import_is_there() -> None:
    namespace: dict[str, Any] = {}
    exec("from beat.backend.python.baseformat import *", namespace)
    names = ["baseformat", "setup_scalar", "setup_array", "pack_array", "pack_scalar"]
    for name in [*names, "read_some", "read_string", "unpack_array", "unpack_scalar"]:
        assert namespace[name] is getattr(module, name)


def test_values_live_in_the_instance_and_types_in_the_class() -> None:
    made = person()
    klass: Any = type(made)
    assert sorted(made.__dict__) == sorted(PERSON)
    assert klass.age == numpy.dtype("int8")
    assert numpy.issubdtype(klass.age, numpy.integer)
    assert klass.name is str
    assert klass.image == [0, 0, numpy.dtype("uint8")]
    assert klass.tags == [0, str]
    assert issubclass(klass.birth, baseformat)
    assert klass.visits[-1].score == numpy.dtype("float32")
    assert type(made.birth) is klass.birth
    assert (type(made.age), type(made.phase), type(made.active)) == (
        numpy.int8,
        numpy.complex64,
        numpy.bool_,
    )


def test_constructor_fills_in_defaults() -> None:
    made: Any = class_of(PERSON)(age=5)
    assert made.as_dict() == {
        "name": "",
        "age": 5,
        "height": 0,
        "phase": 0,
        "active": False,
        "tags": [],
        "image": [],
        "birth": {"year": 0, "month": 0},
        "visits": [],
    }
    assert made.image.shape == (0, 0)


def test_fields_may_be_called_like_arguments() -> None:
    klass: Any = class_of({"self": "int8", "data": "int8", "into": "int8", "casting": "int8"})
    assert klass(self=1, data=2, into=3, casting=4).as_dict() == {
        "self": 1,
        "data": 2,
        "into": 3,
        "casting": 4,
    }


def test_from_dict_needs_exactly_the_fields() -> None:
    klass: Any = class_of({"a": "int64", "b": "string"}, "user/two/1")
    made = klass()
    assert made.from_dict({"a": 1, "b": "x", "__type__": "ignored"}) is made
    assert (made.a, made.b) == (1, "x")
    with pytest.raises(AttributeError, match=r"missing for dataformat `user/two/1': `b'.*`a', `b'"):
        made.from_dict({"a": 2})
    with pytest.raises(AttributeError, match="`user/two/1' has no `c', `d'; it has `a', `b'"):
        made.from_dict({"a": 2, "b": "y", "c": 1, "d": 1})
    with pytest.raises(AttributeError, match="has no `c'"):
        made.from_dict({"a": 2, "c": "y"})
    with pytest.raises(TypeError):
        made.from_dict({"a": 1.5, "b": "y"})
    for wrong in (None, 5, ["a", "b"], "ab", made):
        with pytest.raises(TypeError, match="`user/two/1' is made of a dictionary"):
            made.from_dict(wrong)
    assert (made.a, made.b) == (1, "x")
    assert made.from_dict({"a": 3}, add_defaults=True).b == ""
    assert made.from_dict({"a": "4"}, "unsafe", True).a == 4


def test_missing_fields_of_inner_objects_follow_the_same_rule() -> None:
    klass: Any = class_of({"o": {"x": "int8", "y": "int8"}})
    x = numpy.int8(1)
    with pytest.raises(AttributeError, match=r"missing .* `y'"):
        klass().from_dict({"o": {"x": x}})
    assert klass().from_dict({"o": {"x": x}}, add_defaults=True).o.as_dict() == {"x": 1, "y": 0}
    assert klass(o={"x": 1}).o.as_dict() == {"x": 1, "y": 0}
    assert klass().from_dict({"o": {}}).o.as_dict() == {"x": 0, "y": 0}
    assert klass().from_dict({"o": None}).o.as_dict() == {"x": 0, "y": 0}


def test_assignment_checks_name_and_type() -> None:
    made = person()
    made.age = numpy.int8(9)
    made.birth = {"year": numpy.int16(1999), "month": numpy.uint8(1)}
    made.tags = ["x"]
    assert (made.age, made.birth.year, made.tags.tolist()) == (9, 1999, ["x"])
    with pytest.raises(AttributeError, match="`user/person/1' has no `agee'; it has `active', "):
        made.agee = 5
    with pytest.raises(AttributeError):
        made._codec = None
    with pytest.raises(TypeError, match="`age' of dataformat `user/person/1' from int64 to int8"):
        made.age = 9
    with pytest.raises(TypeError, match=r"`birth' .* from int to user/person/1.birth_type"):
        made.birth = 5
    with pytest.raises(TypeError, match=r"`year' of dataformat `user/person/1.birth_type'"):
        made.birth.year = 1.5
    assert (made.age, made.birth.year) == (9, 1999)


def test_attributes_that_are_not_there() -> None:
    with pytest.raises(AttributeError):
        person().agee  # noqa: B018


def test_as_dict_is_taken_back_safely() -> None:
    made = person()
    plain = made.as_dict()
    assert plain["image"] == [[1, 2], [3, 4]]
    assert plain["tags"] == ["a", "b"]
    assert type(plain["age"]) is numpy.int8
    assert type(plain["visits"][0]["day"]) is numpy.int32
    assert type(plain["birth"]) is dict
    again = type(made)().from_dict(plain)
    assert again.isclose(made)
    assert again.pack() == made.pack()


def test_text_is_indented_json() -> None:
    made = person()
    assert str(made).startswith('{\n    "')
    loaded = json.loads(str(made))
    assert loaded["phase"] == "(1+2j)"
    assert loaded["birth"] == {"year": 2001, "month": 2}
    assert loaded["height"] == 1.5
    assert loaded["active"] is True
    assert loaded["image"] == [[1, 2], [3, 4]]


DIFFERENCES: list[tuple[str, Any]] = [
    ("name", "other"),
    ("age", 8),
    ("height", 1.6),
    ("phase", 1 - 2j),
    ("active", False),
    ("tags", ["a", "c"]),
    ("tags", ["a"]),
    ("image", [[1, 2], [3, 5]]),
    ("image", [[1, 2, 3, 4]]),
    ("birth", {"year": 2001, "month": 3}),
    ("visits", [{"day": 1, "score": 0.6}, {}]),
    ("visits", [{"day": 1, "score": 0.5}]),
]


@pytest.mark.parametrize("field, value", DIFFERENCES)
def test_objects_differ_in_any_field(field: str, value: Any) -> None:
    assert person().isclose(person())
    assert not person().isclose(person(**{field: value}))
    assert not person(**{field: value}).isclose(person())


@pytest.mark.parametrize("other", [None, 5, "text", {}, object()])
def test_objects_are_not_close_to_other_things(other: Any) -> None:
    assert person().isclose(other) is False


def test_objects_of_other_classes_are_close_only_if_of_the_same_format() -> None:
    one = class_of({"x": "int8"}, "user/one/1")
    assert one().isclose(class_of({"x": "int8"}, "user/one/1")())
    assert not one().isclose(class_of({"x": "int8"}, "user/other/1")())
    assert not one().isclose(class_of({"x": "int16"}, "user/one/1")())
    assert not one().isclose(class_of({"y": "int8"}, "user/one/1")())


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(), (0,)])
@pytest.mark.parametrize(
    "x, y",
    [
        (1.0, 1.0),
        (1.0, 1.0 + 1e-6),
        (1.0, 1.001),
        (0.0, 1e-9),
        (0.0, 1e-7),
        (numpy.inf, numpy.inf),
        (numpy.inf, -numpy.inf),
        (1.0, numpy.inf),
        (numpy.inf, 1.0),
        (numpy.nan, numpy.nan),
        (1.0, numpy.nan),
        (numpy.nan, 1.0),
        (1e30, 1.000001e30),
    ],
)
@pytest.mark.parametrize("options", [{}, {"rtol": 1e-2}, {"atol": 1e-3}, {"equal_nan": True}])
def test_numbers_are_close_as_for_numpy(
    dtype: str, shape: tuple[int, ...], x: float, y: float, options: dict[str, Any]
) -> None:
    klass: Any = class_of({"value": [*shape, dtype] if shape else dtype})
    one, other = (klass(value=[v] if shape else v) for v in (x, y))
    assert one.isclose(other, **options) is bool(numpy.isclose(x, y, **options))
    tolerances = options.get("rtol", 1e-5), options.get("atol", 1e-8)
    assert one.isclose(other, *tolerances) is bool(numpy.isclose(x, y, *tolerances))


def test_infinite_complex_numbers_are_close_to_themselves() -> None:
    klass: Any = class_of({"one": "complex64", "many": [0, "complex64"]})
    infinite = complex(0, numpy.inf)
    assert klass(one=infinite, many=[infinite]).isclose(klass(one=infinite, many=[infinite]))


def test_copies_are_independent() -> None:
    made = person()
    before = made.pack()
    for duplicate in (made.copy(), copy.deepcopy(made), copy.deepcopy([made])[0]):
        assert type(duplicate) is type(made)
        assert duplicate.isclose(made)
        duplicate.image += 1
        duplicate.birth.month = numpy.uint8(9)
        duplicate.visits[0].day = numpy.int32(9)
        duplicate.tags[0] = "z"
        with pytest.raises(TypeError, match="`tags' of dataformat `user/person/1'"):
            duplicate.tags[0] = 3
        assert made.pack() == before
        assert duplicate.pack() != before
    shallow = copy.copy(made)
    assert shallow.image is made.image
    shallow.age = numpy.int8(0)
    assert made.age == 7


def _received(data: bytes) -> tuple[str, Any, str]:
    made = pickle.loads(data)
    made.height = numpy.float64(2.5)
    return type(made)._name, made, type(type(made).birth).__name__


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_objects_come_back_as_the_same_class(protocol: int) -> None:
    made = person()
    back = pickle.loads(pickle.dumps([made, made.visits[0], made.birth], protocol))
    assert type(back[0]) is type(made)
    assert back[0].pack() == made.pack()
    assert type(back[1]) is type(made).visits[-1]
    assert back[0].image.flags.writeable


def test_objects_travel_to_other_processes_and_back() -> None:
    made = person()
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        name, back, _ = pool.apply(_received, (pickle.dumps(made),))
    assert name == "user/person/1"
    assert type(back) is type(made)
    assert back.height == 2.5


def test_objects_can_be_unpickled_without_the_prefix(tmp_path: Any) -> None:
    file = tmp_path / "person.pickle"
    file.write_bytes(pickle.dumps(person()))
    code = (
        "import pickle, sys; made = pickle.load(open(sys.argv[1], 'rb')); "
        "print(type(made)._name, made.birth.year, type(made).tags, sorted(type(made)._format)[0])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "user/person/1 2001 [0, <class 'str'>] active\n"


def test_methods_work_where_fields_are_called_like_them() -> None:
    klass: Any = class_of({"pack": "int8", "as_dict": "string", "copy": [0, "int8"]})
    made = klass(pack=5)
    assert made.pack == 5
    packed = baseformat.pack(made)
    assert packed == bytes(16) + b"\5"
    assert baseformat.unpack(klass(), packed).pack == 5
    assert baseformat.as_dict(baseformat.copy(made)) == {"pack": 5, "as_dict": "", "copy": []}
    outer: Any = class_of({"o": [0, {"pack": "int8", "copy": "string", "isclose": "bool"}]})
    made = outer(o=[{"pack": 3}])
    assert made.copy().isclose(made)
    assert str(made)


def test_subclasses_of_generated_classes() -> None:
    class Mine(class_of({"x": "int8"})):  # type: ignore[misc]
        """A class of a user's own."""

        def double(self) -> int:
            return int(self.x) * 2

    made = Mine(x=4)
    assert made.double() == 8
    assert type(made.copy()) is Mine
    assert Mine().unpack(made.pack()).double() == 8


def test_what_cannot_be_packed_is_named() -> None:
    made: Any = class_of({"s": "string"}, "user/text/1")(s="\ud800")
    with pytest.raises(ValueError, match="cannot pack an object of dataformat `user/text/1'"):
        made.pack()
    del made.s
    with pytest.raises(ValueError, match="cannot pack an object of dataformat `user/text/1'"):
        made.pack()


def test_long_lists_of_fields_are_cut_in_messages() -> None:
    klass: Any = class_of({f"{'x' * 200}{n}": "int8" for n in range(500)})
    with pytest.raises(AttributeError) as e:
        klass().from_dict({})
    assert len(str(e.value)) < 5000


def test_classes_are_called_after_their_formats() -> None:
    klass = class_of({"value": "int8", "a-b": {"x\0": {}}}, "plot/scatter-2/1")
    assert klass.__name__ == "plot_scatter_2_1"
    assert klass._name == "plot/scatter-2/1"
    inner: Any = getattr(klass, "a-b")
    assert inner._name == "plot/scatter-2/1.a-b_type"
    assert inner.__name__ == "plot_scatter_2_1.a_b_type"
    assert klass().pack() == b"\0"


SINGLE: list[tuple[Any, Any, bytes]] = [
    (numpy.dtype("int16"), -2, struct.pack("<h", -2)),
    (numpy.float32, 1.5, struct.pack("<f", 1.5)),
    (numpy.dtype("complex64"), 1 + 2j, struct.pack("<ff", 1, 2)),
    (numpy.dtype("bool"), True, b"\1"),
    (str, "h\u00e9", struct.pack("<Q", 3) + b"h\xc3\xa9"),
]


@pytest.mark.parametrize("dtype, value, packed", SINGLE)
def test_single_values_on_streams(dtype: Any, value: Any, packed: bytes) -> None:
    stream = io.BytesIO()
    pack_scalar(dtype, value, stream)
    assert stream.getvalue() == packed
    back = unpack_scalar(dtype, io.BytesIO(packed + b"rest"))
    assert back == value
    assert type(back) is (str if dtype is str else numpy.dtype(dtype).type)


def test_objects_on_streams() -> None:
    made = person()
    stream = io.BytesIO()
    pack_scalar(type(made), made, stream)
    made.pack_into(stream)
    stream.seek(0)
    assert unpack_scalar(type(made), stream).isclose(made)
    assert type(made)().unpack_from(stream).isclose(made)
    assert stream.read() == b""


@pytest.mark.parametrize(
    "shape, dtype, value, packed",
    [
        ([0], "uint8", [1, 2], struct.pack("<Q2B", 2, 1, 2)),
        ([0, 0], numpy.dtype("int16"), [[1, 2], [3, 4]], struct.pack("<QQ4h", 2, 2, 1, 2, 3, 4)),
        ([2], "float64", [1.5, 2.5], struct.pack("<Qdd", 2, 1.5, 2.5)),
        ([0], str, ["a", "bc"], struct.pack("<QQ1sQ2s", 2, 1, b"a", 2, b"bc")),
        ([0, 0], "complex64", [[1j]], struct.pack("<QQff", 1, 1, 0, 1)),
    ],
)
def test_arrays_on_streams(shape: list[int], dtype: Any, value: Any, packed: bytes) -> None:
    for given in (value, numpy.array(value, object if dtype is str else dtype)):
        stream = io.BytesIO()
        pack_array(dtype, given, stream)
        assert stream.getvalue() == packed
    back = unpack_array(shape, dtype, io.BytesIO(packed))
    assert back.tolist() == value
    assert back.dtype == (object if dtype is str else dtype)


def test_arrays_of_objects_on_streams() -> None:
    klass = class_of({"x": "int8"})
    stream = io.BytesIO()
    pack_array(klass, [klass(x=1), klass(x=2)], stream)
    assert stream.getvalue() == struct.pack("<Qbb", 2, 1, 2)
    back = unpack_array([0], klass, io.BytesIO(stream.getvalue()))
    assert [item.x for item in back] == [1, 2]


def test_arrays_on_streams_have_the_declared_sizes() -> None:
    with pytest.raises(ValueError, match=r"\[3\].*declared \[2\]"):
        unpack_array([2], "int8", io.BytesIO(struct.pack("<Q3b", 3, 1, 2, 3)))


def test_values_of_fixed_size_on_streams() -> None:
    assert read_some("<ih", io.BytesIO(struct.pack("<ih", 5, 6))) == (5, 6)
    assert read_string(io.BytesIO(struct.pack("<Q2s", 2, b"ab"))) == "ab"


def test_objects_kept_are_small() -> None:
    import tracemalloc

    codec = class_of({"value": "int64"})._codec
    packed = codec.pack(codec.klass())
    kept: list[Any] = [codec.decode(packed, 0, 8)] * 1000
    tracemalloc.start()
    try:
        for index in range(1000):
            kept[index] = codec.decode(packed, 0, 8)
        assert tracemalloc.get_traced_memory()[0] / 1000 < 200
    finally:
        tracemalloc.stop()
