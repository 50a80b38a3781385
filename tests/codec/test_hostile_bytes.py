"""Bytes that are no packed object: a clear error, whatever they say, and no memory for promises."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.formats import class_of
from support.plain_encoder import declared_values, encode

from beat.backend.python.baseformat import baseformat, read_some, read_string, unpack_array


def _q(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


HUGE = 2**64 - 1

DECLARED: dict[str, dict[str, Any]] = {
    "number": {"value": "int32"},
    "text": {"value": "string"},
    "numbers": {"value": [0, "float64"]},
    "matrix": {"value": [0, 0, "uint8"]},
    "fixed": {"value": [2, 3, "uint8"]},
    "texts": {"value": [0, "string"]},
    "text matrix": {"value": [0, 0, "string"]},
    "objects": {"value": [0, {"x": "int32"}]},
    "varying objects": {"value": [0, {"x": "string"}]},
    "wide objects": {"value": [0, {f"f{n}": "int8" for n in range(80)}]},
    "empty objects": {"value": [0, {}]},
    "empty": {},
}

BAD = [
    ("number", b"", "requires a buffer"),
    ("number", b"\1\2\3", "requires a buffer"),
    ("number", b"\1\2\3\4\5", "1 bytes left over"),
    ("number", b"\1\2\3\4\n\n", "bytes left over"),
    ("text", _q(3) + b"ab", "1 bytes missing"),
    ("text", _q(HUGE) + b"ab", "bytes missing"),
    ("text", _q(2) + b"\xff\xfe", "utf-8"),
    ("text", _q(2) + b"abc", "1 bytes left over"),
    ("numbers", _q(2) + bytes(15), "1 bytes missing"),
    ("numbers", _q(HUGE) + bytes(16), "bytes missing"),
    ("numbers", _q(2**61) + bytes(16), "bytes missing"),
    ("numbers", _q(1) + bytes(16), "8 bytes left over"),
    ("matrix", _q(2, 3) + bytes(5), "1 bytes missing"),
    ("matrix", _q(2**32, 2**32) + bytes(5), "bytes missing"),
    ("matrix", _q(0, HUGE), ""),
    ("matrix", _q(HUGE, 0), ""),
    ("fixed", _q(3, 2) + bytes(6), "size 3 in `value', declared to be 2"),
    ("fixed", _q(2, 2) + bytes(4), "size 2 in `value', declared to be 3"),
    ("texts", _q(1), "8 bytes missing"),
    ("texts", _q(HUGE), "bytes missing"),
    ("texts", _q(2, 0, HUGE), "bytes missing"),
    ("texts", _q(2, 0, 1), "1 bytes missing"),
    ("texts", _q(1, 1) + b"\xff", "utf-8"),
    ("text matrix", _q(0, HUGE), ""),
    ("objects", _q(2) + bytes(7), "1 bytes missing"),
    ("objects", _q(HUGE) + bytes(7), "bytes missing"),
    ("varying objects", _q(HUGE) + bytes(16), "bytes missing"),
    ("varying objects", _q(2) + _q(0, 9), "bytes missing"),
    ("wide objects", _q(2) + bytes(159), "1 bytes missing"),
    ("empty objects", _q(HUGE), "objects without fields"),
    ("empty objects", _q(1) + b"\0", "1 bytes left over"),
    ("empty", b"\0", "1 bytes left over"),
]


def _from_bytes(klass: Any, data: bytes) -> Any:
    return klass._codec.unpack(data)


def _from_the_middle(klass: Any, data: bytes) -> Any:
    return klass._codec.decode(b"before" + data, 6, 6 + len(data))


@pytest.mark.parametrize("unpack", [_from_bytes, _from_the_middle])
@pytest.mark.parametrize("kind, data, text", BAD)
def test_what_is_no_packed_object_is_refused(
    kind: str, data: bytes, text: str, unpack: Callable[[Any, bytes], Any]
) -> None:
    klass = class_of(DECLARED[kind])
    with pytest.raises(
        ValueError, match="not a packed object of dataformat `analysis:result'"
    ) as e:
        unpack(klass, data)
    assert text in str(e.value)
    assert len(str(e.value)) < 300


@pytest.mark.parametrize("kind, data, text", BAD)
def test_what_is_no_packed_object_is_refused_from_streams(
    kind: str, data: bytes, text: str
) -> None:
    stream = io.BytesIO(data)
    klass = class_of(DECLARED[kind])
    if "left over" in text:
        assert klass().unpack_from(stream) is not None
        assert stream.read() != b""  # the rest is somebody else's
    else:
        with pytest.raises(ValueError) as e:
            klass().unpack_from(stream)
        assert len(str(e.value)) < 300


@pytest.mark.parametrize("kind, data, text", BAD)
def test_neighbours_in_a_buffer_are_not_read_as_part_of_the_object(
    kind: str, data: bytes, text: str
) -> None:
    codec = class_of(DECLARED[kind])._codec
    codec.decode(codec.pack(codec.klass()), 0, codec.least)  # compiled, before memory is counted
    buffer = memoryview(data + bytes(4_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            codec.decode(buffer, 0, len(data))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_a_failure_leaves_the_object_as_it_was() -> None:
    made: Any = class_of({"a": "int64", "s": "string"})(a=5, s="text")
    for unpack in (made.unpack, lambda data: made.unpack_from(io.BytesIO(data))):
        with pytest.raises(ValueError):
            unpack(struct.pack("<q", 7) + _q(5) + b"four")
        assert (made.a, made.s) == (5, "text")


def test_one_newline_after_the_object_is_accepted() -> None:
    klass: Any = class_of({"value": "int32"})
    assert klass().unpack(b"\5\0\0\0\n").value == 5
    assert klass().unpack(b"\5\0\0\n").value == 5 + (10 << 24)
    for data in (b"\5\0\0\0\n\n", b"\5\0\0\0 ", b"\n"):
        with pytest.raises(ValueError):
            klass().unpack(data)


def test_text_is_no_packed_object() -> None:
    with pytest.raises(TypeError):
        class_of({"value": "int32"})().unpack("text")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(declared_values(), st.data())
def test_damaged_objects_are_refused_or_read_as_others(drawn: Any, data: Any) -> None:
    declared, values = drawn
    codec = class_of(declared)._codec
    packed = bytearray(encode(declared, values))
    if packed:
        position = data.draw(st.integers(0, len(packed) - 1))
        packed[position : data.draw(st.integers(position, len(packed)))] = data.draw(
            st.binary(max_size=12)
        )
    damaged = bytes(packed)
    for read in (
        lambda: codec.decode(damaged, 0, len(damaged)),
        lambda: baseformat.unpack_from(codec.klass(), io.BytesIO(damaged)),
    ):
        try:
            made = read()
        except ValueError:
            continue
        assert codec.is_close(made, made, 0.0, 0.0, True)


class Endless:
    """A stream that has bytes for ever, and counts how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int) -> bytes:
        """Return that many zeros."""
        self.taken += size
        return bytes(size)


@pytest.mark.parametrize(
    "read",
    [
        lambda fd: read_some("<i", fd),
        lambda fd: read_string(fd),
        lambda fd: unpack_array([0, 0], "float64", fd),
    ],
)
def test_streams_that_end_too_early_are_refused(read: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="too early"):
        read(io.BytesIO(b"\1\0"))


def test_streams_are_read_in_pieces() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="too early"):
            read_string(io.BytesIO(_q(2**62) + bytes(100)))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    endless: Any = Endless()
    read_some("<ii", endless)
    assert endless.taken == 8
