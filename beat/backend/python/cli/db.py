"""``beat db``: work with databases."""

from __future__ import annotations

import os

import click

from ..database import Database
from ..runner import Dataset, IndexingFailed, index_set
from ..runner.workdir import resolve_root_folder
from .main import Folders, check_prefix, root_folder_option


@click.group()
def db() -> None:
    """Work with databases."""


@db.command()
@click.argument("name", metavar="DB[/PROTOCOL[/SET]]")
@root_folder_option
@click.pass_obj
def index(folders: Folders, name: str, root_folders: dict[str, str]) -> None:
    """Index a database, one of its protocols, or one set.

    DB is a name with its version, such as `iris/1`.
    """
    check_prefix(folders)
    pieces = name.split("/", 3)
    if len(pieces) < 2:
        raise click.UsageError(f"expected DB[/PROTOCOL[/SET]] with DB like `iris/1', got `{name}'")
    try:
        for dataset in _datasets(folders.prefix, "/".join(pieces[:2]), pieces[2:]):
            database = Database(folders.prefix, dataset.database)
            root_folder = resolve_root_folder(database, root_folders)
            index_set(folders.prefix, folders.cache, dataset, root_folder)
            click.echo(f"{dataset.name}: {os.path.join(folders.cache, dataset.path)}")
    except (IndexingFailed, RuntimeError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) else str(error)
        raise click.ClickException(text) from error


def _datasets(prefix: str, name: str, chosen: list[str]) -> list[Dataset]:
    """Return the sets of a database that are chosen: all, those of a protocol, or one.

    A single word that is no protocol chooses the sets that are called so or have such a view.
    """
    database = Database(prefix, name)
    if not database.valid:
        raise RuntimeError("\n".join(database.errors))
    if chosen[1:]:
        database.set(*chosen)
    found = []
    for protocol in database.protocol_names:
        for set_name in database.set_names(protocol):
            view = database.view_definition(protocol, set_name)["view"]
            if chosen in ([], [protocol], [protocol, set_name]) or (
                chosen[0] not in database.protocols and chosen in ([set_name], [view])
            ):
                found.append(Dataset(f"{name}/{protocol}/{set_name}", name, protocol, set_name))
    if not found:
        raise RuntimeError(f"no protocol, set or view `{chosen[0]}' in database `{name}'")
    return found
