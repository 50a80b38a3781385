"""The rule that holds for all kinds: what a declaration refers to must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..schema import KINDS, Finding
from .catalog import Entry


def check_references(entry: Entry) -> Iterator[Finding]:
    """Tell which references lead nowhere."""
    for kind, name, node in entry.references:
        if entry.catalog.find(kind, name) is None:
            yield node.error(
                f"no {KINDS[kind].title.lower()} `{name}'",
                expected=None if re.fullmatch(KINDS[kind].pattern, name) else KINDS[kind].form,
                known=entry.catalog.names(kind),
                word=name,
            )


def check_cycle(entry: Entry) -> Iterator[Finding]:
    """Tell whether an object refers to itself, through others of its kind or directly."""
    cycle = entry.catalog.cycle(entry)
    if cycle is not None:
        node = next(
            node
            for kind, name, node in entry.references
            if (kind, name) == (entry.kind.name, cycle[1])
        )
        yield node.error(f"{entry.kind.title.lower()} refers to itself: {' -> '.join(cycle)}")
