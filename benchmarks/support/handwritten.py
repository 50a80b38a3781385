"""Codecs as an engineer writes them for one format, knowing all about it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy
from numpy import bool_, float32, float64, int8, int16, int32, int64, uint8

Q = struct.Struct("<q")
QQ = struct.Struct("<QQ")
MIXED_HEAD = struct.Struct("<dihHQ")
MIXED_TAIL = struct.Struct("<?bqBf")
NESTED = struct.Struct("<10d")
PAIR = struct.Struct("<id")
RECORDS = numpy.dtype([("x", "<i4"), ("y", "<f8")])


class Record:
    """An object with fields."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


class Integer:
    """One int64."""

    @staticmethod
    def pack(o: Any) -> bytes:
        """Return the bytes of an object."""
        return Q.pack(o.value)

    @staticmethod
    def encode(d: dict[str, Any]) -> bytes:
        """Return the bytes of a dictionary whose values have exactly the right types."""
        value = d["value"]
        if type(value) is not int64:
            raise TypeError
        return Q.pack(value)

    @staticmethod
    def read(b: Any, i: int) -> Any:
        """Return the object that begins there in a buffer."""
        (value,) = Q.unpack_from(b, i)
        o = Record()
        o.value = int64(value)
        return o


class Mixed:
    """Ten fields: nine numbers of several types and a text."""

    @staticmethod
    def pack(o: Any) -> bytes:
        """See `Integer.pack`."""
        label: bytes = o.e.encode()
        head = MIXED_HEAD.pack(o.a, o.b, o.c, o.d, len(label))
        return head + label + MIXED_TAIL.pack(o.f, o.g, o.h, o.i, o.j)

    @staticmethod
    def encode(d: dict[str, Any]) -> bytes:
        """See `Integer.encode`."""
        a, b, c, e, x = d["a"], d["b"], d["c"], d["d"], d["e"]
        f, g, h, i, j = d["f"], d["g"], d["h"], d["i"], d["j"]
        if not (
            type(a) is float64
            and type(b) is int32
            and type(c) is int16
            and type(e) is numpy.uint16
            and type(x) is str
            and type(f) is bool_
            and type(g) is int8
            and type(h) is int64
            and type(i) is uint8
            and type(j) is float32
        ):
            raise TypeError
        label = x.encode()
        return MIXED_HEAD.pack(a, b, c, e, len(label)) + label + MIXED_TAIL.pack(f, g, h, i, j)

    @staticmethod
    def read(b: Any, i: int) -> Any:
        """See `Integer.read`."""
        a, c, d, e, n = MIXED_HEAD.unpack_from(b, i)
        i += MIXED_HEAD.size
        label = str(b[i : i + n], "utf-8")
        f, g, h, k, j = MIXED_TAIL.unpack_from(b, i + n)
        o = Record()
        o.a = float64(a)
        o.b = int32(c)
        o.c = int16(d)
        o.d = numpy.uint16(e)
        o.e = label
        o.f = bool_(f)
        o.g = int8(g)
        o.h = int64(h)
        o.i = uint8(k)
        o.j = float32(j)
        return o


class Vector:
    """A vector of float64."""

    @staticmethod
    def pack(o: Any) -> bytes:
        """See `Integer.pack`."""
        content: bytes = o.value.tobytes()
        return Q.pack(len(o.value)) + content

    @staticmethod
    def encode(d: dict[str, Any]) -> bytes:
        """See `Integer.encode`."""
        value = d["value"]
        if value.dtype != float64 or value.ndim != 1:
            raise TypeError
        content: bytes = value.tobytes()
        return Q.pack(len(value)) + content

    @staticmethod
    def read(b: Any, i: int) -> Any:
        """See `Integer.read`."""
        (n,) = Q.unpack_from(b, i)
        o = Record()
        o.value = numpy.frombuffer(b, "<f8", n, i + 8).copy()
        return o


