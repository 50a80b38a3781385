"""``beat export``: copies objects into another prefix."""

from __future__ import annotations

import click

from ..checks import open_catalog
from .main import Folders, check_prefix
from .names import find_entries, load_asset


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.pass_obj
def export(folders: Folders, names: tuple[str, ...], folder: str) -> None:
    """Copy objects, with everything they need, into the prefix DIR.

    Objects with errors are not copied.
    """
    check_prefix(folders)
    catalog = open_catalog(folders.prefix)
    chosen = dict.fromkeys(entry for name in names for entry in find_entries(catalog, name))
    everything = catalog.closure(chosen)
    errors = [f for entry in everything for f in entry.findings if f.is_error]
    if errors:
        raise click.ClickException("not exported:\n" + "\n".join(errors))
    try:
        for entry in chosen:
            load_asset(entry).export(folder)
    except (RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for entry in everything:
        click.echo(f"{entry.kind.folder}/{entry.name}")
