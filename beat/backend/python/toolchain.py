"""Toolchains: the blocks of an experiment and the connections that data takes between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from . import utils
from .asset import JSON, Asset


class Storage(utils.Storage):
    """The files of a toolchain, ``user/name/version`` (any other name raises `RuntimeError`)."""

    asset_type = "toolchain"
    asset_folder = "toolchains"

    def __init__(self, prefix: str, name: str) -> None:
        self.username, self.name, self.version = utils.check_name(self.asset_type, name, 3)
        self.fullname = name
        self.prefix = prefix
        super().__init__(utils.hashed_or_simple(prefix, self.asset_folder, name))


class EndPoint(NamedTuple):
    """A named input or output of a block."""

    block: str
    name: str

    def __str__(self) -> str:
        return f"{self.block}.{self.name}"


class Connection(NamedTuple):
    """What leads from an output to an input, and the dataset that synchronises it."""

    source: EndPoint
    target: EndPoint
    channel: str


_INPUTS = ("inputs", "processor_inputs", "evaluator_inputs")
_OUTPUTS = ("outputs", "processor_outputs", "evaluator_outputs")


class Toolchain(Asset):
    """A toolchain.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    data : str or dict
        The name, ``user/name/version``, or the declaration.

    Attributes
    ----------
    datasets, blocks, loops, analyzers : dict
        The declarations of these, by name.
    connections : list of Connection
        All connections.
    """

    kind = "Toolchain"
    storage_class = Storage

    def __init__(self, prefix: str, data: str | JSON) -> None:
        self._begin(prefix)
        self.datasets: dict[str, JSON] = {}
        self.blocks: dict[str, JSON] = {}
        self.loops: dict[str, JSON] = {}
        self.analyzers: dict[str, JSON] = {}
        self.connections: list[Connection] = []
        if not self._read(data):
            return
        try:
            self._read_parts()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self.errors.append(f"Toolchain declaration of the wrong form: {error!r}")
            return
        self._check_names()
        self._check_connections()
        self._check_cycles()

    def _read_parts(self) -> None:
        for part in ("datasets", "blocks", "loops", "analyzers"):
            declared = self.data.get(part, []) if part == "loops" else self.data[part]
            setattr(self, part, {item["name"]: item for item in declared})
            if len(getattr(self, part)) != len(declared):
                self.errors.append(f"{part}: a name stands twice")
        for item in self.data["connections"]:
            source, target = (EndPoint(*item[end].split(".")) for end in ("from", "to"))
            self.connections.append(Connection(source, target, item["channel"]))

    @property
    def steps(self) -> dict[str, JSON]:
        """Everything that is computed: blocks, loops and analyzers, by name, in this order."""
        return {**self.blocks, **self.loops, **self.analyzers}

    def connections_to(self, block: str) -> list[Connection]:
        """Return the connections that end at a block."""
        return [connection for connection in self.connections if connection.target.block == block]

    def dependencies(self) -> dict[str, set[str]]:
        """Return for each step the names of the steps whose outputs it reads."""
        steps = self.steps
        found: dict[str, set[str]] = {name: set() for name in steps}
        for source, target, _ in self.connections:
            if source.block in steps and target.block in steps:
                found[target.block].add(source.block)
        return found

    def execution_order(self) -> list[str]:
        """Return the steps, each after those it depends on, else in the order of declaration."""
        waiting = self.dependencies()
        order: dict[str, None] = {}
        while waiting:
            before = len(order)
            for name, needed in waiting.items():
                if needed <= order.keys():
                    order[name] = None
            if len(order) == before:
                raise RuntimeError(f"toolchain `{self._name}' has a cycle")
            waiting = {name: needed for name, needed in waiting.items() if name not in order}
        return list(order)

    def _check_names(self) -> None:
        parts = [self.datasets, self.blocks, self.loops, self.analyzers]
        names = [name for part in parts for name in part]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.errors.append(f"the name `{name}' stands for several things")
        channels = [
            (f"`{name}'", step["synchronized_channel"]) for name, step in self.steps.items()
        ]
        channels += [(f"connection {c.source} -> {c.target}", c.channel) for c in self.connections]
        for where, channel in channels:
            if channel not in self.datasets:
                self.errors.append(f"{where}: channel `{channel}' is not a dataset")

    def _check_connections(self) -> None:
        outputs = set(self._endpoints({**self.datasets, **self.steps}, _OUTPUTS))
        inputs = list(self._endpoints(self.steps, _INPUTS))
        targets = [connection.target for connection in self.connections]
        for source, target, _ in self.connections:
            if source not in outputs:
                self.errors.append(f"connection {source} -> {target}: no output `{source}'")
            if target not in inputs:
                self.errors.append(f"connection {source} -> {target}: no input `{target}'")
        for target in sorted({target for target in targets if targets.count(target) > 1}):
            self.errors.append(f"several connections end at input `{target}'")
        for endpoint in inputs:
            if endpoint not in targets:
                self.errors.append(f"input `{endpoint}' is not connected")

    def _check_cycles(self) -> None:
        try:
            TopologicalSorter(self.dependencies()).prepare()
        except CycleError as error:
            self.errors.append("cycle: " + " -> ".join(error.args[1]))

    @staticmethod
    def _endpoints(steps: dict[str, JSON], parts: Iterable[str]) -> Iterator[EndPoint]:
        for name, step in steps.items():
            for part in parts:
                for endpoint in step.get(part, ()):
                    yield EndPoint(name, endpoint)
