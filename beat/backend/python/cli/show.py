"""``beat ls``, ``beat show`` and ``beat deps``: what there is in a prefix."""

from __future__ import annotations

import os
from typing import Any

import click
import simplejson

from ..checks import Catalog, Entry, open_catalog
from ..schema import KINDS, Node
from .main import Folders, check_prefix
from .names import find_entry, kind_called, load_asset

#: at most that many formats are written out within one declaration
_MAX_FORMATS = 1000

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("kind", required=False)
@as_json_option
@click.pass_obj
def ls(folders: Folders, kind: str | None, as_json: bool) -> None:
    """List the objects of the prefix, or those of one kind such as `algorithms`."""
    check_prefix(folders)
    catalog = open_catalog(folders.prefix)
    chosen = None if kind is None else kind_called(kind)
    if kind is not None and chosen is None:
        known = ", ".join(known.folder for known in KINDS.values())
        raise click.UsageError(f"no kind is called `{kind[:100]}': expected one of {known}")
    kinds = [chosen.name] if chosen else list(KINDS)
    found = [(catalog.find(name, each)) for name in kinds for each in catalog.names(name)]
    _print_list([entry for entry in found if entry is not None], as_json)


@click.command()
@click.argument("name")
@as_json_option
@click.pass_obj
def deps(folders: Folders, name: str, as_json: bool) -> None:
    """List everything an object needs, whatever depends on it last."""
    check_prefix(folders)
    catalog = open_catalog(folders.prefix)
    entry = find_entry(catalog, name)
    _print_list([one for one in catalog.closure([entry]) if one is not entry][::-1], as_json)


def _print_list(entries: list[Entry], as_json: bool) -> None:
    if as_json:
        items = [
            {"kind": e.kind.name, "name": e.name, "description": description_of(e)} for e in entries
        ]
        click.echo(simplejson.dumps(items, indent=4))
        return
    names = [f"{entry.kind.folder}/{entry.name}" for entry in entries]
    width = max(map(len, names), default=0)
    for name, entry in zip(names, entries, strict=True):
        click.echo(f"{name:<{width}}  {description_of(entry)}".rstrip())


@click.command()
@click.argument("name")
@as_json_option
@click.pass_obj
def show(folders: Folders, name: str, as_json: bool) -> None:
    """Print a declaration with the formats it refers to, its hash and its documentation."""
    check_prefix(folders)
    catalog = open_catalog(folders.prefix)
    entry = find_entry(catalog, name)
    if not isinstance(entry.document.data, dict):
        raise click.ClickException("\n".join(entry.findings))
    asset = load_asset(entry)
    shown = {
        "kind": entry.kind.name,
        "name": entry.name,
        "file": os.path.join(folders.prefix, str(entry.document.path)),
        "hash": asset.hash(),
        "needs": [f"{one.kind.folder}/{one.name}" for one in entry.referred],
        "declaration": Resolver(catalog).resolve(entry),
        "documentation": asset.documentation,
    }
    if as_json:
        click.echo(simplejson.dumps(shown, indent=4))
        return
    click.echo(f"{entry.kind.title} {entry.name}")
    click.echo(f"file: {shown['file']}\nhash: {shown['hash']}")
    for need in shown["needs"]:
        click.echo(f"needs: {need}")
    click.echo(pretty(shown["declaration"]))
    if shown["documentation"]:
        click.echo(f"\n{shown['documentation'].rstrip()}")


def pretty(value: Any, indent: str = "") -> str:
    """Return JSON, indented but for lists of plain values."""
    inner = indent + "    "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{simplejson.dumps(k)}: {pretty(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        items = ",\n".join(f"{inner}{pretty(item, inner)}" for item in value)
        return f"[\n{items}\n{indent}]"
    return simplejson.dumps(value)


def description_of(entry: Entry) -> str:
    """Return the short description of an object."""
    key = "#description" if entry.kind.name == "dataformat" else "description"
    return entry.root[key].text or ""


class Resolver:
    """Writes out the formats that declarations refer to.

    Parameters
    ----------
    catalog : Catalog
        Where they are.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._left = _MAX_FORMATS

    def resolve(self, entry: Entry) -> Any:
        """Return a declaration in which each format stands as ``{name: {field: type, …}}``."""
        places = {node.pointer for kind, _, node in entry.references if kind == "dataformat"}
        return self._resolved(entry.root, places, (entry,))

    def _resolved(self, node: Node, places: set[Any], within: tuple[Entry, ...]) -> Any:
        if node.pointer in places and node.key != "#extends":
            return self._format(str(node.text), within)
        if isinstance(node.value, dict):
            fields = {k: self._resolved(n, places, within) for k, n in node.members.items()}
            return {**self._inherited(node, within), **fields}
        if isinstance(node.value, list):
            return [self._resolved(item, places, within) for item in node.items]
        return node.value

    def _format(self, name: str, within: tuple[Entry, ...]) -> Any:
        entry = self.catalog.find("dataformat", name)
        if entry is None or entry in within or self._left == 0:
            return name
        self._left -= 1
        places = {node.pointer for _, _, node in entry.references}
        fields = self._resolved(entry.root, places, (*within, entry))
        if isinstance(fields, dict):
            fields = {key: value for key, value in fields.items() if key[:1] != "#"}
        return {name: fields}

    def _inherited(self, node: Node, within: tuple[Entry, ...]) -> Any:
        base = node["#extends"].text
        found = self._format(base, within) if base is not None else None
        return found[base] if isinstance(found, dict) and isinstance(found[base], dict) else {}
