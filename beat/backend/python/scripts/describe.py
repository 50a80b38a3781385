"""Prints the environment in which algorithms run: its name and version, and what is in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ..environment import ENVIRONMENT_FILE, environment
from .arguments import Parser


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser("describe", "Print the environment of this machine as JSON.", debug=False)
    parser.add_argument("name", nargs="?", help="name of the environment")
    parser.add_argument("version", nargs="?", help="version of the environment")
    return parser


def main(arguments: Sequence[str] | None = None, path: str = ENVIRONMENT_FILE) -> int:
    """Run the command ``describe``; return its exit status."""
    options = make_parser().parse_intermixed_args(arguments)
    try:
        described = environment(options.name, options.version, path)
    except (OSError, ValueError) as error:
        print(f"describe: {error}", file=sys.stderr)
        return 1
    print(json.dumps(described, indent=4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
