"""Experiments: a toolchain whose datasets, algorithms and parameters are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import utils
from .algorithm import Algorithm
from .asset import JSON, Asset
from .checks import errors_in
from .database import Database
from .toolchain import Toolchain


def complete_label(name: str) -> str:
    """Return an experiment's name in its full form, ``user/toolchain user/name/version/label``.

    The short form leaves out the toolchain's user, who is the same then.

    Raises
    ------
    RuntimeError
        If the name is neither.
    """
    pieces = name.split("/") if isinstance(name, str) else []
    if len(pieces) == 4:
        name = "/".join([pieces[0], *pieces])
    utils.check_name("experiment", name, 5)
    return name


class Storage(utils.Storage):
    """The files of an experiment; `RuntimeError` for an impossible name."""

    asset_type = "experiment"
    asset_folder = "experiments"

    def __init__(self, prefix: str, name: str) -> None:
        self.fullname = complete_label(name)
        self.username, toolchain, self.name = _split_label(self.fullname)
        self.toolchain = toolchain
        self.prefix = prefix
        super().__init__(utils.hashed_or_simple(prefix, self.asset_folder, self.fullname))


def _split_label(label: str) -> tuple[str, str, str]:
    """Return (user, toolchain, name) of a full label."""
    user, rest = label.split("/", 1)
    toolchain, name = rest.rsplit("/", 1)
    return user, toolchain, name


class Experiment(Asset):
    """An experiment.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    data : str
        The name, ``user/toolchain user/toolchain/version/name``; the toolchain's user may be left
        out when it is the same. Any other form raises `RuntimeError`.
    dataformat_cache, database_cache, library_cache : dict, optional
        Objects by full name, reused and added to.

    Attributes
    ----------
    toolchain : Toolchain
        Where the data flows.
    datasets, blocks, loops, analyzers : dict
        The declarations of these, by name.
    databases : dict
        The databases in use, by full name.
    algorithms : dict
        The algorithms in use, by full name.
    errors : list of str
        Everything that is wrong, as `checks.check` finds it: with the experiment itself, with
        what it refers to, and with how they fit together.
    """

    kind = "Experiment"
    storage_class = Storage

    def __init__(
        self,
        prefix: str,
        data: str,
        dataformat_cache: dict[str, Any] | None = None,
        database_cache: dict[str, Any] | None = None,
        library_cache: dict[str, Any] | None = None,
    ) -> None:
        self._begin(prefix)
        self.toolchain: Toolchain | None = None
        self.datasets: dict[str, JSON] = {}
        self.blocks: dict[str, JSON] = {}
        self.loops: dict[str, JSON] = {}
        self.analyzers: dict[str, JSON] = {}
        self.databases: dict[str, Any] = {} if database_cache is None else database_cache
        self.algorithms: dict[str, Algorithm] = {}
        if not self._read(complete_label(data)):
            return
        self.toolchain = Toolchain(prefix, self.storage.toolchain)
        self.errors += errors_in(self)
        if self.valid:
            for part in ("datasets", "blocks", "loops", "analyzers"):
                setattr(self, part, self.data.get(part, {}))
            formats = {} if dataformat_cache is None else dataformat_cache
            self._load_objects(formats, {} if library_cache is None else library_cache)

    def _load_objects(self, formats: dict[str, Any], libraries: dict[str, Any]) -> None:
        for name in dict.fromkeys(dataset["database"] for dataset in self.datasets.values()):
            if name not in self.databases:
                self.databases[name] = Database(self.prefix, name, formats)
            self._take_errors(self.databases[name])
        for name in dict.fromkeys(name for _, name in self._algorithm_names()):
            self.algorithms[name] = Algorithm(self.prefix, name, formats, libraries)
            self._take_errors(self.algorithms[name])

    def _algorithm_names(self) -> list[tuple[str, str]]:
        """Return (step, algorithm) pairs; a loop has two."""
        steps = {**self.blocks, **self.analyzers}
        names = [(step, declared["algorithm"]) for step, declared in steps.items()]
        for step, declared in self.loops.items():
            names += [(step, declared[f"{side}_algorithm"]) for side in ("processor", "evaluator")]
        return names

    def _take_errors(self, asset: Asset) -> None:
        """Take over what the check does not know, such as a file that vanished meanwhile."""
        self.errors += [f"{asset.kind} `{asset.name}': {error}" for error in asset.errors]

    def _needs(self) -> Iterable[Asset]:
        used = {dataset["database"] for dataset in self.datasets.values()}
        databases = [database for name, database in self.databases.items() if name in used]
        toolchain = [] if self.toolchain is None else [self.toolchain]
        return [*toolchain, *databases, *self.algorithms.values()]
