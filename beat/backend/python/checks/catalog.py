"""What there is in a prefix: its declarations, each read once, and what each refers to.

Nothing here imports or runs the users' code. References are followed without recursion, so that
chains of any length and cycles come to an end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from .. import hash as hashing
from .. import utils
from ..schema import KINDS, WARNING, Document, Finding, Kind, Node, in_order
from .source import Source

#: what grows with the number of blocks, and how many values anything else may have
LARGE_KINDS = ("toolchain", "experiment")
MOST_VALUES = 20_000


class Reference(NamedTuple):
    """The place of a declaration that names another object."""

    kind: str
    name: str
    node: Node


class Rules(NamedTuple):
    """What is known about one kind of objects, beyond the schema.

    Attributes
    ----------
    references : callable
        Gives the references in a declaration.
    check : callable
        Gives what is wrong with it.
    """

    references: Callable[[Entry], Iterator[Reference]]
    check: Callable[[Entry], Iterator[Finding]]


class Entry:
    """A declaration in a prefix.

    Attributes
    ----------
    catalog : Catalog
        The prefix.
    kind : Kind
        What is declared.
    name : str
        The full name.
    stem : str or None
        The path of the files, without extension; None for a declaration without a file.
    document : Document
        The declaration.
    """

    def __init__(
        self, catalog: Catalog, kind: Kind, name: str, stem: str | None, document: Document
    ) -> None:
        self.catalog = catalog
        self.kind = kind
        self.name = name
        self.stem = stem
        self.document = document

    @property
    def root(self) -> Node:
        """The whole of the declaration."""
        return Node.root(self.document)

    @property
    def language(self) -> str:
        """The language of the code."""
        if self.kind.name == "database":
            return "python"
        language = self.root["language"].text
        return language if language and language in utils.EXTENSIONS else "unknown"

    @property
    def has_language(self) -> bool:
        """Whether the language of the code is known."""
        return self.kind.name == "database" or self.root["language"].text in utils.EXTENSIONS

    @property
    def code_path(self) -> str | None:
        """The file of the code; None if there can be none."""
        if self.stem is None or not self.kind.has_code:
            return None
        return self.stem + utils.extension_for_language(self.language)

    @cached_property
    def source(self) -> Source | None:
        """The code, if it is written in Python and is there."""
        path = self.code_path
        if path is None or self.language != "python" or not os.path.isfile(path):
            return None
        return None if self.catalog.leads_out(path) else Source.read(path, self.catalog.shown(path))

    @cached_property
    def references(self) -> list[Reference]:
        """What the declaration refers to, there or not."""
        return list(self.catalog.rules[self.kind.name].references(self))

    @property
    def referred(self) -> list[Entry]:
        """The objects that the declaration refers to and that are there."""
        found = (self.catalog.find(kind, name) for kind, name, _ in self.references)
        return list(dict.fromkeys(entry for entry in found if entry is not None))

    @cached_property
    def findings(self) -> list[Finding]:
        """Everything that is wrong with this object, in the order of the file."""
        from ..schema.validator import capped, findings

        if self.document.findings:
            return self.document.findings
        found = findings(self.kind.name, self.document)
        rules = capped(self.document, self.catalog.rules[self.kind.name].check(self))
        known = {finding.pointer for finding in rules if finding.is_error and finding.pointer}
        rules += self._check_name()
        return in_order([f for f in found if f.pointer not in known] + rules)

    def _check_name(self) -> list[Finding]:
        """Tell whether others can refer to the object."""
        if self.stem is None or re.fullmatch(self.kind.pattern, self.name):
            return []
        message = f"`{self.name}' is a name that nothing can refer to"
        return [self.root.warning(message, expected=f"a name like {self.kind.form}")]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with this object itself; what it refers to does not count."""
        return not any(finding.is_error for finding in self.findings)


