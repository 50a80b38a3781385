"""The rules for libraries, and for all that uses libraries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..schema import Finding
from .catalog import Entry, Reference, Rules
from .code import check_presence
from .references import check_cycle, check_references

_ALIAS = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KEYS = ("schema_version", "language", "description", "uses")


def references(entry: Entry) -> Iterator[Reference]:
    """Return the libraries in use."""
    for node in entry.root["uses"].members.values():
        if node.text is not None:
            yield Reference("library", node.text, node)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a library."""
    yield from check_references(entry)
    yield from check_cycle(entry)
    yield from check_uses(entry)
    yield from check_presence(entry)
    for key, node in entry.root.members.items():
        if key not in _KEYS:
            yield node.warning(f"unknown key `{key:.100}'", key=True, known=_KEYS)


def check_uses(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with the libraries that an object uses."""
    for alias, node in entry.root["uses"].members.items():
        if not _ALIAS.fullmatch(alias):
            yield node.warning(f"the code cannot use a library called `{alias:.100}'", key=True)
        library = None if node.text is None else entry.catalog.find("library", node.text)
        if library is None or not library.has_language:
            continue
        if entry.language not in ("unknown", library.language):
            yield node.error(
                f"library `{library.name}' is written in {library.language}",
                expected=entry.language,
            )


RULES = Rules(references, check)
