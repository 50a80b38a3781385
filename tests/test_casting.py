"""What the fields of objects take, convert and refuse; the same under all versions of numpy."""

from __future__ import annotations

import decimal
from typing import Any

import numpy
import pytest
from support.formats import class_of

from beat.backend.python.baseformat import baseformat, setup_array, setup_scalar
from beat.backend.python.casting import TypedArray

DEFAULT = object()  # stands for "as the default"

#: declared type, value, what safe casting makes of it (an exception is raised), unsafe casting
SCALARS = [
    ("int32", 5, TypeError, 5),
    ("int32", 1.0, TypeError, 1),
    ("int32", -1.9, TypeError, -1),
    ("int32", "7", TypeError, 7),
    ("int32", b"7", TypeError, 7),
    ("int32", "x", TypeError, ValueError),
    ("int32", [1], TypeError, TypeError),
    ("int32", [], TypeError, TypeError),
    ("int32", {}, TypeError, TypeError),
    ("int32", (1, 2), TypeError, TypeError),
    ("int32", {1}, TypeError, TypeError),
    ("int32", numpy.array([1]), TypeError, TypeError),
    ("int32", numpy.array([[]]), TypeError, TypeError),
    ("int32", numpy.array(3, "int32"), 3, 3),
    ("int32", numpy.array(3), TypeError, 3),
    ("int32", 0, 0, 0),
    ("int32", 0.0, 0, 0),
    ("int32", 0j, 0, 0),
    ("int32", b"", 0, 0),
    ("int32", "", 0, 0),
    ("int32", None, 0, 0),
    ("int32", True, 1, 1),
    ("int32", numpy.True_, 1, 1),
    ("int32", numpy.int16(3), 3, 3),
    ("int32", numpy.int32(42), 42, 42),
    ("int32", numpy.intc(42), 42, 42),
    ("int32", numpy.int64(3), TypeError, 3),
    ("int32", numpy.int64(0), 0, 0),
    ("int32", numpy.uint16(3), 3, 3),
    ("int32", numpy.uint32(3), TypeError, 3),
    ("int32", numpy.float32(3), TypeError, 3),
    ("int32", numpy.str_("7"), TypeError, 7),
    ("int32", 2**31, TypeError, -(2**31)),
    ("int32", 2**63, TypeError, 0),
    ("int32", 2**64, TypeError, OverflowError),
    ("int32", float("nan"), TypeError, ValueError),
    ("int32", float("inf"), TypeError, OverflowError),
    ("int32", 1j, TypeError, TypeError),
    ("int32", object(), TypeError, TypeError),
    ("int32", decimal.Decimal(3), TypeError, 3),
    ("int64", 5, 5, 5),
    ("int64", numpy.longlong(5), 5, 5),
    ("int64", 2**63, TypeError, -(2**63)),
    ("int8", 300, TypeError, 44),
    ("uint64", 5, TypeError, 5),
    ("uint64", -5, TypeError, 2**64 - 5),
    ("uint64", numpy.uint8(5), 5, 5),
    ("uint64", 2**64 - 1, 2**64 - 1, 2**64 - 1),
    ("float32", 1.5, TypeError, 1.5),
    ("float32", 1, TypeError, 1.0),
    ("float32", numpy.float16(1.5), 1.5, 1.5),
    ("float32", numpy.int16(2), 2.0, 2.0),
    ("float32", 1e300, TypeError, numpy.inf),
    ("float32", "1.5", TypeError, 1.5),
    ("float32", 1j, TypeError, TypeError),
    ("float64", 1.5, 1.5, 1.5),
    ("float64", 1, 1.0, 1.0),
    ("float64", numpy.float32(1.5), 1.5, 1.5),
    ("float64", 1j, TypeError, TypeError),
    ("complex64", 1j, TypeError, 1j),
    ("complex64", numpy.complex64(1j), 1j, 1j),
    ("complex64", numpy.float32(2), 2, 2),
    ("complex64", "2j", TypeError, 2j),
    ("complex128", 1j, 1j, 1j),
    ("complex128", 2.5, 2.5, 2.5),
    ("bool", 1, TypeError, True),
    ("bool", 0, False, False),
    ("bool", True, True, True),
    ("bool", None, False, False),
    ("bool", numpy.True_, True, True),
    ("bool", numpy.int8(1), TypeError, True),
    ("string", "text", "text", "text"),
    ("str", "text", "text", "text"),
    ("string", 3, "3", "3"),
    ("string", 0, "0", "0"),
    ("string", b"ab", "b'ab'", "b'ab'"),
    ("string", None, "", ""),
    ("string", numpy.str_("text"), "text", "text"),
    ("string", numpy.float32(1.5), "1.5", "1.5"),
]

