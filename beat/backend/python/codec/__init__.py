"""The binary form of typed objects: straight code, compiled once for each class.

Wire protocol and cache files hold objects in this form: little-endian, fields in the order of
their names, nothing between them. Numbers are their bytes (bool one byte, complex two floats),
text is a uint64 length and UTF-8, an array is one uint64 per dimension and the elements in C
order, an object is its fields.

Interpreting a declaration for each value costs ten times what the value itself does. So a `Codec`
writes, for its class, the Python functions that an engineer would write by hand: neighbouring
fields of fixed size, those of inner objects too, are one `struct`; arrays are views of the buffer.
Names of fields get into that code as quoted strings only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from ..casting import default_array
from .building import Building
from .comparing import Comparing
from .packing import Encoding, Packing
from .source import CODES, LENGTH, Field, least_size, make_field, wire_dtype
from .unpacking import MOST_EMPTY_ITEMS, Unpacking

__all__ = [
    "CODES",
    "LENGTH",
    "MOST_EMPTY_ITEMS",
    "Codec",
    "Field",
    "make_field",
    "wire_dtype",
]


class Codec:
    """The compiled functions of one class of objects.

    Parameters
    ----------
    klass : type
        The class; its instances keep their values in ``__dict__``.
    name : str
        The name of the dataformat, for messages.
    fields : mapping
        By name of the field: a numpy dtype, `str`, a class with a codec, or a list
        ``[dim, …, type]``.
    """

    def __init__(self, klass: type[Any], name: str, fields: Mapping[str, Any]) -> None:
        self.klass = klass
        self.name = name
        self.fields = tuple(make_field(key, fields[key]) for key in sorted(fields))
        self.by_name = {field.name: field for field in self.fields}

    @cached_property
    def leaves(self) -> int:
        """How much there is to write code for: values, arrays, inner objects and their parts."""
        return sum(1 if f.shape or f.kind != "object" else 1 + f.inner.leaves for f in self.fields)

    @cached_property
    def size(self) -> int | None:
        """The number of bytes of every object, None if it depends on the values."""
        fixed = (
            not f.shape and f.kind != "text" and (f.kind != "object" or f.inner.size is not None)
            for f in self.fields
        )
        return self.least if all(fixed) else None

    @cached_property
    def least(self) -> int:
        """The least number of bytes of an object."""
        return sum(map(least_size, self.fields))

    @cached_property
    def has_arrays(self) -> bool:
        """Whether objects hold arrays of numbers, which `decode` may share with the buffer."""
        return any(
            f.inner.has_arrays if f.kind == "object" else f.shape and f.kind != "text"
            for f in self.fields
        )

    @cached_property
    def pack(self) -> Callable[[Any], bytes]:
        """``pack(object) -> bytes``; besides the result, arrays are not copied."""
        return Packing(self).compile(as_parts=False)  # type: ignore[no-any-return]

    @cached_property
    def parts(self) -> Callable[[Any], tuple[Any, ...]]:
        """``parts(object)``: the buffers that, one after the other, are the packed object."""
        return Packing(self).compile(as_parts=True)  # type: ignore[no-any-return]

    @cached_property
    def decode(self) -> Callable[..., Any]:
        """``decode(buffer, start, end, share=False, into=None) -> object``.

        The object must fill ``buffer[start:end]`` exactly, else `ValueError`; sizes in the data
        are checked against the bytes there before any memory is taken. The buffer is anything
        that has slices and the buffer protocol: bytes, a memoryview of bytes, a `mmap`.

        Arrays of objects returned are writable, as user code has always had them. By default
        they are copies. With ``share`` they are views of the buffer instead, which costs nothing
        whatever their size; the buffer must then be writable, and be handed out just once,
        since what the user changes in place would be seen by the next one who gets it. A private
        mapping (`mmap.ACCESS_COPY`) and the memory of a received message are such buffers.
        """
        return Unpacking(self).compile(complete=True)  # type: ignore[no-any-return]

    @cached_property
    def read(self) -> Callable[[Any, int, int, bool], tuple[Any, int]]:
        """``read(buffer, start, end, share) -> (object, its end)``, for objects in others."""
        return Unpacking(self).compile(complete=False)  # type: ignore[no-any-return]

    @cached_property
    def build(self) -> Callable[..., Any]:
        """``build(mapping, casting="safe", add_defaults=False, into=None) -> object``."""
        return Building(self).compile()  # type: ignore[no-any-return]

    @cached_property
    def encode(self) -> Callable[[Any], bytes]:
        """``encode(mapping) -> bytes``: as ``pack(build(mapping))``, without making the object."""
        return Encoding(self).compile_encode()  # type: ignore[no-any-return]

    @cached_property
    def exact(self) -> Callable[[Any], bytes]:
        """Pack a dictionary within another one; see `packing.Encoding`."""
        return Encoding(self).compile_exact(as_parts=False)  # type: ignore[no-any-return]

    @cached_property
    def exact_parts(self) -> Callable[[Any], tuple[Any, ...]]:
        """Return the parts of a dictionary within another one; see `packing.Encoding`."""
        return Encoding(self).compile_exact(as_parts=True)  # type: ignore[no-any-return]

    @cached_property
    def is_close(self) -> Callable[[Any, Any, float, float, bool], bool]:
        """``is_close(object, other, rtol, atol, equal_nan)``, for objects with these fields."""
        return Comparing(self).compile()  # type: ignore[no-any-return]

    def has_same_fields(self, other: object) -> bool:
        """Tell whether an object, of another class maybe, is of the same dataformat."""
        codec = getattr(type(other), "_codec", None)
        return isinstance(codec, Codec) and codec.recipe == self.recipe

    def unpack(self, data: Any, into: Any = None) -> Any:
        """Unpack from a bytes-like object of its own; arrays are copied.

        One newline after the object is accepted: units of cache files end with it, and there are
        peers that send the units as they are.

        Raises
        ------
        ValueError
            If the data is not one packed object.
        """
        if not isinstance(data, bytes):
            data = memoryview(data).cast("B")
        try:
            return self.decode(data, 0, len(data), False, into)
        except ValueError:
            if bytes(data[-1:]) != b"\n":
                raise
        return self.decode(data, 0, len(data) - 1, False, into)

    def default(self, field: Field) -> Any:
        """Return the default value for a field, a new one if it can be changed."""
        if field.shape:
            return default_array(self.name, field.name, field.shape, field.dtype)
        return field.dtype() if field.kind == "object" else self._unchangeable[field.name]

    @cached_property
    def _unchangeable(self) -> dict[str, Any]:
        """The defaults of numbers and texts."""
        return {
            f.name: f.dtype() if f.kind == "text" else f.dtype.type(0)
            for f in self.fields
            if not f.shape and f.kind != "object"
        }

    def complete(self, data: Any, add_defaults: bool) -> dict[str, Any]:
        """Return the values of exactly the fields; the key ``__type__`` does not count.

        Raises
        ------
        TypeError
            If ``data`` is no mapping.
        AttributeError
            If fields are missing and not to be added, or if there are unknown ones.
        """
        if not isinstance(data, (dict, Mapping)):
            raise TypeError(
                f"an object of dataformat `{self.name}' is made of a dictionary, "
                f"not of {type(data).__name__}"
            )
        unknown = [key for key in data if key not in self.by_name and key != "__type__"]
        if unknown:
            raise self.unknown(unknown)
        missing = [name for name in self.by_name if name not in data]
        if missing and not add_defaults:
            raise AttributeError(
                f"missing for dataformat `{self.name}': {_listed(missing)}; "
                f"it needs {_listed(self.by_name)}"
            )
        return {f.name: data[f.name] if f.name in data else self.default(f) for f in self.fields}

    def unknown(self, names: Iterable[object]) -> AttributeError:
        """Describe fields that there are not."""
        return AttributeError(
            f"dataformat `{self.name}' has no {_listed(names)}; it has {_listed(self.by_name)}"
        )

    @cached_property
    def recipe(self) -> tuple[Any, ...]:
        """What a class like this one can be made of in another process: plain tuples."""
        return self.name, tuple((f.name, _recipe_of(f), f.shape) for f in self.fields)


def _recipe_of(field: Field) -> Any:
    if field.kind == "object":
        return field.inner.recipe
    return "string" if field.kind == "text" else field.dtype.name


def _listed(names: Iterable[object]) -> str:
    """Return names for a message, cut if there are many."""
    quoted = [f"`{str(name)[:100]}'" for name in itertools.islice(names, 21)]
    return ", ".join(quoted[:20] + ["..."] * (len(quoted) > 20)) or "no fields"
