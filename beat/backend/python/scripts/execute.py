"""Runs the algorithm of a block for the process that listens at an address."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .arguments import Parser


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser("execute", "Run the algorithm of a block.", keys=True)
    parser.add_argument("--cache", default="/cache", metavar="<path>", help="folder of the cache")
    parser.add_argument("--loop", metavar="<addr>", help="address of the loop's evaluator")
    parser.add_argument("--progress", metavar="<file>", help="where to note how far it has come")
    parser.add_argument("addr", help="address of the controlling process")
    parser.add_argument("dir", help="folder with configuration.json and prefix/")
    parser.add_argument("db_addr", nargs="?", help="address of the databases provider")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``execute``; return its exit status."""
    options = make_parser().parse_intermixed_args(arguments)

    from .process import log_to_stderr
    from .running import run_algorithm

    log_to_stderr(options.debug)
    return run_algorithm(
        options.addr,
        options.dir,
        options.cache,
        options.db_addr,
        options.loop,
        options.progress,
        options.keys,
    )


if __name__ == "__main__":
    sys.exit(main())
