"""Objects become the bytes that `struct` makes of their values, and come back from them."""

from __future__ import annotations

import io
import mmap
import pickle
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.formats import class_of
from support.plain_encoder import declared_values, encode

from beat.backend.python.baseformat import baseformat

calm = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@calm
@given(declared_values())
def test_objects_become_the_same_bytes_as_with_struct(drawn: Any) -> None:
    declared, values = drawn
    klass = class_of(declared)
    expected = encode(declared, values)
    made = klass(**values)
    assert baseformat.pack(made) == expected
    assert b"".join(bytes(memoryview(part)) for part in klass._codec.parts(made)) == expected
    stream = io.BytesIO()
    baseformat.pack_into(made, stream)
    assert stream.getvalue() == expected


@calm
@given(declared_values(), st.sampled_from([bytes, bytearray, memoryview]), st.integers(0, 9))
def test_objects_come_back_from_bytes(drawn: Any, buffer: Any, offset: int) -> None:
    declared, values = drawn
    klass = class_of(declared)
    packed = encode(declared, values)
    around = buffer(b"x" * offset + packed + b"tail")
    back = klass._codec.decode(around, offset, offset + len(packed))
    assert type(back) is klass
    assert baseformat.pack(back) == packed
    assert baseformat.isclose(back, klass(**values))
    assert baseformat.pack(klass._codec.unpack(buffer(packed))) == packed


@calm
@given(declared_values())
def test_objects_come_back_from_streams_and_leave_the_rest_unread(drawn: Any) -> None:
    declared, values = drawn
    klass = class_of(declared)
    packed = encode(declared, values)
    stream = io.BytesIO(packed + b"rest")
    assert baseformat.pack(baseformat.unpack_from(klass(), stream)) == packed
    assert stream.read() == b"rest"


@calm
@given(declared_values())
def test_objects_survive_dictionaries_copies_and_pickles(drawn: Any) -> None:
    declared, values = drawn
    klass = class_of(declared)
    packed = encode(declared, values)
    made = klass(**values)
    again = baseformat.from_dict(klass(), baseformat.as_dict(made))
    assert baseformat.pack(again) == packed
    assert baseformat.pack(baseformat.copy(made)) == packed
    unpickled = pickle.loads(pickle.dumps(made))
    assert baseformat.pack(unpickled) == packed
    assert baseformat.isclose(unpickled, made)


def _exact(declared: Any, value: Any) -> Any:
    """Return the values as numpy scalars and arrays, of exactly the declared types."""
    if isinstance(declared, dict):
        return {name: _exact(part, value[name]) for name, part in declared.items()}
    if isinstance(declared, list) and not isinstance(declared[-1], dict):
        return value if declared[-1] in ("string", "str") else numpy.array(value, declared[-1])
    if isinstance(declared, list):
        return _each(declared[-1], value, len(declared) - 1)
    return value if declared in ("string", "str") else numpy.dtype(declared).type(value)


def _each(declared: Any, value: Any, depth: int) -> Any:
    if depth == 0:
        return _exact(declared, value)
    return [_each(declared, item, depth - 1) for item in value]


@calm
@given(declared_values())
def test_dictionaries_are_encoded_as_the_objects_made_of_them(drawn: Any) -> None:
    declared, values = drawn
    codec = class_of(declared)._codec
    exact = _exact(declared, values)
    expected = encode(declared, values)
    assert codec.pack(codec.build(exact)) == expected
    assert codec.encode(exact) == expected


SENSIBLE = {
    "scalars": {"i": "int16", "c": "complex64", "s": "string", "b": "bool"},
    "inner": {"o": {"x": "int32", "p": {"y": "float64"}}, "z": "uint8"},
    "arrays": {"f": [0, "float64"], "g": [2, 3, "int32"], "t": [0, 2, "string"]},
    "objects": {"o": [0, {"x": "int32", "c": "complex128"}], "p": [2, 0, {"s": "string"}]},
    "empty": {},
    "empty inner": {"o": {}, "p": [0, {}]},
    "reserved words": {"class": "int32", "not an identifier": "string", "\N{SNOWMAN}": "bool"},
    "as methods": {"pack": "int8", "as_dict": "string", "copy": [0, "int8"], "_codec": "bool"},
    "as in the code": {"d": "int8", "i": "int8", "b": [0, "int8"], "end": {"v0": "int8"}},
    "wide": {f"f{n:03}": "int32" for n in range(300)},
    "wide inner": {"o": {f"f{n:03}": "float32" for n in range(100)}, "p": "string"},
    "wide items": {"o": [0, {f"f{n:03}": "int8" for n in range(100)}]},
}


