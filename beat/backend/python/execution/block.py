"""One block, or one side of a loop: an algorithm, and all that it reads and writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..algorithm import Algorithm
from ..data.wire import conversation
from ..database import Database
from ..helpers import (
    AccessMode,
    create_inputs_from_configuration,
    create_outputs_from_configuration,
)
from ..version import VERSION

if TYPE_CHECKING:
    import zmq

JSON = dict[str, Any]

#: Where a configuration tells the version of this package that has made it; drivers' own do not
MADE_BY = "beat.backend.python"


def load_configuration(directory: str) -> JSON:
    """Read the configuration of the block in a working directory.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no JSON object, or if another version of this package has made it: what its
        processes say to each other may differ.
    """
    path = os.path.join(directory, "configuration.json")
    with open(path, "rb") as f:
        try:
            configuration = json.load(f)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(configuration, dict):
        raise ValueError(f"{path}: expected an object, got {type(configuration).__name__}")
    version = configuration.get(MADE_BY, VERSION)
    if version != VERSION:
        raise ValueError(
            f"{path}: made by version {version!s:.100} of {MADE_BY}, but this process has version "
            f"{VERSION}: all processes of a run must have the same one"
        )
    return configuration


def part_of(configuration: JSON, name: str) -> JSON:
    """Return the part of a configuration that describes another side of the block.

    The range is the block's, unless the part has one of its own; `ValueError` if there is no
    such part.
    """
    part = configuration.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"the configuration has no part `{name}'")
    return {"range": configuration.get("range"), **part}


def load_databases(
    prefix: str,
    configuration: JSON,
    dataformat_cache: dict[str, Any] | None,
    database_cache: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the databases that a configuration reads from, by name, valid or not."""
    cache = {} if database_cache is None else database_cache
    formats = {} if dataformat_cache is None else dataformat_cache
    names = {details.get("database") for details in configuration["inputs"].values()} - {None}
    for name in names - cache.keys():
        cache[name] = Database(prefix, name, formats)
    return {name: cache[name] for name in names}


class Block:
    """An algorithm with its inputs and outputs opened.

    Parameters
    ----------
    directory : str
        The working directory: ``configuration.json``, and ``prefix`` with the declarations.
    section : str or None
        The part of the configuration to use; None for the top level.
    dataformat_cache, database_cache, library_cache : dict, optional
        Objects by full name, reused and added to.
    cache_root : str
        The folder of the cache.
    db_socket : zmq.Socket, optional
        To the provider of the databases; without it, their views run in this process.
    loop_socket : zmq.Socket, optional
        To the evaluator of a loop.
    exc : class, optional
        What failures of the users' code are raised as; by default, they leave unchanged.

    Attributes
    ----------
    data : dict
        The configuration.
    prefix : str
        The folder of the declarations.
    algorithm : Algorithm
        The algorithm.
    runner : algorithm.Runner
        Calls the user's code.
    input_list : InputList
        The inputs.
    data_loaders : DataLoaderList
        The data loaders.
    output_list : OutputList
        The outputs.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    ValueError
        If the configuration is none.
    RuntimeError
        If something it names is not valid, or not there.
    RemoteException
        If the provider of the databases fails.
    Exception
        What the user's code raises when it is loaded.
    """

    def __init__(
        self,
        directory: str,
        section: str | None,
        dataformat_cache: dict[str, Any] | None,
        database_cache: dict[str, Any] | None,
        library_cache: dict[str, Any] | None,
        cache_root: str,
        db_socket: zmq.Socket[bytes] | None,
        loop_socket: zmq.Socket[bytes] | None = None,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        configuration = load_configuration(directory)
        self.data: JSON = configuration if section is None else part_of(configuration, section)
        self.prefix = os.path.join(directory, "prefix")
        self.db_socket = db_socket
        self.loop_socket = loop_socket
        if db_socket is not None:
            conversation(db_socket).compact = MADE_BY in configuration
        self.algorithm = Algorithm(
            self.prefix, self.data["algorithm"], dataformat_cache, library_cache
        )
        self.runner = self.algorithm.runner(exc=exc)
        databases = (
            load_databases(self.prefix, self.data, dataformat_cache, database_cache)
            if db_socket is None
            else {}
        )
        self.input_list, self.data_loaders = create_inputs_from_configuration(
            self.data,
            self.algorithm,
            self.prefix,
            cache_root,
            cache_access=AccessMode.LOCAL,
            db_access=AccessMode.LOCAL if db_socket is None else AccessMode.REMOTE,
            socket=db_socket,
            databases=databases,
        )
        self.output_list, self._sinks = create_outputs_from_configuration(
            self.data,
            self.algorithm,
            self.prefix,
            cache_root,
            self.input_list,
            self.data_loaders,
            loop_socket,
        )

    @property
    def schema_version(self) -> int:
        """The version of the configuration's form."""
        return self.data.get("schema_version", 1)  # type: ignore[no-any-return]

    @property
    def analysis(self) -> bool:
        """Whether the block gives a result instead of outputs."""
        return "result" in self.data

    @property
    def valid(self) -> bool:
        """Whether the algorithm can be used."""
        return self.algorithm.valid

    def setup(self) -> bool:
        """Hand its parameters to the algorithm; return whether it accepts them.

        Raises what `algorithm.Runner.setup` raises.
        """
        return self._first_steps(lambda: self.runner.setup(self.data.get("parameters") or {}))

    def prepare(self) -> bool:
        """Let the algorithm prepare itself; return whether it has.

        Raises what `algorithm.Runner.prepare` raises.
        """
        return self._first_steps(lambda: self.runner.prepare(self.data_loaders))

    def _first_steps(self, step: Callable[[], bool]) -> bool:
        succeeded = False
        try:
            succeeded = step()
        finally:
            if not succeeded:
                self.discard_outputs()
        return succeeded

    def check_outputs(self) -> None:
        """Raise `RuntimeError` if an output has not got all its data."""
        missing = [f"`{output.name}'" for output in self.output_list if output.isDataMissing()]
        if missing:
            raise RuntimeError(
                f"algorithm `{self.algorithm.name}': missing data on the output(s) "
                + ", ".join(missing)
            )

    def close_outputs(self) -> None:
        """Publish what was written; `OSError` if that is not possible."""
        for output in self.output_list:
            output.close()

    def discard_outputs(self) -> None:
        """Leave no file behind."""
        for sink in self._sinks:
            sink.discard()
