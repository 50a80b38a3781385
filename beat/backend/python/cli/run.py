"""``beat run``: runs experiments and shows what their analyzers found."""

from __future__ import annotations

from typing import Any

import click
import simplejson

from ..runner import BlockFailed, Event, Result, Run, Runner
from .main import Folders, check_prefix, root_folder_option


@click.command()
@click.argument("experiments", metavar="EXPERIMENT...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Run every block, whatever the cache holds.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@root_folder_option
@click.pass_obj
def run(
    folders: Folders,
    experiments: tuple[str, ...],
    force: bool,
    as_json: bool,
    root_folders: dict[str, str],
) -> None:
    """Run experiments, block by block, and print their results.

    Blocks whose outputs are in the cache are not run again. The exit status is 0 if all went
    well, 1 if an experiment is not valid or a block failed.
    """
    check_prefix(folders)
    runner = Runner(folders.prefix, folders.cache, root_folders)
    done = []
    for name in experiments:
        click.echo(name, err=True)
        try:
            done.append(runner.run(name, force=force, on_event=_show))
        except (BlockFailed, RuntimeError) as error:
            raise click.ClickException(str(error)) from error
        if not as_json:
            click.echo(format_results(done[-1]))
    if as_json:
        click.echo(simplejson.dumps([_as_json(item) for item in done], indent=4))


def _show(event: Event) -> None:
    took = f" ({event.seconds:.2f} s)" if event.seconds else ""
    click.echo(f"  {event.name}: {event.state}{took}", err=True)


def format_results(done: Run) -> str:
    """Return the results of an experiment as a table."""
    lines = [f"results of {done.experiment}"]
    for analyzer, results in done.results.items():
        lines.append(f"  {analyzer}")
        width = max(map(len, results), default=0)
        ordered = sorted(results.items(), key=lambda item: not item[1].display)
        lines += [f"    {name:<{width}}  {_format(result)}" for name, result in ordered]
    return "\n".join(lines)


def _format(result: Result) -> str:
    if isinstance(result.value, dict):
        return f"({result.type}) {', '.join(result.value)}"
    return f"{result.value:.6g}" if isinstance(result.value, float) else str(result.value)


def _as_json(done: Run) -> dict[str, Any]:
    return {
        "experiment": done.experiment,
        "blocks": done.states,
        "results": {
            analyzer: {name: vars(result) for name, result in results.items()}
            for analyzer, results in done.results.items()
        },
    }
