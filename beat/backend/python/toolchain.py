"""Toolchains: the blocks of an experiment and the connections that data takes between them."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from . import utils
from .asset import JSON, Asset
from .checks import errors_in


class Storage(utils.UserStorage):
    """The files of a toolchain."""

    asset_type = "toolchain"
    asset_folder = "toolchains"


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
    errors : list of str
        Everything that is wrong, as `checks.check` finds it.
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
        self.errors += errors_in(self)
        for part in ("datasets", "blocks", "loops", "analyzers"):
            setattr(self, part, _by_name(self.data.get(part)))
        self.connections += _connections(self.data.get("connections"))

    @property
    def steps(self) -> dict[str, JSON]:
        """Everything that is computed: blocks, loops and analyzers, by name, in this order."""
        return {**self.blocks, **self.loops, **self.analyzers}

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
        needed = self.dependencies()
        places = {name: place for place, name in enumerate(needed)}
        try:
            sorted_ = [*TopologicalSorter(needed).static_order()]
        except CycleError as error:
            cycle = " -> ".join(error.args[1][:10])
            raise RuntimeError(f"toolchain `{self._name}' has a cycle: {cycle}") from None
        # how often the declarations are gone through before a step has all that it needs
        rounds: dict[str, int] = {}
        for name in sorted_:
            rounds[name] = max(
                (rounds[other] + (places[other] > places[name]) for other in needed[name]),
                default=0,
            )
        return sorted(needed, key=lambda name: (rounds[name], places[name]))


def _by_name(declared: Any) -> dict[str, JSON]:
    """Return what is declared by name, as far as it has one."""
    items = declared if isinstance(declared, list) else []
    named = [item for item in items if isinstance(item, dict)]
    return {item["name"]: item for item in named if isinstance(item.get("name"), str)}


def _connections(declared: Any) -> Iterator[Connection]:
    """Return the connections, as far as they are well-formed."""
    for item in declared if isinstance(declared, list) else []:
        if not isinstance(item, dict):
            continue
        texts = [
            text for key in ("from", "to", "channel") if isinstance(text := item.get(key), str)
        ]
        ends = [text.split(".") for text in texts[:2]]
        if len(texts) == 3 and [len(end) for end in ends] == [2, 2]:
            yield Connection(EndPoint(*ends[0]), EndPoint(*ends[1]), texts[2])
