"""Working directories of blocks, and the caches they read from and write to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy
from support.objects import algorithm_declaration, write_object

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import CachedDataSink, CachedDataSource
from beat.backend.python.database import Database
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.hash import hashDataset, toPath

JSON = dict[str, Any]

INTEGER = "user/single_integer/1"
MAIN = "main"


class Workspace:
    """A working directory with its prefix, and a cache.

    Parameters
    ----------
    root : Path
        An empty folder.
    source : str
        The prefix that objects come from.
    """

    def __init__(self, root: Path, source: str) -> None:
        self.source = source
        self.directory = root / "work"
        self.prefix = self.directory / "prefix"
        self.cache = root / "cache"
        self.prefix.mkdir(parents=True)
        self.cache.mkdir(exist_ok=True)
        self.configuration: JSON = {}

    # what there is to work with

    def bring(self, algorithm: str) -> None:
        """Export an algorithm into the working directory."""
        asset = Algorithm(self.source, algorithm)
        assert asset.valid, asset.errors
        asset.export(str(self.prefix))

    def bring_database(self, name: str) -> None:
        """Export a database into the working directory."""
        Database(self.source, name).export(str(self.prefix))

    def write_algorithm(self, code: str, name: str = "user/tested/1", **declared: Any) -> str:
        """Write an algorithm from ``in`` to ``out``, numbers both."""
        groups = [{"inputs": {"in": {"type": INTEGER}}, "outputs": {"out": {"type": INTEGER}}}]
        declaration = algorithm_declaration(**{"groups": groups, **declared})
        write_object(self.prefix, "algorithms", name, declaration, code)
        self.write_format()
        return name

    def write_format(self) -> None:
        """Copy the format of numbers into the working directory."""
        folder = Path("dataformats", *INTEGER.split("/")[:-1])
        shutil.copytree(Path(self.source) / folder, self.prefix / folder, dirs_exist_ok=True)

    def write_input(self, path: str, values: list[int], width: int = 1, start: int = 0) -> JSON:
        """Write numbers into the cache; return the configuration of an input that reads them."""
        dataformat = DataFormat(self.source, INTEGER)
        end = start + width * len(values) - 1
        sink = CachedDataSink()
        assert sink.setup(str(self.cache / f"{path}.data"), dataformat, start, end)
        for i, value in enumerate(values):
            first = start + i * width
            sink.write({"value": numpy.int32(value)}, first, first + width - 1)
        sink.close()
        return {"channel": MAIN, "path": path}

    def index(
        self, database: str, protocol: str, set_name: str, output: str, channel: str = MAIN
    ) -> JSON:
        """Index a set; return the configuration of an input that reads one of its outputs."""
        path = toPath(hashDataset(database, protocol, set_name), ".db")
        view = Database(self.source, database).view(protocol, set_name)
        view.index(str(self.cache / path))
        return {
            "channel": channel,
            "path": path,
            "database": database,
            "protocol": protocol,
            "set": set_name,
            "output": output,
        }

    # the block

    def configure(
        self,
        algorithm: str,
        inputs: dict[str, JSON],
        result: bool = False,
        output_path: str = "out",
        **more: Any,
    ) -> JSON:
        """Write the configuration of a block; return it."""
        self.configuration = side(algorithm, inputs, result, output_path, **more)
        self.write_configuration()
        return self.configuration

    def write_configuration(self) -> None:
        """Write the configuration once more, after it was changed."""
        path = self.directory / "configuration.json"
        path.write_text(json.dumps(self.configuration), encoding="utf-8")

    # what has become of it

    def units(self, path: str = "out", field: str = "value") -> list[tuple[Any, int, int]]:
        """Return the units of an output in the cache."""
        source = CachedDataSource()
        assert source.setup(str(self.cache / f"{path}.data"), str(self.prefix))
        units = [(getattr(data, field), start, end) for data, start, end in source]
        source.close()
        return units

    def values(self, path: str = "out", field: str = "value") -> list[Any]:
        """Return the values of an output in the cache."""
        return [value for value, _, _ in self.units(path, field)]

    def files(self, path: str = "out") -> list[str]:
        """Return all files that have to do with an output, temporary ones included."""
        return sorted(f.name for f in self.cache.iterdir() if f.name.lstrip(".").startswith(path))


def side(
    algorithm: str,
    inputs: dict[str, JSON],
    result: bool = False,
    output_path: str = "out",
    **more: Any,
) -> JSON:
    """Return the configuration of a block, or of one side of a loop."""
    target = {"channel": MAIN, "path": output_path}
    made: JSON = {"result": target} if result else {"outputs": {"out": target}}
    return {
        "algorithm": algorithm,
        "parameters": {},
        "channel": MAIN,
        "inputs": inputs,
        **made,
        **more,
    }