@pytest.mark.parametrize("declared", SENSIBLE.values(), ids=SENSIBLE)
def test_default_objects_make_the_round_trip(declared: dict[str, Any]) -> None:
    klass = class_of(declared)
    codec = klass._codec
    packed = codec.pack(klass())
    assert codec.pack(codec.decode(packed, 0, len(packed))) == packed
    assert codec.encode({name: getattr_of(klass(), name) for name in declared}) == packed
    assert len(packed) >= codec.least
    assert codec.size in (None, len(packed))


def getattr_of(made: baseformat, name: str) -> Any:
    return made.__dict__[name]


def test_arrays_are_packed_in_c_order_whatever_their_layout() -> None:
    klass = class_of({"value": [0, 0, "int32"]})
    array = numpy.arange(12, dtype="int32").reshape(3, 4)
    expected = klass(value=array).pack()
    for layout in (numpy.asfortranarray(array), array[::-1][::-1], array.astype(">i4")):
        assert klass(value=layout).pack() == expected
    transposed = klass(value=array.T).pack()
    assert transposed == klass(value=array.T.copy()).pack()
    assert transposed != expected


@pytest.mark.parametrize("share", [False, True])
def test_arrays_are_writable_and_shared_only_on_demand(share: bool) -> None:
    klass = class_of({"value": [0, "float64"], "o": [0, {"v": [0, "uint8"]}]})
    packed = klass(value=[1.0, 2.0], o=[{"v": [1, 2, 3]}]).pack()
    buffer = mmap.mmap(-1, len(packed) + 1)
    buffer[1:] = packed
    made: Any = klass._codec.decode(buffer, 1, len(buffer), share)
    made.value -= 1.5
    made.o[0].v[:] = 9
    assert made.value.tolist() == [-0.5, 0.5]
    assert (buffer[1:] == packed) is not share
    del made
    buffer.close()


def test_unpacked_arrays_are_writable_and_do_not_touch_the_bytes() -> None:
    klass: Any = class_of({"value": [0, 0, "float32"]})
    packed = klass(value=numpy.ones((2, 2), "float32")).pack()
    for source in (packed, bytearray(packed)):
        made = klass().unpack(source)
        made.value *= 0
        assert bytes(source) == packed
    streamed = klass().unpack_from(io.BytesIO(packed))
    streamed.value += 1
    assert streamed.value.tolist() == [[2, 2], [2, 2]]


def test_what_a_codec_says_about_its_objects() -> None:
    fixed = class_of({"a": "complex64", "b": "bool", "o": {"x": "int16"}})._codec
    assert (fixed.size, fixed.least, fixed.has_arrays) == (11, 11, False)
    varying = class_of({"a": [0, 3, "int32"], "s": "string", "t": [2, "string"]})._codec
    assert (varying.size, varying.least, varying.has_arrays) == (None, 16 + 8 + 8 + 16, True)
    inner = class_of({"o": [0, {"p": {"v": [0, "int8"]}}]})._codec
    assert (inner.size, inner.least, inner.has_arrays) == (None, 8, True)


def test_packing_takes_no_more_memory_than_the_result() -> None:
    import tracemalloc

    klass = class_of({"a": [0, "float64"], "o": [0, {"v": [0, "float64"]}]})
    big = klass(a=numpy.zeros(500_000), o=[{"v": numpy.zeros(500_000)}])
    klass._codec.pack(klass())
    tracemalloc.start()
    try:
        packed = big.pack()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * len(packed)
