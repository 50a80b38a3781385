"""From the configuration of a block to its inputs and outputs.

A configuration names what is to be read and written by paths in a cache and by sets of databases.
Which class reads or writes it depends on the type of the algorithm and on where the data is: that
is decided here, once for all who run blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from .data import CachedDataSink, CachedDataSource, DataSource, RemoteDataSource, getAllFilenames
from .data_loaders import DataLoader, DataLoaderList
from .inputs import Input, InputGroup, InputList
from .outputs import Output, OutputList, RemotelySyncedOutput, SynchronizationListener

if TYPE_CHECKING:
    import zmq

    from .algorithm import Algorithm

JSON = dict[str, Any]
Range = tuple[int | None, int | None]

_INPUT_KEYS = ("channel", "path", "database", "protocol", "set", "output")
_OUTPUT_KEYS = ("channel", "path")


class AccessMode(IntEnum):
    """How data is reached: not at all, from this process, or over a socket."""

    NONE = 0
    LOCAL = 1
    REMOTE = 2


def parse_inputs(inputs: Mapping[str, JSON]) -> dict[str, JSON]:
    """Reduce the inputs of an experiment's block to what an executor needs."""
    return {name: _reduced(details, _INPUT_KEYS) for name, details in inputs.items()}


def parse_outputs(outputs: Mapping[str, JSON]) -> dict[str, JSON]:
    """Reduce the outputs of an experiment's block to what an executor needs."""
    return {name: _reduced(details, _OUTPUT_KEYS) for name, details in outputs.items()}


def _reduced(details: JSON, keys: tuple[str, ...]) -> JSON:
    return {key: details[key] for key in keys if key in details}


def convert_loop_to_container(config: JSON) -> JSON:
    """Reduce the evaluator's part of a loop's configuration to what an executor needs."""
    converted: JSON = {
        "uid": os.getuid(),
        "algorithm": config["algorithm"],
        "parameters": config.get("parameters", {}),
        "channel": config["channel"],
        "inputs": parse_inputs(config["inputs"]),
    }
    if "range" in config:
        converted["range"] = config["range"]
    if "result" in config:
        converted["result"] = {
            "channel": config["channel"],
            **_reduced(config["result"], ("path",)),
        }
    else:
        converted["outputs"] = parse_outputs(config.get("outputs", {}))
    return converted


def convert_experiment_configuration_to_container(config: JSON) -> JSON:
    """Reduce the configuration of an experiment's block to what an executor needs.

    Parameters
    ----------
    config : dict
        The block, as the experiment gives it.

    Returns
    -------
    dict
        The contents of ``configuration.json``; the user is the current one.
    """
    converted = convert_loop_to_container(config)
    if "loop" in config:
        converted["loop"] = convert_loop_to_container(config["loop"])
    return converted


def own_range(config: JSON, channel: str) -> Range:
    """Return the range of a block, which is for inputs on the block's own channel only."""
    if channel != config["channel"] or not config.get("range"):
        return None, None
    start, end = config["range"]
    return start, end