class Catalog:
    """The declarations of a prefix.

    Parameters
    ----------
    prefix : str or utils.Prefix
        The prefix folder, or several.
    rules : dict
        The `Rules` of each kind.
    """

    def __init__(self, prefix: str | utils.Prefix, rules: Mapping[str, Rules]) -> None:
        self.prefix = prefix
        self.rules = rules
        self.folders = prefix.paths if isinstance(prefix, utils.Prefix) else [prefix]
        self._entries: dict[tuple[str, str], Entry | None] = {}
        self._names: dict[str, list[str]] = {}
        self._acyclic: set[Entry] = set()

    def find(self, kind: str, name: str) -> Entry | None:
        """Return an object; None if there is none, or if none can have that name."""
        key = (kind, name)
        if key not in self._entries:
            self._entries[key] = self._read(KINDS[kind], name)
        return self._entries[key]

    def entry_without_file(self, kind: str, document: Document) -> Entry:
        """Return an object that is in no file."""
        return Entry(self, KINDS[kind], "", None, document)

    def _read(self, kind: Kind, name: str) -> Entry | None:
        try:
            utils.check_name(kind.title.lower(), name, kind.parts)
        except RuntimeError:
            return None
        place = utils.hashed_or_simple if kind.is_owned else utils.simple_path
        path = place(self.prefix, kind.folder, name)
        if not os.path.lexists(path):
            return None
        if self.leads_out(path):
            document = Document(self.shown(path), "", None)
            document.findings.append(document.at(0, "the file is outside of the prefix"))
        else:
            document = Document.read(path, self.shown(path))
            if kind.name not in LARGE_KINDS:
                document.restrict(MOST_VALUES)
        return Entry(self, kind, name, path.removesuffix(".json"), document)

    def shown(self, path: str) -> str:
        """Return how a file is called in messages."""
        return utils.shown_path(self.prefix, path)

    def leads_out(self, path: str) -> bool:
        """Tell whether a path leads out of the prefix, through a symbolic link.

        The folder of a kind may itself be elsewhere: whoever made the prefix wanted it so.
        """
        real = os.path.realpath(path)
        return not any(real.startswith(root) for root in self._roots)

    @cached_property
    def _roots(self) -> list[str]:
        """The folders that files may be in, with all symbolic links followed."""
        kinds = [os.path.join(folder, kind.folder) for folder in self.folders for kind in _KINDS]
        return [os.path.join(os.path.realpath(root), "") for root in [*self.folders, *kinds]]

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        if kind not in self._names:
            names = (name_of(KINDS[kind], path) for path in self.files(kind))
            self._names[kind] = sorted({name for name in names if name is not None})
        return self._names[kind]

    def files(self, kind: str) -> list[str]:
        """Return the declaration files of a kind, objects or not, relative to its folder."""
        depth = KINDS[kind].parts + 2
        return sorted(
            path
            for folder in self.folders
            for path in _walk(os.path.join(folder, KINDS[kind].folder), "", depth)
        )

    def closure(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return some objects and everything they refer to, directly or not, in that order."""
        found = dict.fromkeys(entries)
        waiting = list(found)
        for entry in waiting:
            fresh = [other for other in entry.referred if other not in found]
            found.update(dict.fromkeys(fresh))
            waiting.extend(fresh)
        return list(found)

    def strays(self) -> Iterator[Finding]:
        """Tell which files look like declarations, but are none by their names."""
        for kind in _KINDS:
            for path in self.files(kind.name):
                if name_of(kind, path) is None:
                    message = f"not the name of a {kind.title.lower()}: the file is not used"
                    shown = os.path.join(kind.folder, path)
                    expected = f"a name like {kind.form}"
                    yield Finding(message, WARNING, path=shown, line=1, column=1, expected=expected)

    def cycle(self, entry: Entry) -> list[str] | None:
        """Return the names along the shortest way from an object back to it; None without one.

        Ways lead through objects of the same kind only.
        """
        if entry in self._acyclic:
            return None
        graph = self._related(entry)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError:
            return _way_back(graph, entry)
        self._acyclic.update(graph)
        return None

    def _related(self, entry: Entry) -> dict[Entry, list[Entry]]:
        """Return what an object refers to, directly or not, with the references of each."""
        graph: dict[Entry, list[Entry]] = {}
        waiting = [entry]
        for here in waiting:
            if here not in graph and here not in self._acyclic:
                graph[here] = [other for other in here.referred if other.kind is entry.kind]
                waiting += graph[here]
        return graph


def _way_back(graph: dict[Entry, list[Entry]], entry: Entry) -> list[str] | None:
    ways: dict[Entry, Entry | None] = {entry: None}
    waiting = [entry]
    for here in waiting:
        for other in graph.get(here, []):
            if other is entry:
                return [*_names_along(ways, here), entry.name]
            if other not in ways:
                ways[other] = here
                waiting.append(other)
    return None


_KINDS = tuple(KINDS.values())


def _names_along(ways: dict[Entry, Entry | None], last: Entry | None) -> list[str]:
    names: list[str] = []
    while last is not None:
        names.insert(0, last.name)
        last = ways[last]
    return names


def _walk(folder: str, inside: str, depth: int) -> Iterator[str]:
    """Return the declaration files in a folder, down to a depth."""
    try:
        items = list(os.scandir(os.path.join(folder, inside)))
    except OSError:
        return
    for item in items:
        path = os.path.join(inside, item.name)
        if item.name.startswith("."):
            continue
        if item.is_dir():
            if depth > 1:
                yield from _walk(folder, path, depth - 1)
        elif item.name.endswith(".json"):
            yield path


def name_of(kind: Kind, path: str) -> str | None:
    """Return the name of the object in a file, given relative to the folder of its kind.

    None for a file that is no object's.
    """
    pieces = path.removesuffix(".json").split("/")
    if kind.is_owned and len(pieces) == kind.parts + 2:
        user = pieces[2]
        if hashing.toUserPath(user) == "/".join(pieces[:3]):
            pieces = pieces[2:]
    name = "/".join(pieces)
    try:
        utils.check_name(kind.title, name, kind.parts)
    except RuntimeError:
        return None
    return name
