"""``beat new``: makes objects to start from."""

from __future__ import annotations

import os

import click

from ..experiment import complete_label
from ..schema import KINDS
from .main import Folders
from .maker import Maker
from .names import find_entry
from .skeletons import ALGORITHM_TYPES


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option(
    "--type",
    "algorithm_type",
    type=click.Choice(ALGORITHM_TYPES),
    default="sequential",
    show_default=True,
    help="The type of an algorithm.",
)
@click.pass_obj
def new(folders: Folders, kind: str, name: str, algorithm_type: str) -> None:
    """Make a new object, with declaration, code and documentation.

    What it needs is taken from the prefix, or made too: an experiment brings its toolchain,
    databases and algorithms along.
    """
    os.makedirs(folders.prefix, exist_ok=True)
    maker = Maker(folders.prefix)
    try:
        full = complete_label(name) if kind == "experiment" else name
        maker.make(kind, full, algorithm_type)
    except RuntimeError as error:
        raise click.UsageError(str(error)) from error
    for made in maker.made:
        entry = find_entry(maker.catalog, made)
        click.echo(os.path.join(folders.prefix, str(entry.document.path)))
        errors = [finding for finding in entry.findings if finding.is_error]
        if errors:
            raise click.ClickException("\n".join(errors))
