"""The rules for parameters: how they are declared, and the values they are given."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ..parameters import clean, declaration_problems
from ..schema import Finding, Node

_KEYS = ("type", "default", "description", "range", "choice")


def check_declarations(parameters: Node) -> Iterator[Finding]:
    """Return what is wrong with the declarations of parameters."""
    for name, node in parameters.members.items():
        for key, member in node.members.items():
            if key not in _KEYS:
                yield member.warning(f"unknown key `{key:.100}'", key=True, known=_KEYS)
        for key, problem in declaration_problems(copy.deepcopy(node.value)):
            if key in ("range", "choice", "default"):  # all else is the schema's business
                yield node[key].error(f"parameter `{name}': {problem}")
        limits, choice = node["range"].items, node["choice"]
        if len(limits) > 2:
            yield node["range"].warning("more than two values", expected="start and end")
        if choice and not choice.items and isinstance(choice.value, list):
            yield choice.warning(f"parameter `{name}': nothing can be chosen")


def declared_parameters(parameters: Node) -> dict[str, Any]:
    """Return the declarations of the parameters that can be used, converted to their types."""
    declared = {name: copy.deepcopy(node.value) for name, node in parameters.members.items()}
    return {name: value for name, value in declared.items() if not declaration_problems(value)}


def check_values(values: Node, owner: str, parameters: Node) -> Iterator[Finding]:
    """Return what is wrong with the values that parameters are given.

    Parameters
    ----------
    values : Node
        The values by parameter.
    owner : str
        What the parameters are those of.
    parameters : Node
        Their declarations.
    """
    usable = declared_parameters(parameters)
    for name, node in values.members.items():
        if name not in parameters.members:
            known = parameters.members
            yield node.error(f"{owner} has no parameter `{name:.100}'", key=True, known=known)
        elif name in usable:
            try:
                clean(usable[name], name, node.value)
            except ValueError as error:
                yield node.error(str(error))
