"""``beat status`` and ``beat logs``: how the last runs of an experiment's blocks ended."""

from __future__ import annotations

from typing import Any

import click
import simplejson

from ..experiment import complete_label
from ..runner import History, Runner
from .main import Folders, check_prefix


@click.command()
@click.argument("experiment")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(folders: Folders, experiment: str, as_json: bool) -> None:
    """Tell what of an experiment is in the cache, and what its blocks used.

    The exit status is 0 if everything is there, 1 if not.
    """
    check_prefix(folders)
    try:
        _, plan, judge = Runner(folders.prefix, folders.cache).plan(experiment)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    blocks: dict[str, Any] = {}
    for block in plan.blocks:
        decision = judge.decide(block)
        blocks[block.name] = {
            "cached": not decision.run,
            "reasons": list(decision.reasons),
            "last": judge.history.last(block.name),
        }
    if as_json:
        click.echo(simplejson.dumps({"experiment": plan.experiment, "blocks": blocks}, indent=4))
    else:
        click.echo(plan.experiment)
        for name, item in blocks.items():
            click.echo(f"  {name}: {_describe(item)}")
    if not all(item["cached"] for item in blocks.values()):
        raise SystemExit(1)


def _describe(item: dict[str, Any]) -> str:
    state = "in the cache" if item["cached"] else "to be run: " + "; ".join(item["reasons"])
    last = item["last"]
    if last is None:
        return state
    used = last["statistics"]
    data = used["data"].get("volume", {"read": 0, "write": 0})
    return (
        f"{state} ({last['state']} in {last['seconds']:.2f} s, "
        f"cpu {used['cpu']['total']:.2f} s, peak memory {used['memory']['rss'] >> 20} MB, "
        f"read {data['read']} B, written {data['write']} B)"
    )


@click.command()
@click.argument("experiment")
@click.argument("blocks", metavar="[BLOCK]...", nargs=-1)
@click.pass_obj
def logs(folders: Folders, experiment: str, blocks: tuple[str, ...]) -> None:
    """Print what the processes of an experiment's blocks said when they last ran."""
    check_prefix(folders)
    try:
        name = complete_label(experiment)
        plan = Runner(folders.prefix, folders.cache).plan(name)[1]
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    history = History(folders.cache, name)
    known = [block.name for block in plan.blocks]
    for block in blocks or known:
        if block not in known:
            raise click.ClickException(f"no block `{block}' (there is {', '.join(known)})")
        log = history.log(block)
        click.echo(f"== {block}: {'never ran here' if log is None else ''}".rstrip(" :"))
        if log:
            click.echo(log)
