"""``beat results``: what analyzers found in earlier runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import simplejson

from ..runner.keeping import TASK, Kept, compare, find, open_store
from .main import Folders, default_store

store_option = click.option(
    "--store",
    "where",
    metavar="DIR|mongodb://HOST/DB|memory:",
    help="Where results are kept.  [default: results/ in the prefix]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
words_argument = click.argument("words", metavar="[EXPERIMENT|HASH]...", nargs=-1)


@contextmanager
def telling_store_errors() -> Iterator[None]:
    """Turn failures of a store into messages."""
    from ..stores import StoreError

    try:
        yield
    except (StoreError, ImportError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error


def _kept(folders: Folders, where: str | None, words: tuple[str, ...]) -> list[Kept]:
    with telling_store_errors():
        kept = list(find(open_store(where or default_store(folders)), words))
    return sorted(kept, key=lambda item: item.when)


@click.group()
def results() -> None:
    """Look at what analyzers found in earlier runs."""


@results.command()
@words_argument
@store_option
@json_option
@click.pass_obj
def ls(folders: Folders, words: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """List runs: time, experiment, analyzer, hash."""
    kept = _kept(folders, where, words)
    if as_json:
        click.echo(simplejson.dumps([_as_json(item) for item in kept], indent=4))
        return
    for item in kept:
        click.echo(f"{item.when}  {item.label}")


@results.command()
@words_argument
@store_option
@json_option
@click.pass_obj
def show(folders: Folders, words: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """Show what runs gave, and by which parameters."""
    kept = _kept(folders, where, words)
    if not kept:
        raise click.ClickException(f"nothing is kept of {' '.join(words) or 'any experiment'}")
    if as_json:
        click.echo(simplejson.dumps([_as_json(item) for item in kept], indent=4))
        return
    for item in kept:
        click.echo(f"{item.label} ({item.when})")
        for name, value in item.settings.items():
            click.echo(f"  {name} = {value}")
        for name, result in item.results.items():
            click.echo(f"  {name}: {_short(result['value'])}")


@results.command(name="compare")
@words_argument
@store_option
@json_option
@click.pass_obj
def compare_(folders: Folders, words: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """Show runs side by side: the parameters they differ in, and their results."""
    table = compare(_kept(folders, where, words))
    if as_json:
        click.echo(simplejson.dumps(table, indent=4))
        return
    columns = {**table["settings"], **table["results"]}
    rows = [["run", *columns]]
    for number, label in enumerate(table["runs"]):
        rows.append([label, *(_short(values[number]) for values in columns.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@results.command()
@click.argument("words", metavar="EXPERIMENT|HASH...", nargs=-1, required=True)
@store_option
@click.pass_obj
def rm(folders: Folders, words: tuple[str, ...], where: str | None) -> None:
    """Remove runs."""
    for item in _kept(folders, where, words):
        with telling_store_errors():
            store = open_store(where or default_store(folders))
            store.delete_run(task_name=TASK, task_unique_config=item.configuration)
        click.echo(item.label)


def _as_json(item: Kept) -> dict[str, Any]:
    return {"label": item.label, **vars(item)}


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(value) if isinstance(value, dict) else f"{value}"
