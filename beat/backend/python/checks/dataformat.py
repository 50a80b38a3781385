"""The rules for dataformats."""

from __future__ import annotations

from collections.abc import Iterator

from ..dataformat import BASIC_TYPES
from ..schema import Finding, Node
from .catalog import Entry, Reference, Rules
from .references import check_cycle, check_references

#: ancestors of a format are looked at up to that one
_MAX_ANCESTORS = 64

#: other words for basic types
SYNONYMS = {"str": "string"}


def references(entry: Entry) -> Iterator[Reference]:
    """Return the formats that fields, elements of arrays and ``#extends`` refer to."""
    for node in _parts(entry.root):
        if node.text is not None and "/" in node.text:
            yield Reference("dataformat", node.text, node)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a dataformat."""
    yield from check_references(entry)
    yield from check_cycle(entry)
    for node in _parts(entry.root):
        yield from _check_part(entry, node)


def fields_of(entry: Entry | None) -> dict[str, str]:
    """Return the fields of a format, inherited ones too: who declares each."""
    lineage = _lineage(entry)
    return {name: one.name for one in lineage for name in one.root.members if name[:1] != "#"}


def ancestors(entry: Entry | None) -> list[str]:
    """Return the names of a format and of those it extends, directly or not."""
    return [one.name for one in _lineage(entry)]


def _lineage(entry: Entry | None) -> list[Entry]:
    found: list[Entry] = []
    while entry is not None and entry not in found and len(found) < _MAX_ANCESTORS:
        found.append(entry)
        base = entry.root["#extends"].text
        entry = None if base is None else entry.catalog.find("dataformat", base)
    return found


def _parts(node: Node) -> Iterator[Node]:
    """Return all parts of a declaration that say what something is, objects before members."""
    waiting = [node]
    for part in waiting:
        yield part
        inner = part.items[-1:] if part.items else part.members.values()
        keys = ("#description", "#schema_version")
        waiting += [child for child in inner if child.key not in keys]


def _check_part(entry: Entry, node: Node) -> Iterator[Finding]:
    text = node.text
    if text in SYNONYMS:
        yield node.warning(f"`{text}' is another word for `{SYNONYMS[text]}'")
    elif text is not None and "/" not in text and text not in BASIC_TYPES:
        known = {*BASIC_TYPES, *entry.catalog.names("dataformat")} - {*SYNONYMS}
        yield node.error(f"no basic type or dataformat `{text:.100}'", known=known)
    for size in node.items[:-1]:
        if isinstance(size.value, int) and size.value < 0:
            yield size.error("a negative size: nothing fits", expected="0 for any size")
    for name, member in node.members.items():
        if name.startswith("__") and name.endswith("__"):
            yield member.warning(f"`{name}' is a reserved name: the field is left out", key=True)
    base = node["#extends"].text
    if base is not None:
        inherited = fields_of(entry.catalog.find("dataformat", base))
        for name, member in node.members.items():
            if name in inherited and inherited[name] != entry.name:
                yield member.error(f"field `{name}' is already in `{inherited[name]}'", key=True)


RULES = Rules(references, check)