class DatabaseViews:
    """The views of databases that a block reads from; inputs of one set and range share one.

    Parameters
    ----------
    config : dict
        The configuration of the block.
    databases : dict
        Databases by full name.
    cache_root : str
        Where the indices of the views are.
    pack : bool
        Whether data units are delivered as bytes.
    exc : class, optional
        What failures of the views' code are raised as.
    """

    def __init__(
        self,
        config: JSON,
        databases: Mapping[str, Any],
        cache_root: str,
        pack: bool,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        self.views: dict[tuple[Any, ...], Any] = {}
        self._config = config
        self._databases = databases
        self._cache_root = cache_root
        self._pack = pack
        self._exc = exc

    def source(self, details: JSON) -> Any:
        """Return the data source of one input.

        Parameters
        ----------
        details : dict
            The input's part of the configuration.

        Raises
        ------
        KeyError
            If the database, or the set in it, or the output of that is not there.
        OSError
            If the index of the view cannot be read.
        """
        limits = own_range(self._config, details["channel"])
        key = (details["database"], details["protocol"], details["set"], limits)
        if key not in self.views:
            view = self._databases[details["database"]].view(
                details["protocol"], details["set"], self._exc
            )
            path = os.path.join(self._cache_root, details["path"])
            view.setup(path, *limits, pack=self._pack)
            self.views[key] = view
        return self.views[key].data_sources[details["output"]]


def create_inputs_from_configuration(
    config: JSON,
    algorithm: Algorithm,
    prefix: str,
    cache_root: str,
    cache_access: int = AccessMode.NONE,
    db_access: int = AccessMode.NONE,
    unpack: bool = True,
    socket: zmq.Socket[bytes] | None = None,
    databases: Mapping[str, Any] | None = None,
    no_synchronisation_listeners: bool = False,
) -> tuple[InputList, DataLoaderList]:
    """Open everything a block reads.

    Parameters
    ----------
    config : dict
        The configuration of the block, or of one side of a loop.
    algorithm : Algorithm
        The algorithm, which decides what becomes an input and what a data loader.
    prefix : str
        The folder of the declarations.
    cache_root : str
        The folder of the cache.
    cache_access, db_access : AccessMode
        How cached data and databases are reached; what is not reached is left out.
    unpack : bool
        Whether data units are delivered as objects rather than bytes.
    socket : zmq.Socket, optional
        To the databases provider.
    databases : dict, optional
        For local access: databases by full name.
    no_synchronisation_listeners : bool
        Whether outputs will not follow these inputs.

    Returns
    -------
    (InputList, DataLoaderList)
        Legacy algorithms get inputs only; sequential ones inputs on the main channel and data
        loaders for the others; all others data loaders only, the main channel's first.

    Raises
    ------
    OSError
        If there are no cache files for an input, or if they are damaged.
    RuntimeError
        If the algorithm has no such input, if its format is not valid, or if the socket is
        missing.
    """
    views = DatabaseViews(config, databases or {}, cache_root, pack=not unpack)

    def open_source(name: str, format_name: str, details: JSON) -> DataSource | None:
        if "database" not in details:
            if cache_access != AccessMode.LOCAL:
                return None
            return _cached_source(config, name, details, prefix, cache_root, unpack)
        if db_access == AccessMode.LOCAL:
            return views.source(details)  # type: ignore[no-any-return]
        if db_access == AccessMode.REMOTE:
            if socket is None:
                raise RuntimeError(f"input `{name}': a socket is needed to reach the databases")
            source = RemoteDataSource()
            source.setup(socket, name, format_name, prefix, unpack)
            return source
        return None

    inputs, loaders = InputList(), DataLoaderList()
    for name, details in _main_channel_first(config):
        if name not in algorithm.input_map:
            raise RuntimeError(f"algorithm `{algorithm.name}' has no input `{name}'")
        source = open_source(name, algorithm.input_map[name], details)
        if source is None:
            continue
        channel, main = details["channel"], details["channel"] == config["channel"]
        if algorithm.type == algorithm.LEGACY or (algorithm.is_sequential and main):
            group = inputs.group(channel)
            if group is None:
                listens = main and not no_synchronisation_listeners
                listener = SynchronizationListener() if listens else None
                group = InputGroup(channel, listener, restricted_access=main)
                inputs.add(group)
            group.add(Input(name, algorithm.input_map[name], source))
        else:
            loader = loaders[channel]
            if loader is None:
                loader = DataLoader(channel)
                loaders.add(loader)
            loader.add(name, source)
    return inputs, loaders


def _main_channel_first(config: JSON) -> list[tuple[str, JSON]]:
    return sorted(
        config["inputs"].items(), key=lambda item: item[1]["channel"] != config["channel"]
    )


def _cached_source(
    config: JSON, name: str, details: JSON, prefix: str, cache_root: str, unpack: bool
) -> CachedDataSource:
    source = CachedDataSource()
    filename = os.path.join(cache_root, details["path"] + ".data")
    start, end = own_range(config, details["channel"])
    if not source.setup(filename, prefix, start, end, unpack):
        raise OSError(f"input `{name}': no cache files for `{details['path']}' in {cache_root}")
    return source


def create_outputs_from_configuration(
    config: JSON,
    algorithm: Algorithm,
    prefix: str,
    cache_root: str,
    input_list: InputList | None = None,
    data_loaders: DataLoaderList | None = None,
    loop_socket: zmq.Socket[bytes] | None = None,
) -> tuple[OutputList, list[CachedDataSink]]:
    """Open everything a block writes.

    Parameters
    ----------
    config : dict
        The configuration of the block, or of one side of a loop.
    algorithm : Algorithm
        The algorithm, which knows the formats.
    prefix : str
        The folder of the declarations.
    cache_root : str
        The folder of the cache.
    input_list : InputList, optional
        The block's inputs; outputs follow the main group.
    data_loaders : DataLoaderList, optional
        The block's data loaders.
    loop_socket : zmq.Socket, optional
        To the evaluator, which is told about each unit written.

    Returns
    -------
    (OutputList, list of CachedDataSink)
        The outputs, or the single one called ``result`` of an analyzer, and where they write to.

    Raises
    ------
    OSError
        If a file cannot be opened.
    RuntimeError
        If the algorithm has no such output, if its format is not valid, or if there is no data
        on the block's channel from which the range could be known.
    """
    start, end = _output_range(config, cache_root, input_list, data_loaders)
    group = input_list.main_group if input_list is not None else None
    listener = group.synchronization_listener if group is not None else None
    outputs, sinks = OutputList(), []
    for name, path, dataformat in _declared_outputs(config, algorithm):
        sink = CachedDataSink()
        sinks.append(sink)
        filename = os.path.join(cache_root, path + ".data")
        os.makedirs(os.path.dirname(filename), exist_ok=True)
        if not sink.setup(filename, dataformat, start, end, "binary"):
            for opened in sinks:
                opened.discard()
            raise OSError(f"output `{name}': cannot write `{path}' in {cache_root}")
        output = (
            Output(name, sink, listener, start)
            if loop_socket is None
            else RemotelySyncedOutput(name, sink, loop_socket, listener, start)
        )
        outputs.add(output)
    return outputs, sinks


def _declared_outputs(config: JSON, algorithm: Algorithm) -> Iterator[tuple[str, str, Any]]:
    if "result" in config:
        yield "result", config["result"]["path"], algorithm.result_dataformat()
        return
    for name, details in config.get("outputs", {}).items():
        if name not in algorithm.output_map:
            raise RuntimeError(f"algorithm `{algorithm.name}' has no output `{name}'")
        yield name, details["path"], algorithm.dataformats[algorithm.output_map[name]]


def _output_range(
    config: JSON,
    cache_root: str,
    inputs: InputList | None,
    loaders: DataLoaderList | None,
) -> tuple[int, int]:
    """Return the indices that the outputs must cover."""
    start, end = own_range(config, config["channel"])
    if start is None or end is None:
        limits = _limits_of_files(config, cache_root) or _limits_of_sources(inputs, loaders)
        if not limits:
            raise RuntimeError(f"no data on channel `{config['channel']}': nothing to be done")
        start = max(first for first, _ in limits) if start is None else start
        end = min(last for _, last in limits) if end is None else end
    return start, end


def _limits_of_files(config: JSON, cache_root: str) -> list[tuple[int, int]]:
    """Return the first and the last index of each cached input on the block's channel."""
    limits = []
    for details in config["inputs"].values():
        if "database" in details or details["channel"] != config["channel"]:
            continue
        names = getAllFilenames(os.path.join(cache_root, details["path"] + ".data"))[0]
        ranges = [tuple(map(int, name.split(".")[-3:-1])) for name in names]
        if ranges:
            limits.append((min(s for s, _ in ranges), max(e for _, e in ranges)))
    return limits


def _limits_of_sources(
    inputs: InputList | None, loaders: DataLoaderList | None
) -> list[tuple[int, int]]:
    """Return the first and the last index of each source on the block's channel."""
    group = inputs.main_group if inputs is not None else None
    if group is not None:
        sources = [i.data_source for i in group if len(i.data_source)]
        return [(source.first_data_index(), source.last_data_index()) for source in sources]
    loader = loaders.main_loader if loaders is not None else None
    if loader is not None and loader.count():
        return [(loader.data_index_start, loader.data_index_end)]
    return []
