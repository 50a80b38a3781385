"""The public names of the package and the arguments of what can be called, as lines of text.

Run as a program, it prints them: what ``tests/golden/exports.txt`` has to hold.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

PACKAGE = "beat.backend.python"

#: the modules that the reference describes
PUBLIC = [
    "algorithm",
    "algorithm_runner",
    "asset",
    "baseformat",
    "checks",
    "data",
    "data_loaders",
    "database",
    "dataformat",
    "exceptions",
    "execution",
    "experiment",
    "flow",
    "flow.bridge",
    "flow.errors",
    "hash",
    "helpers",
    "inputs",
    "library",
    "loader",
    "notebook",
    "outputs",
    "plotter",
    "plotterparameter",
    "protocoltemplate",
    "pytest_plugin",
    "runner",
    "runner.engines",
    "schema",
    "stats",
    "stores",
    "testing",
    "toolchain",
    "utils",
    "views",
]


def exported() -> Iterator[str]:
    """Yield a line for each public name of each public module."""
    for name in PUBLIC:
        module = importlib.import_module(f"{PACKAGE}.{name}")
        for attribute in sorted(_names(module)):
            yield from _lines(f"{name}:{attribute}", getattr(module, attribute))


def _names(module: ModuleType) -> set[str]:
    """Return what a module makes public: what it says, or its own classes and functions."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    own = {name for name, value in vars(module).items() if _is_own(module, name, value)}
    return own | _reexported(module)


def _is_own(module: ModuleType, name: str, value: Any) -> bool:
    if name.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value)):
        return False
    return value.__module__ == module.__name__


def _reexported(module: ModuleType) -> set[str]:
    """Return the names that a module imports ``as`` themselves, which is to say for others."""
    imports = [
        n for n in ast.parse(inspect.getsource(module)).body if isinstance(n, ast.ImportFrom)
    ]
    return {one.name for node in imports for one in node.names if one.asname == one.name}


def _lines(path: str, value: Any) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"{path}{_arguments(value)}"
        return
    is_enum = issubclass(value, enum.Enum)
    yield path if is_enum else f"{path}{_arguments(value)}"
    for name, member in sorted(vars(value).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, (staticmethod, classmethod)):
            member = member.__func__
        yield f"{path}.{name}{_arguments(member) if inspect.isfunction(member) else ''}"


def _arguments(called: Any) -> str:
    """Return the names of the arguments, with defaults where these look the same everywhere."""
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return ""
    parameters = [_plain(parameter) for parameter in signature.parameters.values()]
    bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return str(bare)


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if default is not parameter.empty and not isinstance(
        default, (bool, int, float, str, tuple, type(None))
    ):
        default = _OTHER
    return parameter.replace(annotation=inspect.Parameter.empty, default=default)


class _Other:
    def __repr__(self) -> str:
        return "<object>"


_OTHER = _Other()


if __name__ == "__main__":
    print("\n".join(exported()))
