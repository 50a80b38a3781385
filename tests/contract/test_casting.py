"""The table of what objects take and refuse, through every door a value can come in by."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from support.formats import format_of

from beat.backend.python.baseformat import setup_array, setup_scalar

ZEROS = numpy.zeros((2, 3), "float32").tolist()

#: declared, value, what is made of it safely and unsafely: a value, or what is raised
SCALARS = [
    ("int32", 5, TypeError, 5),
    ("int32", 1.0, TypeError, 1),
    ("int32", "7", TypeError, 7),
    ("int32", [1], TypeError, TypeError),
    ("int32", 0, 0, 0),
    ("int32", None, 0, 0),
    ("int32", True, 1, 1),
    ("int32", numpy.int16(3), 3, 3),
    ("int32", numpy.int32(42), 42, 42),
    ("uint64", 5, TypeError, 5),
    ("uint64", -5, TypeError, 2**64 - 5),
    ("float32", 1.5, TypeError, 1.5),
    ("float32", 1, TypeError, 1.0),
    ("float32", numpy.float16(1.5), 1.5, 1.5),
    ("complex64", 1j, TypeError, 1j),
    ("bool", 1, TypeError, True),
    ("bool", True, True, True),
    ("string", 3, "3", "3"),
    ("string", b"ab", "b'ab'", "b'ab'"),
    ("string", None, "", ""),
]

ARRAYS = [
    ([0, "int32"], [1, 2], [1, 2], [1, 2]),
    ([0, "int32"], numpy.array([1.0, 2.0]), [1, 2], [1, 2]),
    ([0, "int32"], numpy.array([1, 2], "int64"), [1, 2], [1, 2]),
    ([0, "float32"], numpy.array([1.5]), [1.5], [1.5]),
    ([0, "int32"], [2**40], OverflowError, OverflowError),
    ([0, "int32"], ["a"], ValueError, ValueError),
    ([0, "int32"], 5, TypeError, TypeError),
    ([0, "int32"], numpy.zeros((2, 2)), TypeError, TypeError),
    ([2, 3, "float32"], [], ZEROS, ZEROS),
    ([2, 3, "float32"], None, ZEROS, ZEROS),
    ([2, 3, "float32"], numpy.zeros((3, 2)), TypeError, TypeError),
    ([0, "string"], ["a", 3], ["a", "3"], ["a", "3"]),
    ([0, "string"], [1, 2], ["1", "2"], ["1", "2"]),
]

OBJECTS = [
    ([0, {"x": "int32"}], [{"x": 1}], TypeError, [{"x": 1}]),
    ([0, {"x": "int32"}], [{}], AttributeError, [{"x": 0}]),
    ([0, {"x": "int32"}], [{"x": 0, "y": 1}], AttributeError, AttributeError),
    ([0, {"x": "int32"}], [{"x": numpy.int32(1), "__type__": "t"}], [{"x": 1}], [{"x": 1}]),
]


def plain(value: Any) -> Any:
    return value.as_dict() if hasattr(value, "as_dict") else value


def assign(klass: Any, value: Any) -> Any:
    made = klass()
    made.field = value
    return made.as_dict()["field"]


def validate(dataformat: Any, value: Any) -> Any:
    return dataformat.validate({"field": value}).as_dict()["field"]


SAFE = {
    "assignment": lambda format, value: assign(format.type, value),
    "from_dict": lambda format, value: format.type().from_dict({"field": value}).field,
    "validate": validate,
    "within": lambda format, value: (
        format_of({"outer": format.data}).type().from_dict({"outer": {"field": value}}).outer.field
    ),
    "in an array": lambda format, value: (
        format_of({"a": [0, format.data]}).type().from_dict({"a": [{"field": value}]}).a[0].field
    ),
}

UNSAFE = {
    "constructor": lambda format, value: format.type(field=value).field,
    "within": lambda format, value: (
        format_of({"outer": format.data}).type(outer={"field": value}).outer.field
    ),
    "from_dict": lambda format, value: (
        format.type().from_dict({"field": value}, "unsafe", True).field
    ),
}


def check(door: Any, declared: Any, value: Any, expected: Any) -> None:
    dataformat = format_of({"field": declared}, "user/format/1")
    if isinstance(expected, type):
        with pytest.raises(expected) as caught:
            door(dataformat, value)
        assert type(caught.value) is expected
        return
    made = door(dataformat, value)
    if isinstance(declared, list):
        items = made.tolist() if isinstance(made, numpy.ndarray) else made
        assert [plain(item) for item in items] == expected
        if isinstance(declared[-1], str) and declared[-1] != "string":
            assert dataformat.type(field=value).field.dtype == declared[-1]
    else:
        kind = str if declared == "string" else numpy.dtype(declared).type
        assert type(made) is kind
        assert made == expected


@pytest.mark.parametrize("door", SAFE)
@pytest.mark.parametrize(("declared", "value", "safe", "unsafe"), SCALARS + ARRAYS + OBJECTS)
def test_safe(door, declared, value, safe, unsafe):
    check(SAFE[door], declared, value, safe)


@pytest.mark.parametrize("door", UNSAFE)
@pytest.mark.parametrize(("declared", "value", "safe", "unsafe"), SCALARS + ARRAYS + OBJECTS)
def test_unsafe(door, declared, value, safe, unsafe):
    check(UNSAFE[door], declared, value, unsafe)


@pytest.mark.parametrize(("declared", "value", "safe", "unsafe"), SCALARS)
def test_the_function_for_single_values(declared, value, safe, unsafe):
    dtype = str if declared == "string" else numpy.dtype(declared)
    for casting, expected in (("safe", safe), ("unsafe", unsafe)):
        if isinstance(expected, type):
            with pytest.raises(expected):
                setup_scalar("format", "attribute", dtype, value, casting, False)
        else:
            assert setup_scalar("format", "attribute", dtype, value, casting, False) == expected


@pytest.mark.parametrize(("declared", "value", "safe", "unsafe"), ARRAYS)
def test_the_function_for_arrays(declared, value, safe, unsafe):
    *shape, dtype = declared
    dtype = str if dtype == "string" else numpy.dtype(dtype)
    if isinstance(safe, type):
        with pytest.raises(safe):
            setup_array("format", "attribute", shape, dtype, value, "safe", False)
    else:
        made = setup_array("format", "attribute", shape, dtype, value, "safe", False)
        assert made.tolist() == safe


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("float32", numpy.array([1e300, 1.0])),
        ("int32", numpy.array([numpy.nan, 1.0])),
        ("int32", numpy.array([1e20, 1.0])),
        ("complex64", numpy.array([1e300j, 1.0])),
    ],
)
def test_no_version_of_numpy_warns_of_array_elements_that_do_not_fit(declared, value):
    assert assign(format_of({"field": [0, declared]}).type, value)[1] == 1


ITEMS = [
    ([0, "string"], 3, TypeError),
    ([0, "string"], "text", "text"),
    ([0, {"x": "int32"}], {"x": 1}, TypeError),
    ([0, {"x": "int32"}], {"x": numpy.int32(1), "y": 1}, AttributeError),
    ([0, {"x": "int32"}], {"y": 1}, AttributeError),
    ([0, {"x": "int32"}], {}, {"x": 0}),
    ([0, {"x": "int32"}], {"x": numpy.int32(4)}, {"x": 4}),
    ([0, {"x": "int32"}], 3, TypeError),
]


@pytest.mark.parametrize(("declared", "value", "expected"), ITEMS)
@pytest.mark.parametrize("unpacked", [False, True])
def test_items(declared, value, expected, unpacked):
    klass = format_of({"field": declared}).type
    made = klass(field=["old", "old"] if declared[-1] == "string" else [{}, {}])
    made = klass().unpack(made.pack()) if unpacked else made
    if isinstance(expected, type):
        with pytest.raises(expected):
            made.field[1] = value
        return
    made.field[1] = value
    assert plain(made.field[1]) == expected
    assert klass().unpack(made.pack()).as_dict() == made.as_dict()


def test_no_door_leaves_a_half_made_object():
    made = format_of({"a": "int32", "b": "int32", "c": [0, "string"]}).type(a=1, b=2, c=["x"])
    before = made.as_dict()
    for wrong in ({"a": numpy.int32(5), "b": 6, "c": []}, {"a": numpy.int32(5)}, {"z": 1}, None, 3):
        with pytest.raises((TypeError, AttributeError)):
            made.from_dict(wrong)
    for name, value in (("a", 3), ("b", [1]), ("c", 4), ("d", 1)):
        with pytest.raises((TypeError, AttributeError)):
            setattr(made, name, value)
    assert made.as_dict() == before


def test_messages_name_attribute_format_and_types():
    made = format_of({"size": "int32", "names": [2, "string"]}, "user/format/1").type()
    with pytest.raises(TypeError) as caught:
        made.size = 5
    assert all(word in str(caught.value) for word in ("size", "user/format/1", "int64", "int32"))
    with pytest.raises(TypeError, match="names"):
        made.names = ["a"]
    with pytest.raises(AttributeError) as unknown:
        made.colour = 1
    assert "colour" in str(unknown.value)
    with pytest.raises(AttributeError) as unknown:
        made.from_dict({"size": numpy.int32(1), "names": ["a", "b"], "colour": 1, "smell": 2})
    assert all(word in str(unknown.value) for word in ("colour", "smell", "user/format/1"))
    with pytest.raises(AttributeError) as missing:
        made.from_dict({})
    assert all(word in str(missing.value) for word in ("names", "size", "user/format/1"))


def test_defaults():
    declared = {
        "free": [0, "int8"],
        "partly": [0, 3, "float64"],
        "fixed": [2, 2, "complex64"],
        "names": [2, "string"],
        "object": {"x": "uint8", "deep": {"y": [2, "bool"]}},
        "objects": [2, {"x": "uint8"}],
        "text": "string",
        "number": "float32",
    }
    made = format_of(declared).type()
    shapes = {
        name: getattr(made, name).shape for name, kind in declared.items() if type(kind) is list
    }
    assert shapes == {
        "free": (0,),
        "partly": (0, 3),
        "fixed": (2, 2),
        "names": (2,),
        "objects": (2,),
    }
    assert made.as_dict() == {
        "free": [],
        "partly": [],
        "fixed": [[0, 0], [0, 0]],
        "names": ["", ""],
        "object": {"x": 0, "deep": {"y": [False, False]}},
        "objects": [{"x": 0}, {"x": 0}],
        "text": "",
        "number": 0.0,
    }
    assert made.objects[0] is not made.objects[1]
    assert type(made.number) is numpy.float32
