"""Runs one algorithm on data given in a test, by the very code that experiments run by."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..algorithm import Algorithm
from ..asset import JSON
from ..baseformat import baseformat
from ..data import CachedDataSink, CachedDataSource
from ..exceptions import UserError
from ..runner.engines import Control, InlineEngine, ProcessEngine
from ..runner.plan import Block
from ..runner.workdir import make_algorithm_folder

Inputs = Mapping[str, Sequence[Any]]


class Unit(NamedTuple):
    """A unit of data: its content (None for a unit without data) and the indices it covers."""

    data: Any
    start: int
    end: int

    def as_dict(self) -> JSON:
        """Return the unit as a plain dictionary."""
        data = None if self.data is None else self.data.as_dict()
        return {"data": data, "start": self.start, "end": self.end}


@dataclass(frozen=True)
class Ran:
    """What an algorithm gave.

    Attributes
    ----------
    outputs : dict
        The units of each output, by name; those of a loop's evaluator too.
    results : object or None
        The results of an analyzer; each is an attribute.
    statistics : dict
        What was read and written.
    """

    outputs: dict[str, list[Unit]] = field(default_factory=dict)
    results: Any = None
    statistics: JSON = field(default_factory=dict)


def run_algorithm(
    name: str,
    inputs: Inputs,
    *,
    prefix: str = "prefix",
    parameters: Mapping[str, Any] | None = None,
    loop: tuple[str, Inputs] | None = None,
    loop_parameters: Mapping[str, Any] | None = None,
    via: str = "inline",
) -> Ran:
    """Run an algorithm, of any type, on the given data.

    Parameters
    ----------
    name : str
        The algorithm.
    inputs : dict
        For each input, its units: contents, which cover one index each, or tuples (content, start,
        end). A content is a dictionary of fields, None for no data, or, for a format of one
        field, its value. Inputs of one group are synchronised.
    prefix : str
        The prefix folder.
    parameters : dict, optional
        Values of parameters.
    loop : tuple, optional
        For the processor of a loop: the name of the evaluator, and the inputs of it.
    loop_parameters : dict, optional
        Values of the evaluator's parameters.
    via : str
        ``inline``, in this process: exceptions leave unchanged. ``execute``, in processes of
        their own as in an experiment.

    Raises
    ------
    RuntimeError
        If the algorithm is not valid, or inputs are missing or unknown.
    UserError
        Via ``execute``, if the algorithm fails; or if it returns False.
    Exception
        What the algorithm raises.
    """
    with tempfile.TemporaryDirectory(prefix="beat-test-") as folder:
        cache = os.path.join(folder, "cache")
        algorithms = {name: Algorithm(prefix, name)}
        configuration = _side(algorithms[name], inputs, parameters or {}, cache, "processor")
        if loop is not None:
            algorithms[loop[0]] = Algorithm(prefix, loop[0])
            configuration["loop"] = _side(
                algorithms[loop[0]], loop[1], loop_parameters or {}, cache, "evaluator"
            )
        block = Block("test", frozenset(), configuration)
        make_algorithm_folder(os.path.join(folder, "algorithm"), block, algorithms, {})
        statistics = _run(block, folder, cache, via)
        return _read(block, cache, prefix, statistics)


def _side(
    algorithm: Algorithm, inputs: Inputs, parameters: Mapping[str, Any], cache: str, side: str
) -> JSON:
    """Write the inputs into the cache; return the configuration."""
    if not algorithm.valid:
        raise RuntimeError("\n".join(algorithm.errors))
    unknown, missing = inputs.keys() - algorithm.input_map, algorithm.input_map.keys() - inputs
    if unknown or missing:
        raise RuntimeError(
            f"algorithm `{algorithm.name}': inputs missing: {sorted(missing)}, "
            f"unknown: {sorted(unknown)}"
        )
    channels = [group.get("name", f"group {i}") for i, group in enumerate(algorithm.groups)]
    configuration: JSON = {
        "algorithm": algorithm.name,
        "parameters": dict(parameters),
        "channel": channels[0],
        "inputs": {},
    }
    for channel, group in zip(channels, algorithm.groups, strict=True):
        for name in group["inputs"]:
            path = f"{side}/inputs/{name}"
            _write(algorithm, name, inputs[name], os.path.join(cache, path))
            configuration["inputs"][name] = {"channel": channel, "path": path}
    if algorithm.isAnalyzer:
        configuration["result"] = {"path": f"{side}/result"}
    else:
        configuration["outputs"] = {
            name: {"channel": channels[0], "path": f"{side}/outputs/{name}"}
            for name in algorithm.output_map
        }
    for part in ("inputs", "outputs"):
        os.makedirs(os.path.join(cache, side, part), exist_ok=True)
    return configuration


def _write(algorithm: Algorithm, name: str, contents: Sequence[Any], path: str) -> None:
    """Write the units of an input."""
    dataformat = algorithm.dataformats[algorithm.input_map[name]]
    units: list[Unit] = []
    for content in contents:
        start = units[-1].end + 1 if units else 0
        unit = Unit(*content) if isinstance(content, tuple) else Unit(content, start, start)
        units.append(unit._replace(data=_instance(dataformat, unit.data)))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sink = CachedDataSink()
    last = units[-1].end if units else 0
    if not sink.setup(path + ".data", dataformat, units[0].start if units else 0, last):
        raise OSError(f"cannot write the input `{name}' to {path}")
    for data, start, end in units:
        sink.write(data, start, end)
    sink.close()


def _instance(dataformat: Any, content: Any) -> Any:
    if content is None or isinstance(content, baseformat):  # the sink looks at its format
        return content
    if not isinstance(content, dict):
        fields = list(dataformat.resolved)
        if len(fields) != 1:
            raise TypeError(
                f"a unit of `{dataformat.name}' must be given as a dictionary of {fields}, "
                f"got {type(content).__name__}"
            )
        content = {fields[0]: content}
    return dataformat.type(**content)


def _run(block: Block, folder: str, cache: str, via: str) -> JSON:
    if via == "inline":
        return InlineEngine(cache).compute(block, folder)
    if via != "execute":
        raise ValueError(f"via must be `inline' or `execute', got {via!r}")
    outcome = ProcessEngine(cache).run(block, folder, Control())
    if not outcome.succeeded:
        raise UserError(outcome.cause)
    return outcome.data


def _read(block: Block, cache: str, prefix: str, statistics: JSON) -> Ran:
    ran = Ran(statistics=statistics)
    for side in block.sides:
        for name, output in side.get("outputs", {}).items():
            ran.outputs[name] = _units(os.path.join(cache, output["path"]), prefix)
    if "result" in block.configuration:
        path = os.path.join(cache, block.configuration["result"]["path"])
        return Ran(ran.outputs, _units(path, prefix)[-1].data, statistics)
    return ran


def _units(path: str, prefix: str) -> list[Unit]:
    source = CachedDataSource()
    if not source.setup(path + ".data", prefix):
        return []
    try:
        return [Unit(*source[index]) for index in range(len(source))]
    finally:
        source.close()