ARRAYS = [
    ([0, "int32"], [1, 2], [1, 2]),
    ([0, "int32"], (1, 2), [1, 2]),
    ([0, "int32"], [1.9, 2], [1, 2]),
    ([0, "int32"], ["7"], [7]),
    ([0, "int32"], numpy.array([1.9, 2.5]), [1, 2]),
    ([0, "int32"], numpy.array([1, 2], "int64"), [1, 2]),
    ([0, "int32"], numpy.array([1, 2], ">i2"), [1, 2]),
    ([0, "int32"], numpy.array([2**40], "int64"), [0]),
    ([0, "int32"], [], []),
    ([0, "int32"], None, []),
    ([0, "int32"], numpy.array([]), []),
    ([0, "int32"], [2**31], OverflowError),
    ([0, "int32"], [1, 2**40], OverflowError),
    ([0, "int32"], [numpy.int64(2**40)], OverflowError),
    ([0, "int32"], [2**70], OverflowError),
    ([0, "int32"], [1, 3e9], OverflowError),
    ([0, "uint8"], [True, 300], OverflowError),
    ([0, "uint8"], [numpy.float32(2.5)], [2]),
    ([0, "uint8"], [-1], OverflowError),
    ([0, "uint64"], [-1], OverflowError),
    ([0, "uint64"], [2**64 - 1], [2**64 - 1]),
    ([0, "int8"], [[1, 300]], OverflowError),
    ([0, "int32"], ["a"], ValueError),
    ([0, "int32"], "text", ValueError),
    ([0, "int32"], [float("nan")], ValueError),
    ([0, "int32"], [[1], [2, 3]], ValueError),
    ([0, "int32"], [None], TypeError),
    ([0, "int32"], {}, TypeError),
    ([0, "int32"], {"a": 1}, TypeError),
    ([0, "int32"], 5, TypeError),
    ([0, "int32"], numpy.int32(5), TypeError),
    ([0, "int32"], [[1]], TypeError),
    ([0, "int32"], numpy.zeros((2, 2)), TypeError),
    ([0, 0, "int32"], [1, 2], TypeError),
    ([0, 0, "int32"], [[1], [2]], [[1], [2]]),
    ([0, 0, "int32"], [[], []], [[], []]),
    ([0, 2, "int32"], [[1, 2]], [[1, 2]]),
    ([0, 2, "int32"], [[1], [2]], TypeError),
    ([0, 2, "int32"], [], []),
    ([2, 3, "float32"], [], [[0, 0, 0], [0, 0, 0]]),
    ([2, 3, "float32"], None, [[0, 0, 0], [0, 0, 0]]),
    ([2, 3, "float32"], numpy.ones((2, 3)), [[1, 1, 1], [1, 1, 1]]),
    ([2, 3, "float32"], numpy.ones((3, 2)), TypeError),
    ([2, 3, "float32"], numpy.ones((2, 3), "float32"), [[1, 1, 1], [1, 1, 1]]),
    ([2, 3, "float32"], numpy.ones((2, 4), "float32"), TypeError),
    ([2, 3, "float32"], numpy.ones(6, "float32"), TypeError),
    ([0, "float32"], [1j], TypeError),
    ([0, "float32"], [1, "2.5"], [1, 2.5]),
    ([0, "complex64"], [1, 2j], [1, 2j]),
    ([0, "bool"], [1, 0, 2], [True, False, True]),
    ([0, "string"], ["a", 3], ["a", "3"]),
    ([0, "string"], [1, 2], ["1", "2"]),
    ([0, "string"], ("a", None), ["a", ""]),
    ([0, "string"], numpy.array(["a", "bc"]), ["a", "bc"]),
    ([0, "string"], numpy.array(["a", 3], object), ["a", "3"]),
    ([0, "string"], [], []),
    ([0, "string"], "text", TypeError),
    ([0, "string"], 5, TypeError),
    ([0, "string"], [["a"]], TypeError),
    ([0, "string"], [["a"], ["b", "c"]], TypeError),
    ([0, "string"], numpy.array([["a"]]), TypeError),
    ([0, 0, "string"], [["a", "b"]], [["a", "b"]]),
    ([0, 0, "string"], ["a"], TypeError),
    ([2, "string"], None, ["", ""]),
    ([2, "string"], ["a"], TypeError),
]


