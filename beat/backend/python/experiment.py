"""Experiments: a toolchain whose datasets, algorithms and parameters are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import utils
from .algorithm import Algorithm
from .asset import JSON, Asset
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
        self._take_errors(f"toolchain `{self.storage.toolchain}'", self.toolchain)
        try:
            self._read_parts()
            formats = {} if dataformat_cache is None else dataformat_cache
            self._load_objects(formats, {} if library_cache is None else library_cache)
        except (KeyError, TypeError, AttributeError) as error:
            self.errors.append(f"Experiment declaration of the wrong form: {error!r}")
        except RuntimeError as error:  # a name that no object can have
            self.errors.append(str(error))
        if not self.errors:
            self._check_against_toolchain()

    def _read_parts(self) -> None:
        self.datasets = self.data["datasets"]
        self.blocks = self.data["blocks"]
        self.loops = self.data.get("loops", {})
        self.analyzers = self.data["analyzers"]

    def _load_objects(self, formats: dict[str, Any], libraries: dict[str, Any]) -> None:
        for dataset in self.datasets.values():
            name = dataset["database"]
            if name not in self.databases:
                self.databases[name] = Database(self.prefix, name, formats)
        for name in {dataset["database"]: None for dataset in self.datasets.values()}:
            self._take_errors(f"database `{name}'", self.databases[name])
        for name in dict.fromkeys(name for _, name in self._algorithm_names()):
            self.algorithms[name] = Algorithm(self.prefix, name, formats, libraries)
            self._take_errors(f"algorithm `{name}'", self.algorithms[name])

    def _algorithm_names(self) -> list[tuple[str, str]]:
        """Return (step, algorithm) pairs; a loop has two."""
        steps = {**self.blocks, **self.analyzers}
        names = [(step, declared["algorithm"]) for step, declared in steps.items()]
        for step, declared in self.loops.items():
            names += [(step, declared[f"{side}_algorithm"]) for side in ("processor", "evaluator")]
        return names

    def _take_errors(self, what: str, asset: Asset) -> None:
        if not asset.valid:
            self.errors.append(f"{what} is not valid:\n" + "\n".join(asset.errors))

    def _check_against_toolchain(self) -> None:
        """Compare names and end points with those of the toolchain."""
        for part in ("datasets", "blocks", "loops", "analyzers"):
            mine, theirs = set(getattr(self, part)), set(getattr(self.toolchain, part))
            for name in sorted(theirs - mine):
                self.errors.append(f"{part}: `{name}' of the toolchain is not declared")
            for name in sorted(mine - theirs):
                self.errors.append(f"{part}: the toolchain has no `{name}'")
        for name, dataset in self.datasets.items():
            self._check_dataset(name, dataset)
        if self.errors:
            return
        for name, declared in {**self.blocks, **self.analyzers}.items():
            self._check_step(name, declared, "")
            self._check_role(name, declared["algorithm"])
        for name, declared in self.loops.items():
            for side in ("processor_", "evaluator_"):
                self._check_step(name, declared, side)

    def _check_dataset(self, name: str, dataset: JSON) -> None:
        assert self.toolchain is not None
        drawn = self.toolchain.datasets.get(name, {}).get("outputs", [])
        try:
            found = self.databases[dataset["database"]].set(dataset["protocol"], dataset["set"])
        except (KeyError, RuntimeError) as error:
            self.errors.append(f"dataset `{name}': {error}")
        else:
            owner = f"dataset `{name}': set `{dataset['set']}'"
            self._check_known(owner, drawn, found["outputs"])

    def _check_role(self, name: str, algorithm: str) -> None:
        analyzer = name in self.analyzers
        if self.algorithms[algorithm].isAnalyzer != analyzer:
            is_, for_ = ("an analyzer", "a block") if analyzer else ("a block", "an analyzer")
            self.errors.append(f"`{name}' is {is_}, but algorithm `{algorithm}' is for {for_}")

    def _check_step(self, name: str, declared: JSON, side: str) -> None:
        """Check the end points and parameters of a step, or of one side of a loop."""
        assert self.toolchain is not None
        algorithm = self.algorithms[declared[side + "algorithm"]]
        maps = {"inputs": algorithm.input_map, "outputs": algorithm.output_map}
        read = {connection.source for connection in self.toolchain.connections}
        for part, known in maps.items():
            mapped = declared.get(side + part, {})
            drawn = self.toolchain.steps[name].get(side + part, [])
            owner = f"`{name}': {side}{part}: algorithm `{algorithm.name}'"
            self._check_known(owner, mapped, known)
            self._check_mapped(owner, known, mapped)
            owner = f"`{name}': {side}{part}: the toolchain"
            self._check_known(owner, mapped.values(), drawn)
            if part == "outputs":  # those that nothing reads may stay unused
                drawn = [endpoint for endpoint in drawn if (name, endpoint) in read]
            self._check_mapped(owner, drawn, mapped.values())
        for parameter, value in declared.get(side + "parameters", {}).items():
            try:
                algorithm.clean_parameter(parameter, value)
            except KeyError:
                self.errors.append(f"`{name}': `{algorithm.name}' has no parameter `{parameter}'")
            except ValueError as error:
                self.errors.append(f"`{name}': {error}")

    def _check_known(self, owner: str, used: Iterable[str], known: Iterable[str]) -> None:
        for endpoint in sorted(set(used) - set(known)):
            self.errors.append(f"{owner} has no `{endpoint}'")

    def _check_mapped(self, owner: str, known: Iterable[str], used: Iterable[str]) -> None:
        for endpoint in sorted(set(known) - set(used)):
            self.errors.append(f"{owner} has `{endpoint}', which is not mapped")

    def _needs(self) -> Iterable[Asset]:
        used = {dataset["database"] for dataset in self.datasets.values()}
        databases = [database for name, database in self.databases.items() if name in used]
        toolchain = [] if self.toolchain is None else [self.toolchain]
        return [*toolchain, *databases, *self.algorithms.values()]
