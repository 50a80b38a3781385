"""The binary form of single values and arrays, written to and read from streams.

The whole form is described in `codec`, which is the fast way when an object is at hand as bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy

from .casting import typed_array
from .codec import LENGTH, MOST_EMPTY_ITEMS, Field, make_field, wire_dtype

#: The most that is read at once, so that a false length takes no more memory than there is data
CHUNK = 1 << 20


def pack_scalar(dtype: Any, value: Any, fd: BinaryIO) -> None:
    """Write a single value.

    Parameters
    ----------
    dtype : numpy.dtype or type
        The type: of numbers, `str`, or a class of objects.
    value : object
        The value, of that type.
    fd : file object
        Where to.
    """
    fd.write(_packed(dtype, value))


def pack_array(dtype: Any, value: Any, fd: BinaryIO) -> None:
    """Write an array: its shape, then the elements.

    Parameters
    ----------
    dtype : numpy.dtype or type
        The type of the elements: of numbers, `str`, or a class of objects.
    value : numpy.ndarray
        The array.
    fd : file object
        Where to.
    """
    texts_or_objects = make_field("array", dtype).kind in ("text", "object")
    array = numpy.asarray(value, object if texts_or_objects else wire_dtype(numpy.dtype(dtype)))
    fd.write(struct.pack(f"<{array.ndim}Q", *array.shape))
    if texts_or_objects:
        for item in array.ravel().tolist():
            fd.write(_packed(dtype, item))
    else:
        fd.write(numpy.ascontiguousarray(array).data)


def read_some(format: str, fd: BinaryIO) -> tuple[Any, ...]:
    """Read values of fixed size.

    Parameters
    ----------
    format : str
        Their layout, in the words of `struct`.
    fd : file object
        Where from.

    Raises
    ------
    ValueError
        If the stream ends too early.
    """
    return struct.unpack(format, _read_bytes(struct.calcsize(format), fd))


def read_string(fd: BinaryIO) -> str:
    """Read a text: its length, then the text; `ValueError` if the stream has none."""
    return _read_bytes(read_some("<Q", fd)[0], fd).decode("utf-8")


def unpack_scalar(dtype: Any, fd: BinaryIO) -> Any:
    """Read a single value.

    Parameters
    ----------
    dtype : numpy.dtype or type
        The type: of numbers, `str`, or a class of objects.
    fd : file object
        Where from.

    Raises
    ------
    ValueError
        If the stream has no such value, or ends too early.
    """
    if dtype is str:
        return read_string(fd)
    if hasattr(dtype, "_codec"):
        return read_object(dtype, fd)
    return _read_numbers(numpy.dtype(dtype), (), fd)[()]


def unpack_array(shape: Sequence[int], dtype: Any, fd: BinaryIO) -> Any:
    """Read an array.

    Parameters
    ----------
    shape : sequence of int
        The declared sizes; 0 allows any.
    dtype : numpy.dtype or type
        The type of the elements: of numbers, `str`, or a class of objects.
    fd : file object
        Where from.

    Raises
    ------
    ValueError
        If the stream has no such array, or ends too early.
    """
    return _read_array("", make_field("", [*shape, dtype]), fd)


def read_object(klass: Any, fd: BinaryIO, into: Any = None) -> Any:
    """Read an object field by field, and no byte more.

    Parameters
    ----------
    klass : type
        Its class.
    fd : file object
        Where from.
    into : baseformat, optional
        The object to fill, by default a new one; left as it is if reading fails.

    Raises
    ------
    ValueError
        If the stream has no such object, or ends too early.
    """
    values = {}
    for field in klass._codec.fields:
        if field.shape:
            values[field.name] = _read_array(klass._codec.name, field, fd)
        else:
            values[field.name] = unpack_scalar(field.dtype, fd)
    return klass._codec.build(values, "safe", False, into)


def _read_array(formatname: str, field: Field, fd: BinaryIO) -> Any:
    shape = read_some(f"<{len(field.shape)}Q", fd)
    if any(want not in (0, got) for want, got in zip(field.shape, shape, strict=True)):
        raise ValueError(
            f"sizes {list(shape)} of array `{field.name}', declared {list(field.shape)}"
        )
    if field.kind in ("exact", "inexact"):
        return _read_numbers(field.dtype, shape, fd)
    count = math.prod(shape)
    if field.kind == "object" and not field.inner.least and count > MOST_EMPTY_ITEMS:
        raise ValueError(f"{count} objects without fields, at most {MOST_EMPTY_ITEMS}")
    items = [unpack_scalar(field.dtype, fd) for _ in range(count)]
    return typed_array(items, shape, (formatname, field.name, field.dtype))


def _read_numbers(dtype: numpy.dtype[Any], sizes: tuple[int, ...], fd: BinaryIO) -> Any:
    count = math.prod(sizes)
    data = _read_bytes(count * dtype.itemsize, fd)
    return numpy.frombuffer(data, wire_dtype(dtype), count).reshape(sizes)


def _read_bytes(count: int, fd: BinaryIO) -> bytearray:
    data = bytearray()
    while len(data) < count:
        piece = fd.read(min(count - len(data), CHUNK))
        if not piece:
            raise ValueError(f"the stream ends {count - len(data)} bytes too early")
        data += piece
    return data


def _packed(dtype: Any, value: Any) -> bytes:
    if dtype is str:
        encoded: bytes = value.encode()
        return LENGTH.pack(len(encoded)) + encoded
    if hasattr(dtype, "_codec"):
        return dtype._codec.pack(value)  # type: ignore[no-any-return]
    return bytes(numpy.asarray(value, wire_dtype(numpy.dtype(dtype))).tobytes())
