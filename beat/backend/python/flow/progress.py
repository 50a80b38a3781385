"""Progress bars for loops that take long, on terminals only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..exceptions import MissingExtra


@contextmanager
def progress_bar(items: Iterable[Any], what: str, show: bool) -> Iterator[Iterable[Any]]:
    """Iterate with a bar on the standard error, if that is a terminal.

    Parameters
    ----------
    items : iterable
        What to iterate over; the bar has an end if it has a length.
    what : str
        What stands before the bar.
    show : bool
        Whether to show a bar at all.
    """
    if not show:
        yield items
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise MissingExtra("flows", "tqdm", "hdf5") from error
    with tqdm(items, desc=what, ascii=True, disable=None) as bar:
        yield bar
