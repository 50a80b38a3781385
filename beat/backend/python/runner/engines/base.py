"""What every engine is given, and what it gives back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ...asset import JSON
from ..plan import Block


@dataclass(frozen=True)
class Limits:
    """What a block may use: seconds of time, megabytes of memory; None for as much as it takes."""

    seconds: float | None = None
    megabytes: int | None = None


@dataclass
class Control:
    """The line between an engine and the one who asked it to run a block.

    Attributes
    ----------
    limits : Limits
        What the block may use.
    stop : threading.Event
        Set to end the block.
    kill : threading.Event
        Set to end it without giving it time to clean up.
    on_progress : callable
        Told the last data index that the block has dealt with, now and then.
    """

    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)
    kill: threading.Event = field(default_factory=threading.Event)
    on_progress: Callable[[int], None] = lambda index: None


@dataclass(frozen=True)
class Usage:
    """What a block used.

    Attributes
    ----------
    seconds : float
        Time that passed.
    user, system : float
        Time of the processor, in seconds.
    voluntary, involuntary : int
        Context switches.
    peak_bytes : int
        The most memory that the process of the algorithm had at a time.
    """

    seconds: float = 0.0
    user: float = 0.0
    system: float = 0.0
    voluntary: int = 0
    involuntary: int = 0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a block ended.

    Attributes
    ----------
    status : int
        The exit status of the algorithm's process; negative: the number of a signal.
    user_error, system_error : str
        What it reported.
    ended_for : str
        Why it was ended from outside, if it was.
    data : dict
        The statistics of what was read and written.
    usage : Usage
        What it used.
    index : int or None
        The last data index that it had dealt with.
    log : str
        What its processes printed.
    """

    status: int
    user_error: str = ""
    system_error: str = ""
    ended_for: str = ""
    data: JSON = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    index: int | None = None
    log: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the block is done."""
        return not (self.status or self.user_error or self.system_error or self.ended_for)

    @property
    def died(self) -> bool:
        """Whether its process was ended by a signal that was not sent from here."""
        return self.status < 0 and not (self.user_error or self.system_error or self.ended_for)

    @property
    def cause(self) -> str:
        """What went wrong, in the words of the one who knows most about it."""
        if self.ended_for:
            return self.ended_for
        if self.user_error or self.system_error:
            return self.user_error or self.system_error
        if self.status < 0:
            return f"its process was ended by {signal.Signals(-self.status).name}"
        return f"its process ended with status {self.status}"


class Engine(Protocol):
    """Starts blocks somewhere.

    The folder has working folders in it: ``algorithm`` and, if the block reads databases,
    ``databases``.
    """

    def run(self, block: Block, folder: str, control: Control) -> Outcome:
        """Run a block and wait for it.

        Parameters
        ----------
        block : Block
            The block.
        folder : str
            Its private folder.
        control : Control
            What limits it, and tells when to stop.

        Returns
        -------
        Outcome
            How it ended; failures of users' code are no exceptions here.
        """
