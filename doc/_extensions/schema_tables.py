"""The directive ``schema-tables``: a table of the fields of each kind of JSON document.

Everything comes from the schemas that documents are validated against.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from beat.backend.python.schema import KINDS, VERSIONS, load

JSON = dict[str, Any]


class Row(NamedTuple):
    """A field: where it is, whether it must be there, what it holds."""

    path: str
    required: bool
    text: str


class Walk:
    """Goes through a schema.

    Parameters
    ----------
    schema : dict
        A schema that is complete in itself.
    """

    def __init__(self, schema: JSON) -> None:
        self._definitions = schema.get("definitions", {})
        self._schema, _ = self._resolved(schema)

    def _resolved(self, schema: JSON) -> tuple[JSON, str]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return (self._definitions[name], name) if name else (schema, "")

    def fields(self, schema: JSON, path: str = "", inside: tuple[str, ...] = ()) -> Iterator[Row]:
        """Yield the fields of an object, and those of the objects in it."""
        required = schema.get("required", ())
        for name, one in schema.get("properties", {}).items():
            if one != {}:
                yield from self._field(f"{path}{name}", name in required, one, inside)
        for one in schema.get("patternProperties", {}).values():
            yield from self._field(f"{path}<name>", False, one, inside)
        if isinstance(schema.get("additionalProperties"), dict):
            yield from self._field(f"{path}<name>", False, schema["additionalProperties"], inside)

    def _field(
        self, path: str, required: bool, schema: JSON, inside: tuple[str, ...]
    ) -> Iterator[Row]:
        schema, name = self._resolved(schema)
        yield Row(path, required, _described(schema))
        if name in inside:  # dataformats hold dataformats
            return
        inside = (*inside, name) if name else inside
        yield from self.fields(schema, f"{path}.", inside)
        yield from self._variants(schema, f"{path}.", inside)
        for place, item in _items(schema):
            item, name = self._resolved(item)
            if name not in inside:
                yield from self.fields(item, f"{path}[{place}].", (*inside, name or path))

    def _variants(self, schema: JSON, path: str, inside: tuple[str, ...]) -> Iterator[Row]:
        for keyword in ("then", "else"):
            if keyword in schema:
                branch, _ = self._resolved(schema[keyword])
                when = f"if {_condition(schema['if'])}" if keyword == "then" else "else"
                for row in self.fields(branch, path, inside):
                    yield row._replace(text=f"{row.text} ({when})")

    def rows(self) -> list[Row]:
        """Return the fields of the document."""
        return list(self.fields(self._schema))

    def conditions(self, schema: JSON | None = None) -> Iterator[tuple[str, list[Row]]]:
        """Yield what holds under a condition only: the condition, and the fields it is about."""
        schema = self._schema if schema is None else schema
        if "if" not in schema:
            return
        yield f"If {_condition(schema['if'])}:", self._branch(schema["then"])
        rest = schema.get("else")
        if rest is None:
            return
        if "if" in rest:
            for text, rows in self.conditions(rest):
                yield text.replace("If", "Else, if", 1), rows
        else:
            yield "Else:", self._branch(rest)

    def _branch(self, schema: JSON) -> list[Row]:
        rows = [row for row in self.fields(schema) if row.text]
        named = {row.path for row in rows}
        required = [name for name in schema.get("required", ()) if name not in named]
        return [*rows, *(Row(name, True, "as above") for name in required)]


def _condition(schema: JSON) -> str:
    told = []
    for name, one in schema.get("properties", {}).items():
        if "enum" in one:
            told.append(f"{name} is {' or '.join(map(str, one['enum']))}")
        elif "const" in one:
            told.append(f"{name} is {one['const']}")
    known = " ".join(told)
    told += [f"there is {name}" for name in schema.get("required", ()) if name not in known]
    return " and ".join(told)


def _described(schema: JSON) -> str:
    text: str = schema.get("description", schema.get("type", ""))
    if "not" in schema:
        return f"must not be there: {text}"
    values = [str(value) for value in schema.get("enum", ())]
    return text if all(value in text for value in values) else f"{text}: {', '.join(values)}"


def _items(schema: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield what the items of a list are, each with its place in brackets."""
    items = schema.get("items")
    if isinstance(items, dict):
        yield "", items
    elif items:
        yield from ((str(position), item) for position, item in enumerate(items))
        if isinstance(schema.get("additionalItems"), dict):
            yield f"{len(items)}, ...", schema["additionalItems"]


def _code(text: str) -> nodes.literal:
    return nodes.literal(text, text)


def _table(rows: list[Row]) -> nodes.table:
    table = nodes.table()
    group = nodes.tgroup(cols=3)
    table += group
    for width in (40, 10, 50):
        group += nodes.colspec(colwidth=width)
    head, body = nodes.thead(), nodes.tbody()
    group += [head, body]
    head += _row(*(nodes.Text(text) for text in ("field", "required", "what it holds")))
    for row in rows:
        body += _row(
            _code(row.path), nodes.Text("yes" if row.required else ""), nodes.Text(row.text)
        )
    return table


def _row(*cells: nodes.Node) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        entry, paragraph = nodes.entry(), nodes.paragraph()
        paragraph += cell
        entry += paragraph
        row += entry
    return row


class SchemaTables(SphinxDirective):
    """Writes a section with tables for each document that has a schema."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return [self._section(kind, version) for kind in VERSIONS for version in VERSIONS[kind]]

    def _section(self, kind: str, version: int) -> nodes.section:
        walk = Walk(load(kind, version))
        title = f"{KINDS[kind].title if kind in KINDS else kind.capitalize()}, version {version}"
        section = nodes.section(ids=[nodes.make_id(f"schema-{kind}-{version}")])
        section += nodes.title(title, title)
        section += _table(walk.rows())
        for text, rows in walk.conditions():
            section += nodes.paragraph(text, text)
            section += _table(rows)
        return section


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("schema-tables", SchemaTables)
    return {"parallel_read_safe": True}
