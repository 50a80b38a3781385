"""Typed objects as peers and user code meet them: bytes, dictionaries, comparison, copies."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy
import pytest
from support.formats import format_of

from beat.backend.python.baseformat import baseformat
from beat.backend.python.dataformat import DataFormat

DECLARED: dict[str, Any] = {
    "#description": "one of everything",
    "zeta": "bool",
    "alpha": "int16",
    "Upper": "uint8",
    "_under": "int64",
    "c64": "complex64",
    "c128": "complex128",
    "text": "string",
    "matrix": [0, 2, "float32"],
    "names": [0, "string"],
    "fixed": [2, "int8"],
    "inner": {"y": "uint32", "x": {"s": "str"}},
    "points": [0, 0, {"b": "bool", "a": "float64"}],
    "none": [0, "uint64"],
}

VALUES: dict[str, Any] = {
    "zeta": True,
    "alpha": -2,
    "Upper": 255,
    "_under": -(2**63),
    "c64": 1 - 2j,
    "c128": 0.5 + 3j,
    "text": "héé",
    "matrix": [[1, 2], [3, 4], [5, 6]],
    "names": ["", "añ", "b"],
    "fixed": [-1, 1],
    "inner": {"y": 7, "x": {"s": "in"}},
    "points": [[{"a": 1.5, "b": True}, {"a": -1.5, "b": False}]],
    "none": [],
}


def text(value: str) -> bytes:
    encoded = value.encode("utf-8")
    return len(encoded).to_bytes(8, "little") + encoded


def size(value: int) -> bytes:
    return value.to_bytes(8, "little")


#: in the order of the keys: upper case first, then `_`
PACKED = b"".join(
    [
        b"\xff",  # Upper
        b"\x00" * 7 + b"\x80",  # _under
        b"\xfe\xff",  # alpha
        struct.pack("<dd", 0.5, 3.0),  # c128
        struct.pack("<ff", 1.0, -2.0),  # c64
        size(2) + b"\xff\x01",  # fixed
        text("in") + b"\x07\x00\x00\x00",  # inner: x, then y
        size(3) + size(2) + struct.pack("<6f", 1, 2, 3, 4, 5, 6),  # matrix
        size(3) + text("") + text("añ") + text("b"),  # names
        size(0),  # none
        size(1) + size(2) + struct.pack("<d?d?", 1.5, True, -1.5, False),  # points
        text("héé"),  # text
        b"\x01",  # zeta
    ]
)


@pytest.fixture
def dataformat() -> DataFormat:
    return format_of(DECLARED, "user/every-thing/1")


@pytest.fixture
def made(dataformat: DataFormat) -> baseformat:
    return dataformat.type(**VALUES)


def test_bytes_by_hand(dataformat, made):
    assert made.pack() == PACKED
    stream = io.BytesIO()
    made.pack_into(stream)
    assert stream.getvalue() == PACKED
    back = dataformat.type()
    assert back.unpack(PACKED) is back
    assert back.isclose(made)
    assert back.pack() == PACKED
    stream = io.BytesIO(PACKED + b"rest")
    assert dataformat.type().unpack_from(stream).isclose(made)
    assert stream.read() == b"rest"


def test_big_endian_and_reversed_values_are_packed_the_same(dataformat, made):
    made.matrix = numpy.array(VALUES["matrix"], ">f4")
    assert made.pack() == PACKED
    made.matrix = numpy.asfortranarray(numpy.array(VALUES["matrix"], "float32"))
    assert made.pack() == PACKED
    made.matrix = numpy.array(VALUES["matrix"], "float32")[::-1][::-1]
    assert made.pack() == PACKED


def test_validate(dataformat, made):
    assert dataformat.validate(PACKED).isclose(made)
    assert dataformat.validate(io.BytesIO(PACKED)).isclose(made)
    assert dataformat.validate(made.as_dict()).isclose(made)
    assert type(dataformat.validate(PACKED)) is dataformat.type
    for wrong in (VALUES, {}, {**made.as_dict(), "more": 1}, PACKED[:-1], b"", io.BytesIO(b"\x00")):
        with pytest.raises((TypeError, AttributeError, ValueError)):
            dataformat.validate(wrong)
    for wrong in (None, 3, "text", [1]):
        with pytest.raises(TypeError):
            dataformat.validate(wrong)


def test_as_dict_keeps_scalars_and_is_taken_back(dataformat, made):
    values = made.as_dict()
    assert set(values) == set(VALUES)
    assert type(values["alpha"]) is numpy.int16
    assert type(values["inner"]["y"]) is numpy.uint32
    assert type(values["points"][0][0]["a"]) is numpy.float64
    assert type(values["points"][0][0]["b"]) is numpy.bool_
    assert type(values["text"]) is str
    assert type(values["matrix"]) is type(values["matrix"][0]) is list
    assert values["names"] == VALUES["names"]
    assert dataformat.type().from_dict(values).pack() == PACKED
    assert dataformat.type().from_dict({**values, "__type__": "x"}).pack() == PACKED
    assert dataformat.type(**values).pack() == PACKED


def test_values_are_in_the_instance_and_types_in_the_class(dataformat, made):
    assert set(vars(made)) == set(VALUES)
    klass = dataformat.type
    assert klass.__name__ == "user_every_thing_1"
    assert klass.__mro__[1] is baseformat
    assert klass.alpha == numpy.dtype("int16")
    assert klass.text is str
    assert klass.fixed == [2, numpy.dtype("int8")]
    assert klass.inner is dataformat.resolved["inner"].type
    assert klass.points == [0, 0, dataformat.resolved["points"][-1].type]
    assert klass.inner._name == "user/every-thing/1.inner_type"
    assert klass.inner.__name__ == "user_every_thing_1.inner_type"
    assert klass.inner.x._name == "user/every-thing/1.inner_type.x_type"
    assert klass.points[-1]._name == "user/every-thing/1.points_type"


CHANGES = [
    ("alpha", numpy.int16(-1)),
    ("zeta", False),
    ("text", "hee"),
    ("c64", numpy.complex64(1)),
    ("matrix", [[1, 2], [3, 4], [5, 6.1]]),
    ("matrix", [[1, 2]]),
    ("names", ["", "an", "b"]),
    ("names", []),
    ("fixed", [1, -1]),
    ("inner", {"y": numpy.uint32(8), "x": {"s": "in"}}),
    ("inner", {"y": numpy.uint32(7), "x": {"s": "out"}}),
    ("points", []),
    ("none", [1]),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_differences(made, name, value):
    other = made.copy()
    setattr(other, name, value)
    assert not other.isclose(made)
    assert not made.isclose(other)


def test_nearly_equal_floats_are_close_and_tolerances_are_numpys(made):
    other = made.copy()
    other.matrix = made.matrix * (1 + 1e-6)
    other.c128 = made.c128 + 1e-9
    assert made.isclose(other)
    other.points[0, 0].a = numpy.float64(1.6)
    assert not made.isclose(other)
    assert made.isclose(other, 0.1)
    assert made.isclose(other, rtol=0, atol=0.2)
    assert not made.isclose(other, rtol=0, atol=0.01)
    other.points[0, 0].a = numpy.float64("nan")
    same = other.copy()
    assert not other.isclose(same)
    assert other.isclose(same, equal_nan=True)


@pytest.mark.parametrize("other", [None, 3, "text", {}, VALUES, object(), baseformat])
def test_other_things_are_not_close(made, other):
    assert made.isclose(other) is False


def test_objects_of_another_format_are_not_close():
    one, other = format_of({"x": "int8"}, "a/b/1"), format_of({"x": "int16"}, "a/b/2")
    assert one.type(x=1).isclose(one.type(x=1))
    assert not one.type(x=1).isclose(other.type(x=1))


def test_copies_share_nothing(made):
    copy = made.copy()
    assert type(copy) is type(made)
    assert copy is not made
    copy.alpha = numpy.int16(5)
    copy.matrix[0, 0] = 9
    copy.names[1] = "changed"
    copy.inner.x.s = "changed"
    copy.points[0, 0].b = False
    assert made.pack() == PACKED


def test_items_can_be_changed_in_place(made):
    made.points[0, 1].a = numpy.float64(2.5)
    made.names[0] = "first"
    made.matrix[2, 1] = 60
    made.inner.x.s = "deep"
    back = type(made)().unpack(made.pack())
    assert back.points[0, 1].a == 2.5
    assert back.names.tolist() == ["first", "añ", "b"]
    assert back.matrix[2].tolist() == [5, 60]
    assert back.inner.x.s == "deep"
    with pytest.raises(TypeError):
        made.points[0, 1].a = 1j
    with pytest.raises(AttributeError):
        made.inner.z = 1


def test_text_is_json_of_the_values():
    shown = json.loads(str(format_of({"x": "float32", "n": [0, "string"]}).type(x=1.5, n=["a"])))
    assert shown == {"x": 1.5, "n": ["a"]}


def test_unpacked_arrays_may_be_written_to(dataformat):
    for back in (dataformat.type().unpack(PACKED), dataformat.validate(io.BytesIO(PACKED))):
        back.matrix[0, 0] = 2
        back.fixed += 1
        back.none = numpy.arange(3, dtype="uint64")
        assert back.matrix[0, 0] == 2
