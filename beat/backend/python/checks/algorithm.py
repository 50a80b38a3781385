"""The rules for algorithms."""

from __future__ import annotations

from collections.abc import Iterator

from ..schema import Finding, Node
from . import library
from .catalog import Entry, Reference, Rules
from .code import Call, check_class, check_presence
from .library import check_uses
from .parameters import check_declarations
from .references import check_references


def references(entry: Entry) -> Iterator[Reference]:
    """Return the formats of end points and results, and the libraries in use."""
    points = [
        node
        for part in ("inputs", "outputs", "loop")
        for group in entry.root["groups"].items
        for node in group[part].members.values()
    ]
    for point in [*points, *entry.root["results"].members.values()]:
        name = point["type"].text
        if name is not None and (point.pointer[0] == "groups" or "/" in name):
            yield Reference("dataformat", name, point["type"])
    yield from library.references(entry)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with an algorithm."""
    yield from check_references(entry)
    yield from _check_end_points(entry.root)
    yield from check_declarations(entry.root["parameters"])
    yield from check_uses(entry)
    declared, effective = entry.root["type"], type_of(entry)
    if declared.text not in (None, effective):
        yield declared.warning(f"an algorithm of api_version 1 is {effective}", expected=effective)
    yield from check_presence(entry)
    yield from check_class(entry, "Algorithm", _calls(entry), entry.root)


def type_of(entry: Entry) -> str:
    """Return when and with what the code is called."""
    if entry.root["api_version"].value == 1 or not entry.root["api_version"]:
        return "legacy"
    return entry.root["type"].text or "sequential"


def is_analyzer(entry: Entry) -> bool:
    """Tell whether an algorithm gives results instead of outputs."""
    return bool(entry.root["results"])


def end_points(entry: Entry, part: str) -> dict[str, Node]:
    """Return the inputs or the outputs of all groups, by name."""
    groups = entry.root["groups"].items
    return {name: node for group in groups for name, node in group[part].members.items()}


def _check_end_points(root: Node) -> Iterator[Finding]:
    for part in ("inputs", "outputs"):
        seen: set[str] = set()
        for group in root["groups"].items:
            for name, node in group[part].members.items():
                if name in seen:
                    yield node.error(f"`{name}' is already in another group", key=True)
                seen.add(name)


def _calls(entry: Entry) -> list[Call]:
    """Return how the code of an algorithm will be called."""
    kind = type_of(entry)
    common = [
        Call("__init__", (), is_required=False),
        Call("setup", ("parameters",), is_required=False),
    ]
    if kind != "legacy":
        common.append(Call("prepare", ("data_loaders",), is_required=False))
    if kind.endswith("_evaluator"):
        return [
            *common,
            Call("validate", ("hypothesis",)),
            Call("write", ("outputs", "processor_output_name", "end_data_index")),
            Call("read", ("inputs",), is_required=kind.startswith("sequential")),
        ]
    arguments = {"legacy": ["inputs"], "autonomous": ["data_loaders"]}
    given = arguments.get(kind.partition("_")[0], ["inputs", "data_loaders"])
    given.append("output" if is_analyzer(entry) else "outputs")
    if kind.endswith("_processor"):
        return [*common, Call("process", (*given, "loop_channel"), named=("loop_channel",))]
    return [*common, Call("process", tuple(given))]


RULES = Rules(references, check)
