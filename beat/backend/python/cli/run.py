"""``beat run``: runs experiments and shows what their analyzers found."""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any, NoReturn

import click
import simplejson

from ..runner import (
    DebugEngine,
    Decision,
    Engine,
    Event,
    IndexingFailed,
    InlineEngine,
    Limits,
    ProcessEngine,
    Result,
    Run,
    RunFailed,
    Runner,
)
from ..runner.keeping import expand, open_store
from ..stores import StoreError
from .main import Folders, check_prefix, default_store, parse_value, root_folder_option
from .results import store_option, telling_store_errors

INTERRUPTED = 130


def parse_parameters(
    ctx: Any, parameter: Any, values: tuple[str, ...]
) -> dict[tuple[str, str], list[Any]]:
    """Turn ``BLOCK.PARAMETER=VALUE[,VALUE]`` options into lists of values, JSON or else texts."""
    parameters = {}
    for given in values:
        where, separator, text = given.partition("=")
        block, dot, name = where.partition(".")
        if not (block and dot and name and separator):
            raise click.BadParameter(f"expected BLOCK.PARAMETER=VALUE, got `{given}'")
        parameters[block, name] = _parse_values(text)
    return parameters


def _parse_values(text: str) -> list[Any]:
    """Split at the commas outside of what is JSON as a whole."""
    whole = parse_value(text)
    return [parse_value(part) for part in text.split(",")] if whole == text else [whole]


class RunCommand(click.Command):
    """A command with an option ``--force[=BLOCK]``, whose value never is the next word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        return super().parse_args(ctx, ["--force=*" if a == "--force" else a for a in args])


@click.command(cls=RunCommand)
@click.argument("experiments", metavar="EXPERIMENT...", nargs=-1, required=True)
@click.option("-j", "--jobs", default=1, show_default=True, type=click.IntRange(1))
@click.option("-n", "--dry-run", is_flag=True, help="Tell what would run, and why.")
@click.option(
    "--force",
    multiple=True,
    metavar="[=BLOCK]",
    help="Run a block, or all, whatever the cache holds.",
)
@click.option("--from", "first", metavar="BLOCK", help="Run only what depends on this block.")
@click.option("--until", "last", metavar="BLOCK", help="Run only what this block depends on.")
@click.option(
    "--set",
    "parameters",
    multiple=True,
    metavar="BLOCK.PARAMETER=VALUE[,VALUE]",
    callback=parse_parameters,
    help="Change a parameter of the experiment; with several values, one run for each.",
)
@click.option("--keep-going", is_flag=True, help="Run what does not depend on a failed block.")
@click.option("--timeout", type=float, metavar="S", help="Seconds that a block may take.")
@click.option("--memory", type=int, metavar="MB", help="Megabytes that a block may use.")
@click.option(
    "--retries",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Run a block again, N times at most, if its process was killed.",
)
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["processes", "inline"]),
    default="processes",
    show_default=True,
    help="Where blocks run.",
)
@click.option("--debug", "debugged", metavar="BLOCK", help="Run this block under pdb, then stop.")
@click.option("--strict-cache", is_flag=True, help="Do not trust outputs without a record.")
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@root_folder_option
@click.pass_obj
def run(
    folders: Folders,
    experiments: tuple[str, ...],
    jobs: int,
    dry_run: bool,
    force: tuple[str, ...],
    first: str | None,
    last: str | None,
    parameters: dict[tuple[str, str], list[Any]],
    keep_going: bool,
    timeout: float | None,
    memory: int | None,
    retries: int,
    engine_name: str,
    debugged: str | None,
    strict_cache: bool,
    where: str | None,
    as_json: bool,
    root_folders: dict[str, str],
) -> None:
    """Run experiments, block by block, and print their results.

    Blocks whose outputs are in the cache, made in the same way, are not run again. The exit
    status is 0 if all went well, 1 if an experiment is not valid or a block failed, 130 after
    Ctrl-C.
    """
    check_prefix(folders)
    with telling_store_errors():
        store = None if dry_run else open_store(where or default_store(folders))
    runner = Runner(folders.prefix, folders.cache, root_folders, strict_cache, store)
    engine = _engine(engine_name, folders.cache, debugged)
    if debugged is not None:
        force, last = (*force, debugged), debugged
    stop, kill = click.get_current_context().with_resource(_interruptible())
    done: list[Any] = []
    for name, values in product(experiments, expand(parameters)):
        given = {f"{block}.{parameter}": value for (block, parameter), value in values.items()}
        label = " ".join([name, *(f"{which}={value}" for which, value in given.items())])
        try:
            if dry_run:
                decisions = runner.decide(name, force, values, first, last)
                blocks = _decisions_as_json(decisions)
                done.append({"experiment": name, "parameters": given, "blocks": blocks})
                show: str | None = format_decisions(label, decisions)
            else:
                click.echo(label, err=True)
                result = runner.run(
                    name,
                    jobs=jobs,
                    force=force,
                    first=first,
                    last=last,
                    parameters=values,
                    engine=engine,
                    keep_going=keep_going,
                    limits=Limits(timeout, memory),
                    retries=retries,
                    on_event=progress_printer(),
                    stop=stop,
                    kill=kill,
                )
                done.append(run_as_json(result, given))
                show = format_results(label, result) if result.results else None
        except (RunFailed, IndexingFailed, StoreError, RuntimeError) as error:
            _explain(error, stop.is_set())
        if not as_json and show is not None:
            click.echo(show)
    if as_json:
        click.echo(simplejson.dumps(done, indent=4))


def _explain(error: Exception, interrupted: bool) -> NoReturn:
    """Tell why there are no results and how to go on, and end the command."""
    if interrupted:
        # all is over: while this process ends, nobody needs to insist
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        click.echo(f"\ninterrupted; to go on from here:\n  {_this_command()}", err=True)
        sys.exit(INTERRUPTED)
    if not isinstance(error, RunFailed):
        raise click.ClickException(str(error)) from error
    click.echo(f"{error}\n\nto go on from here:\n  {_this_command()}", err=True)
    debugged = any(word.startswith("--debug") for word in sys.argv)
    for failure in [] if debugged else error.run.failures:
        command = _this_command("--debug", failure.name)
        click.echo(f"to debug `{failure.name}':\n  {command}", err=True)
    sys.exit(1)


@contextmanager
def _interruptible() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Give what Ctrl-C sets the first and the second time."""
    stop, kill = threading.Event(), threading.Event()

    def interrupt(number: int, frame: object) -> None:
        if kill.is_set():  # user code in this very process, which cannot be ended
            os._exit(INTERRUPTED)
        (kill if stop.is_set() else stop).set()

    if threading.current_thread() is not threading.main_thread():
        yield stop, kill
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop, kill
    finally:
        signal.signal(signal.SIGINT, before)


