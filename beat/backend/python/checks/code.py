"""The users' code: whether it has the classes and methods that will be called.

The code is parsed, never imported. What cannot be known without running it, such as what a base
class from elsewhere brings along, is taken to be right.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..schema import Finding, Node
from ..schema.nearest import nearest
from .catalog import Entry
from .source import Source, bindings

#: something binds the name, but what it is cannot be known
_UNKNOWN = object()


class Call(NamedTuple):
    """A method, and the arguments it is called with.

    Attributes
    ----------
    name : str
        The method.
    arguments : tuple of str
        What it is given, by position.
    keywords : tuple of str
        What it is given by name.
    is_required : bool
        Whether it must be there.
    named : tuple of str
        Arguments that it must call by these names.
    """

    name: str
    arguments: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    is_required: bool = True
    named: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """How the method should be declared."""
        keywords = [f"{name}=None" for name in self.keywords]
        return f"def {self.name}({', '.join(['self', *self.arguments, *keywords])})"


def check_presence(entry: Entry) -> Iterator[Finding]:
    """Tell whether the code is there and can be parsed."""
    path = entry.code_path
    if not entry.has_language:
        return  # the schema says so
    if path is None or (entry.language == "cxx" and not os.path.lexists(path)):
        return
    where, shown = entry.root["language"] or entry.root, entry.catalog.shown(path)
    if not os.path.isfile(path):
        yield where.error(f"code file not found: {shown}")
    elif entry.catalog.leads_out(path):
        yield where.error(f"the code file is outside of the prefix: {shown}")
    elif entry.source is not None:
        yield from entry.source.findings


def check_class(
    entry: Entry, name: str, calls: Iterable[Call], where: Node, base: str = "object"
) -> Iterator[Finding]:
    """Check a class of the code of an object.

    Parameters
    ----------
    entry : Entry
        The object.
    name : str
        The class.
    calls : iterable of Call
        The methods that will be called.
    where : Node
        What asks for the class.
    base : str
        A base class that has none of the methods.
    """
    source = entry.source
    if source is None or source.tree is None or "*" in source.names:
        return
    if name not in source.names:
        yield _no_class(source, name, where)
        return
    found = source.names[name]
    if not isinstance(found, ast.ClassDef):
        return
    for call in calls:
        method = _method(source, found, call.name, {"object", base})
        if method is None and call.is_required:
            message = f"class `{name}' has no method `{call.name}'"
            yield source.at(found, message, call.signature)
        elif isinstance(method, ast.FunctionDef) and not _accepts(method, call):
            message = f"`{call.name}' will be called with {_listed(call.arguments)}"
            yield source.at(method, message, call.signature)


def _no_class(source: Source, name: str, where: Node) -> Finding:
    if where.text is not None:  # the declaration names it: there it is wrong
        return where.error(f"no class `{name}' in {source.path}", known=source.classes)
    near = nearest(name, source.classes)
    return source.finding(1, 0, f"no class `{name}'", expected=f"class {name}:", suggestion=near)


def _listed(arguments: tuple[str, ...]) -> str:
    return f"({', '.join(arguments)})"


def _method(source: Source, cls: ast.ClassDef, name: str, seen: set[str]) -> Any:
    """Return a method, `_UNKNOWN` if it may come from elsewhere, None if there is none."""
    own = bindings(cls.body)
    if name in own:
        return own[name]
    inherited = _UNKNOWN if cls.decorator_list or cls.keywords or "__getattr__" in own else None
    for base in cls.bases:
        base_name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        if base_name in seen:
            continue
        known = source.names.get(base_name) if isinstance(base, ast.Name) else None
        found = _UNKNOWN
        if isinstance(known, ast.ClassDef):
            found = _method(source, known, name, seen | {base_name})
        if found not in (None, _UNKNOWN):
            return found
        inherited = inherited or found
    return inherited


def _accepts(method: ast.FunctionDef, call: Call) -> bool:
    """Tell whether a method can be called so, as far as that can be known."""
    decorators = [item.id for item in method.decorator_list if isinstance(item, ast.Name)]
    if len(decorators) != len(method.decorator_list):
        return True
    if not set(decorators) <= {"staticmethod", "classmethod"}:
        return True
    arguments = method.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    required = len(positional) - len(arguments.defaults)
    if "staticmethod" not in decorators:
        if not positional and arguments.vararg is None:
            return False
        positional, required = positional[1:], required - 1
    by_keyword = {argument.arg for argument in arguments.kwonlyargs} | {*positional}
    needed = {
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    }
    given = len(call.arguments)
    left = positional[given:required]
    return (
        (given <= len(positional) or arguments.vararg is not None)
        and set(left) | needed <= set(call.keywords)
        and (arguments.kwarg is not None or set(call.keywords) <= by_keyword)
        and set(call.named) <= by_keyword
    )
