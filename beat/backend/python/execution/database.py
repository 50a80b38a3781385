"""Serves what the views of databases deliver."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..helpers import DatabaseViews
from .block import load_databases

if TYPE_CHECKING:
    from .messagehandlers import MessageHandler

JSON = dict[str, Any]


class DBExecutor:
    """Runs the views of databases that the inputs of a block read from.

    Parameters
    ----------
    message_handler : MessageHandler
        Serves the data, from `process` on.
    prefix : str
        The folder of the declarations.
    cache_root : str
        The folder with the indices of the views.
    data : dict or str
        The configuration of the block, or the path of its file: ``inputs``, ``channel`` and, for
        a part of the data on that channel, ``range``.
    dataformat_cache, database_cache : dict, optional
        Objects by full name, reused and added to.
    exc : class, optional
        What failures of the views' code are raised as; by default, they leave unchanged.

    Attributes
    ----------
    data : dict
        The configuration.
    errors : list of str
        What makes it unusable: it, or a database, is not valid.
    databases : dict
        The databases by name.
    views : dict
        The views by database, protocol, set and range.
    data_sources : dict
        What is served: data sources by the names of the inputs.

    Raises
    ------
    KeyError
        If a database has no such protocol, set or output.
    OSError
        If the index of a view cannot be read.
    Exception
        What the views' code raises.
    """

    def __init__(
        self,
        message_handler: MessageHandler,
        prefix: str,
        cache_root: str,
        data: JSON | str,
        dataformat_cache: dict[str, Any] | None = None,
        database_cache: dict[str, Any] | None = None,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        self.message_handler = message_handler
        self.prefix = prefix
        self.errors: list[str] = []
        self.databases: dict[str, Any] = {}
        self.views: dict[tuple[Any, ...], Any] = {}
        self.data_sources: dict[str, Any] = {}
        self._started = False
        self.data = self._configuration(data)
        if self.valid:
            self.databases = load_databases(prefix, self.data, dataformat_cache, database_cache)
            for name, database in self.databases.items():
                self.errors += [f"database `{name}': {error}" for error in database.errors]
        if self.valid:
            self._open_sources(cache_root, exc)
        message_handler.service.prefix = prefix
        message_handler.set_data_sources(self.data_sources)

    def _configuration(self, data: JSON | str) -> JSON:
        if not isinstance(data, dict):
            try:
                with open(data, "rb") as f:
                    data = json.load(f)
            except (OSError, ValueError, RecursionError) as error:
                self.errors.append(f"configuration {data}: {error}")
                return {}
        for key in ("inputs", "channel"):
            if not isinstance(data, dict) or key not in data:
                self.errors.append(f"configuration: `{key}' is missing")
        return data if isinstance(data, dict) else {}

    def _open_sources(self, cache_root: str, exc: Callable[[Any], Exception] | None) -> None:
        views = DatabaseViews(self.data, self.databases, cache_root, pack=True, exc=exc)
        for name, details in self.data["inputs"].items():
            if "database" in details:
                self.data_sources[name] = views.source(details)
        self.views = views.views

    @property
    def valid(self) -> bool:
        """Whether there is something to serve."""
        return not self.errors

    @property
    def address(self) -> str:
        """Where the data is served."""
        return self.message_handler.address

    def process(self) -> bool:
        """Begin to serve; return whether the configuration is valid."""
        if not self.valid:
            return False
        self._started = True
        self.message_handler.start()
        return True

    def wait(self) -> None:
        """Wait until the other side is done, if `process` was called."""
        if self._started:
            self.message_handler.join()
