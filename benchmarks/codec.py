"""Packing, casting, comparing objects; reading them from a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from beat.backend.python.data import CachedDataSource, DataSink
from beat.backend.python.outputs import Output

from .harness import Pair, case
from .support.cache import last, map_file, offsets_of, write_cache
from .support.kinds import (
    IMAGE,
    INTEGER,
    MATRIX,
    MIXED,
    NESTED,
    OBJECTS,
    TEXTS,
    VECTOR,
    Kind,
    same_values,
)

#: At most these multiples of the limit: to pack, to read, to write a dictionary
TARGETS = [
    (INTEGER, 3, 2.5, 5),
    (MIXED, 2.5, 2, 3.5),
    (VECTOR, 3, 3, 3.5),
    (NESTED, 5, 2.5, 6),
    (IMAGE, 1.3, 3, 1.6),
    (MATRIX, 1.15, 3, 1.2),
    (OBJECTS, 2.5, 1.5, 3),
    (TEXTS, 1.2, 1.3, 1.3),
]


def _pack(kind: Kind, target: float) -> None:
    @case(f"pack {kind.label}", target)
    def pack(folder: Path, n: int) -> Iterator[Pair]:
        made = kind.object(kind.write_format(folder))
        yield Pair(made.pack, partial(kind.codec.pack, made))


def _read(kind: Kind, target: float) -> None:
    @case(f"read {kind.label}", target)
    def read(folder: Path, n: int) -> Iterator[Pair]:
        dataformat = kind.write_format(folder)
        made = kind.object(dataformat)
        path = write_cache(folder / "out", dataformat, [made] * kind.units)
        source = CachedDataSource()
        source.setup(str(folder / "out.data"), str(folder))
        units = offsets_of(path)

        def limit() -> Any:
            read, buffer = kind.codec.read, map_file(path)
            for start, end, offset in units:
                unit = read(buffer, offset), start, end
            return unit

        yield Pair(lambda: last(source), limit, kind.units, _same_unit)
        source.close()


def _same_unit(ours: Any, limit: Any) -> bool:
    return same_values(ours[0], limit[0]) and ours[1:] == limit[1:]


class _PackingSink(DataSink):
    """Packs, and keeps what it packed last."""

    packed = b""
    takes_dictionaries = True

    def __init__(self, dataformat: Any) -> None:
        self.dataformat = dataformat
        self._encode = dataformat.type._codec.encode

    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        self.packed = self._encode(data)

    def isConnected(self) -> bool:
        return True


def _write(kind: Kind, target: float) -> None:
    @case(f"write dict: {kind.label}", target)
    def write(folder: Path, n: int) -> Iterator[Pair]:
        output = Output("out", _PackingSink(kind.write_format(folder)))
        packed = b""
        bytes_of: Callable[[Any], bytes] = kind.codec.encode

        def ours() -> bytes:
            output.write(kind.value)
            return output.data_sink.packed  # type: ignore[no-any-return]

        def limit() -> bytes:
            nonlocal packed
            packed = bytes_of(kind.value)  # kept until the next time, as in the sink
            return packed

        yield Pair(ours, limit)


for _kind, _packing, _reading, _writing in TARGETS:
    _pack(_kind, _packing)
for _kind, _packing, _reading, _writing in TARGETS:
    _read(_kind, _reading)
for _kind, _packing, _reading, _writing in TARGETS:
    _write(_kind, _writing)


@case("isclose, nested floats", 8)
def isclose_scalars(folder: Path, n: int) -> Iterator[Pair]:
    """Ten floats, one by one."""
    made = NESTED.object(NESTED.write_format(folder))
    other = made.copy()

    def limit() -> bool:
        a, b, isclose = made, other, math.isclose
        return (
            isclose(a.a.x, b.a.x)
            and isclose(a.a.y, b.a.y)
            and isclose(a.a.z, b.a.z)
            and isclose(a.b.c.u, b.b.c.u)
            and isclose(a.b.c.v, b.b.c.v)
            and isclose(a.b.c.w, b.b.c.w)
            and isclose(a.b.d, b.b.d)
            and isclose(a.e.p, b.e.p)
            and isclose(a.e.q, b.e.q)
            and isclose(a.e.r, b.e.r)
        )

    yield Pair(partial(made.isclose, other), limit)


@case("isclose, one float", 8)
def isclose_scalar(folder: Path, n: int) -> Iterator[Pair]:
    """A single float."""
    kind = Kind("", "user/float/1", {"value": "float64"}, {"value": numpy.float64(1)}, None, 1)
    made = kind.object(kind.write_format(folder))
    other = made.copy()
    yield Pair(partial(made.isclose, other), lambda: math.isclose(made.value, other.value))


@case("isclose, uint8[480,640]", 1.2)
def isclose_image(folder: Path, n: int) -> Iterator[Pair]:
    """Integers must be equal."""
    made = IMAGE.object(IMAGE.write_format(folder))
    other = made.copy()
    yield Pair(
        partial(made.isclose, other), lambda: bool(numpy.array_equal(made.value, other.value))
    )


@case("isclose, float64[1000,1000]", 1.2)
def isclose_matrix(folder: Path, n: int) -> Iterator[Pair]:
    """Floats may differ a little, and do so here."""
    made = MATRIX.object(MATRIX.write_format(folder))
    other = made.copy()
    other.value[:] += 1e-9
    yield Pair(partial(made.isclose, other), lambda: numpy.allclose(made.value, other.value))