class Nested:
    """Ten float64 in objects within objects."""

    @staticmethod
    def pack(o: Any) -> bytes:
        """See `Integer.pack`."""
        a, b, e = o.a, o.b, o.e
        c = b.c
        return NESTED.pack(a.x, a.y, a.z, c.u, c.v, c.w, b.d, e.p, e.q, e.r)

    @staticmethod
    def encode(d: dict[str, Any]) -> bytes:
        """See `Integer.encode`."""
        a, b, e = d["a"], d["b"], d["e"]
        c = b["c"]
        x, y, z, u, v, w = a["x"], a["y"], a["z"], c["u"], c["v"], c["w"]
        k, p, q, r = b["d"], e["p"], e["q"], e["r"]
        if not (
            type(x) is float64
            and type(y) is float64
            and type(z) is float64
            and type(u) is float64
            and type(v) is float64
            and type(w) is float64
            and type(k) is float64
            and type(p) is float64
            and type(q) is float64
            and type(r) is float64
        ):
            raise TypeError
        return NESTED.pack(x, y, z, u, v, w, k, p, q, r)

    @staticmethod
    def read(b: Any, i: int) -> Any:
        """See `Integer.read`."""
        x, y, z, u, v, w, k, p, q, r = NESTED.unpack_from(b, i)
        o = Record()
        o.a = inner = Record()
        inner.x = float64(x)
        inner.y = float64(y)
        inner.z = float64(z)
        o.b = inner = Record()
        inner.d = float64(k)
        inner.c = inner = Record()
        inner.u = float64(u)
        inner.v = float64(v)
        inner.w = float64(w)
        o.e = inner = Record()
        inner.p = float64(p)
        inner.q = float64(q)
        inner.r = float64(r)
        return o


class Matrix:
    """A matrix of numbers of one type."""

    def __init__(self, dtype: str) -> None:
        self.dtype = numpy.dtype(dtype)

    def pack(self, o: Any) -> bytes:
        """See `Integer.pack`."""
        return b"".join((QQ.pack(*o.value.shape), o.value))

    def encode(self, d: dict[str, Any]) -> bytes:
        """See `Integer.encode`."""
        value = d["value"]
        if value.dtype != self.dtype or value.ndim != 2:
            raise TypeError
        return b"".join((QQ.pack(*value.shape), value))

    def read(self, b: Any, i: int) -> Any:
        """See `Integer.read`; the array is a view of the buffer."""
        height, width = QQ.unpack_from(b, i)
        o = Record()
        o.value = numpy.frombuffer(b, self.dtype, height * width, i + 16).reshape(height, width)
        return o


class Objects:
    """A list of objects, each an int32 and a float64."""

    @staticmethod
    def pack(o: Any) -> bytes:
        """See `Integer.pack`."""
        pack = PAIR.pack
        items = o.value.tolist()
        return Q.pack(len(items)) + b"".join([pack(item.x, item.y) for item in items])

    @staticmethod
    def encode(d: dict[str, Any]) -> bytes:
        """See `Integer.encode`."""
        items, pack, pieces = d["value"], PAIR.pack, []
        for item in items:
            x, y = item["x"], item["y"]
            if type(x) is not int32 or type(y) is not float64:
                raise TypeError
            pieces.append(pack(x, y))
        return Q.pack(len(items)) + b"".join(pieces)

    @staticmethod
    def read(b: Any, i: int) -> Any:
        """See `Integer.read`."""
        (n,) = Q.unpack_from(b, i)
        rows = numpy.frombuffer(b, RECORDS, n, i + 8)
        items = []
        for x, y in zip(rows["x"], rows["y"], strict=True):
            item = Record()
            item.x = x
            item.y = y
            items.append(item)
        o = Record()
        o.value = numpy.fromiter(items, object, n)
        return o


class Texts:
    """A list of texts."""

    @staticmethod
    def _packed(texts: list[str]) -> bytes:
        pack = Q.pack
        pieces = [pack(len(texts))]
        for text in texts:
            encoded = text.encode()
            pieces.append(pack(len(encoded)))
            pieces.append(encoded)
        return b"".join(pieces)

    def pack(self, o: Any) -> bytes:
        """See `Integer.pack`."""
        return self._packed(o.value.tolist())

    def encode(self, d: dict[str, Any]) -> bytes:
        """See `Integer.encode`."""
        for text in d["value"]:
            if type(text) is not str:
                raise TypeError
        return self._packed(d["value"])

    @staticmethod
    def read(b: Any, i: int) -> Any:
        """See `Integer.read`."""
        (n,) = Q.unpack_from(b, i)
        i += 8
        unpack, texts = Q.unpack_from, []
        for _ in range(n):
            (size,) = unpack(b, i)
            i += 8
            texts.append(str(b[i : i + size], "utf-8"))
            i += size
        o = Record()
        o.value = numpy.fromiter(texts, object, n)
        return o
