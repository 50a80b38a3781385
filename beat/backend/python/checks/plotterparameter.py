"""The rules for sets of parameters of plotters."""

from __future__ import annotations

from collections.abc import Iterator

from ..schema import Finding
from .catalog import Entry, Reference, Rules
from .parameters import check_values
from .references import check_references


def references(entry: Entry) -> Iterator[Reference]:
    """Return the plotter."""
    node = entry.root["plotter"]
    if node.text is not None:
        yield Reference("plotter", node.text, node)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a set of parameters."""
    yield from check_references(entry)
    for plotter in entry.referred:
        owner = f"plotter `{plotter.name}'"
        yield from check_values(entry.root["data"], owner, plotter.root["parameters"])


RULES = Rules(references, check)
