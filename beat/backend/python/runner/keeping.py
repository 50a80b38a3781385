"""Keeps the results of analyzers in a results store, one run per unique configuration.

The configuration of a run names the experiment and the analyzer, and everything its results
depend on: the hash of the algorithm, its parameters and the hashes of its inputs. The parameters
of all blocks are kept beside the results, so that runs can be compared by them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..asset import JSON
from .plan import Block, Plan
from .prepare import Parameters

if TYPE_CHECKING:
    from ..stores import ResultsStore, Sweep
    from .events import Run

TASK = "beat-results"
RESULTS = "results"
SETTINGS = "settings"


def open_store(where: str) -> ResultsStore:
    """Open a results store.

    Parameters
    ----------
    where : str
        A folder; ``memory:`` for one that ends with this process; or ``mongodb://host/database``.

    Raises
    ------
    RuntimeError
        If the database is not named.
    ImportError
        If the extra for MongoDB is not installed; the text tells how to install it.
    """
    from ..stores import InMemoryStore, LocalFileStore, MongoDBStore

    if where == "memory:":
        return InMemoryStore()
    if where.startswith("mongodb://"):
        database = urlsplit(where).path.strip("/")
        if not database:
            raise RuntimeError(f"no database in `{where}': expected mongodb://host/database")
        return MongoDBStore(database, host=where)
    return LocalFileStore(os.path.abspath(where))


def expand(values: dict[tuple[str, str], list[Any]]) -> list[Parameters]:
    """Return every combination of the values of some parameters."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


@dataclass(frozen=True)
class Kept:
    """The results of one analyzer, as a store keeps them.

    Attributes
    ----------
    configuration : dict
        What they were made by: experiment, block, algorithm, parameters, inputs.
    results : dict
        For each result ``value``, ``type`` and ``display``.
    settings : dict
        The parameters of all blocks, by ``block.parameter``.
    when : str
        The time, in UTC.
    """

    configuration: JSON
    results: JSON = field(default_factory=dict)
    settings: JSON = field(default_factory=dict)
    when: str = ""

    @property
    def label(self) -> str:
        """A short name of the run: the experiment, the analyzer and the digits of its hash."""
        c = self.configuration
        return f"{c['experiment']} {c['block']} {c['result'][:8]}"

    def as_sweep(self) -> Sweep:
        """Return the values of the results with the parameters that gave them."""
        from ..stores import Sweep

        values = {name: result["value"] for name, result in self.results.items()}
        return Sweep(value=values, config=self.settings)


def keep(store: ResultsStore, plan: Plan, run: Run, records: Mapping[str, JSON]) -> None:
    """Save the results of all analyzers of a run, with the parameters its records tell.

    Raises
    ------
    stores.StoreError
        If the store cannot take them.
    """
    settings = {
        f"{block}.{name}": value
        for block, record in records.items()
        for part in ("parameters", "evaluator parameters")
        for name, value in record.get(part, {}).items()
    }
    for block in plan.blocks:
        if block.name in run.results:
            kept = {
                "results": {name: vars(r) for name, r in run.results[block.name].items()},
                "settings": settings,
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            store.save(
                obj=kept,
                name=RESULTS,
                type_="json",
                task_name=TASK,
                task_unique_config=configuration_of(plan, block),
            )


def configuration_of(plan: Plan, block: Block) -> JSON:
    """Return what names the results of an analyzer."""
    side = block.configuration
    return {
        "experiment": plan.experiment,
        "block": block.name,
        "algorithm": side["algorithm"],
        "parameters": side["parameters"],
        "inputs": {name: item["hash"] for name, item in side["inputs"].items()},
        "result": side["result"]["hash"],
    }


def find(store: ResultsStore, words: tuple[str, ...]) -> Iterator[Kept]:
    """Yield what a store keeps of the experiments, or with the hashes, that begin with a word."""
    for configuration in store.list_runs(TASK):
        names = (configuration["experiment"], configuration["result"])
        if words and not any(name.startswith(word) for name in names for word in words):
            continue
        content = store.load(
            name=RESULTS, task_name=TASK, task_unique_config=configuration, default=None
        )
        if content is not None:
            yield Kept(dict(configuration), **content)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def compare(kept: list[Kept]) -> JSON:
    """Return what runs differ in, and what came out.

    Returns
    -------
    dict
        ``settings`` and ``results``: for each name the list of values, one per run; settings that
        are the same in all runs and results that are no numbers or texts are left out.
    """
    settings = sorted({name for item in kept for name in item.settings})
    columns = {name: [item.settings.get(name) for item in kept] for name in settings}
    results = sorted({name for item in kept for name in item.results})
    found = {name: [item.results.get(name, {}).get("value") for item in kept] for name in results}
    return {
        "runs": [item.label for item in kept],
        "settings": {name: row for name, row in columns.items() if any(v != row[0] for v in row)},
        "results": {
            name: row
            for name, row in found.items()
            if not any(isinstance(v, (dict, list)) for v in row)
        },
    }