def _same(value: Any, expected: Any, dtype: Any) -> bool:
    if dtype in ("string", "str"):
        return type(value) is str and value == expected
    return type(value) is numpy.dtype(dtype).type and value == expected


@pytest.mark.parametrize("dtype, value, safe, unsafe", SCALARS)
def test_single_values(dtype: str, value: Any, safe: Any, unsafe: Any) -> None:
    klass: Any = class_of({"value": dtype}, "user/one/1")
    ways = [
        (lambda: klass().from_dict({"value": value}), safe),
        (lambda: _assigned(klass(), value), safe),
        (lambda: klass().unpack(klass._codec.encode({"value": value})), safe),
        (lambda: klass(value=value), unsafe),
        (lambda: klass().from_dict({"value": value}, casting="unsafe"), unsafe),
    ]
    for cast, expected in ways:
        if isinstance(expected, type):
            with pytest.raises(expected, match=r"`value' of dataformat `user/one/1'"):
                cast()
        else:
            assert _same(cast().value, expected, dtype)


def _assigned(made: Any, value: Any) -> Any:
    made.value = value
    return made


@pytest.mark.parametrize("declared, value, expected", ARRAYS)
def test_arrays(declared: list[Any], value: Any, expected: Any) -> None:
    klass: Any = class_of({"value": declared}, "user/many/1")
    for cast in (
        lambda: klass().from_dict({"value": value}),
        lambda: _assigned(klass(), value),
        lambda: klass(value=value),
        lambda: klass().unpack(klass._codec.encode({"value": value})),
    ):
        if isinstance(expected, type):
            with pytest.raises(expected, match=r"`value' of dataformat `user/many/1'") as e:
                cast()
            assert type(e.value) is expected
        else:
            made = cast().value
            assert isinstance(made, numpy.ndarray)
            assert made.tolist() == expected
            assert made.ndim == len(declared) - 1
            assert made.dtype == (object if declared[-1] == "string" else declared[-1])


def test_the_sign_of_zero_is_kept() -> None:
    klass: Any = class_of({"f": "float32", "d": "float64"})
    for made in (klass(f=-0.0, d=-0.0), klass().from_dict({"f": -0.0, "d": numpy.float64(-0.0)})):
        assert made.pack() == klass().pack()[:7] + b"\x80" + bytes(3) + b"\x80"


def test_texts_of_error_messages_name_everything() -> None:
    made: Any = class_of({"value": "int32"}, "user/one/1")()
    with pytest.raises(TypeError, match="`value' of dataformat `user/one/1' from int64 to int32"):
        made.value = 42
    with pytest.raises(TypeError, match="`value' of dataformat `user/one/1' from str to int32"):
        made.value = "42"
    with pytest.raises(TypeError, match="`value' of dataformat `user/one/1' from list to int32"):
        made.value = [42] * 1000


OBJECTS = {"value": [0, {"x": "int32", "s": "string"}]}


