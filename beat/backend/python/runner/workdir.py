"""Working folders of blocks: exactly what their processes need, and nothing else of the prefix."""

from __future__ import annotations

import os
from collections.abc import Mapping

import simplejson

from ..algorithm import Algorithm
from ..asset import JSON
from ..database import Database
from ..execution.block import MADE_BY
from ..helpers import convert_experiment_configuration_to_container
from ..utils import NumpyJSONEncoder
from ..version import VERSION
from .plan import Block


def resolve_root_folder(database: Database, root_folders: Mapping[str, str]) -> str:
    """Return where the raw data of a database is on this machine.

    What the user says; else the declared folder if it exists; else the one in the prefix,
    ``<prefix>/rawdata/<database>``, if that exists; else what is declared.
    """
    name = str(database.name)
    declared = str(database.data.get("root_folder", ""))
    beside = os.path.join(os.path.abspath(database.prefix), "rawdata", name)
    if name in root_folders:
        return os.path.abspath(root_folders[name])
    if not os.path.isdir(declared) and os.path.isdir(beside):
        return beside
    return declared


def databases_of(block: Block) -> list[str]:
    """Return the names of the databases that a block reads, in any of its sides."""
    inputs = [item for side in block.sides for item in side["inputs"].values()]
    return sorted({item["database"] for item in inputs if "database" in item})


def make_algorithm_folder(
    folder: str,
    block: Block,
    algorithms: Mapping[str, Algorithm],
    databases: Mapping[str, Database],
) -> None:
    """Make the folder of the processes that run the algorithms of a block."""
    _write_configuration(folder, block)
    prefix = os.path.join(folder, "prefix")
    for side in block.sides:
        algorithms[side["algorithm"]].export(prefix)
    for name in databases_of(block):  # its formats; the code stays with the provider
        for dataformat in databases[name].dataformats.values():
            dataformat.export(prefix)


def make_provider_folder(
    folder: str, block: Block, home: str, root_folders: Mapping[str, str]
) -> None:
    """Make the folder of the processes that provide the databases of a block.

    ``home`` is the prefix that they come from.
    """
    _write_configuration(folder, block)
    prefix = os.path.join(folder, "prefix")
    for name in databases_of(block):
        database = Database(home, name)
        database.data["root_folder"] = resolve_root_folder(database, root_folders)
        database.export(prefix)


def _write_configuration(folder: str, block: Block) -> None:
    os.makedirs(folder)
    configuration: JSON = convert_experiment_configuration_to_container(block.configuration)
    configuration[MADE_BY] = VERSION
    with open(os.path.join(folder, "configuration.json"), "w", encoding="utf-8") as f:
        simplejson.dump(configuration, f, indent=4, cls=NumpyJSONEncoder)
