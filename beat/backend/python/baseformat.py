"""Typed values: objects whose fields are cast when they are set, and their binary form.

Classes of objects are made by `make_class`, from the fields of a dataformat. The functions on
single values and arrays serve code that reads and writes the binary form piece by piece.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy

from .casting import setup_array, setup_scalar, typed_array
from .codec import Codec, Field
from .streams import (
    pack_array,
    pack_scalar,
    read_object,
    read_some,
    read_string,
    unpack_array,
    unpack_scalar,
)

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

__all__ = [
    "baseformat",
    "make_class",
    "pack_array",
    "pack_scalar",
    "read_some",
    "read_string",
    "setup_array",
    "setup_scalar",
    "unpack_array",
    "unpack_scalar",
]

#: Classes that objects from other processes are made of, by their recipes
_classes: weakref.WeakValueDictionary[Any, type[baseformat]] = weakref.WeakValueDictionary()


class baseformat:
    """The base of all classes of objects.

    The values are in the ``__dict__`` of the instance. Attributes of the class give the types of
    the fields: a numpy dtype, `str`, another class, or a list ``[dim, …, type]``. A field may be
    called like a method; its value then hides the method, but ``baseformat.pack(object)`` works.

    Parameters
    ----------
    kwargs
        The values, cast unsafely; fields not given get their defaults.
    """

    _name: ClassVar[str]
    _format: ClassVar[Any]
    _codec: ClassVar[Codec]

    def __init__(self, /, **kwargs: Any) -> None:
        type(self)._codec.build(kwargs, "unsafe", True, self)

    def from_dict(
        self, data: Mapping[str, Any], casting: str = "safe", add_defaults: bool = False
    ) -> baseformat:
        """Set all fields from a dictionary; none of them if one fails.

        Parameters
        ----------
        data : mapping
            The values; a key ``__type__`` is ignored.
        casting : str
            ``"safe"`` or ``"unsafe"``, see `casting.setup_scalar`.
        add_defaults : bool
            Whether missing fields get their defaults.

        Returns
        -------
        baseformat
            The object itself.

        Raises
        ------
        AttributeError
            If fields are missing or unknown.
        TypeError, ValueError, OverflowError
            If a value cannot be cast.
        """
        type(self)._codec.build(data, casting, add_defaults, self)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        codec = type(self)._codec
        field = codec.by_name.get(name)
        if field is None:
            raise codec.unknown([name])
        if field.shape:
            value = setup_array(codec.name, name, field.shape, field.dtype, value, "safe", False)
        else:
            value = setup_scalar(codec.name, name, field.dtype, value, "safe", False)
        self.__dict__[name] = value

    def as_dict(self) -> dict[str, Any]:
        """Return the values: arrays as lists, objects as dictionaries, numpy scalars as they are.

        `from_dict` takes it back safely.
        """
        values = self.__dict__
        return {f.name: _plain(f, values[f.name]) for f in type(self)._codec.fields}

    def pack(self) -> bytes:
        """Return the binary form."""
        return type(self)._codec.pack(self)

    def pack_into(self, fd: BinaryIO) -> None:
        """Write the binary form to a stream."""
        fd.write(type(self)._codec.pack(self))

    def unpack(self, data: Buffer) -> baseformat:
        """Set all fields from the binary form, and return the object itself.

        Arrays are copies, hence writable. One newline after the data is accepted, as units of
        cache files have it.

        Raises
        ------
        ValueError
            If the data is not one packed object.
        """
        type(self)._codec.unpack(data, self)
        return self

    def unpack_from(self, fd: BinaryIO) -> baseformat:
        """Set all fields from a stream, of which no more than the object is read.

        Returns
        -------
        baseformat
            The object itself.

        Raises
        ------
        ValueError
            If the stream ends too early, or has no such object.
        """
        read_object(type(self), fd, self)
        return self

    def isclose(
        self, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
    ) -> bool:
        """Tell whether another object of the same dataformat has (nearly) the same values.

        Parameters
        ----------
        other : object
            What to compare with; False if it is of another type.
        rtol, atol, equal_nan
            As of `numpy.isclose`, for floats and complex numbers; all else must be equal.
        """
        codec = type(self)._codec
        if type(other) is not type(self) and not codec.has_same_fields(other):
            return False
        return codec.is_close(self, other, rtol, atol, equal_nan)

    def copy(self) -> baseformat:
        """Return an independent copy."""
        klass = type(self)
        made: baseformat = object.__new__(klass)
        for field in klass._codec.fields:
            made.__dict__[field.name] = _copied(field, self.__dict__[field.name], klass._name)
        return made

    def __copy__(self) -> baseformat:
        made: baseformat = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: Any) -> baseformat:
        return baseformat.copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        codec = type(self)._codec
        _classes[codec.recipe] = codec.klass
        return _restored, (codec.recipe, codec.pack(self))

    def __str__(self) -> str:
        """Return `as_dict` as indented JSON; complex numbers as texts."""
        import simplejson

        return simplejson.dumps(
            baseformat.as_dict(self), indent=4, default=_as_json, allow_nan=True
        )


def make_class(name: str, fields: Mapping[str, Any], declaration: Any) -> type[baseformat]:
    """Make a class of objects.

    Parameters
    ----------
    name : str
        The name of the dataformat; the class is called so, with ``/`` and ``-`` made ``_``.
    fields : mapping
        By name of the field: a numpy dtype, `str`, another such class, or a list
        ``[dim, …, type]``. They become attributes of the class.
    declaration : object
        What the fields were made from, the attribute ``_format`` of the class.
    """
    called = "".join("_" if c in "/-" or not c.isprintable() else c for c in name)
    attributes = {**fields, "_name": name, "_format": declaration}
    klass: type[baseformat] = type(called, (baseformat,), attributes)
    klass._codec = Codec(klass, name, fields)
    return klass


def _restored(recipe: tuple[Any, ...], packed: bytes) -> baseformat:
    """Make an object that was pickled, maybe in another process."""
    made: baseformat = _class_of(recipe)._codec.decode(packed, 0, len(packed))
    return made


def _class_of(recipe: tuple[Any, ...]) -> type[baseformat]:
    klass = _classes.get(recipe)
    if klass is None:
        name, parts = recipe
        fields = {}
        for field, dtype, shape in parts:
            if isinstance(dtype, tuple):
                dtype = _class_of(dtype)
            else:
                dtype = str if dtype == "string" else numpy.dtype(dtype)
            fields[field] = [*shape, dtype] if shape else dtype
        _classes[recipe] = klass = make_class(name, fields, fields)
    return klass


def _plain(field: Field, value: Any) -> Any:
    if field.kind == "object":
        if not field.shape:
            return baseformat.as_dict(value)
        items = [baseformat.as_dict(item) for item in value.ravel().tolist()]
        return numpy.fromiter(items, object, len(items)).reshape(value.shape).tolist()
    return value.tolist() if field.shape else value


def _copied(field: Field, value: Any, formatname: str) -> Any:
    if not field.shape:
        return baseformat.copy(value) if field.kind == "object" else value
    if field.kind in ("exact", "inexact"):
        return value.copy()
    items = value.ravel().tolist()
    if field.kind == "object":
        items = map(baseformat.copy, items)
    return typed_array(items, value.shape, (formatname, field.name, field.dtype))


def _as_json(value: Any) -> Any:
    if isinstance(value, complex):
        return str(value)
    return value.tolist()
