"""The ``beat`` command, as ``python -m beat.backend.python``."""

from .cli import main

main(prog_name="beat")
