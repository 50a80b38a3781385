"""Plans: what an experiment computes, in which order, and what the results are called.

A plan is made once, before anything runs, from declarations alone: no process is started and no
socket is opened here. The names of cache files follow from the hashes, so that caches can be
shared between all installations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import hash as hashing
from ..asset import JSON
from ..environment import environment
from ..experiment import Experiment
from ..toolchain import Connection, EndPoint

DEFAULT_QUEUE = "queue"


@dataclass(frozen=True)
class Dataset:
    """One set of a database's protocol, as an experiment uses it."""

    name: str
    database: str
    protocol: str
    set: str

    @property
    def hash(self) -> str:
        """The hash that names the index of the set."""
        return hashing.hashDataset(self.database, self.protocol, self.set)

    @property
    def path(self) -> str:
        """The index file, relative to the cache."""
        return hashing.toPath(self.hash, ".db")


@dataclass(frozen=True)
class Block:
    """Something to be computed: a block, a loop (with both its sides) or an analyzer.

    Attributes
    ----------
    name : str
        Its name in the toolchain.
    dependencies : frozenset of str
        The names of the blocks that must be done before.
    configuration : dict
        What the executors are told, in full: algorithm, parameters, environment, queue, channel,
        inputs, and outputs or result (each with hash and path in the cache), for a loop the same
        again for the evaluator in ``loop``.
    """

    name: str
    dependencies: frozenset[str]
    configuration: JSON

    @property
    def is_analyzer(self) -> bool:
        """Whether it gives a result instead of outputs."""
        return "result" in self.configuration

    @property
    def sides(self) -> list[JSON]:
        """The configuration, and that of the evaluator for a loop."""
        return [self.configuration, *([self.evaluator] if self.evaluator else [])]

    @property
    def evaluator(self) -> JSON | None:
        """The configuration of a loop's evaluator."""
        return self.configuration.get("loop")

    @property
    def paths(self) -> list[str]:
        """Where the cache keeps what it makes, relative to the cache."""
        made = []
        for side in self.sides:
            made += [output["path"] for output in side.get("outputs", {}).values()]
            made += [side["result"]["path"]] if "result" in side else []
        return made


@dataclass(frozen=True)
class Plan:
    """Everything an experiment needs: datasets to be indexed, blocks in the order of execution."""

    experiment: str
    datasets: tuple[Dataset, ...]
    blocks: tuple[Block, ...]


def make_plan(experiment: Experiment) -> Plan:
    """Plan an experiment.

    Raises
    ------
    RuntimeError
        If the experiment is not valid; the text lists all its errors.
    """
    if not experiment.valid:
        errors = "\n".join(experiment.errors)
        raise RuntimeError(f"experiment `{experiment.name}' is not valid:\n{errors}")
    return _Planner(experiment).plan()


class _Planner:
    """Walks over the steps of a toolchain, remembering what each makes."""

    def __init__(self, experiment: Experiment) -> None:
        assert experiment.toolchain is not None
        self.experiment = experiment
        self.toolchain = experiment.toolchain
        self.globals: JSON = experiment.data.get("globals", {})
        self.datasets = {
            name: Dataset(name, item["database"], item["protocol"], item["set"])
            for name, item in experiment.datasets.items()
        }
        self.hashes = {name: a.hash() for name, a in experiment.algorithms.items()}
        self.made: dict[EndPoint, JSON] = {}
        self.steps = self.toolchain.steps
        self.declared: JSON = {**experiment.blocks, **experiment.analyzers}
        self.connections: dict[str, dict[str, Connection]] = {}  # by the block and the input
        self.channels: dict[EndPoint, str] = {}
        for connection in self.toolchain.connections:
            source, target, channel = connection
            self.connections.setdefault(target.block, {})[target.name] = connection
            self.channels[source] = channel

    def plan(self) -> Plan:
        dependencies = self.toolchain.dependencies()
        blocks = [
            Block(name, frozenset(dependencies[name]), self._configuration(name))
            for name in self.toolchain.execution_order()
        ]
        return Plan(str(self.experiment.name), tuple(self.datasets.values()), tuple(blocks))

    def _configuration(self, name: str) -> JSON:
        channel = self.steps[name]["synchronized_channel"]
        if name not in self.experiment.loops:
            declared = self.declared[name]
            configuration = self._side(name, channel, declared)
            configuration["nb_slots"] = declared.get("nb_slots", 1)
            return configuration
        declared = self.experiment.loops[name]
        configuration = self._side(name, channel, _without_prefix(declared, "processor_"))
        configuration["nb_slots"] = declared.get("nb_slots", 1)
        configuration["loop"] = self._side(name, channel, _without_prefix(declared, "evaluator_"))
        return configuration

    def _side(self, name: str, channel: str, declared: JSON) -> JSON:
        """Return the configuration of a step, or of one side of a loop."""
        algorithm = declared["algorithm"]
        configuration: JSON = {
            "algorithm": algorithm,
            "parameters": {**self.globals.get(algorithm, {}), **declared.get("parameters", {})},
            "queue": declared.get("queue") or self.globals.get("queue", DEFAULT_QUEUE),
            "environment": declared.get("environment") or self._default_environment(),
            "channel": channel,
            "inputs": self._inputs(name, declared["inputs"]),
        }
        arguments = (
            name,
            algorithm,
            self.hashes[algorithm],
            configuration["parameters"],
            configuration["environment"],
            {key: item["hash"] for key, item in configuration["inputs"].items()},
        )
        if name in self.experiment.analyzers:
            configuration["result"] = _placed(hashing.hashAnalyzer(*arguments))
            return configuration
        configuration["outputs"] = {}
        for output, endpoint in declared["outputs"].items():
            made = _placed(hashing.hashBlockOutput(*arguments, output))
            made["channel"] = self.channels.get(EndPoint(name, endpoint), channel)
            made["endpoint"] = endpoint
            configuration["outputs"][output] = self.made[EndPoint(name, endpoint)] = made
        return configuration

    def _default_environment(self) -> JSON:
        if "environment" in self.globals:
            return self.globals["environment"]  # type: ignore[no-any-return]
        running = environment()
        return {"name": running["name"], "version": running["version"]}

    def _inputs(self, name: str, mapped: JSON) -> JSON:
        connections = self.connections[name]
        return {key: self._input(connections[endpoint]) for key, endpoint in mapped.items()}

    def _input(self, connection: Connection) -> JSON:
        common = {"channel": connection.channel, "endpoint": connection.target.name}
        dataset = self.datasets.get(connection.source.block)
        if dataset is None:
            made = self.made[connection.source]
            return {**common, "hash": made["hash"], "path": made["path"]}
        return {
            **common,
            "database": dataset.database,
            "protocol": dataset.protocol,
            "set": dataset.set,
            "output": connection.source.name,
            "hash": dataset.hash,
            "path": dataset.path,
        }


def _placed(hash_: str) -> JSON:
    return {"hash": hash_, "path": hashing.toPath(hash_, "")}


def _without_prefix(declared: JSON, side: str) -> JSON:
    """Return one side of a loop's declaration in the words of a block's."""
    own: dict[str, Any] = {
        key[len(side) :]: v for key, v in declared.items() if key.startswith(side)
    }
    return {"queue": declared.get("queue"), **own}
