"""The sides of an experiment's steps: where an algorithm meets a toolchain.

A block and an analyzer have one side, a loop has two: its processor and its evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ..schema import Finding, Node
from . import algorithm as algorithms
from .catalog import Entry
from .parameters import check_values


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

    @cached_property
    def found(self) -> Entry | None:
        """The algorithm; None if it is not there, has errors of its own, or another role."""
        found = self._sound
        return found if found is not None and _role_of(found) == self.role else None

    @cached_property
    def _sound(self) -> Entry | None:
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
        if self.found is not None:
            yield from self._check_end_points(self.found)
            yield from self._check_parameters(self.found)
            yield from self._check_slots(self.found)
        elif self._sound is not None:
            role = _role_of(self._sound)
            article = "an" if role[0] in "ae" else "a"
            message = f"algorithm `{self._sound.name}' is for {article} {role}"
            yield self.algorithm.error(message, expected=f"one for this {self.role}")

    def _check_end_points(self, found: Entry) -> Iterator[Finding]:
        for part in ("inputs", "outputs"):
            known, mapped = self.end_points(part), self.part(part)
            wrong = [node for name, node in mapped.members.items() if name not in known]
            for node in wrong:
                message = f"algorithm `{found.name}' has no {part[:-1]} `{node.key:.100}'"
                yield node.error(message, key=True, known=known)
            missing = [name for name in known if name not in mapped.members]
            for name in missing if mapped and not wrong else ():
                message = f"{part[:-1]} `{name}' of algorithm `{found.name}' is not mapped"
                yield mapped.error(message, key=True)

    def _check_parameters(self, found: Entry) -> Iterator[Finding]:
        declared, values = found.root["parameters"], self.part("parameters")
        yield from check_values(values, f"algorithm `{found.name}'", declared)
        for name, node in declared.members.items():
            if not node["default"] and name not in {*values.members, *self._shared_values}:
                yield self.algorithm.warning(f"parameter `{name}' has neither default nor value")

    @property
    def _shared_values(self) -> dict[str, Node]:
        """The values that all uses of the algorithm have in common."""
        return self.entry.root["globals"][self.algorithm.text or ""].members

    def _check_slots(self, found: Entry) -> Iterator[Finding]:
        """Tell whether work is split that cannot be; the slots of a loop are its evaluator's."""
        slots = self.step["nb_slots"]
        is_split = isinstance(slots.value, int) and slots.value > 1
        is_splittable = found.root["splittable"].value is True
        if is_split and not is_splittable and self.role != "processor":
            yield slots.error(f"algorithm `{found.name}' cannot be split", expected="1")


def _role_of(algorithm: Entry) -> str:
    """Return what an algorithm is for."""
    if algorithms.is_analyzer(algorithm):
        return "analyzer"
    kind = algorithms.type_of(algorithm)
    return kind.rpartition("_")[2] if "_loop_" in kind else "block"


def sides_of(entry: Entry) -> list[Side]:
    """Return the sides of all steps of an experiment."""
    found = [Side(entry, node, "", "block") for node in entry.root["blocks"].members.values()]
    for node in entry.root["loops"].members.values():
        found += [Side(entry, node, f"{role}_", role) for role in ("processor", "evaluator")]
    analyzers = entry.root["analyzers"].members.values()
    return found + [Side(entry, node, "", "analyzer") for node in analyzers]
