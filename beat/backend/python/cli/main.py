"""The root of the ``beat`` command and the options that all its parts share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from ..exceptions import MissingExtra
from ..version import VERSION

#: where each command is defined and what it does; the module is loaded only when it is called
COMMANDS = {
    "run": ("run:run", "Run experiments."),
    "check": ("check:check", "Find what is wrong with declarations and code."),
    "ls": ("show:ls", "List the objects of the prefix."),
    "show": ("show:show", "Print a declaration, with what it refers to."),
    "deps": ("show:deps", "List what an object needs."),
    "new": ("new:new", "Make a new object to start from."),
    "export": ("export:export", "Copy objects, with all they need, into another prefix."),
    "db": ("db:db", "Work with databases."),
    "algorithm": ("algorithm:algorithm", "Try an algorithm out by hand."),
    "results": ("results:results", "Look at what analyzers found in earlier runs."),
    "status": ("status:status", "Tell what of an experiment is in the cache."),
    "logs": ("status:logs", "Print what an experiment's blocks said."),
    "cache": ("cache:cache", "Look at, check and tidy what was computed."),
    "flow": ("flow:flow", "Run workflows over one HDF5 file."),
    "doctor": ("doctor:doctor", "Check that this machine has what experiments need."),
    "completion": ("doctor:completion", "Print what makes a shell complete words."),
}


class LazyGroup(click.Group):
    """A group that loads a command's module when it is called, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f".{module}", __package__), attribute)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; one that needs an extra says so."""
        try:
            return super().invoke(ctx)
        except MissingExtra as error:
            raise click.ClickException(str(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@dataclass(frozen=True)
class Folders:
    """The folders a command works on."""

    prefix: str
    cache: str


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--prefix",
    default="prefix",
    show_default=True,
    envvar="BEAT_PREFIX",
    show_envvar=True,
    help="The folder with the declarations.",
)
@click.option(
    "--cache",
    envvar="BEAT_CACHE",
    show_envvar=True,
    help="The folder for computed data.  [default: cache/ in the prefix]",
)
@click.version_option(VERSION, prog_name="beat")
@click.pass_context
def main(ctx: click.Context, prefix: str, cache: str | None) -> None:
    """Run BEAT experiments: data formats, algorithms, toolchains, databases."""
    ctx.obj = Folders(prefix, cache or os.path.join(prefix, "cache"))


def default_store(folders: Folders) -> str:
    """Return where the results of analyzers are kept unless told otherwise."""
    return os.path.join(folders.prefix, "results")


def parse_value(text: str) -> Any:
    """Return what a text means as JSON; the text itself if it is none."""
    import simplejson

    try:
        return simplejson.loads(text)
    except ValueError:
        return text


def parse_root_folders(ctx: Any, parameter: Any, values: tuple[str, ...]) -> dict[str, str]:
    """Turn ``NAME=FOLDER`` options into a dictionary."""
    folders = {}
    for value in values:
        name, separator, folder = value.partition("=")
        if not (name and separator and folder):
            raise click.BadParameter(f"expected NAME=FOLDER, got `{value}'")
        folders[name] = folder
    return folders


root_folder_option = click.option(
    "--root-folder",
    "root_folders",
    multiple=True,
    metavar="DB=FOLDER",
    callback=parse_root_folders,
    help="Where the raw data of a database is; may be given several times.",
)


def check_prefix(folders: Folders) -> None:
    """Stop with a clear message if there is no such prefix."""
    if not os.path.isdir(folders.prefix):
        raise click.UsageError(f"no such prefix folder: {folders.prefix} (see --prefix)")
