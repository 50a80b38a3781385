"""The rules for what flows through an experiment: formats, and what is synchronised with what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..schema import Finding, Node
from .catalog import Entry
from .database import sets_of
from .dataformat import ancestors
from .sides import Side
from .toolchain import Connection, Graph

#: numbers of inputs and outputs that are synchronised with each other
Group = tuple[int, int]


def check_flow(entry: Entry, graph: Graph, sides: list[Side]) -> Iterator[Finding]:
    """Return where the toolchain's connections do not fit the experiment.

    Parameters
    ----------
    entry : Entry
        The experiment.
    graph : Graph
        Its toolchain.
    sides : list of Side
        The algorithms, and what is mapped to their end points.
    """
    by_step: dict[str, list[Side]] = {}
    for side in sides:
        by_step.setdefault(side.step.key, []).append(side)
    for name, dataset in entry.root["datasets"].members.items():
        yield from _check_outputs(entry, graph, name, dataset)
    is_mapped = {}
    for name, mine in by_step.items():
        if name in graph.steps:
            problems = [problem for side in mine for problem in _check_maps(graph, name, side)]
            yield from problems
            is_mapped[name] = not problems and all(side.found for side in mine)
    for connection in graph.connections:
        yield from _check_formats(entry, connection, by_step)
    for name, is_well_mapped in is_mapped.items():
        if is_well_mapped:
            yield from _check_groups(graph, name, by_step[name])
            if len(by_step[name]) == 2:
                yield from _check_loop(*by_step[name])


def _check_outputs(entry: Entry, graph: Graph, name: str, dataset: Node) -> Iterator[Finding]:
    """Tell whether a set has the outputs that the toolchain draws from it."""
    outputs = _outputs_of(entry, dataset)
    if outputs is None or name not in graph.datasets:
        return
    for node in graph.datasets[name]["outputs"].items:
        if node.text is not None and node.text not in outputs.members:
            yield dataset["set"].error(
                f"set `{dataset['set'].text}' has no output `{node.text}', which the toolchain uses"
            )


def _outputs_of(entry: Entry, dataset: Node) -> Node | None:
    """Return what the set of a dataset declares to deliver."""
    database = entry.catalog.find("database", dataset["database"].text or "")
    if database is None or not database.is_sound:
        return None
    for protocol in database.root["protocols"].items:
        if protocol["name"].text == dataset["protocol"].text:
            found = sets_of(database, protocol).get(dataset["set"].text or "")
            return None if found is None else found["outputs"]
    return None


def _check_maps(graph: Graph, name: str, side: Side) -> Iterator[Finding]:
    """Tell whether a side's end points are mapped to those of the toolchain."""
    read = {connection.source for connection in graph.leaving.get(name, [])}
    for part in ("inputs", "outputs"):
        drawn = [node.text or "" for node in graph.steps[name][side.prefix + part].items]
        mapped = side.part(part).members
        seen: set[str] = set()
        for node in mapped.values():
            if node.text is not None and node.text not in drawn:
                message = f"`{name}' has no {part[:-1]} `{node.text:.100}' in the toolchain"
                yield node.error(message, known=drawn)
            elif node.text in seen:
                yield node.error(f"{part[:-1]} `{node.text}' is mapped twice")
            seen.add(node.text or "")
        if seen <= {*drawn}:
            for end in drawn:
                if end not in seen and (part == "inputs" or f"{name}.{end}" in read):
                    where = side.part(part) or side.step
                    yield where.error(
                        f"{part[:-1]} `{end}' of the toolchain is not mapped",
                        key=bool(side.part(part)),
                    )


def _check_formats(
    entry: Entry, connection: Connection, sides: dict[str, list[Side]]
) -> Iterator[Finding]:
    """Tell whether what a connection delivers is what its end takes."""
    start, _, output = connection.source.partition(".")
    end, _, name = connection.target.partition(".")
    outputs = _outputs_of(entry, entry.root["datasets"][start])
    given = None if outputs is None else outputs[output].text
    for side in sides.get(start, []):
        given = side.type_of("outputs", output) or given
    if given is None:
        return
    accepted = [given, *ancestors(entry.catalog.find("dataformat", given))]
    for side in sides.get(end, []):
        wanted = side.type_of("inputs", name)
        if wanted is not None and wanted not in accepted:
            node = next(n for n in side.part("inputs").members.values() if n.text == name)
            yield node.error(
                f"`{connection.source}' gives `{given}', but input `{node.key}' of algorithm "
                f"`{side.algorithm.text}' takes `{wanted}'"
            )


def _check_groups(graph: Graph, name: str, sides: list[Side]) -> Iterator[Finding]:
    """Tell whether algorithms group inputs and outputs as the toolchain's channels do."""
    arriving = Counter(c.channel for c in graph.arriving.get(name, []))
    pairs = {(c.source, c.channel) for c in graph.leaving.get(name, [])}
    leaving = Counter(channel for _, channel in pairs)
    drawn = Counter((count, leaving[channel]) for channel, count in arriving.items())
    declared = Counter(_groups(sides))
    if drawn != declared:
        yield sides[0].algorithm.error(
            f"the algorithm's groups do not fit the channels of `{name}' in the toolchain: "
            f"{_in_words(declared)} in the algorithm, {_in_words(drawn)} in the toolchain",
        )


def _groups(sides: list[Side]) -> list[Group]:
    """Return the sizes of the groups, summed up over the sides."""
    sizes: list[list[int]] = []
    for side in sides:
        groups = [] if side.found is None else side.found.root["groups"].items
        for i, group in enumerate(groups):
            if i == len(sizes):
                sizes.append([0, 0])
            sizes[i][0] += len(group["inputs"].members)
            sizes[i][1] += len(group["outputs"].members)
    return [(inputs, outputs) for inputs, outputs in sizes]


def _in_words(groups: Counter[Group]) -> str:
    texts = [f"{inputs} in / {outputs} out" for inputs, outputs in sorted(groups.elements())]
    return " and ".join(texts) or "nothing"


def _check_loop(processor: Side, evaluator: Side) -> Iterator[Finding]:
    """Tell whether the two algorithms of a loop can talk to each other."""
    if processor.found is None or evaluator.found is None:
        return
    for part in ("request", "answer"):
        mine, theirs = (
            side.found.root["groups"].items[0]["loop"][part]["type"].text
            for side in (processor, evaluator)
            if side.found is not None and side.found.root["groups"].items
        )
        if mine != theirs:
            yield evaluator.algorithm.error(
                f"the {part} of the evaluator is `{theirs}', that of the processor `{mine}'"
            )
    kinds = [side.found.root["type"].text or "" for side in (processor, evaluator) if side.found]
    if kinds[0].startswith("autonomous") and kinds[1].startswith("sequential"):
        yield evaluator.algorithm.error(
            "a sequential evaluator cannot follow an autonomous processor",
            expected="an autonomous evaluator",
        )
