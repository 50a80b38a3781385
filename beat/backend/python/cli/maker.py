"""Makes new objects in a prefix, and what they need as far as it is not there."""

from __future__ import annotations

from typing import Any

import click

from ..checks import Catalog, open_catalog
from ..dataformat import BASIC_TYPES
from ..schema import KINDS, Node
from . import skeletons
from .names import storage_of
from .skeletons import Files, Group


class Maker:
    """Makes objects.

    Parameters
    ----------
    prefix : str
        The prefix folder.

    Attributes
    ----------
    made : list of str
        The folder and name of each new object.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.made: list[str] = []

    @property
    def catalog(self) -> Catalog:
        """What is in the prefix now."""
        return open_catalog(self.prefix)

    def make(self, kind: str, name: str, algorithm_type: str = "sequential") -> None:
        """Make an object; `click.UsageError` if there is one of that name."""
        _must_be_free(kind, self.prefix, name)
        owner = name.partition("/")[0]
        if kind == "algorithm":
            chosen = self.some_format(owner)
            outputs = {} if algorithm_type == "analyzer" else {"value": chosen}
            files = skeletons.algorithm(algorithm_type, [Group({"value": chosen}, outputs)])
        elif kind == "database":
            files = self._database(name, ["value"])
        elif kind == "protocoltemplate":
            files = skeletons.protocoltemplate(self.some_format(owner))
        elif kind == "plotter":
            files = skeletons.plotter(self._plottable())
        elif kind == "plotterparameter":
            files = skeletons.plotterparameter(self._plotter(owner))
        elif kind == "experiment":
            files = self._experiment(name)
        else:
            files = getattr(skeletons, kind)()
        self.write(kind, name, files)

    def write(self, kind: str, name: str, files: Files) -> None:
        """Write the files of an object; `click.UsageError` if there is one of that name."""
        storage = _must_be_free(kind, self.prefix, name)
        text = files.declaration.get("#description", files.declaration.get("description"))
        title = f" ``{name}``"
        line = "=" * (len(title) + 1)
        code = [] if files.code is None else [files.code]
        storage.save(files.declaration, *code, f"{line}\n{title}\n{line}\n\n{text}.\n")
        self.made.append(f"{KINDS[kind].folder}/{name}")

    def some_format(self, owner: str) -> str:
        """Return the simplest dataformat, which is made if there is none."""
        catalog = self.catalog
        found = (catalog.find("dataformat", name) for name in catalog.names("dataformat"))
        entries = {entry: catalog.closure([entry]) for entry in found if entry is not None}
        sound = [e for e, needed in entries.items() if all(one.is_sound for one in needed)]
        if sound:
            return min(sound, key=lambda e: (len(entries[e]), _size(catalog, e.root))).name
        self.write("dataformat", f"{owner}/value/1", skeletons.dataformat())
        return f"{owner}/value/1"

    def _plottable(self) -> str:
        names = [name for name in self.catalog.names("dataformat") if name.startswith("plot/")]
        if not names:
            self.write("dataformat", "plot/points/1", skeletons.scatter())
        return names[0] if names else "plot/points/1"

    def _plotter(self, owner: str) -> str:
        names = self.catalog.names("plotter")
        if not names:
            self.make("plotter", f"{owner}/plotter/1")
        return names[0] if names else f"{owner}/plotter/1"

    def _database(self, name: str, outputs: list[str]) -> Files:
        chosen = self.some_format(name.partition("/")[0])
        return skeletons.database(name, dict.fromkeys(outputs, (chosen, self.unit_code(chosen))))

    def _experiment(self, name: str) -> Files:
        from .experiment_maker import ExperimentMaker

        toolchain = "/".join(name.split("/")[1:4])
        if self.catalog.find("toolchain", toolchain) is None:
            self.make("toolchain", toolchain)
        return ExperimentMaker(self, name, toolchain).make()

    def unit_code(self, format_name: str) -> str:
        """Return Python code of a unit of a format: zeros and empty texts."""
        catalog = self.catalog
        entry = catalog.find("dataformat", format_name)
        return "{}" if entry is None else _object_code(catalog, entry.root)


def _must_be_free(kind: str, prefix: str, name: str) -> Any:
    """Return the files of an object that is not there yet."""
    storage = storage_of(kind, prefix, name)
    if storage.json.exists():
        raise click.UsageError(f"there is one already: {storage.json.path}")
    return storage


def _size(catalog: Catalog, node: Node) -> tuple[bool, int]:
    """Return what sorts formats by how much there is in a unit; lists of objects come last."""
    code = _object_code(catalog, node)
    return "[]" in code, len(code)


def _object_code(catalog: Catalog, node: Node) -> str:
    fields: dict[str, str] = {}
    base: Node | None = node
    while base is not None:
        own = {key: inner for key, inner in base.members.items() if key[:1] not in ("#", "_")}
        fields = {**{key: _field_code(catalog, inner) for key, inner in own.items()}, **fields}
        entry = catalog.find("dataformat", base["#extends"].text or "")
        base = None if entry is None else entry.root
    return "{" + ", ".join(f'"{key}": {code}' for key, code in fields.items()) + "}"


def _field_code(catalog: Catalog, node: Node) -> str:
    if node.items:
        *sizes, element = node.value
        is_numeric = isinstance(element, str) and BASIC_TYPES.get(element, str) is not str
        if is_numeric:
            return f'np.zeros({tuple(size or 1 for size in sizes)}, "{element}")'
        return "[]"
    if node.members:
        return _object_code(catalog, node)
    text = str(node.text)
    if text in ("string", "str"):
        return '""'
    if text in BASIC_TYPES:
        return "False" if text == "bool" else f"np.{text}(0)"
    entry = catalog.find("dataformat", text)
    return "{}" if entry is None else _object_code(catalog, entry.root)
