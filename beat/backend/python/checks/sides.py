"""The sides of an experiment's steps: where an algorithm meets a toolchain.

A block and an analyzer have one side, a loop has two: its processor and its evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..schema import Finding, Node
from . import algorithm as algorithms
from .catalog import Entry
from .parameters import check_values

_ROLES = {"": "block", "processor": "loop's processor", "evaluator": "loop's evaluator"}


class Side:
    """One algorithm in an experiment.

    Attributes
    ----------
    entry : Entry
        The experiment.
    step : Node
        The block, loop or analyzer.
    prefix : str
        What the keys of a loop start with, ``processor_`` or ``evaluator_``; else nothing.
    role : str
        What the algorithm is to be: ``block``, ``analyzer``, ``processor`` or ``evaluator``.
    algorithm : Node
        Where the algorithm is named.
    """

    def __init__(self, entry: Entry, step: Node, prefix: str, role: str) -> None:
        self.entry = entry
        self.step = step
        self.prefix = prefix
        self.role = role
        self.algorithm = step[prefix + "algorithm"]

    def part(self, name: str) -> Node:
        """Return inputs, outputs or parameters of this side."""
        return self.step[self.prefix + name]

    @property
    def found(self) -> Entry | None:
        """The algorithm; None if it is not there, or has errors of its own."""
        found = self.entry.catalog.find("algorithm", self.algorithm.text or "")
        return found if found is not None and found.is_sound else None

    def end_points(self, part: str) -> dict[str, Node]:
        """Return the inputs or outputs that the algorithm declares."""
        return {} if self.found is None else algorithms.end_points(self.found, part)

    def type_of(self, part: str, name: str) -> str | None:
        """Return the format of an end point of the toolchain, told by what is mapped to it."""
        for mine, node in self.part(part).members.items():
            declared = self.end_points(part).get(mine)
            if node.text == name and declared is not None:
                return declared["type"].text
        return None

    def check(self) -> Iterator[Finding]:
        """Return what does not fit the algorithm."""
        if self.found is None:
            return
        owner = f"algorithm `{self.found.name}'"
        yield from self._check_role(self.found)
        for part in ("inputs", "outputs"):
            known, mapped = self.end_points(part), self.part(part)
            wrong = [node for name, node in mapped.members.items() if name not in known]
            for node in wrong:
                yield node.error(
                    f"{owner} has no {part[:-1]} `{node.key:.100}'", key=True, known=known
                )
            missing = [name for name in known if name not in mapped.members]
            if mapped and not wrong and missing:
                yield mapped.error(f"{part[:-1]} `{missing[0]}' of {owner} is not mapped", key=True)
        declared = self.found.root["parameters"]
        yield from check_values(self.part("parameters"), owner, declared)
        given = {*self.part("parameters").members, *self._global_values().members}
        for name, node in declared.members.items():
            if not node["default"] and name not in given:
                yield self.algorithm.warning(f"parameter `{name}' has neither default nor value")
        slots = self.step["nb_slots"]
        is_split = isinstance(slots.value, int) and slots.value > 1
        if (
            is_split
            and self.found.root["splittable"].value is not True
            and self.prefix != "processor_"
        ):
            yield slots.error(f"{owner} cannot be split", expected="1")

    def _global_values(self) -> Node:
        return self.entry.root["globals"][self.algorithm.text or ""]

    def _check_role(self, found: Entry) -> Iterator[Finding]:
        kind = algorithms.type_of(found)
        role = kind.rpartition("_")[2] if "_loop_" in kind else "block"
        role = "analyzer" if algorithms.is_analyzer(found) else role
        if role != self.role:
            article = "an" if role[0] in "ae" else "a"
            yield self.algorithm.error(
                f"algorithm `{found.name}' is for {article} {role}",
                expected=f"one for this {self.role}",
            )


def sides_of(entry: Entry) -> list[Side]:
    """Return the sides of all steps of an experiment."""
    found = [Side(entry, node, "", "block") for node in entry.root["blocks"].members.values()]
    for node in entry.root["loops"].members.values():
        found += [Side(entry, node, f"{role}_", role) for role in ("processor", "evaluator")]
    analyzers = entry.root["analyzers"].members.values()
    return found + [Side(entry, node, "", "analyzer") for node in analyzers]
