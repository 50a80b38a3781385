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
        pieces = "".join(f"{piece}, " for piece in self.pieces)
        result = f"({pieces})" if as_parts else f"{self.constant(b''.join)}(({pieces}))"
        lines = [*self.lines, f"return {result}"]
        return self.function("o", self.guarded(lines, _PACK_ERRORS, _not_packed))

    def _object(self, codec: Codec, instance: str) -> None:
        values = self.assign(f"{instance}.__dict__")
        for field in codec.fields:
            value = f"{values}[{field.name!r}]"
            if field.shape:
                self._array(field, value)
            elif field.kind == "object" and field.inner.leaves <= INLINE:
                self._object(field.inner, value)
            elif field.kind == "object":
                self._piece(f"*{self.constant(field.inner.parts)}({value})")
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

    def _array(self, field: Field, value: str) -> None:
        array = self.assign(value)
        sizes = [self.variable() for _ in field.shape]
        self.lines.append(f"{', '.join(sizes)}, = {array}.shape")
        self.run += [("Q", size) for size in sizes]
        items = f"{array}.ravel().tolist()" if len(sizes) > 1 else f"{array}.tolist()"
        if field.kind == "text":
            self._piece(f"*{self.constant(_packed_texts)}({items})")
        elif field.kind != "object":
            contiguous = self.constant(numpy.ascontiguousarray)  # no copy if it is already
            self._piece(f"{contiguous}({array}, {self.constant(wire_dtype(field.dtype))})")
        elif field.inner.size is not None:
            self._piece(f"*map({self.constant(field.inner.pack)}, {items})")
        else:
            parts = self.constant(field.inner.parts)
            chain = self.constant(itertools.chain.from_iterable)
            self._piece(f"*{chain}(map({parts}, {items}))")

    def _piece(self, expression: str) -> None:
        self._flush()
        self.pieces.append(expression)

    def _flush(self) -> None:
        if self.run:
            layout, values = self.take_run()
            self.pieces.append(f"{self.constant(layout.pack)}({', '.join(values)})")


def _packed_texts(texts: list[str]) -> list[bytes]:
    pieces: list[bytes] = []
    append, pack = pieces.append, LENGTH.pack
    for text in texts:
        encoded = text.encode()
        append(pack(len(encoded)))
        append(encoded)
    return pieces


def _not_packed(codec: Codec, error: Exception) -> ValueError:
    return ValueError(f"cannot pack an object of dataformat `{codec.name}': {error}")
