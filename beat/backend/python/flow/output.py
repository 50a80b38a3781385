"""The output of a flow, which gets its name when it is complete.

The flow works on a temporary file beside it. Whatever ends the flow early leaves the output, or
its absence, as it was.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from .errors import OutputExists
from .processes import Processes
from .workfile import WorkFile


class Output:
    """A file in the making.

    Parameters
    ----------
    filename : str
        Where the output is to be.
    input_filename : str or None
        What the flow reads; it may be the output itself.
    copies_input : bool
        Whether the flow begins with a copy of the input. Otherwise it adds to an output that is
        there already.
    overwrite : bool
        Whether to begin anew instead.
    in_place : bool
        Whether to work on the output itself.
    processes : Processes
        All that write it; all of them do everything here together.

    Attributes
    ----------
    filename : str
        Where the output is to be.
    path : str
        The file to work on.

    Raises
    ------
    OutputExists
        If it is there, would have to be overwritten, and that is not wanted.
    """

    def __init__(
        self,
        filename: str,
        input_filename: str | None,
        copies_input: bool,
        overwrite: bool,
        in_place: bool,
        processes: Processes,
    ) -> None:
        exists = processes.from_first(os.path.exists(filename))
        continues = processes.from_first(exists and _is_input(filename, input_filename))
        if exists and copies_input and not (continues or overwrite):
            raise OutputExists(
                f"the output `{filename}' exists already; it is replaced only with --overwrite "
                "(overwrite=True)"
            )
        adds = exists and (continues or not overwrite)
        self._work: WorkFile | None = None
        self.filename = self.path = filename
        if not in_place:
            content = filename if adds and not copies_input else None
            # a link stays one: what it leads to is replaced
            self._work = WorkFile(os.path.realpath(filename), content, processes)
            self.path = self._work.path
            self._clear_away: Any = weakref.finalize(self, self._work.discard)
        elif exists and not adds and not copies_input and processes.rank == 0:
            os.unlink(filename)
        processes.barrier()

    @property
    def is_temporary(self) -> bool:
        """Whether nobody else knows of the file to work on."""
        return self._work is not None

    def publish(self) -> None:
        """Give the file its name, after everything in it has been written and closed."""
        if self._work is not None:
            self._clear_away.detach()
            self._work.publish()

    def discard(self) -> None:
        """Remove the temporary file."""
        if self._work is not None:
            self._clear_away()


def _is_input(filename: str, input_filename: str | None) -> bool:
    return (
        input_filename is not None
        and os.path.exists(input_filename)
        and os.path.samefile(filename, input_filename)
    )
