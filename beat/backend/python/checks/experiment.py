"""The rules for experiments: datasets, algorithms and parameters must fit the toolchain."""

from __future__ import annotations

from collections.abc import Iterator

from ..schema import Finding, Node
from .catalog import Entry, Reference, Rules
from .database import sets_of
from .flow import check_flow
from .parameters import check_values
from .references import check_references
from .sides import Side, sides_of
from .toolchain import Graph


def references(entry: Entry) -> Iterator[Reference]:
    """Return the toolchain, the databases and the algorithms."""
    toolchain = toolchain_name(entry)
    if toolchain is not None:
        yield Reference("toolchain", toolchain, entry.root)
    for dataset in entry.root["datasets"].members.values():
        if dataset["database"].text is not None:
            yield Reference("database", dataset["database"].text, dataset["database"])
    for side in sides_of(entry):
        if side.algorithm.text is not None:
            yield Reference("algorithm", side.algorithm.text, side.algorithm)


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with an experiment."""
    sides = sides_of(entry)
    yield from check_references(entry)
    for dataset in entry.root["datasets"].members.values():
        yield from _check_set(entry, dataset)
    for side in sides:
        yield from side.check()
    yield from _check_globals(entry, sides)
    toolchain = entry.catalog.find("toolchain", toolchain_name(entry) or "")
    if toolchain is not None and toolchain.is_sound:
        graph = Graph(toolchain.root)
        yield from _check_names(entry.root, graph)
        yield from check_flow(entry, graph, sides)


def toolchain_name(entry: Entry) -> str | None:
    """Return the name of the toolchain, which is a part of the experiment's own name."""
    pieces = entry.name.split("/")
    return "/".join(pieces[1:4]) if len(pieces) == 5 else None


def _check_set(entry: Entry, dataset: Node) -> Iterator[Finding]:
    """Tell whether protocol and set of a dataset are in its database."""
    database = entry.catalog.find("database", dataset["database"].text or "")
    if database is None or not database.is_sound:
        return
    protocols = {node["name"].text: node for node in database.root["protocols"].items}
    protocol = protocols.get(dataset["protocol"].text)
    if protocol is None:
        name = dataset["protocol"].text
        if name is not None:
            message = f"database `{database.name}' has no protocol `{name:.100}'"
            yield dataset["protocol"].error(message, known=[str(known) for known in protocols])
        return
    sets = sets_of(database, protocol)
    name = dataset["set"].text
    if name is not None and name not in sets:
        message = f"protocol `{dataset['protocol'].text}' has no set `{name:.100}'"
        yield dataset["set"].error(message, known=sets)
    elif name is not None and not (sets[name]["view"] or protocol["views"][name]["view"]):
        yield dataset["set"].error(f"database `{database.name}' has no view for set `{name}'")


def _check_globals(entry: Entry, sides: list[Side]) -> Iterator[Finding]:
    used = {side.algorithm.text: side for side in sides if side.algorithm.text is not None}
    for name, node in entry.root["globals"].members.items():
        if "/" not in name:
            continue
        if name not in used:
            yield node.error(f"algorithm `{name:.200}' is not used here", key=True, known=used)
        elif (found := used[name].found) is not None:
            yield from check_values(node, f"algorithm `{name}'", found.root["parameters"])


def _check_names(root: Node, graph: Graph) -> Iterator[Finding]:
    """Tell whether the experiment has what the toolchain has, and nothing else."""
    for part in ("datasets", "blocks", "loops", "analyzers"):
        known, mine = getattr(graph, part), root[part].members
        if part != "loops" and not isinstance(root[part].value, dict):
            continue  # the schema says so
        wrong = [node for name, node in mine.items() if name not in known]
        for node in wrong:
            message = f"the toolchain has no {part[:-1]} `{node.key:.100}'"
            yield node.error(message, key=True, known=[name for name in known if name not in mine])
        missing = [name for name in known if name not in mine]
        for name in missing[len(wrong) :]:
            where = root[part] or root
            yield where.error(
                f"{part[:-1]} `{name}' of the toolchain is missing", key=bool(root[part])
            )


RULES = Rules(references, check)
