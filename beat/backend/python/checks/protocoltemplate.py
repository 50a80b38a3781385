"""The rules for protocol templates.

A template may be wrong in ways that matter only to the databases made after it: to the template
itself these are warnings.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..schema import KINDS, Finding
from .catalog import Entry, Reference, Rules


def references(entry: Entry) -> Iterator[Reference]:
    """Return the formats of all outputs."""
    for one in entry.root["sets"].items:
        for node in one["outputs"].members.values():
            if node.text is not None:
                yield Reference("dataformat", node.text, node)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a protocol template."""
    for kind, name, node in entry.references:
        if entry.catalog.find(kind, name) is None:
            known = entry.catalog.names(kind)
            yield node.warning(f"no {KINDS[kind].title.lower()} `{name}'", known=known)
    seen: set[str] = set()
    for node in (one["name"] for one in entry.root["sets"].items):
        if node.text in seen:
            yield node.warning(f"set `{node.text}' stands twice")
        seen.add(node.text or "")


RULES = Rules(references, check)
