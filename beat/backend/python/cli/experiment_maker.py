"""Makes an experiment for a toolchain, with the databases and algorithms that it lacks.

Whatever the toolchain is like: its datasets get sets that have the right outputs, its blocks get
new algorithms that hand on what they read.
"""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import click

from ..checks import Entry
from ..checks.database import sets_of
from ..checks.toolchain import Connection, Graph
from ..schema import Node
from . import skeletons
from .skeletons import JSON, Files, Group

if TYPE_CHECKING:
    from .maker import Maker


class ExperimentMaker:
    """Makes the declaration of an experiment.

    Parameters
    ----------
    maker : Maker
        What makes the objects that are not there.
    name : str
        The full name of the experiment.
    toolchain : str
        The name of its toolchain, which is there.
    """

    def __init__(self, maker: Maker, name: str, toolchain: str) -> None:
        found = maker.catalog.find("toolchain", toolchain)
        if found is None or not found.is_sound:
            findings = [] if found is None else found.findings
            raise click.ClickException(
                f"toolchain `{toolchain}' has errors:\n" + "\n".join(findings)
            )
        self.maker = maker
        self.user = name.partition("/")[0]
        self.label = toolchain.split("/")[1]
        self.graph = Graph(found.root)
        self.formats: dict[str, str] = {}

    def make(self) -> Files:
        """Return the declaration; what it needs is there then."""
        declaration: JSON = {
            "schema_version": 2,
            "description": f"The toolchain {self.label}, to start from",
            "datasets": {name: self._dataset(name) for name in self.graph.datasets},
            "blocks": {},
            "loops": {},
            "analyzers": {},
            "globals": {},
        }
        for name in self._order():
            if name in self.graph.blocks:
                declaration["blocks"][name] = self._step(name, "sequential")
            elif name in self.graph.analyzers:
                declaration["analyzers"][name] = self._step(name, "analyzer")
            elif name in self.graph.loops:
                declaration["loops"][name] = {
                    **self._step(name, "sequential_loop_processor", "processor_"),
                    **self._step(name, "autonomous_loop_evaluator", "evaluator_"),
                }
        return Files(declaration)

    def _order(self) -> list[str]:
        before: dict[str, set[str]] = {name: set() for name in self.graph.steps}
        for connection in self.graph.connections:
            before[_block(connection.target)].add(_block(connection.source))
        return list(TopologicalSorter(before).static_order())

    def _dataset(self, name: str) -> JSON:
        """Return a set that has the outputs of a dataset."""
        outputs = [node.text or "" for node in self.graph.datasets[name]["outputs"].items]
        catalog = self.maker.catalog
        for database in catalog.names("database"):
            entry = catalog.find("database", database)
            if entry is None or not entry.is_sound:
                continue
            for protocol, set_name, declared in _usable_sets(entry):
                if {*outputs} <= declared.keys():
                    for output in outputs:
                        self.formats[f"{name}.{output}"] = declared[output].text or ""
                    return {"database": database, "protocol": protocol, "set": set_name}
        chosen = self.maker.some_format(self.user)
        unit = self.maker.unit_code(chosen)
        made = self._free("database", f"{self.label}_{name}")
        self.maker.write(
            "database", made, skeletons.database(made, dict.fromkeys(outputs, (chosen, unit)))
        )
        self.formats.update({f"{name}.{output}": chosen for output in outputs})
        return {"database": made, "protocol": "main", "set": "all"}

    def _step(self, name: str, kind: str, prefix: str = "") -> JSON:
        """Return a block or an analyzer, or one side of a loop, with a new algorithm."""
        side = f"_{prefix[:-1]}" if prefix else ""
        algorithm = self._free("algorithm", f"{self.user}/{self.label}_{name}{side}")
        groups = self._groups(name, prefix)
        talk = None
        if prefix:  # both sides of a loop talk in the format of the processor's first input
            talk = next(iter(self._groups(name, "processor_")[0].inputs.values()))
        self.maker.write("algorithm", algorithm, skeletons.algorithm(kind, groups, talk))
        inputs = self._ends(name, prefix + "inputs")
        step: JSON = {f"{prefix}algorithm": algorithm, f"{prefix}inputs": inputs}
        if kind != "analyzer":
            outputs = self._ends(name, prefix + "outputs")
            step[f"{prefix}outputs"] = outputs
            given = next(iter(groups[0].inputs.values()))
            self.formats.update({f"{name}.{output}": given for output in outputs.values()})
        return step

    def _ends(self, name: str, part: str) -> dict[str, str]:
        """Return the map of end points of a new algorithm to those of the toolchain."""
        names = [node.text or "" for node in self.graph.steps[name][part].items]
        read = {connection.source for connection in self.graph.connections}
        if part.endswith("outputs"):
            names = [end for end in names if f"{name}.{end}" in read]
        return {end.replace("-", "_"): end for end in names}

    def _groups(self, name: str, prefix: str) -> list[Group]:
        """Return the end points of a new algorithm by channel, the block's own first."""
        own = self.graph.steps[name]["synchronized_channel"].text or ""
        arriving = {_end(c.target): c for c in self.graph.connections if _block(c.target) == name}
        by_channel: dict[str, dict[str, str]] = {own: {}}
        for mine, end in self._ends(name, prefix + "inputs").items():
            connection: Connection = arriving[end]
            known = by_channel.setdefault(connection.channel, {})
            known[mine] = self.formats[connection.source]
        if not by_channel[own]:
            raise click.ClickException(f"no input of `{name}' is on its channel `{own}'")
        given = next(iter(by_channel[own].values()))
        outputs = dict.fromkeys(self._ends(name, prefix + "outputs"), given)
        return [
            Group(inputs, outputs if channel == own else {})
            for channel, inputs in by_channel.items()
        ]

    def _free(self, kind: str, start: str) -> str:
        """Return the first version that there is none of yet."""
        names = self.maker.catalog.names(kind)
        return next(name for i in range(1, len(names) + 2) if (name := f"{start}/{i}") not in names)


def _usable_sets(database: Entry) -> list[tuple[str, str, dict[str, Node]]]:
    """Return protocol, name and outputs of each set that has a view."""
    found = []
    for protocol in database.root["protocols"].items:
        for name, declared in sets_of(database, protocol).items():
            if declared["view"] or protocol["views"][name]["view"]:
                found.append((protocol["name"].text or "", name, declared["outputs"].members))
    return found


def _block(end_point: str) -> str:
    return end_point.partition(".")[0]


def _end(end_point: str) -> str:
    return end_point.partition(".")[2]
