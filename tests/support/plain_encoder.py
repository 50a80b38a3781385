"""The binary form of objects, written down once more, with nothing but `struct`.

Declarations here have no references. Values are plain: numbers, texts, dictionaries, nested lists.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from typing import Any

from hypothesis import strategies as st

NUMBERS = {
    "bool": "<?",
    "int8": "<b",
    "int16": "<h",
    "int32": "<i",
    "int64": "<q",
    "uint8": "<B",
    "uint16": "<H",
    "uint32": "<I",
    "uint64": "<Q",
    "float32": "<f",
    "float64": "<d",
    "complex64": "<ff",
    "complex128": "<dd",
}


def encode(declared: Any, value: Any) -> bytes:
    """Return the bytes of a value."""
    if isinstance(declared, dict):
        return b"".join(encode(declared[name], value[name]) for name in sorted(declared))
    if isinstance(declared, list):
        *sizes, items = declared
        shape = shape_of(value, len(sizes))
        head = b"".join(struct.pack("<Q", size) for size in shape)
        return head + b"".join(encode(items, item) for item in flat(value, len(sizes)))
    if declared in ("string", "str"):
        text = value.encode("utf-8")
        return struct.pack("<Q", len(text)) + text
    if declared.startswith("complex"):
        return struct.pack(NUMBERS[declared], value.real, value.imag)
    return struct.pack(NUMBERS[declared], value)


def shape_of(value: Any, ndim: int) -> list[int]:
    """Return the sizes of nested lists."""
    if ndim == 1:
        return [len(value)]
    return [len(value), *shape_of(value[0], ndim - 1)]


def flat(value: Any, ndim: int) -> list[Any]:
    """Return the items of nested lists."""
    if ndim == 1:
        return list(value)
    return list(itertools.chain.from_iterable(flat(item, ndim - 1) for item in value))


def _nested(items: list[Any], shape: list[int]) -> list[Any]:
    if len(shape) == 1:
        return items
    step = math.prod(shape[1:])
    return [_nested(items[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


names = st.one_of(
    st.sampled_from(["value", "class", "from", "a-b", "pack", "x y", 'quo"te', "d['x']", "é", "d"]),
    st.text(min_size=1, max_size=6),
).filter(lambda name: not name.startswith(("#", "__")))

basic_types = st.sampled_from([*NUMBERS, "string", "str"])


def _arrays(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    sizes = st.lists(st.sampled_from([0, 0, 1, 2, 3]), min_size=1, max_size=3)
    return st.builds(lambda shape, item: [*shape, item], sizes, items)


def _objects(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, parts, max_size=5)


fields = st.recursive(
    st.one_of(basic_types, _arrays(basic_types)),
    lambda parts: st.one_of(_objects(parts), _arrays(_objects(parts))),
    max_leaves=12,
)

declarations = _objects(fields)


def values(declared: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a declaration."""
    if isinstance(declared, dict):
        return st.fixed_dictionaries({name: values(part) for name, part in declared.items()})
    if isinstance(declared, list):
        *sizes, items = declared
        shapes = st.tuples(*(st.just(size) if size else st.integers(1, 3) for size in sizes))
        if len(sizes) == 1 and sizes[0] == 0:
            shapes = st.tuples(st.integers(0, 3))
        return shapes.flatmap(
            lambda shape: st.lists(
                values(items), min_size=math.prod(shape), max_size=math.prod(shape)
            ).map(lambda flat_items: _nested(flat_items, list(shape)))
        )
    if declared in ("string", "str"):
        return st.text(max_size=8)
    if declared == "bool":
        return st.booleans()
    width = int(re.sub("[a-z]", "", declared))
    if declared.startswith("complex"):
        return st.complex_numbers(width=width, allow_nan=False)
    if declared.startswith("float"):
        return st.floats(width=width, allow_nan=False)
    if declared.startswith("u"):
        return st.integers(0, 2**width - 1)
    return st.integers(-(2 ** (width - 1)), 2 ** (width - 1) - 1)


@st.composite
def declared_values(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a declaration and values for it."""
    declared = draw(declarations)
    return declared, draw(values(declared))
