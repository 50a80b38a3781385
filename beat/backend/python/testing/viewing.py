"""Looks at what a view of a database delivers, through the sources that experiments read by."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ..database import Database
from ..hash import hashDataset, toPath
from ..runner.workdir import resolve_root_folder
from .running import Unit


class ViewUnits(Mapping[str, list[Unit]]):
    """The units of a set of a database, by the name of the output; read when asked for.

    Parameters
    ----------
    prefix, cache : str
        The folders; the set is indexed if the cache holds no index.
    database, protocol, set_name : str
        The set.
    root_folder : str, optional
        Where the raw data is; by default where experiments would look.

    Raises
    ------
    RuntimeError
        If the database is not valid.
    KeyError
        If there is no such protocol or set.
    Exception
        What the view raises.
    """

    def __init__(
        self,
        prefix: str,
        cache: str,
        database: str,
        protocol: str,
        set_name: str,
        root_folder: str | None = None,
    ) -> None:
        declared = Database(prefix, database)
        if not declared.valid:
            raise RuntimeError("\n".join(declared.errors))
        given = {} if root_folder is None else {database: root_folder}
        folder = resolve_root_folder(declared, given)
        self.view = declared.view(protocol, set_name, root_folder=folder)
        index = os.path.join(cache, toPath(hashDataset(database, protocol, set_name), ".db"))
        if not os.path.exists(index):
            self.view.index(index)
        self.view.setup(index, pack=False)

    def __getitem__(self, output: str) -> list[Unit]:
        source = self.view.data_sources[output]
        return [Unit(*source[index]) for index in range(len(source))]

    def first(self, output: str, count: int) -> list[Unit]:
        """Return the first units of an output without reading the others."""
        source = self.view.data_sources[output]
        return [Unit(*source[index]) for index in range(min(count, len(source)))]

    def __iter__(self) -> Iterator[str]:
        return iter(self.view.data_sources)

    def __len__(self) -> int:
        return len(self.view.data_sources)
