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


@db.command()
@click.argument("name", metavar="DB/PROTOCOL/SET")
@click.option("--output", "outputs", multiple=True, help="Only this output.")
@click.option("-n", "count", default=5, show_default=True, help="How many units of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@root_folder_option
@click.pass_obj
def view(
    folders: Folders,
    name: str,
    outputs: tuple[str, ...],
    count: int,
    as_json: bool,
    root_folders: dict[str, str],
) -> None:
    """Show the first units that the view of a set delivers. It runs in this process."""
    import simplejson

    from ..testing import ViewUnits
    from ..utils import NumpyJSONEncoder

    check_prefix(folders)
    pieces = name.split("/")
    if len(pieces) != 4:
        raise click.UsageError(f"expected DB/PROTOCOL/SET with DB like `iris/1', got `{name}'")
    database, protocol, set_name = "/".join(pieces[:2]), pieces[2], pieces[3]
    root_folder = root_folders.get(database)
    try:
        units = ViewUnits(folders.prefix, folders.cache, database, protocol, set_name, root_folder)
        for output in outputs:
            if output not in units:
                raise KeyError(f"no output `{output}' (there is {', '.join(units)})")
        shown = {
            output: [unit.as_dict() for unit in units.first(output, count)]
            for output in outputs or units
        }
    except (RuntimeError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) else str(error)
        raise click.ClickException(text) from error
    if as_json:
        click.echo(simplejson.dumps(shown, indent=4, cls=NumpyJSONEncoder))
        return
    for output, rows in shown.items():
        click.echo(output)
        for row in rows:
            content = simplejson.dumps(row["data"], cls=NumpyJSONEncoder)
            click.echo(f"  {row['start']:>6}-{row['end']:<6} {content:.200}")


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
