"""``beat cache``: look at, check and tidy what was computed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress

import click
import simplejson

from ..runner import Runner, locks
from ..runner import outputs as cached
from ..runner.aside import list_set_aside
from ..runner.indexing import index_problem
from ..runner.scratch import abandoned_folders
from ..utils import NumpyJSONEncoder
from .main import Folders, check_prefix


@click.group()
def cache() -> None:
    """Look at, check and tidy what was computed."""


@cache.command()
@click.option("--damaged", is_flag=True, help="What was set aside instead: path, folder, problem.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def ls(folders: Folders, damaged: bool, as_json: bool) -> None:
    """List the outputs in the cache: size, algorithm, path."""
    found: Iterator[object]
    if damaged:
        found = list_set_aside(folders.cache)
        names, line = ("path", "folder", "problem"), "{path}  {folder}  {problem}"
    else:
        found = cached.list_outputs(folders.cache)
        names, line = ("path", "size", "algorithm"), "{size:>12}  {algorithm:<40}  {path}"
    rows = [{name: getattr(one, name) for name in names} for one in found]
    if as_json:
        click.echo(simplejson.dumps(rows, indent=4))
        return
    for row in rows:
        click.echo(line.format(**row))


@cache.command()
@click.pass_obj
def verify(folders: Folders) -> None:
    """Check every output and index against its checksums; the exit status is 1 if any is damaged.

    Indices are those of sets of databases. What was set aside is counted, and not checked again.
    """
    check_prefix(folders)
    damaged = total = 0
    for output in cached.list_outputs(folders.cache):
        total += 1
        problem = cached.verify(folders.cache, folders.prefix, output)
        if problem:
            damaged += 1
            click.echo(f"{output.path}: {problem}")
    for path in cached.indices(folders.cache):
        problem = index_problem(folders.cache, path)
        if problem:
            damaged += 1
            click.echo(f"{path}: {problem}")
    click.echo(f"{total} outputs, {damaged} damaged")
    aside = sum(1 for _ in list_set_aside(folders.cache))
    if aside:
        click.echo(f"{aside} set aside (beat cache ls --damaged)")
    if damaged:
        raise SystemExit(1)


@cache.command()
@click.option("--unused", is_flag=True, help="Also remove what no experiment of the prefix makes.")
@click.option("--damaged", is_flag=True, help="Also remove what was damaged and set aside.")
@click.option("-n", "--dry-run", is_flag=True, help="Only tell.")
@click.pass_obj
def gc(folders: Folders, unused: bool, damaged: bool, dry_run: bool) -> None:
    """Remove what writers and runs that are no more have left behind.

    What somebody else computed, and has no record here, is never removed. While a run uses the
    cache, nothing is taken for unused; the exit status is 1 then.
    """
    check_prefix(folders)
    for name in cached.leftovers(folders.cache):
        click.echo(name)
        if not dry_run:
            os.unlink(name)
    for folder in abandoned_folders():
        click.echo(folder)
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)
    for one in list_set_aside(folders.cache) if damaged else ():
        click.echo(one.folder)
        if not dry_run:
            one.remove()
    if unused:
        _remove_unused(folders, dry_run)


def _remove_unused(folders: Folders, dry_run: bool) -> None:
    wanted = set(_wanted(folders))
    with locks.unused(folders.cache) as is_idle:
        if not is_idle:
            raise click.ClickException("a run is using the cache: what is unused is not known")
        for output in cached.unused(folders.cache, wanted):
            click.echo(output.path)
            if not dry_run:
                cached.remove(folders.cache, output)


def _wanted(folders: Folders) -> Iterator[str]:
    """Yield where the cache keeps what the valid experiments of the prefix make."""
    runner = Runner(folders.prefix, folders.cache)
    root = os.path.join(folders.prefix, "experiments")
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if name.endswith(".json"):
                path = os.path.relpath(os.path.join(folder, name), root)
                yield from _paths(runner, path.removesuffix(".json"))


def _paths(runner: Runner, experiment: str) -> list[str]:
    try:
        plan = runner.plan("/".join(experiment.split("/")[-5:]))[1]
    except RuntimeError as error:
        raise click.ClickException(f"cannot tell what is used: {error}") from error
    return [path for block in plan.blocks for path in block.paths]


@cache.command()
@click.argument("experiment")
@click.argument("blocks", metavar="[BLOCK]...", nargs=-1)
@click.pass_obj
def rm(folders: Folders, experiment: str, blocks: tuple[str, ...]) -> None:
    """Remove what an experiment, or some of its blocks, made; damaged outputs of them too."""
    check_prefix(folders)
    wanted = _chosen(folders, experiment, blocks)
    for one in list_set_aside(folders.cache):
        if one.path in wanted:
            click.echo(one.folder)
            one.remove()
    for output in cached.list_outputs(folders.cache):
        if output.path in wanted:
            click.echo(output.path)
            cached.remove(folders.cache, output)


@cache.command()
@click.argument("experiment")
@click.argument("block")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--hdf5", is_flag=True, help="Write an HDF5 file that flows can work on.")
@click.pass_obj
def export(folders: Folders, experiment: str, block: str, file: str, hdf5: bool) -> None:
    """Write what a block made to a file (`-`: print it), one JSON object per unit of data.

    With `--hdf5`, there is a dataset for each output, with a row for each unit.
    """
    check_prefix(folders)
    outputs = _chosen(folders, experiment, (block,))
    try:
        if hdf5:
            _export_hdf5(folders, outputs, file)
        else:
            with click.open_file(file, "w", encoding="utf-8") as f:
                f.writelines(_lines(folders, outputs))
    except BrokenPipeError:  # whoever was to read it has seen enough
        raise
    except (RuntimeError, OSError, ImportError) as error:
        raise click.ClickException(str(error)) from error


def _lines(folders: Folders, outputs: Mapping[str, str]) -> Iterator[str]:
    for path, output in outputs.items():
        for unit in cached.units(folders.cache, folders.prefix, path):
            line = {"output": output, **unit}
            yield simplejson.dumps(line, cls=NumpyJSONEncoder, ignore_nan=True) + "\n"


def _export_hdf5(folders: Folders, outputs: Mapping[str, str], file: str) -> None:
    """Write the outputs to a new file, which has its name only when it is complete."""
    from ..flow import H5FlowDataManager
    from ..flow.bridge import export_cache

    temporary = f"{file}.part"
    try:
        flow = H5FlowDataManager(temporary, "w", mpi=False)
        for path, output in outputs.items():
            filename = os.path.join(folders.cache, path + ".data")
            export_cache(filename, folders.prefix, flow, output.rpartition(".")[2])
        flow.close_file()
        os.replace(temporary, file)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _chosen(folders: Folders, experiment: str, blocks: tuple[str, ...]) -> dict[str, str]:
    """Return the names of outputs of blocks (by default, of all) by path."""
    from ..runner.cache import outputs_of

    try:
        plan = Runner(folders.prefix, folders.cache).plan(experiment)[1]
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    known = {block.name: block for block in plan.blocks}
    for name in blocks:
        if name not in known:
            raise click.ClickException(f"no block `{name}' (there is {', '.join(known)})")
    return {
        path: f"{name}.{output}"
        for name in blocks or known
        for side in known[name].sides
        for output, path in outputs_of(side).items()
    }
