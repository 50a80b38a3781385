"""``beat doctor`` and ``beat completion``: the machine, and the shell."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version

import click

from .main import Folders

REQUIRED = ("numpy", "simplejson", "jsonschema", "pyzmq", "six", "click")
SCRIPTS = ("execute", "loop_execute", "databases_provider", "index", "describe")


@click.command()
@click.pass_obj
def doctor(folders: Folders) -> None:
    """Check that this machine has what experiments need; the exit status is 1 if not."""
    healthy = True
    for what, fine, found in _findings(folders):
        healthy &= fine
        click.echo(f"{'ok ' if fine else 'BAD'} {what}: {found}")
    if not healthy:
        raise SystemExit(1)


def _findings(folders: Folders) -> list[tuple[str, bool, str]]:
    found = [("python", True, f"{platform.python_version()} on {platform.platform()}")]
    for name in REQUIRED:
        try:
            found.append((name, True, version(name)))
        except PackageNotFoundError:
            found.append((name, False, f"not installed: pip install {name}"))
    for name in SCRIPTS:
        place = shutil.which(name)
        found.append((f"command {name}", True, place or "not on the PATH (drivers look for it)"))
    prefix = os.path.isdir(folders.prefix)
    found.append(("prefix", prefix, folders.prefix if prefix else f"no folder {folders.prefix}"))
    found.append(_writable("cache", folders.cache))
    found.append(_writable("temporary folder", tempfile.gettempdir()))
    return found


def _writable(what: str, folder: str) -> tuple[str, bool, str]:
    existing = os.path.abspath(folder)
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    if not os.access(existing, os.W_OK | os.X_OK):
        return what, False, f"{existing} cannot be written to"
    free = shutil.disk_usage(existing).free >> 30
    return what, True, f"{folder} ({free} GB free)"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete the words of this command.

    For bash: eval "$(beat completion bash)"
    """
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    source = get_completion_class(shell)
    assert source is not None
    click.echo(source(root.command, {}, root.info_name or "beat", "_BEAT_COMPLETE").source())
