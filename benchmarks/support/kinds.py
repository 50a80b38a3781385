"""The kinds of data that are packed, written and read: declaration, example, hand-written codec."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from beat.backend.python.dataformat import DataFormat

from .handwritten import Integer, Matrix, Mixed, Nested, Objects, Texts, Vector


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes
    ----------
    label : str
        What it is called.
    name : str
        The name of its format.
    declaration : dict
        The declaration of its format.
    value : dict
        An example, of exactly the declared types.
    codec : object
        Hand-written: ``pack(object)``, ``encode(dict)`` and ``read(buffer, start)``.
    units : int
        How many of them make a file of moderate size.
    """

    label: str
    name: str
    declaration: dict[str, Any]
    value: dict[str, Any]
    codec: Any
    units: int

    def write_format(self, prefix: Path) -> DataFormat:
        """Write the declaration into a prefix, and load it from there."""
        path = prefix / "dataformats" / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.declaration), encoding="utf-8")
        return DataFormat(str(prefix), self.name)

    def object(self, dataformat: DataFormat) -> Any:
        """Return the example as an object."""
        return dataformat.validate(self.value)


def _rows(height: int, width: int, dtype: str) -> Any:
    return numpy.arange(height * width).reshape(height, width).astype(dtype)


_MIXED = {
    "a": "float64",
    "b": "int32",
    "c": "int16",
    "d": "uint16",
    "e": "string",
    "f": "bool",
    "g": "int8",
    "h": "int64",
    "i": "uint8",
    "j": "float32",
}


def _mixed_value() -> dict[str, Any]:
    types = {name: numpy.dtype(kind).type for name, kind in _MIXED.items() if kind != "string"}
    return {"e": "a label of some length", **{name: kind(1) for name, kind in types.items()}}


def _floats(names: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return dict.fromkeys(names, "float64"), {name: numpy.float64(ord(name)) for name in names}


def _nested() -> tuple[dict[str, Any], dict[str, Any]]:
    return tuple(  # type: ignore[return-value]
        {"a": a, "b": {"c": c, **d}, "e": e}
        for a, c, d, e in zip(*map(_floats, ("xyz", "uvw", "d", "pqr")), strict=True)
    )


INTEGER = Kind(
    "int64", "user/integer/1", {"value": "int64"}, {"value": numpy.int64(12345)}, Integer(), 5_000
)
MIXED = Kind("10 mixed", "user/mixed/1", _MIXED, _mixed_value(), Mixed(), 2_000)
VECTOR = Kind(
    "float64[100]",
    "user/vector/1",
    {"value": [0, "float64"]},
    {"value": numpy.linspace(0, 1, 100)},
    Vector(),
    2_000,
)
NESTED = Kind("nested, 10 leaves", "user/nested/1", *_nested(), Nested(), 2_000)
IMAGE = Kind(
    "uint8[480,640]",
    "user/image/1",
    {"value": [0, 0, "uint8"]},
    {"value": _rows(480, 640, "uint8")},
    Matrix("uint8"),
    60,
)
MATRIX = Kind(
    "float64[1000,1000]",
    "user/matrix/1",
    {"value": [0, 0, "float64"]},
    {"value": _rows(1000, 1000, "float64")},
    Matrix("<f8"),
    6,
)
OBJECTS = Kind(
    "1,000 objects",
    "user/objects/1",
    {"value": [0, {"x": "int32", "y": "float64"}]},
    {"value": [{"x": numpy.int32(i), "y": numpy.float64(i)} for i in range(1000)]},
    Objects(),
    20,
)
TEXTS = Kind(
    "1,000 strings",
    "user/texts/1",
    {"value": [0, "string"]},
    {"value": [f"text number {i}" for i in range(1000)]},
    Texts(),
    20,
)


def same_values(a: Any, b: Any) -> bool:
    """Tell whether two objects, of any classes, have equal fields, values and types."""
    if hasattr(a, "__dict__") and not isinstance(a, numpy.ndarray):
        x, y = vars(a), vars(b)
        return x.keys() == y.keys() and all(same_values(x[name], y[name]) for name in x)
    if isinstance(a, numpy.ndarray):
        if a.dtype != object:
            return a.dtype == b.dtype and numpy.array_equal(a, b)
        return a.shape == b.shape and all(map(same_values, a.ravel(), b.ravel()))
    return type(a) is type(b) and bool(a == b)
