"""Objects of a prefix as people name them on a command line."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from ..checks import Catalog, Entry
from ..checks.catalog import name_of
from ..experiment import complete_label
from ..schema import KINDS, Kind
from ..schema.nearest import nearest

#: the class of each kind
_CLASSES = {
    "dataformat": "dataformat:DataFormat",
    "library": "library:Library",
    "algorithm": "algorithm:Algorithm",
    "protocoltemplate": "protocoltemplate:ProtocolTemplate",
    "database": "database:Database",
    "toolchain": "toolchain:Toolchain",
    "experiment": "experiment:Experiment",
    "plotter": "plotter:Plotter",
    "plotterparameter": "plotterparameter:PlotterParameter",
}


def load_asset(entry: Entry) -> Any:
    """Return the object that an entry declares."""
    return _class_of(entry.kind.name)(entry.catalog.prefix, entry.name)


def storage_of(kind: str, prefix: str, name: str) -> Any:
    """Return the files of an object, there or not; `RuntimeError` for an impossible name."""
    return _class_of(kind).storage_class(prefix, name)


def _class_of(kind: str) -> Any:
    module, _, name = _CLASSES[kind].partition(":")
    return getattr(import_module(f"{__package__.rpartition('.')[0]}.{module}"), name)


def kind_called(word: str) -> Kind | None:
    """Return the kind that a word means, singular or plural; None if it means none."""
    return next((kind for kind in KINDS.values() if word in (kind.name, kind.folder)), None)


def find_entries(catalog: Catalog, word: str) -> list[Entry]:
    """Return the objects that a word stands for.

    Parameters
    ----------
    catalog : Catalog
        What is in the prefix.
    word : str
        A kind (``algorithms``), a file or folder of the prefix, a name with its folder
        (``algorithms/user/name/1``), or a name alone.

    Raises
    ------
    click.UsageError
        If it stands for nothing.
    """
    kind = kind_called(word)
    if kind is not None:
        return _all(catalog, kind)
    found = _at_path(catalog, word) or _in_folder(catalog, word) or _named(catalog, word)
    if not found:
        known = [name for kind in KINDS for name in catalog.names(kind)]
        near = nearest(word, [*known, *KINDS, *(kind.folder for kind in KINDS.values())])
        hint = f"; did you mean `{near}'?" if near else ""
        raise click.UsageError(f"nothing in the prefix is called `{word[:200]}'{hint}")
    return found


def find_entry(catalog: Catalog, word: str) -> Entry:
    """Return the one object that a word stands for; `click.UsageError` if it is not one."""
    found = find_entries(catalog, word)
    if len(found) > 1:
        names = ", ".join(f"{entry.kind.folder}/{entry.name}" for entry in found[:5])
        raise click.UsageError(f"`{word}' stands for {len(found)} objects: {names}")
    return found[0]


def _all(catalog: Catalog, kind: Kind, start: str = "") -> list[Entry]:
    names = [name for name in catalog.names(kind.name) if name.startswith(start)]
    found = (catalog.find(kind.name, name) for name in names)
    return [entry for entry in found if entry is not None]


def _at_path(catalog: Catalog, word: str) -> list[Entry]:
    """Return what is in a file or in a folder."""
    if "\0" in word or not any(os.path.exists(word + suffix) for suffix in ("", ".json")):
        return []
    path = os.path.abspath(word)
    for folder in catalog.folders:
        root = os.path.abspath(folder)
        if path == root:
            return [entry for kind in KINDS.values() for entry in _all(catalog, kind)]
        if path.startswith(root + os.sep):
            return _in_folder(catalog, os.path.relpath(path, root))
    return []


def _in_folder(catalog: Catalog, word: str) -> list[Entry]:
    """Return what is called so with the folder of its kind: an object, or all in a folder."""
    folder, _, rest = word.rstrip("/").partition("/")
    kind = next((kind for kind in KINDS.values() if kind.folder == folder), None)
    if kind is None:
        return []
    if not rest:
        return _all(catalog, kind)
    stem, suffix = os.path.splitext(rest)
    name = name_of(kind, stem if suffix in (".json", ".py", ".rst") else rest)
    entry = catalog.find(kind.name, name) if name is not None else None
    return [entry] if entry is not None else _all(catalog, kind, rest + "/")


def _named(catalog: Catalog, word: str) -> list[Entry]:
    found = [catalog.find(kind, word) for kind in KINDS]
    with suppress(RuntimeError):  # no form of an experiment's name
        found.append(catalog.find("experiment", complete_label(word)))
    return list(dict.fromkeys(entry for entry in found if entry is not None))
