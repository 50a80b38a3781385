"""The rules for databases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from ..schema import Finding, Node
from .catalog import Entry, Reference, Rules
from .code import Call, check_class, check_presence
from .references import check_references

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PARAMETER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]*")

_CALLS = (
    Call("__init__", (), is_required=False),
    Call("index", ("root_folder", "parameters")),
    Call("get", ("output", "index")),
    Call("setup", ("root_folder", "parameters", "objs"), ("start_index", "end_index"), False),
)


def references(entry: Entry) -> Iterator[Reference]:
    """Return the formats of all outputs, and the protocol templates."""
    for protocol in entry.root["protocols"].items:
        template = protocol["template"]
        if _is_templated(entry) and template.text is not None:
            yield Reference("protocoltemplate", template.text, template)
        for one in protocol["sets"].items:
            for node in one["outputs"].members.values():
                if node.text is not None:
                    yield Reference("dataformat", node.text, node)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a database."""
    yield from check_references(entry)
    yield from check_presence(entry)
    protocols = entry.root["protocols"].items
    yield from _check_doubled("protocol", [protocol["name"] for protocol in protocols])
    for protocol in protocols:
        if _is_templated(entry):
            yield from _check_views(entry, protocol)
        else:
            yield from _check_doubled("set", [one["name"] for one in protocol["sets"].items])
    views = [one["view"] for protocol in protocols for one in _views(entry, protocol)]
    for view in {view.text: view for view in reversed(views) if view.text}.values():
        yield from check_class(entry, str(view.text), _CALLS, view, "View")
    for protocol in protocols:
        for one in _views(entry, protocol):
            for name, node in one["parameters"].members.items():
                if not _PARAMETER.fullmatch(name):
                    yield node.warning(f"`{name:.100}' is no name of a parameter", key=True)


def sets_of(entry: Entry, protocol: Node) -> dict[str, Node]:
    """Return the sets of a protocol by name."""
    sets = protocol["sets"].items
    if _is_templated(entry):
        template = entry.catalog.find("protocoltemplate", protocol["template"].text or "")
        sets = [] if template is None else template.root["sets"].items
    return {one["name"].text: one for one in sets if one["name"].text is not None}


def _is_templated(entry: Entry) -> bool:
    """Tell whether the sets are those of protocol templates."""
    return bool(entry.root["schema_version"].value == 2)


def _views(entry: Entry, protocol: Node) -> Iterable[Node]:
    """Return what says which view delivers a set."""
    if not _is_templated(entry):
        return protocol["sets"].items
    return list(protocol["views"].members.values())


def _check_doubled(what: str, names: list[Node]) -> Iterator[Finding]:
    seen = Counter(node.text for node in names if node.text is not None)
    for node in reversed(names):
        if node.text is not None and seen[node.text] > 1:
            seen[node.text] -= 1
            yield node.error(f"{what} `{node.text}' stands twice")


def _check_views(entry: Entry, protocol: Node) -> Iterator[Finding]:
    """Compare the views of a protocol with the sets of its template."""
    template = entry.catalog.find("protocoltemplate", protocol["template"].text or "")
    if template is None:
        return
    where = protocol["template"]
    sets = template.root["sets"].items
    names = [one["name"].text for one in sets if one["name"].text is not None]
    if not template.is_sound:
        yield where.error(f"protocol template `{template.name}' is not valid")
    for name in {name for name in names if names.count(name) > 1}:
        yield where.error(f"set `{name}' stands twice in the template")
    for kind, name, _ in template.references:
        if entry.catalog.find(kind, name) is None:
            yield where.error(f"an output of the template has no dataformat: `{name}'")
    views = protocol["views"].members
    for name, node in views.items():
        if name not in names:
            # what is called otherwise than any set can be, has always been accepted
            is_wrong = _NAME.fullmatch(name) or "." in name or "/" in name
            report = node.error if is_wrong else node.warning
            yield report(f"the template has no set `{name:.100}'", key=True, known=names)
        elif not node["view"]:
            yield node.warning(f"set `{name}' has no view", key=True, expected="key `view'")
    for name in names:
        if name not in views:
            yield protocol["views"].warning(f"set `{name}' has no view")


RULES = Rules(references, check)
