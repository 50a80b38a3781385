"""The rules for toolchains."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from ..schema import Finding, Node
from .catalog import Entry, Reference, Rules

INPUTS = ("inputs", "processor_inputs", "evaluator_inputs")
OUTPUTS = ("outputs", "processor_outputs", "evaluator_outputs")

#: at most that many cycles are told one by one
_MAX_CYCLES = 10


class Connection(NamedTuple):
    """What leads from an output to an input: their names, the channel, and where that is said."""

    source: str
    target: str
    channel: str
    node: Node


class Graph:
    """What a toolchain declares, as far as it declares it well.

    Attributes
    ----------
    datasets, blocks, loops, analyzers : dict
        The declarations of these, by name.
    outputs, inputs : dict
        The declarations of the end points, by ``<block>.<name>``.
    channels : dict
        The dataset that each output is synchronised with.
    connections : list of Connection
        The connections, whether they lead anywhere or not.
    arriving, leaving : dict
        Those that end at a block, and those that start from it, by its name.
    """

    def __init__(self, root: Node) -> None:
        self.named = [
            item["name"]
            for part in ("datasets", "blocks", "loops", "analyzers")
            for item in root[part].items
            if item["name"].text is not None
        ]
        self.datasets, self.blocks, self.loops, self.analyzers = (
            {item["name"].text or "": item for item in root[part].items}
            for part in ("datasets", "blocks", "loops", "analyzers")
        )
        self.outputs: dict[str, Node] = {}
        self.inputs: dict[str, Node] = {}
        self.channels: dict[str, str] = {}
        for name, item in [*self.datasets.items(), *self.steps.items()]:
            channel = name if name in self.datasets else item["synchronized_channel"].text
            outputs = dict(_end_points(name, item, OUTPUTS))
            self.outputs.update(outputs)
            self.inputs.update(_end_points(name, item, INPUTS) if name in self.steps else ())
            self.channels.update(dict.fromkeys(outputs, channel or ""))
        self.connections = [
            Connection(
                item["from"].text or "", item["to"].text or "", item["channel"].text or "", item
            )
            for item in root["connections"].items
        ]
        self.arriving: dict[str, list[Connection]] = {}
        self.leaving: dict[str, list[Connection]] = {}
        for connection in self.connections:
            self.arriving.setdefault(block_of(connection.target), []).append(connection)
            self.leaving.setdefault(block_of(connection.source), []).append(connection)

    @property
    def is_connected(self) -> bool:
        """Whether all connections lead from an output to an input."""
        ends = [(item.source, item.target) for item in self.connections]
        return all(start in self.outputs and end in self.inputs for start, end in ends)

    @cached_property
    def steps(self) -> dict[str, Node]:
        """Everything that is computed, by name."""
        return {**self.blocks, **self.loops, **self.analyzers}


def block_of(end_point: str) -> str:
    """Return the name of the block that an end point belongs to."""
    return end_point.partition(".")[0]


def references(entry: Entry) -> Iterator[Reference]:
    """Return nothing: a toolchain stands alone."""
    return iter(())


def check(entry: Entry) -> Iterator[Finding]:
    """Return what is wrong with a toolchain."""
    parts = ("datasets", "blocks", "analyzers", "connections")
    if not all(isinstance(entry.root[part].value, list) for part in parts):
        return  # the schema says so; all that follows from it would be noise
    graph = Graph(entry.root)
    yield from _check_names(graph)
    yield from _check_connections(graph)
    yield from _check_channels(graph)
    yield from _check_cycles(graph)
    yield from _check_representation(graph, entry.root["representation"])


def _end_points(name: str, item: Node, parts: tuple[str, ...]) -> Iterator[tuple[str, Node]]:
    for part in parts:
        for node in item[part].items:
            if node.text is not None:
                yield f"{name}.{node.text}", node


def _check_names(graph: Graph) -> Iterator[Finding]:
    seen: set[str] = set()
    for node in graph.named:
        name = node.text or ""
        if name in seen:
            yield node.error(f"the name `{name}' stands for something else already")
        seen.add(name)
    for name, loop in graph.loops.items():
        for side, ends in (("outputs", graph.outputs), ("inputs", graph.inputs)):
            processor = {node.text for node in loop[f"processor_{side}"].items}
            for node in loop[f"evaluator_{side}"].items:
                if node.text in processor and f"{name}.{node.text}" in ends:
                    report = node.error if side == "outputs" else node.warning
                    yield report(f"processor and evaluator both have `{node.text}' in their {side}")


def _check_connections(graph: Graph) -> Iterator[Finding]:
    reached: set[str] = set()
    for source, target, _, node in graph.connections:
        if source and source not in graph.outputs:
            yield node["from"].error(f"no output `{source:.200}'", known=graph.outputs)
        if target and target not in graph.inputs:
            yield node["to"].error(f"no input `{target:.200}'", known=graph.inputs)
        elif target in reached:
            yield node["to"].error(f"another connection ends at input `{target}'")
        reached.add(target)
    for name, node in graph.inputs.items():
        if name not in reached:
            yield node.error(f"input `{name}' is not connected")
    if not graph.is_connected:
        return
    read = {connection.source for connection in graph.connections}
    for name, node in graph.outputs.items():
        if name not in read and name.partition(".")[0] not in graph.datasets:
            yield node.warning(f"nothing is connected to output `{name}'")


def _check_channels(graph: Graph) -> Iterator[Finding]:
    synchronized = {name: item["synchronized_channel"] for name, item in graph.steps.items()}
    named = [*synchronized.values(), *(item.node["channel"] for item in graph.connections)]
    for node in named:
        if node.text is not None and node.text not in graph.datasets:
            yield node.error(f"no dataset `{node.text:.100}'", known=graph.datasets)
    arriving: dict[str, set[str]] = {}
    for source, target, channel, node in graph.connections:
        arriving.setdefault(target.partition(".")[0], set()).add(channel)
        right = graph.channels.get(source)
        if right in graph.datasets and channel in graph.datasets and channel != right:
            yield node["channel"].error(
                f"output `{source}' is synchronised with `{right}'", expected=f'"{right}"'
            )
    for name, node in synchronized.items():
        channels = arriving.get(name, set())
        is_known = channels and node.text in graph.datasets and channels <= graph.datasets.keys()
        if is_known and node.text not in channels:
            yield node.error(
                f"no input of `{name}' is on its channel", expected=" or ".join(sorted(channels))
            )


def _check_cycles(graph: Graph) -> Iterator[Finding]:
    edges: dict[tuple[str, str], Node] = {}
    before: dict[str, set[str]] = {name: set() for name in graph.steps}
    for source, target, _, node in graph.connections:
        start, end = source.partition(".")[0], target.partition(".")[0]
        if start in before and end in before:
            edges[start, end] = node
            before[end].add(start)
    for _ in range(_MAX_CYCLES):
        try:
            TopologicalSorter(before).prepare()
            return
        except CycleError as error:
            cycle: list[str] = error.args[1]
            before[cycle[1]].remove(cycle[0])
            yield edges[cycle[0], cycle[1]].error(f"cycle: {' -> '.join(cycle)}")


def _check_representation(graph: Graph, drawn: Node) -> Iterator[Finding]:
    known = {
        "blocks": ("dataset, block, loop or analyzer", {*graph.datasets, *graph.steps}),
        "channel_colors": ("dataset", set(graph.datasets)),
    }
    if graph.is_connected:
        connections = {f"{item.source}/{item.target}" for item in graph.connections}
        known["connections"] = ("connection", connections)
    for part, (what, names) in known.items():
        for name, node in drawn[part].members.items():
            if name not in names:
                yield node.error(f"no {what} `{name:.200}'", key=True, known=names)
    colors = drawn["channel_colors"]
    for name in graph.datasets:
        if colors and name not in colors.members:
            yield colors.warning(f"no colour for dataset `{name}'")


RULES = Rules(references, check)
