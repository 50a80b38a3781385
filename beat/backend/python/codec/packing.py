"""Writes the functions that turn an object into bytes."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, Any

import numpy

from .source import CODES, INLINE, LENGTH, Field, Source, wire_dtype

if TYPE_CHECKING:
    from . import Codec

_PACK_ERRORS = (KeyError, AttributeError, TypeError, ValueError, struct.error)


class Packing(Source):
    """Writes ``pack`` and ``parts``: the values of inner objects too are put into structs."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self.pieces: list[str] = []  # expressions of buffers
        self._object(codec, "o")
        self._flush()

    def compile(self, as_parts: bool) -> Any:
        """Compile ``pack``, or ``parts``."""
        lines = [*self.lines, self._result(as_parts)]
        return self.function("o", self.guarded(lines, _PACK_ERRORS, _not_packed))

    def _result(self, as_parts: bool) -> str:
        pieces = "".join(f"{piece}, " for piece in self.pieces)
        return f"return ({pieces})" if as_parts else f"return {self.constant(b''.join)}(({pieces}))"

    def _object(self, codec: Codec, source: str) -> None:
        values = self._values(codec, source)
        for field in codec.fields:
            value = self._value(field, f"{values}[{field.name!r}]")
            if field.shape:
                self._array(field, value)
            elif field.kind == "object" and field.inner.leaves <= INLINE:
                self._object(field.inner, value)
            elif field.kind == "object":
                self._piece(f"*{self.constant(self._functions(field.inner)[1])}({value})")
            elif field.kind == "text":
                text = self.assign(f"{value}.encode()")
                self.run.append(("Q", f"len({text})"))
                self._piece(text)
            elif field.dtype.kind == "c":
                number = self.assign(value)
                code = CODES[field.dtype.name][0]
                self.run += [(code, f"{number}.real"), (code, f"{number}.imag")]
            else:
                self.run.append((CODES[field.dtype.name], value))

    def _values(self, codec: Codec, source: str) -> str:
        """Return the variable for the values of an object."""
        return self.assign(f"{source}.__dict__")

    def _value(self, field: Field, value: str) -> str:
        """Return the variable for a value, or its expression if it is used only once."""
        return self.assign(value) if field.shape else value

    def _functions(self, inner: Codec) -> tuple[Any, Any]:
        """Return what gives the bytes of an object, and what gives the parts."""
        return inner.pack, inner.parts

    def _array(self, field: Field, array: str) -> None:
        items = self._items(field, array)
        if field.kind == "text":
            self._piece(f"*{self.constant(_packed_texts)}({items})")
        elif field.kind != "object":
            contiguous = self.constant(numpy.ascontiguousarray)  # no copy if it is already
            self._piece(f"{contiguous}({array}, {self.constant(wire_dtype(field.dtype))})")
        elif field.inner.size is not None:
            self._piece(f"*map({self.constant(self._functions(field.inner)[0])}, {items})")
        else:
            parts = self.constant(self._functions(field.inner)[1])
            chain = self.constant(itertools.chain.from_iterable)
            self._piece(f"*{chain}(map({parts}, {items}))")

    def _items(self, field: Field, array: str) -> str:
        """Write the sizes; return the expression of a list of the elements."""
        sizes = [self.variable() for _ in field.shape]
        self.lines.append(f"{', '.join(sizes)}, = {array}.shape")
        self.run += [("Q", size) for size in sizes]
        return f"{array}.ravel().tolist()" if len(sizes) > 1 else f"{array}.tolist()"

    def _piece(self, expression: str) -> None:
        self._flush()
        self.pieces.append(expression)

    def _flush(self) -> None:
        if self.run:
            layout, values = self.take_run()
            self.pieces.append(f"{self.constant(layout.pack)}({', '.join(values)})")


class Encoding(Packing):
    """Writes ``encode`` and its inner functions, which pack dictionaries without any object.

    They take values of exactly the right types, and raise `NotExact` for all others.
    """

    def compile_exact(self, as_parts: bool) -> Any:
        """Compile the packing of a dictionary that stands for an inner object."""
        return self.function("o", [*self.lines, self._result(as_parts)])

    def compile_encode(self) -> Any:
        """Compile ``encode``, which goes the long way if the values are not all exact."""
        lines = [*self.lines, self._result(as_parts=False)]
        long_way = f"  return {self.constant(_encoded_object)}({self.constant(self.codec)}, o)"
        caught = f"except {self.constant(_NOT_EXACT)}:"
        return self.function("o", ["try:", *(f"  {line}" for line in lines), caught, long_way])

    def _values(self, codec: Codec, source: str) -> str:
        values = self.assign(source)
        self._unless(f"type({values}) is dict and len({values}) == {len(codec.fields)}")
        return values

    def _value(self, field: Field, value: str) -> str:
        variable = self.assign(value)
        if field.kind == "text" or field.kind == "object":
            exact = list if field.shape else str if field.kind == "text" else dict
            self._unless(f"type({variable}) is {exact.__name__}")
        elif field.shape:
            self._unless(f"not ({self.other_array(field, variable)})")
        else:
            self._unless(f"type({variable}) is {self.constant(field.dtype.type)}")
        return variable

    def _items(self, field: Field, array: str) -> str:
        if field.kind not in ("text", "object"):
            return super()._items(field, array)
        size = field.shape[0]
        self._unless(f"len({array}) == {size}" if size else str(len(field.shape) == 1))
        self.run.append(("Q", f"len({array})"))
        return array

    def _functions(self, inner: Codec) -> tuple[Any, Any]:
        return inner.exact, inner.exact_parts

    def _unless(self, condition: str) -> None:
        self.lines.append(f"if not ({condition}): raise {self.constant(NotExact)}")


class NotExact(Exception):
    """A dictionary whose values are not all of exactly the right types."""


#: What a dictionary raises that is incomplete or has other values than it should
_NOT_EXACT = (NotExact, KeyError, TypeError, ValueError)


def _encoded_object(codec: Codec, data: Any) -> bytes:
    return codec.pack(codec.build(data))


def _packed_texts(texts: list[str]) -> list[bytes]:
    pieces: list[bytes] = []
    append, pack, encode = pieces.append, LENGTH.pack, str.encode  # which wants texts only
    for text in texts:
        encoded = encode(text)
        append(pack(len(encoded)))
        append(encoded)
    return pieces


def _not_packed(codec: Codec, error: Exception) -> ValueError:
    return ValueError(f"cannot pack an object of dataformat `{codec.name}': {error}")
