"""``beat flow``: runs workflows over one HDF5 file, and shows what is in such files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from ..flow import run as run_flows
from ..flow.checks import check_classes, find_unused
from ..flow.command import load_configs, show_error
from ..flow.config import where
from ..flow.data.hdf5 import open_hdf5
from ..flow.data.printing import describe_attrs, describe_data, describe_refs
from ..flow.errors import ConfigError, FlowError
from ..flow.modules.loop_generator import check_source
from ..flow.processes import ALONE, H5FLOW_MPI, world
from ..flow.requirements import format_requirements

configs_option = click.option(
    "-c",
    "--config",
    "configs",
    multiple=True,
    required=True,
    metavar="FILE",
    help="A configuration, YAML; may be given several times.",
)


@click.group()
def flow() -> None:
    """Run workflows over one HDF5 file."""


@flow.command()
@configs_option
@click.option("-o", "--output", "output_filename", required=True, metavar="FILE")
@click.option("-i", "--input", "input_filename", metavar="FILE")
@click.option("-s", "--start", "start_position", type=int, metavar="N", help="Where to begin.")
@click.option("-e", "--end", "end_position", type=int, metavar="N", help="Where to end.")
@click.option("-d", "--drop", multiple=True, metavar="NAME", help="A dataset not to keep.")
@click.option("-z", "--compression", type=click.Choice(["gzip", "lzf"]))
@click.option("--nompi", is_flag=True, help="Work alone, without MPI.")
@click.option("--overwrite", is_flag=True, help="Replace an output that is there already.")
@click.option("--in-place", is_flag=True, help="Work on the output file itself.")
@click.option("-v", "--verbose", count=True, help="Say more; may be repeated.")
def run(**options: Any) -> None:
    """Run one configuration after the other, on one output.

    The output appears when all are through; after an error, what was there is still there.
    """
    try:
        run_flows(**options, progress=True, announce=click.echo)
    except FlowError as error:
        if world(H5FLOW_MPI and not options["nompi"]).size > 1:
            raise  # which ends all processes
        show_error(error, options["verbose"])
        raise click.exceptions.Exit(1) from error


@flow.command()
@configs_option
@click.option(
    "-i", "--input", "input_filename", metavar="FILE", help="The input it is to be run on."
)
def check(configs: tuple[str, ...], input_filename: str | None) -> None:
    """Look for everything that is wrong with configurations, without running any code.

    The exit status is 1 if there is an error. What is said without effect is a warning.
    """
    problems: list[str] = []
    try:
        for config in load_configs(configs):
            problems += check_classes(config)
            problems += _check_input(config, input_filename)
            for text in find_unused(config):
                click.echo(f"warning: {text}", err=True)
    except ConfigError as error:
        problems += error.problems
    for text in problems:
        click.echo(f"error: {text}", err=True)
    if problems:
        raise click.exceptions.Exit(1)
    click.echo("no errors found")


def _check_input(config: Any, filename: str | None) -> Iterator[str]:
    source = config["flow"]["source"]
    if filename is not None and source not in config:
        try:
            check_source(filename, source)
        except (FlowError, OSError) as error:
            yield f"{where(config['flow'], 'source')}{error}"


@flow.command()
@configs_option
def show(configs: tuple[str, ...]) -> None:
    """Print what configurations run, in which order, on what."""
    try:
        for path, config in zip(configs, load_configs(configs), strict=True):
            click.echo("\n".join([path, *_describe(config)]))
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _describe(config: Any) -> Iterator[str]:
    source = config["flow"]["source"]
    for resource in config.get("resources") or []:
        yield f"  resource {resource['classname']}"
    if source in config:
        yield f"  source {config[source]['dset_name']}, made by {config[source]['classname']}"
    else:
        yield f"  source {source}, looped over"
    for name in config["flow"].get("stages") or []:
        yield f"  stage {name}: {config[name]['classname']}"
        for requirement in format_requirements(config[name].get("requires")):
            what = " (row numbers)" if requirement["index_only"] else ""
            what += " (optional)" if requirement.get("optional") else ""
            yield f"    requires {requirement['name']}: {' -> '.join(requirement['path'])}{what}"
    for name in config["flow"].get("drop") or []:
        yield f"  drops {name}"


@flow.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--attrs", is_flag=True, help="Print the attributes too.")
def ls(files: tuple[str, ...], attrs: bool) -> None:
    """Print the datasets and references in flow files."""
    for path in files:
        try:
            with open_hdf5(path, "r", ALONE) as file:
                click.echo(f"{path} ({os.path.getsize(path)} bytes)")
                lines = [*describe_data(file), *describe_refs(file)]
                lines += describe_attrs(file) if attrs else []
                for line in lines:
                    click.echo(f"  {line}")
        except (FlowError, OSError) as error:
            raise click.ClickException(str(error)) from error
