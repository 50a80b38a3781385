"""Running flows by a call or by a command line."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .checks import check_config
from .config import load_config
from .core.h5_flow_manager import H5FlowManager, copies_its_input
from .errors import ConfigError, FlowError
from .output import Output
from .processes import H5FLOW_MPI, world

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def run(
    configs: Sequence[str],
    output_filename: str,
    input_filename: str | None = None,
    start_position: int | None = None,
    end_position: int | None = None,
    verbose: int = 0,
    drop: Sequence[str] | None = None,
    nompi: bool = False,
    compression: str | None = None,
    *,
    overwrite: bool = False,
    in_place: bool = False,
    progress: bool = False,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Run flows, one after the other, on one output.

    Parameters
    ----------
    configs : list of str
        Files with configurations. From the second one on, the output is the input.
    output_filename : str
        The output, which appears when all flows are through.
    input_filename : str, optional
        The input of the first flow.
    start_position, end_position : int, optional
        Where the generator of each flow is to begin and to end.
    verbose : int
        Whether to log more: 1 what is done, 2 everything.
    drop : list of str, optional
        What is not kept in the output, besides what each configuration says.
    nompi : bool
        Whether this process works alone, whatever others MPI has started.
    compression : str, optional
        What new datasets are compressed with: "gzip" or "lzf".
    overwrite : bool
        Whether an output that is there already may be replaced.
    in_place : bool
        Whether to work on the output file itself: it is not whole before the end, and not at all
        after an error.
    progress : bool
        Whether to show progress bars.
    announce : callable, optional
        Told each step, a line of text at a time.

    Raises
    ------
    ConfigError
        With everything that is wrong with the configurations.
    OutputExists
        If the output is there and not to be overwritten.
    """
    mpi = H5FLOW_MPI and not nompi
    processes = world(mpi)
    _log(verbose, processes.rank)
    tell = announce if announce is not None and processes.rank == 0 else _ignore
    parsed = load_configs(configs)
    for config in parsed:
        config["flow"]["drop"] = [*(config["flow"].get("drop") or []), *(drop or [])]
    copies_input = copies_its_input(parsed[0])
    output = Output(output_filename, input_filename, copies_input, overwrite, in_place, processes)
    try:
        tell(f"~~~ H5FLOW ~~~\noutput file: {output_filename}\ninput file: {input_filename}")
        for path, config in zip(configs, parsed, strict=True):
            tell(f"~~~ WORKFLOW ~~~\n{path}")
            if verbose:
                tell(Path(path).read_text(encoding="utf-8"))
            manager = H5FlowManager(
                config,
                output_filename,
                input_filename,
                start_position,
                end_position,
                compression,
                mpi=mpi,
                progress=progress,
                output=output,
            )
            _run_one(manager, tell)
            input_filename = output.path
        output.publish()
    except BaseException:
        output.discard()
        raise


def _run_one(manager: H5FlowManager, tell: Callable[[str], None]) -> None:
    tell("~~~ INIT ~~~")
    manager.init()
    tell("~~~ RUN ~~~")
    manager.run()
    tell("~~~ FINISH ~~~")
    manager.finish()


def load_configs(paths: Sequence[str]) -> list[Any]:
    """Read configurations and check their form.

    Raises
    ------
    ConfigError
        With everything that is wrong with any of them.
    """
    if not paths:
        raise ConfigError("a flow needs a configuration")
    parsed = [load_config(path) for path in paths]
    problems = [
        problem if path in problem else f"{path}: {problem}"
        for path, config in zip(paths, parsed, strict=True)
        for problem in check_config(config)
    ]
    if problems:
        raise ConfigError(*problems)
    return parsed


def _log(verbose: int, rank: int) -> None:
    """Log to the standard error, unless the program logs elsewhere."""
    logging.basicConfig(
        format=f"%(asctime)s (r{rank}) %(module)s.%(funcName)s [%(levelname)s] %(message)s",
        level=LEVELS[min(verbose, len(LEVELS) - 1)],
    )


def _ignore(text: str) -> None:
    """Say nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run flows as a command line says.

    Returns
    -------
    int
        0 if all went well, else 1. Bad arguments end the process with 2.
    """
    options = vars(_parser().parse_args(arguments))
    try:
        run(**options, progress=True, announce=_print)
    except FlowError as error:
        if world(H5FLOW_MPI and not options["nompi"]).size > 1:
            raise  # which ends all processes
        show_error(error, options["verbose"])
        return 1
    return 0


def show_error(error: Exception, verbose: int) -> None:
    """Print an error; with the traceback if more is to be said."""
    if verbose:
        traceback.print_exception(error)
    notes = getattr(error, "__notes__", [])
    print("error:", "\n  ".join([str(error), *notes]), file=sys.stderr)


def _print(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m beat.backend.python.flow",
        description="Run workflows over one HDF5 file.",
    )
    add = parser.add_argument
    add("-c", "--configs", nargs="+", required=True, metavar="FILE", help="configurations, YAML")
    add("-o", "--output_filename", required=True, metavar="FILE", help="the output, HDF5")
    add("-i", "--input_filename", metavar="FILE", help="the input of the first configuration")
    add("-s", "--start_position", type=int, metavar="N", help="where the generators begin")
    add("-e", "--end_position", type=int, metavar="N", help="where the generators end")
    add("-d", "--drop", nargs="+", metavar="NAME", help="datasets that are not kept")
    add("-z", "--compression", choices=["gzip", "lzf"], help="how new datasets are compressed")
    add("--nompi", action="store_true", help="work alone, without MPI")
    add("--overwrite", action="store_true", help="replace an output that is there already")
    add("--in-place", action="store_true", help="work on the output file itself")
    add("-v", "--verbose", action="count", default=0, help="say more; may be repeated")
    return parser
