"""Parses BEAT declarations and runs the Python algorithms of BEAT experiments."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(ipython: Any) -> None:
    """Show objects of this package readably in a notebook: ``%load_ext beat.backend.python``."""
    from .notebook import show_cards

    show_cards(ipython.display_formatter)


def unload_ipython_extension(ipython: Any) -> None:
    """Undo `load_ipython_extension`."""
    from .notebook import show_cards

    show_cards(ipython.display_formatter, False)
