"""``beat algorithm``: tries an algorithm out by hand."""

from __future__ import annotations

from typing import Any

import click
import simplejson

from ..exceptions import UserError
from ..utils import NumpyJSONEncoder
from .main import Folders, check_prefix, parse_value


def parse_files(ctx: Any, parameter: Any, values: tuple[str, ...]) -> dict[str, list[Any]]:
    """Turn ``INPUT=FILE`` options into units."""
    inputs = {}
    for value in values:
        name, separator, path = value.partition("=")
        if not (name and separator and path):
            raise click.BadParameter(f"expected INPUT=FILE, got `{value}'")
        try:
            with open(path, encoding="utf-8") as f:
                inputs[name] = [_unit(unit) for unit in _units_in(f.read())]
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"{path}: {error}") from error
    return inputs


def _units_in(text: str) -> list[Any]:
    """Return the units in a file: a list, a view's outputs if it is one, or one unit per line."""
    try:
        found = simplejson.loads(text)
    except ValueError:
        if not text.startswith('{"output": '):  # not what `beat cache export` writes
            raise
        return [simplejson.loads(line) for line in text.splitlines()]
    if isinstance(found, dict) and "data" in found:
        return [found]
    if isinstance(found, dict) and len(found) == 1:
        (found,) = found.values()
    if not isinstance(found, list):
        raise ValueError(f"expected a list of units, got {found!r:.100}")
    return found


def _unit(unit: Any) -> Any:
    """Return a unit: its content, or with indices if it has ``data``, ``start`` and ``end``."""
    if isinstance(unit, dict) and {"data", "start", "end"} <= set(unit):
        return (unit["data"], unit["start"], unit["end"])
    return unit


def _parse_parameters(ctx: Any, parameter: Any, values: tuple[str, ...]) -> dict[str, Any]:
    parameters = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not (name and separator):
            raise click.BadParameter(f"expected NAME=VALUE, got `{value}'")
        parameters[name] = parse_value(text)
    return parameters


@click.group()
def algorithm() -> None:
    """Try an algorithm out by hand."""


@algorithm.command()
@click.argument("name")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="INPUT=FILE",
    callback=parse_files,
    help="The units of an input, a JSON list: contents, or {data, start, end}.",
)
@click.option(
    "--set",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parse_parameters,
    help="A parameter.",
)
@click.option("--via", type=click.Choice(["inline", "execute"]), default="inline")
@click.pass_obj
def run(
    folders: Folders,
    name: str,
    inputs: dict[str, list[Any]],
    parameters: dict[str, Any],
    via: str,
) -> None:
    """Run an algorithm on data from files, and print what it gives as JSON.

    What `beat cache export` writes for a block with one output, and `beat db view --json` for one
    output, can be used as inputs.
    """
    from ..testing import run_algorithm

    check_prefix(folders)
    try:
        ran = run_algorithm(name, inputs, prefix=folders.prefix, parameters=parameters, via=via)
    except (UserError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error
    shown: dict[str, Any] = {
        "outputs": {
            output: [unit.as_dict() for unit in units] for output, units in ran.outputs.items()
        }
    }
    if ran.results is not None:
        shown["results"] = ran.results.as_dict()
    click.echo(simplejson.dumps(shown, indent=4, cls=NumpyJSONEncoder))
