"""How much data a block has read and written, and how long that took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .data import RemoteDataSource

if TYPE_CHECKING:
    from .data import DataSource
    from .data_loaders import DataLoaderList
    from .inputs import InputList
    from .outputs import Output, OutputList

JSON = dict[str, Any]


def io_statistics(
    configuration: JSON,
    input_list: InputList | None = None,
    output_list: OutputList | None = None,
    data_loaders: DataLoaderList | None = None,
) -> JSON:
    """Sum up what has been read and written.

    Parameters
    ----------
    configuration : dict
        The configuration of the block, which knows the paths of the outputs.
    input_list, output_list, data_loaders : optional
        What was read from and written to; data loaders count what their sources have read.

    Returns
    -------
    dict
        ``volume`` (bytes), ``blocks`` (units) and ``time`` (seconds), each with ``read`` and
        ``write``; ``network`` with ``wait_time``, the seconds spent waiting for units from other
        processes; and ``files``, with ``hash``, ``size`` and ``blocks`` of each output.
    """
    result: JSON = {
        "volume": {"read": 0, "write": 0},
        "blocks": {"read": 0, "write": 0},
        "time": {"read": 0.0, "write": 0.0},
        "network": {"wait_time": 0.0},
        "files": [],
    }
    for source, blocks in _sources(input_list, data_loaders):
        size, seconds = source.statistics()
        result["volume"]["read"] += size
        result["blocks"]["read"] += blocks
        if isinstance(source, RemoteDataSource):
            result["network"]["wait_time"] += seconds
        else:
            result["time"]["read"] += seconds
    for output in output_list or ():
        _add_output(result, configuration, output)
    return result


def _sources(
    inputs: InputList | None, loaders: DataLoaderList | None
) -> Iterator[tuple[DataSource, int]]:
    for input in inputs or ():
        yield input.data_source, input.nb_data_blocks_read
    for loader in loaders or ():
        yield from loader.blocks_read()


def _add_output(result: JSON, configuration: JSON, output: Output) -> None:
    statistics = getattr(output.data_sink, "statistics", None)
    size, seconds = statistics() if statistics is not None else (0, 0.0)
    blocks = output.nb_data_blocks_written
    result["volume"]["write"] += size
    result["blocks"]["write"] += blocks
    result["time"]["write"] += seconds
    details = configuration.get("outputs", {}).get(output.name, configuration.get("result"))
    if details is not None:
        digest = details.get("hash", details["path"].replace("/", ""))
        result["files"].append({"hash": digest, "size": size, "blocks": blocks})


def update(statistics: JSON, additional_statistics: JSON) -> None:
    """Add up statistics, in place.

    Parameters
    ----------
    statistics : dict
        What is changed: numbers grow, lists get longer. No key is added.
    additional_statistics : dict
        What is added.
    """
    for key, value in statistics.items():
        if key not in additional_statistics:
            continue
        more = additional_statistics[key]
        if isinstance(value, dict):
            update(value, more)
        elif isinstance(value, list):
            value.extend(more)
        else:
            statistics[key] = value + more
