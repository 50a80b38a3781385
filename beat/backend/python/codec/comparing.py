"""Writes the function that tells whether two objects have nearly the same values.

Integers, bools and text must be equal; floats and complex numbers are compared as `numpy.isclose`
does. For single numbers that is plain arithmetic, since numpy takes a hundred times as long.
"""

from __future__ import annotations

from typing import Any

import numpy

from .source import Field, Source


class Comparing(Source):
    """Writes ``is_close``."""

    def compile(self) -> Any:
        """Compile ``is_close``."""
        self.lines += ["a = a.__dict__", "b = b.__dict__"]
        for field in self.codec.fields:
            values = f"a[{field.name!r}]", f"b[{field.name!r}]"
            self.lines += self._differ(field, *values)
        return self.function("a, b, rtol, atol, equal_nan", [*self.lines, "return True"])

    def _differ(self, field: Field, x: str, y: str) -> list[str]:
        """Return lines that end the function if two values differ."""
        if field.shape:
            close = {"inexact": _numbers_close, "object": _objects_close}
            function = self.constant(close.get(field.kind, _arrays_equal))
            return [f"if not {function}({x}, {y}, rtol, atol, equal_nan): return False"]
        if field.kind == "object":
            function = self.constant(field.inner.is_close)
            return [f"if not {function}({x}, {y}, rtol, atol, equal_nan): return False"]
        if field.kind != "inexact":
            return [f"if {x} != {y}: return False"]
        number = "complex" if field.dtype.kind == "c" else "float"
        return [
            f"x = {number}({x})",
            f"y = {number}({y})",
            "if x != y and not (abs(x - y) <= atol + rtol * abs(y) and y - y == 0):",
            "  if not equal_nan or x == x or y == y: return False",
        ]


def _numbers_close(x: Any, y: Any, rtol: float, atol: float, equal_nan: bool) -> bool:
    """Do as numpy 2 does: numpy 1 errs about infinite complex numbers, and warns of them."""
    if x.shape != y.shape:
        return False
    with numpy.errstate(invalid="ignore", over="ignore"):
        close = numpy.abs(x - y) <= atol + rtol * numpy.abs(y)
        close &= numpy.isfinite(y)
        if not close.all():
            close |= x == y
            if equal_nan:
                close |= (x != x) & (y != y)
    return bool(close.all())


def _objects_close(x: Any, y: Any, rtol: float, atol: float, equal_nan: bool) -> bool:
    pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=False)
    return x.shape == y.shape and all(
        type(a)._codec.is_close(a, b, rtol, atol, equal_nan) for a, b in pairs
    )


def _arrays_equal(x: Any, y: Any, *_: Any) -> bool:
    return bool(numpy.array_equal(x, y))
