"""What the writers of compiled functions share: fields, names, struct runs, compiling."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy

if TYPE_CHECKING:
    from . import Codec

#: The `struct` codes of numbers; complex ones are two floats
CODES = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
    "complex64": "ff",
    "complex128": "dd",
    "bool": "?",
}

LENGTH = struct.Struct("<Q")

#: Inner objects of at most that many values are coded in line, greater ones by their own functions
INLINE = 64


class Field(NamedTuple):
    """A field of a class.

    Attributes
    ----------
    name : str
        Its name.
    dtype : numpy.dtype or type
        The type of the value, or of the elements of the array.
    shape : tuple of int
        The declared sizes of an array, 0 for any; empty for a single value.
    kind : str
        What values, or elements, are: ``exact`` or ``inexact`` numbers, ``text``, ``object``.
    """

    name: str
    dtype: Any
    shape: tuple[int, ...]
    kind: Literal["exact", "inexact", "text", "object"]

    @property
    def inner(self) -> Codec:
        """The codec of the object, or of the elements that are."""
        codec: Codec = self.dtype._codec
        return codec


def make_field(name: str, spec: Any) -> Field:
    """Make a field from its type, or from a list ``[dim, …, type]``."""
    shape = tuple(spec[:-1]) if isinstance(spec, list) else ()
    dtype = spec[-1] if isinstance(spec, list) else spec
    if dtype is str:
        return Field(name, dtype, shape, "text")
    if hasattr(dtype, "_codec"):
        return Field(name, dtype, shape, "object")
    dtype = numpy.dtype(dtype)
    return Field(name, dtype, shape, "inexact" if dtype.kind in "fc" else "exact")


class Source:
    """A function being written: its lines, and the objects that they name."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.lines: list[str] = []
        self.run: list[tuple[str, str]] = []  # codes and expressions of the next struct
        self.names: dict[str, Any] = {}
        self._known: dict[int, str] = {}  # names by the ids of the objects, which `names` keeps
        self._numbers = itertools.count()

    def variable(self) -> str:
        """Return a new name."""
        return f"v{next(self._numbers)}"

    def assign(self, expression: str) -> str:
        """Write an assignment to a new variable."""
        variable = self.variable()
        self.lines.append(f"{variable} = {expression}")
        return variable

    def constant(self, value: Any) -> str:
        """Return the name under which the code finds an object."""
        name = self._known.setdefault(id(value), f"c{len(self._known)}")
        self.names[name] = value
        return name

    def take_run(self) -> tuple[struct.Struct, list[str]]:
        """End the run of neighbouring values of fixed size."""
        layout = struct.Struct("<" + "".join(code for code, _ in self.run))
        expressions = [expression for _, expression in self.run]
        self.run = []
        return layout, expressions

    def other_array(self, field: Field, variable: str) -> str:
        """Return the condition that a value is not such an array of numbers as declared."""
        conditions = [
            f"type({variable}) is not {self.constant(numpy.ndarray)}",
            f"{variable}.dtype is not {self.constant(field.dtype)}",
            f"{variable}.ndim != {len(field.shape)}",
        ]
        fixed = [(n, size) for n, size in enumerate(field.shape) if size]
        conditions += [f"{variable}.shape[{n}] != {size}" for n, size in fixed]
        return " or ".join(conditions)

    def function(self, head: str, lines: Iterable[str]) -> Any:
        """Compile a function of that head."""
        text = "\n ".join([f"def function({head}):", *lines])
        exec(compile(text, f"<codec of {self.codec.klass.__name__}>", "exec"), self.names)
        return self.names.pop("function")

    def guarded(self, lines: Iterable[str], errors: object, handler: object) -> list[str]:
        """Let ``raise handler(codec, error)`` stand for all these errors."""
        called = f"{self.constant(handler)}({self.constant(self.codec)}, e)"
        caught = f"except {self.constant(errors)} as e:"
        return ["try:", *(f"  {line}" for line in lines), caught, f"  raise {called} from e"]


def wire_dtype(dtype: numpy.dtype[Any]) -> numpy.dtype[Any]:
    """Return the little-endian form of a type of numbers."""
    return numpy.dtype("<" + dtype.str[1:])


def least_size(field: Field) -> int:
    """Return the least number of bytes of a value of the field."""
    if field.kind == "object":
        item = field.inner.least
    else:
        item = 8 if field.kind == "text" else field.dtype.itemsize
    return 8 * len(field.shape) + math.prod(field.shape) * item
