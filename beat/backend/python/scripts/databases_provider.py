"""Serves the databases that a block reads from, to the process that connects to an address."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .arguments import Parser


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser("databases_provider", "Serve the databases that a block reads from.", keys=True)
    parser.add_argument("addr", help="address to listen at")
    parser.add_argument("dir", help="folder with configuration.json and prefix/")
    parser.add_argument("cache", help="folder of the cache")
    parser.add_argument("conf_name", nargs="?", help="part of the configuration to look at")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``databases_provider``; return its exit status."""
    options = make_parser().parse_intermixed_args(arguments)

    from .process import log_to_stderr
    from .serving import serve_databases

    log_to_stderr(options.debug)
    return serve_databases(
        options.addr, options.dir, options.cache, options.conf_name, options.keys
    )


if __name__ == "__main__":
    sys.exit(main())
