"""From the name of an experiment to what is going to be done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..asset import JSON
from ..experiment import Experiment
from .plan import Plan

Parameters = Mapping[tuple[str, str], Any]

_PARTS = ("parameters", "processor_parameters", "evaluator_parameters")


def set_parameters(experiment: Experiment, values: Parameters) -> None:
    """Change parameters of an experiment.

    Parameters
    ----------
    values : dict
        Values by (block, parameter). In a loop, the side that declares it gets it.

    Raises
    ------
    RuntimeError
        If there is no such block or parameter, or if the value is not accepted.
    """
    steps = {**experiment.blocks, **experiment.loops, **experiment.analyzers}
    for (block, parameter), value in values.items():
        if block not in steps:
            raise RuntimeError(_unknown("block", block, steps))
        sides = _sides_with(experiment, steps[block], parameter)
        if not sides:
            known = sorted(_all_parameters(experiment, steps[block]))
            raise RuntimeError(f"block `{block}': {_unknown('parameter', parameter, known)}")
        for side in sides:
            algorithm = experiment.algorithms[steps[block][f"{side}algorithm"]]
            try:
                algorithm.clean_parameter(parameter, value)
            except ValueError as error:
                raise RuntimeError(f"block `{block}': {error}") from None
            steps[block].setdefault(f"{side}parameters", {})[parameter] = value


def _sides_with(experiment: Experiment, step: JSON, parameter: str) -> list[str]:
    return [side for side in _sides(step) if parameter in _declared(experiment, step, side)]


def _sides(step: JSON) -> list[str]:
    return [side for side in ("", "processor_", "evaluator_") if f"{side}algorithm" in step]


def _declared(experiment: Experiment, step: JSON, side: str) -> JSON:
    return experiment.algorithms[step[f"{side}algorithm"]].parameters or {}


def _all_parameters(experiment: Experiment, step: JSON) -> set[str]:
    return {name for side in _sides(step) for name in _declared(experiment, step, side)}


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1)
    hint = f" (did you mean `{near[0]}'?)" if near else f" (there is {', '.join(known) or 'none'})"
    return f"no {kind} `{name}'{hint}"


def select(plan: Plan, first: str | None, last: str | None) -> Plan:
    """Return the part of a plan that begins with one block and ends with another.

    Parameters
    ----------
    first : str, optional
        Only this block and what depends on it.
    last : str, optional
        Only this block and what it depends on.

    Raises
    ------
    RuntimeError
        If there is no such block.
    """
    chosen = {block.name for block in plan.blocks}
    for name in (first, last):
        if name is not None and name not in chosen:
            raise RuntimeError(_unknown("block", name, sorted(chosen)))
    if first is not None:
        chosen &= _with_dependants(plan, first)
    if last is not None:
        chosen &= _with_dependencies(plan, last)
    blocks = tuple(block for block in plan.blocks if block.name in chosen)
    return Plan(plan.experiment, plan.datasets, blocks)


def _with_dependants(plan: Plan, name: str) -> set[str]:
    found = {name}
    for block in plan.blocks:
        if block.dependencies & found:
            found.add(block.name)
    return found


def _with_dependencies(plan: Plan, name: str) -> set[str]:
    found = {name}
    for block in reversed(plan.blocks):
        if block.name in found:
            found |= block.dependencies
    return found


def check_forced(plan: Plan, forced: Collection[str]) -> frozenset[str]:
    """Return the names of the blocks to be run whatever the cache holds; ``*`` means all."""
    names = [block.name for block in plan.blocks]
    if "*" in forced:
        return frozenset(names)
    for name in forced:
        if name not in names:
            raise RuntimeError(_unknown("block", name, names))
    return frozenset(forced)