@pytest.mark.parametrize(
    "value, safe, unsafe",
    [
        ([{"x": numpy.int32(1), "s": "a"}], [(1, "a")], [(1, "a")]),
        (({"x": None, "s": None},), [(0, "")], [(0, "")]),
        ([{"x": 1, "s": ""}], TypeError, [(1, "")]),
        ([{"s": ""}], AttributeError, [(0, "")]),
        ([{}], AttributeError, [(0, "")]),
        ([{"x": None, "s": "", "y": 1}], AttributeError, AttributeError),
        ([{"x": None, "s": "", "__type__": "a"}], [(0, "")], [(0, "")]),
        ([], [], []),
        (None, [], []),
        ([5], TypeError, TypeError),
        ([None], TypeError, TypeError),
        ([[]], TypeError, TypeError),
        (5, TypeError, TypeError),
        ({"x": 1}, TypeError, TypeError),
        ([[{"x": 1}]], TypeError, TypeError),
    ],
)
def test_arrays_of_objects(value: Any, safe: Any, unsafe: Any) -> None:
    klass: Any = class_of(OBJECTS)
    for cast, expected in [
        (lambda: klass().from_dict({"value": value}), safe),
        (lambda: _assigned(klass(), value), safe),
        (lambda: klass().unpack(klass._codec.encode({"value": value})), safe),
        (lambda: klass(value=value), unsafe),
    ]:
        if isinstance(expected, type):
            with pytest.raises(expected):
                cast()
        else:
            items = cast().value.tolist()
            assert [type(item) for item in items] == [klass.value[-1]] * len(items)
            assert [(item.x, item.s) for item in items] == expected


def test_matrices_of_objects() -> None:
    klass: Any = class_of({"value": [0, 2, {"x": "int8"}]})
    made = klass(value=[[{"x": 1}, {}], [{"x": 3}, {"x": 4}]])
    assert made.as_dict() == {"value": [[{"x": 1}, {"x": 0}], [{"x": 3}, {"x": 4}]]}
    again = klass().from_dict(made.as_dict())
    assert again.isclose(made)
    with pytest.raises(TypeError, match="wrong number of dimensions"):
        klass(value=[{"x": 1}, {}])
    with pytest.raises(TypeError, match="wrong size"):
        klass(value=[[{"x": 1}]])


def test_items_of_arrays_of_texts_are_checked() -> None:
    made: Any = class_of({"value": [0, "string"]}, "user/texts/1")(value=["a", "b", "c"])
    made.value[0] = "x"
    made.value[1] = numpy.str_("y")
    made.value[-1] = None
    assert made.value.tolist() == ["x", "y", ""]
    made.value[:2] = ["u", "v"]
    made.value[1:] = "w"
    assert made.value.tolist() == ["u", "w", "w"]
    for index, value in [
        (0, 3),
        (0, b"a"),
        (0, ["a"]),
        (0, ("a",)),
        (slice(0, 2), [1, 2]),
        (slice(0, 2), 3),
        (numpy.array([True, False, True]), 3),
    ]:
        with pytest.raises(TypeError, match="`value' of dataformat `user/texts/1'"):
            made.value[index] = value
    with pytest.raises(IndexError):
        made.value[3] = "x"
    assert made.value.tolist() == ["u", "w", "w"]


def test_items_of_arrays_of_objects_are_checked() -> None:
    made: Any = class_of({"value": [0, {"x": "int32"}]})(value=[{}, {}])
    item = type(made).value[-1]
    made.value[0] = {"x": numpy.int32(5)}
    made.value[1] = item(x=6)
    assert [one.x for one in made.value] == [5, 6]
    made.value[0] = {}
    made.value[1] = None
    assert [type(one) for one in made.value] == [item, item]
    assert [one.x for one in made.value] == [0, 0]
    made.value[:] = [{"x": numpy.int8(1)}, {"x": None}]
    assert [one.x for one in made.value] == [1, 0]
    for value, error in [({"x": 1}, TypeError), ({"y": 1}, AttributeError), (5, TypeError)]:
        with pytest.raises(error):
            made.value[0] = value
        with pytest.raises(error):
            made.value[:] = [value]
    made.value[0].x = numpy.int32(7)
    assert made.pack() == b"\2" + bytes(7) + b"\7\0\0\0" + bytes(4)


