"""Writes the functions that turn bytes, which nobody vouches for, into an object."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy

from ..casting import typed_array
from .source import CODES, INLINE, LENGTH, Field, Source, wire_dtype

if TYPE_CHECKING:
    from . import Codec

#: An array of objects without any field takes no bytes, so that only this bounds its length
MOST_EMPTY_ITEMS = 65536

_UNPACK_ERRORS = (ValueError, OverflowError, struct.error)


class Unpacking(Source):
    """Writes ``decode`` and ``read``.

    The values are read in their order into variables; the objects are made at the end.
    """

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self.making: list[str] = []
        self.made = self._make(codec, self._values(codec), "into")
        self._flush()

    def compile(self, complete: bool) -> Any:
        """Compile ``decode``, which wants the whole slice to be used, or ``read``."""
        if not complete:
            lines = [*self.lines, *self.making, f"return {self.made}, i"]
            return self.function("b, i, end, share, into=None", lines)
        check = f"if i != end: raise {self.constant(_wrong_size)}(i - end)"
        lines = [*self.lines, check, *self.making, f"return {self.made}"]
        lines = self.guarded(lines, _UNPACK_ERRORS, _not_unpacked)
        return self.function("b, i, end, share=False, into=None", lines)

    def _values(self, codec: Codec) -> list[tuple[str, str]]:
        """Write the reading of the fields; return the expressions for their values."""
        return [(field.name, self._value(codec.name, field)) for field in codec.fields]

    def _value(self, formatname: str, field: Field) -> str:
        if field.shape:
            return self._array(formatname, field)
        if field.kind == "text":
            return self._text()
        if field.kind != "object":
            variables = [self.variable() for _ in CODES[field.dtype.name]]
            self.run += zip(CODES[field.dtype.name], variables, strict=True)
            value = ", ".join(variables)
            value = f"complex({value})" if field.dtype.kind == "c" else value
            return f"{self.constant(field.dtype.type)}({value})"
        inner = field.inner
        if inner.leaves <= INLINE:
            return self._make(inner, self._values(inner))
        self._flush()
        value = self.variable()
        self.lines.append(f"{value}, i = {self.constant(inner.read)}(b, i, end, share)")
        return value

    def _text(self) -> str:
        length, text = self.variable(), self.variable()
        self.run.append(("Q", length))
        self._flush()
        self._stop(length)
        self.lines += [f"{text} = str(b[i:j], 'utf-8')", "i = j"]
        return text

    def _array(self, formatname: str, field: Field) -> str:
        sizes = [self.variable() for _ in field.shape]
        self.run += [("Q", size) for size in sizes]
        self._flush()
        for declared, size in zip(field.shape, sizes, strict=True):
            if declared:
                wrong = f"{self.constant(_wrong_shape)}({field.name!r}, {declared}, {size})"
                self.lines.append(f"if {size} != {declared}: raise {wrong}")
        count = self.assign(" * ".join(sizes))
        if field.kind == "object" or field.kind == "text":
            owner = self.constant((formatname, field.name, field.dtype))
            items = self._texts(count) if field.kind == "text" else self._objects(field, count)
            return f"{self.constant(typed_array)}({items}, ({', '.join(sizes)},), {owner})"
        self._stop(f"{count} * {field.dtype.itemsize}")
        dtype = self.constant(wire_dtype(field.dtype))
        array = self.assign(f"{self.constant(numpy.frombuffer)}(b, {dtype}, {count}, i)")
        if len(sizes) > 1:
            self.lines.append(f"{array} = {array}.reshape({', '.join(sizes)})")
        self.lines += [f"if not share: {array} = {array}.copy()", "i = j"]
        return array

    def _texts(self, count: str) -> str:
        self._stop(f"{count} * 8")
        items = self.variable()
        self.lines.append(f"{items}, i = {self.constant(_read_texts)}(b, i, end, {count})")
        return items

    def _objects(self, field: Field, count: str) -> str:
        inner = field.inner
        items = self.assign("[]")
        if inner.size == 0:
            most = f"{self.constant(_too_many)}({field.name!r}, {count})"
            self.lines.append(f"if {count} > {MOST_EMPTY_ITEMS}: raise {most}")
        else:
            self._stop(f"{count} * {inner.least}")
        if inner.size and inner.leaves <= INLINE:
            self._loop(inner, count, items)
        else:
            item = self.variable()
            self.lines += [
                f"for _ in range({count}):",
                f"  {item}, i = {self.constant(inner.read)}(b, i, end, share)",
                f"  {items}.append({item})",
            ]
        return items

    def _loop(self, inner: Codec, count: str, items: str) -> None:
        """Write the reading of objects of fixed size: all values of a field at a time.

        Numpy makes the scalars of a column several times faster than calls of their types do.
        """
        outside, self.making = self.making, []
        columns: list[tuple[str, numpy.dtype[Any]]] = []
        item = self._make(inner, self._columns(inner, columns))
        body, self.making = self.making, outside
        record = self.constant(numpy.dtype(columns))
        rows = self.assign(f"{self.constant(numpy.frombuffer)}(b, {record}, {count}, i)")
        variables = "".join(f"{name}, " for name, _ in columns)
        values = ", ".join(f"{rows}[{name!r}]" for name, _ in columns)
        self.lines += [f"for {variables}in zip({values}):", *(f"  {line}" for line in body)]
        self.lines += [f"  {items}.append({item})", "i = j"]

    def _columns(
        self, codec: Codec, columns: list[tuple[str, numpy.dtype[Any]]]
    ) -> list[tuple[str, str]]:
        """Return the variables for the values of one object, and list their columns."""
        values = []
        for field in codec.fields:
            if field.kind == "object":
                inner = field.inner
                values.append((field.name, self._make(inner, self._columns(inner, columns))))
            else:
                columns.append((self.variable(), wire_dtype(field.dtype)))
                values.append((field.name, columns[-1][0]))
        return values

    def _make(self, codec: Codec, values: list[tuple[str, str]], into: str = "") -> str:
        """Write the making of an object; return the variable that holds it."""
        made = self.variable()
        new = f"{self.constant(object.__new__)}({self.constant(codec.klass)})"
        self.making.append(f"{made} = {new}" + (f" if {into} is None else {into}") * bool(into))
        self.making.append(f"d = {made}.__dict__")
        self.making += [f"d[{name!r}] = {value}" for name, value in values]
        return made

    def _stop(self, size: str) -> None:
        """Set ``j`` to where so many bytes end, which must be there."""
        short = f"raise {self.constant(_wrong_size)}(j - end)"
        self.lines += [f"j = i + {size}", f"if j > end: {short}"]

    def _flush(self) -> None:
        if self.run:
            layout, variables = self.take_run()
            unpack = self.constant(layout.unpack_from)
            self.lines += [f"{', '.join(variables)}, = {unpack}(b, i)", f"i += {layout.size}"]


def _read_texts(buffer: Any, i: int, end: int, count: int) -> tuple[list[str], int]:
    texts: list[str] = []
    append, unpack = texts.append, LENGTH.unpack_from
    for _ in range(count):
        start = i + 8
        i = start + unpack(buffer, i)[0]
        if i > end:
            raise _wrong_size(i - end)
        append(str(buffer[start:i], "utf-8"))
    return texts, i


def _not_unpacked(codec: Codec, error: Exception) -> ValueError:
    return ValueError(f"not a packed object of dataformat `{codec.name}': {error}")


def _wrong_size(excess: int) -> ValueError:
    """Describe data of which so many bytes are missing, or left over if negative."""
    return ValueError(f"{excess} bytes missing" if excess > 0 else f"{-excess} bytes left over")


def _wrong_shape(name: str, declared: int, actual: int) -> ValueError:
    return ValueError(f"size {actual} in `{name}', declared to be {declared}")


def _too_many(name: str, count: int) -> ValueError:
    return ValueError(f"{count} objects without fields in `{name}', at most {MOST_EMPTY_ITEMS}")