def _engine(name: str, cache: str, debugged: str | None) -> Engine:
    engine = InlineEngine(cache) if name == "inline" else ProcessEngine(cache)
    return engine if debugged is None else DebugEngine(debugged, cache, engine)


def _this_command(*more: str) -> str:
    """Return the command line to run again, without what forces blocks to run."""
    program = [os.path.basename(sys.argv[0])]
    if program == ["__main__.py"]:
        program = [os.path.basename(sys.executable), "-m", "beat.backend.python"]
    kept = [word for word in sys.argv[1:] if not word.startswith("--force")]
    return shlex.join([*program, *kept, *more])


def progress_printer() -> Callable[[Event], None]:
    """Return what prints events: on a terminal, a line of progress is kept up to date."""
    live = sys.stderr.isatty()
    lines: dict[str, str] = {}

    def show(event: Event) -> None:
        if event.state == "progress":
            if live:
                lines[event.name] = _progress(event)
                click.echo("\r\x1b[K  " + "  ".join(lines.values()), err=True, nl=False)
            return
        lines.pop(event.name, None)
        took = f" ({event.seconds:.2f} s)" if event.seconds else ""
        why = f" ({'; '.join(event.reasons)})" if event.reasons else ""
        start = "\r\x1b[K" if live else ""
        click.echo(f"{start}  {event.name}: {event.state}{took}{why}", err=True)

    return show


def _progress(event: Event) -> str:
    rate = event.index / event.seconds if event.seconds else 0.0
    left = (event.total - event.index) / rate if rate else 0.0
    return f"{event.name}: {event.index}/{event.total} ({rate:.0f}/s, {left:.0f} s left)"


def format_decisions(name: str, decisions: Mapping[str, Decision]) -> str:
    """Return what would be done with each block."""
    lines = [name]
    for block, decision in decisions.items():
        if decision.run:
            lines.append(f"  {block}: RUN ({'; '.join(decision.reasons)})")
        else:
            lines.append(f"  {block}: CACHED")
    return "\n".join(lines)


def _decisions_as_json(decisions: Mapping[str, Decision]) -> dict[str, Any]:
    return {
        name: {"run": decision.run, "reasons": list(decision.reasons)}
        for name, decision in decisions.items()
    }


def format_results(label: str, done: Run) -> str:
    """Return the results of an experiment as a table."""
    lines = [f"results of {label}"]
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


def run_as_json(done: Run, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run gave, with the parameters that were set for it, as plain JSON."""
    return {
        "experiment": done.experiment,
        "parameters": parameters,
        "blocks": done.states,
        "statistics": done.statistics,
        "results": {
            analyzer: {name: vars(result) for name, result in results.items()}
            for analyzer, results in done.results.items()
        },
    }
