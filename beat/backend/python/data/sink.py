"""Where data units are written to."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Any


class DataSink(ABC):
    """Takes the data units of an output. Subclasses need not call a constructor.

    Attributes
    ----------
    takes_dictionaries : bool
        Whether `write` casts dictionaries itself, safely; else outputs do so before.
    """

    takes_dictionaries = False

    @abstractmethod
    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        """Write a unit.

        Parameters
        ----------
        data : instance of the format, dict or None
            The content; a dictionary only if the sink says `takes_dictionaries`.
        start_data_index, end_data_index : int
            The first and the last index it covers.
        """

    @abstractmethod
    def isConnected(self) -> bool:
        """Tell whether anybody wants the data."""

    def close(self) -> None:  # noqa: B027 - most sinks have nothing to close
        """Finish writing."""


class StdoutDataSink(DataSink):
    """Shows the data units of an output on the standard output."""

    dataformat: Any = None
    prefix = ""
    display_data = True

    def setup(self, dataformat: Any, prefix: str | None = None, display_data: bool = True) -> bool:
        """Get ready.

        Parameters
        ----------
        dataformat : DataFormat
            The format of the units.
        prefix : str, optional
            What every line starts with.
        display_data : bool
            Whether the data is shown, or only its indices.

        Returns
        -------
        bool
            True.

        Raises
        ------
        RuntimeError
            If the format is not valid.
        """
        if not dataformat.valid:
            raise RuntimeError(f"the dataformat `{dataformat.name}' is not valid")
        self.dataformat = dataformat
        self.prefix = prefix or ""
        self.display_data = display_data
        return True

    def isConnected(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        """Show a unit: an instance of the format, a dictionary, or None."""
        text = f"{self.prefix}({start_data_index} -> {end_data_index})"
        if self.display_data:
            text += f" {data}"
        sys.stdout.write(text + "\n")
