"""Writes the function that makes an object of a dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..casting import setup_array, setup_scalar
from .source import Field, Source

if TYPE_CHECKING:
    from . import Codec


class Building(Source):
    """Writes ``build``: what has the right type already is taken without a call."""

    def compile(self) -> Any:
        """Compile ``build``."""
        fields = self.codec.fields
        variables = [self.variable() for _ in fields]
        pairs = list(zip(variables, fields, strict=True))
        again = f"{self.constant(_build_completed)}({self.constant(self.codec)}, data, "
        self.lines += [
            "try:",
            *(f"  {variable} = data[{field.name!r}]" for variable, field in pairs),
            f"  whole = len(data) == {len(fields)}",
            "except (KeyError, TypeError):",
            "  whole = False",
            f"if not whole: return {again}casting, add_defaults, into)",
        ]
        for variable, field in pairs:
            self._cast(variable, field)
        new = f"{self.constant(object.__new__)}({self.constant(self.codec.klass)})"
        self.lines += [f"if into is None: into = {new}", "d = into.__dict__"]
        self.lines += [f"d[{field.name!r}] = {variable}" for variable, field in pairs]
        head = "data, casting='safe', add_defaults=False, into=None"
        return self.function(head, [*self.lines, "return into"])

    def _cast(self, variable: str, field: Field) -> None:
        dtype = self.constant(field.dtype)
        names = f"{self.constant(self.codec.name)}, {field.name!r}"
        if field.shape:
            names += f", {self.constant(field.shape)}"
        function = self.constant(setup_array if field.shape else setup_scalar)
        cast = f"{variable} = {function}({names}, {dtype}, {variable}, casting, add_defaults)"
        if field.kind == "object" and not field.shape:
            # an empty dictionary stands for the default
            build = f"{self.constant(field.inner.build)}({variable}, casting, add_defaults)"
            self.lines += [
                f"if type({variable}) is dict and {variable}: {variable} = {build}",
                f"elif type({variable}) is not {dtype}: {cast}",
            ]
        elif not field.shape:
            exact = str if field.kind == "text" else field.dtype.type
            self.lines.append(f"if type({variable}) is not {self.constant(exact)}: {cast}")
        elif field.kind in ("text", "object"):
            self.lines.append(cast)
        else:
            self.lines.append(f"if {self.other_array(field, variable)}: {cast}")


def _build_completed(codec: Codec, data: Any, casting: str, add_defaults: bool, into: Any) -> Any:
    return codec.build(codec.complete(data, add_defaults), casting, add_defaults, into)
