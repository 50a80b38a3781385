from __future__ import annotations

import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python import parameters


@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    [
        ("int32", 1.7, 1),
        ("int32", "7", 7),
        ("int32", True, 1),
        ("int8", 300, 44),
        ("uint8", -1, 255),
        ("uint64", -5, 2**64 - 5),
        ("uint64", 2**63, 2**63),
        ("float32", "0.5", 0.5),
        ("float32", 1e300, math.inf),
        ("float64", 3, 3.0),
        ("complex64", 1j, 1j),
        ("bool", "False", True),
        ("bool", 0, False),
    ],
)
def test_plain_construction(type_name, value, expected):
    converted = parameters.convert(type_name, value)
    assert converted == expected
    assert converted.dtype == numpy.dtype(type_name)


def test_texts():
    assert parameters.convert(numpy.dtype(str), 3) == "3"
    assert type(parameters.convert(numpy.dtype(str), "x")) is str


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("int32", "1.5"),
        ("int32", "x"),
        ("int32", None),
        ("int32", math.nan),
        ("int32", math.inf),
        ("int32", 2**200),
        ("int32", [1]),
        ("int32", 1j),
        ("float32", "x"),
        ("float32", {}),
        ("bool", [1, 2]),
    ],
)
def test_what_cannot_be_converted(type_name, value):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        parameters.convert(type_name, value)
    with pytest.raises(ValueError, match="parameter `p': cannot convert"):
        parameters.clean({"type": numpy.dtype(type_name)}, "p", value)


@given(st.sampled_from(["int8", "uint8", "int16", "uint32", "int64"]), st.integers(-(2**63), 2**63))
def test_integers_wrap_around(type_name, value):
    info = numpy.iinfo(type_name)
    span = int(info.max) - int(info.min) + 1
    expected = (value - int(info.min)) % span + int(info.min)
    assert int(parameters.convert(type_name, value)) == expected


def checked(**declared):
    errors = []
    declared = {"p": declared}
    parameters.check_declarations(declared, errors)
    return declared["p"], errors


def test_declarations_are_converted_in_place():
    declared, errors = checked(type="float32", default=1, range=["0", 2])
    assert errors == []
    assert declared["type"] == numpy.dtype("float32")
    assert all(value.dtype == numpy.float32 for value in [declared["default"], *declared["range"]])
    declared, errors = checked(type="string", default="a", choice=["a", 3])
    assert errors == []
    assert declared["type"] == numpy.dtype(str)
    assert declared["choice"] == ["a", "3"]


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ({}, "expected a basic type, got None"),
        ({"type": "user/format/1"}, "expected a basic type"),
        ({"type": ["int8"]}, "expected a basic type"),
        ({"type": "int8", "default": "x"}, "cannot convert default 'x' to int8"),
        ({"type": "int8", "range": [0, "x"]}, "cannot convert range 'x'"),
        ({"type": "int8", "range": [2, 1]}, "start < end"),
        ({"type": "int8", "range": [1, 1]}, "start < end"),
        ({"type": "int8", "range": [1]}, "start < end"),
        ({"type": "int8", "range": 3}, "range must be a list, got int"),
        ({"type": "int8", "range": [0, 2], "default": 3}, "default 3 is not in the range [0, 2]"),
        ({"type": "string", "choice": "abc"}, "choice must be a list, got str"),
        ({"type": "int8", "choice": [1, "x"]}, "cannot convert choice 'x'"),
        ({"type": "string", "choice": ["a"], "default": "b"}, "default b is not among the choices"),
    ],
)
def test_problems_are_reported_with_the_name(declared, text):
    _, errors = checked(**declared)
    assert len(errors) == 1
    assert errors[0].startswith("parameter `p': ")
    assert text in errors[0]


def test_things_that_are_no_declarations():
    errors = []
    parameters.check_declarations(["p"], errors)
    parameters.check_declarations({"p": "int8", "q": None}, errors)
    assert errors == [
        "`parameters' must be an object, got list",
        "parameter `p': expected an object, got str",
        "parameter `q': expected an object, got NoneType",
    ]


def test_restrictions_of_given_values():
    limited, _ = checked(type="int32", range=[1, 3])
    assert [parameters.clean(limited, "p", value) for value in (1, 3)] == [1, 3]
    with pytest.raises(ValueError, match="parameter `p': 4 is not in the range"):
        parameters.clean(limited, "p", 4)
    chosen, _ = checked(type="string", choice=["a", "b"])
    assert parameters.clean(chosen, "p", "b") == "b"
    with pytest.raises(ValueError, match="not among the choices"):
        parameters.clean(chosen, "p", "c")