def test_views_of_arrays_check_their_items_and_results_do_not() -> None:
    made: Any = class_of({"value": [0, 0, "string"]})(value=[["a", "b"], ["c", "d"]])
    values = made.value
    for view in (values[0], values.T, values[:, 1:], values.reshape(4), values[1:].T[0][:1]):
        with pytest.raises(TypeError):
            view[(0,) * view.ndim] = 3
    copy = made.value.copy()
    copy[0, 0] = 3
    equal = made.value == "a"
    equal[0, 0] = 3
    assert equal.dtype == bool
    longer = made.value + "x"
    longer[0, 0] = 3
    assert made.value.tolist() == [["a", "b"], ["c", "d"]]


def test_arrays_of_texts_move_between_objects_without_being_copied() -> None:
    klass: Any = class_of({"value": [0, "string"], "two": [2, "string"]})
    one, other = klass(value=["a"]), klass()
    other.value = one.value
    assert other.value is one.value
    with pytest.raises(TypeError, match="wrong size"):
        other.two = one.value


def test_numeric_arrays_of_the_right_type_are_not_copied() -> None:
    klass: Any = class_of({"value": [0, "float64"]})
    array = numpy.arange(3.0)
    made = klass().from_dict({"value": array})
    assert made.value is array
    made.value = array[1:]
    assert made.value.base is array


def test_defaults_are_never_shared() -> None:
    klass: Any = class_of({"v": [2, "int8"], "o": {"x": "int8"}, "p": [2, {"x": "int8"}]})
    one, other = klass(), klass()
    one.v += 1
    one.o.x = numpy.int8(1)
    one.p[0].x = numpy.int8(1)
    assert not other.v.any()
    assert (other.o.x, other.p[0].x, other.p[1].x, one.p[1].x) == (0, 0, 0, 0)


def test_functions_for_single_casts() -> None:
    assert setup_scalar("f", "a", numpy.dtype("int32"), 5, "unsafe", True) == 5
    assert setup_scalar("f", "a", numpy.int32, numpy.int8(5), "safe", True).dtype == "int32"
    assert setup_scalar("f", "a", numpy.dtype("int32"), numpy.int64(5), "same_kind", True) == 5
    assert setup_scalar("f", "a", str, 5, "safe", True) == "5"
    with pytest.raises(TypeError, match="`a' of dataformat `f' from int64 to int32"):
        setup_scalar("f", "a", numpy.dtype("int32"), 5, "safe", True)
    array = setup_array("f", "a", [0, 2], numpy.dtype("int8"), [[1, 2]], "safe", False)
    assert (array.tolist(), array.dtype) == ([[1, 2]], "int8")
    texts = setup_array("f", "a", (2,), str, None, "safe", False)
    assert isinstance(texts, TypedArray)
    assert texts.tolist() == ["", ""]
    klass = class_of({"x": "int8"})
    made = setup_scalar("f", "a", klass, {}, "safe", False)
    assert type(made) is klass
    assert isinstance(made, baseformat)
    with pytest.raises(AttributeError, match="`x'"):
        setup_array("f", "a", [0], klass, [{}], "safe", False)
    assert len(setup_array("f", "a", [0], klass, [{}], "safe", True)) == 1


def test_objects_are_taken_from_similar_objects() -> None:
    outer: Any = class_of({"o": {"x": "int32"}, "p": [0, {"x": "int32"}]})
    other: Any = class_of({"x": "int32"}, "user/other/1")(x=5)
    made = outer()
    made.o = other
    made.p = [other]
    assert (type(made.o), made.o.x, made.p[0].x) == (outer.o, 5, 5)
    with pytest.raises(AttributeError, match="`y'"):
        made.o = class_of({"y": "int32"})()
    with pytest.raises(TypeError):
        made.o = class_of({"x": "int64"})(x=5)
