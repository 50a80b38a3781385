"""What a run of an experiment tells while it goes on, and what it gives in the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..asset import JSON
from ..execution.messagehandlers import VANISHED
from .engines import Outcome
from .results import Result


@dataclass(frozen=True)
class Event:
    """Something that happened to a dataset or to a block.

    Attributes
    ----------
    name : str
        Which one.
    state : str
        ``indexing``, ``indexed``, ``waiting`` (for another run), ``running``, ``progress``,
        ``retried``, ``done``, ``cached``, ``failed`` or ``skipped``.
    seconds : float
        How long it took, or has taken so far.
    index, total : int
        How many of how many data indices have been dealt with (``progress`` only).
    reasons : tuple of str
        Why it runs, or runs again; for whom it waits.
    """

    name: str
    state: str
    seconds: float = 0.0
    index: int = 0
    total: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A block that failed.

    Attributes
    ----------
    name, algorithm : str
        The block, and what it ran.
    outcome : Outcome
        How it ended.
    """

    name: str
    algorithm: str
    outcome: Outcome

    def __str__(self) -> str:
        usage = self.outcome.usage
        lines = [f"block `{self.name}' (algorithm {self.algorithm}) failed"]
        if self.outcome.index is not None and self.outcome.index >= 0:
            lines[0] += f" at data index {self.outcome.index}"
        lines.append(self.outcome.cause.rstrip())
        log = self._new_in_log()
        if log:
            lines += ["last lines of its log:", *(f"  {line}" for line in log[-10:])]
        lines.append(
            f"exit status {self.outcome.status}, peak memory {usage.peak_bytes >> 20} MB, "
            f"{usage.seconds:.1f} s"
        )
        return "\n".join(lines)

    def _new_in_log(self) -> list[str]:
        """Return the lines of the log that tell more than the cause and that it ended others."""
        known = {line.strip() for line in self.outcome.cause.splitlines()}
        known.add(f"(sys) {VANISHED.text}")
        lines = self.outcome.log.strip().splitlines()
        return [line for line in lines if line.strip().removeprefix("(usr) ") not in known]


class RunFailed(Exception):
    """A run that did not come to all results; the text tells why.

    Attributes
    ----------
    run : Run
        What there is.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.run = run

    def __str__(self) -> str:
        return "\n".join(map(str, self.run.failures)) or "the run was stopped"


@dataclass
class Run:
    """What a run of an experiment gave.

    Attributes
    ----------
    experiment : str
        The full name of the experiment.
    states : dict
        ``done``, ``cached``, ``failed`` or ``skipped``, by name of the block.
    statistics : dict
        What each block that ran used, read and wrote, by name.
    results : dict
        Results by name, by name of the analyzer.
    failures : list of Failure
        The blocks that failed.
    """

    experiment: str
    states: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, JSON] = field(default_factory=dict)
    results: dict[str, dict[str, Result]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
