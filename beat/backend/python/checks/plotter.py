"""The rules for plotters."""

from __future__ import annotations

from collections.abc import Iterator

from ..schema import Finding
from . import library
from .catalog import Entry, Reference, Rules
from .code import check_presence
from .library import check_uses
from .parameters import check_declarations
from .references import check_references


def references(entry: Entry) -> Iterator[Reference]:
    """Return the format of what is plotted, and the libraries in use."""
    node = entry.root["dataformat"]
    if node.text is not None:
        yield Reference("dataformat", node.text, node)
    yield from library.references(entry)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a plotter."""
    yield from check_references(entry)
    yield from check_declarations(entry.root["parameters"])
    yield from check_uses(entry)
    yield from check_presence(entry)


RULES = Rules(references, check)
