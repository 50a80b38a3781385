"""Runs one algorithm of the example prefix on small inputs, from cache files to cache files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zmq
from support.example_prefix import JSON, PREFIX

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import CachedDataSink, CachedDataSource
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.execution import (
    AlgorithmExecutor,
    LoopExecutor,
    LoopMessageHandler,
)

#: what an input delivers or an output got: data, first index, last index
Unit = tuple[Any, int, int]

#: units by the name of the input or output
Units = dict[str, list[Unit]]

RESULT = "result"


def units(values: list[JSON], width: int = 1) -> list[Unit]:
    """Return units one after the other, each ``width`` indices wide."""
    return [(value, i * width, (i + 1) * width - 1) for i, value in enumerate(values)]


def run_algorithm(folder: Path, name: str, channels: dict[str, Units], **parameters: Any) -> Units:
    """Run an algorithm on units given by channel and input, in an empty folder.

    The first channel is that of the block. Parameters have ``_`` for ``-``. Returns the units of
    each output; those of an analyzer are under the name ``result``.
    """
    algorithm = Algorithm(str(PREFIX), name)
    cache = folder / "cache"
    directory = _working_directory(folder, _configuration(cache, algorithm, channels, parameters))
    executor = AlgorithmExecutor(None, directory, cache_root=str(cache))
    try:
        _run(executor)
    finally:
        _close_sources(executor)
    return {place: read_units(cache, place) for place in _places(algorithm)}


def run_loop(
    folder: Path, processor: str, evaluator: str, inputs: Units, **parameters: Any
) -> Units:
    """Run both sides of a loop, in an empty folder; each takes those inputs that it declares.

    The parameters are those of the processor. Returns the units of all outputs.
    """
    sides = [Algorithm(str(PREFIX), name) for name in (processor, evaluator)]
    cache = folder / "cache"
    configuration, loop = (
        _configuration(cache, side, {"main": {end: inputs[end] for end in side.input_map}}, given)
        for side, given in zip(sides, (parameters, {}), strict=True)
    )
    directory = _working_directory(folder, {**configuration, "loop": loop})
    handler = LoopMessageHandler("127.0.0.1")
    evaluation = LoopExecutor(handler, directory, cache_root=str(cache))
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.connect(handler.address)
        processing = AlgorithmExecutor(None, directory, cache_root=str(cache), loop_socket=socket)
        try:
            _run(evaluation)  # serves the processor from now on
            _run(processing)
            evaluation.wait()
        finally:
            evaluation.close()
            handler.destroy()
            _close_sources(evaluation)
            _close_sources(processing)
    return {place: read_units(cache, place) for side in sides for place in _places(side)}


def _run(executor: AlgorithmExecutor | LoopExecutor) -> None:
    assert executor.setup()
    assert executor.prepare()
    assert executor.process()


def _close_sources(executor: AlgorithmExecutor | LoopExecutor) -> None:
    for item in executor.input_list:
        item.data_source.close()
    for loader in executor.data_loaders:
        for info in loader.infos.values():
            info["data_source"].close()


def _working_directory(folder: Path, configuration: JSON) -> str:
    """Make what an executor works in."""
    directory = folder / "block"
    directory.mkdir()
    (directory / "prefix").symlink_to(PREFIX)
    text = json.dumps(configuration)
    (directory / "configuration.json").write_text(text, encoding="utf-8")
    return str(directory)


def _configuration(
    cache: Path, algorithm: Algorithm, channels: dict[str, Units], parameters: JSON
) -> JSON:
    """Write the inputs into the cache and return what a block would be told to run on them."""
    inputs = {}
    for channel, ends in channels.items():
        for end, data in ends.items():
            inputs[end] = {"channel": channel, "path": f"in/{end}"}
            write_units(cache, f"in/{end}", algorithm.input_map[end], data)
    channel = next(iter(channels))
    places = {name: {"channel": channel, "path": name} for name in _places(algorithm)}
    return {
        "algorithm": algorithm.name,
        "channel": channel,
        "parameters": {name.replace("_", "-"): value for name, value in parameters.items()},
        "inputs": inputs,
        **(places if algorithm.isAnalyzer else {"outputs": places}),
    }


def _places(algorithm: Algorithm) -> list[str]:
    return [RESULT] if algorithm.isAnalyzer else list(algorithm.output_map)


def write_units(cache: Path, path: str, format_name: str, data: list[Unit]) -> None:
    """Write an output into the cache, as another block would have."""
    file = cache / f"{path}.data"
    file.parent.mkdir(parents=True, exist_ok=True)
    dataformat = DataFormat(str(PREFIX), format_name)
    sink = CachedDataSink()
    assert sink.setup(str(file), dataformat, data[0][1], data[-1][2])
    for value, start, end in data:
        sink.write(dataformat.type(**value), start, end)
    sink.close()


def read_units(cache: Path, path: str) -> list[Unit]:
    """Read an output from the cache."""
    source = CachedDataSource()
    assert source.setup(str(cache / f"{path}.data"), str(PREFIX))
    found = list(source)
    source.close()
    return found
