"""What all command lines share."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser for a command that ends with status 0 or 1, and nothing else.

    Parameters
    ----------
    name : str
        The name of the command.
    description : str
        What it does, in a sentence or two.
    debug : bool
        Whether it takes ``--debug``.
    keys : bool
        Whether it takes ``--keys``.
    """

    def __init__(self, name: str, description: str, debug: bool = True, keys: bool = False) -> None:
        super().__init__(prog=name, description=description, allow_abbrev=False)
        if debug:
            self.add_argument("--debug", action="store_true", help="log what happens in detail")
        if keys:
            self.add_argument(
                "--keys", metavar="<folder>", help="talk to those only whose keys are in there"
            )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and end the process."""
        self.print_usage()
        self.exit(1, f"{self.prog}: {message}\n")
