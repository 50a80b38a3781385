"""Runs the evaluator of a loop for the processor that connects to an address."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .arguments import Parser


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser("loop_execute", "Run the evaluator of a loop.", keys=True)
    parser.add_argument("addr", help="address to listen at")
    parser.add_argument("dir", help="folder with configuration.json and prefix/")
    parser.add_argument("cache", help="folder of the cache")
    parser.add_argument("db_addr", nargs="?", help="address of the databases provider")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``loop_execute``; return its exit status."""
    options = make_parser().parse_intermixed_args(arguments)

    from .process import log_to_stderr
    from .serving import serve_evaluator

    log_to_stderr(options.debug)
    return serve_evaluator(options.addr, options.dir, options.cache, options.db_addr, options.keys)


if __name__ == "__main__":
    sys.exit(main())
