"""What is remembered of the last run of each block: its record, how it ended, its log."""

from __future__ import annotations

import os

from ..asset import JSON
from ..data.cache_files import FOLDER
from ..publish import publish
from .engines import Outcome
from .record import read_json, write_json


class History:
    """The memory of an experiment.

    Parameters
    ----------
    cache : str
        The cache folder.
    experiment : str
        The full name of the experiment.
    """

    def __init__(self, cache: str, experiment: str) -> None:
        self._folder = os.path.join(cache, FOLDER, "runs", experiment)

    def last(self, block: str) -> JSON | None:
        """Return what is remembered of a block; None if it never ran."""
        return read_json(os.path.join(self._folder, f"{block}.json"))

    def log(self, block: str) -> str | None:
        """Return what the processes of a block printed; None if it never ran."""
        try:
            with open(os.path.join(self._folder, f"{block}.log"), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def remember(self, block: str, record: JSON, outcome: Outcome) -> None:
        """Note how a block ended."""
        write_json(
            os.path.join(self._folder, f"{block}.json"),
            {
                "state": "done" if outcome.succeeded else "failed",
                "cause": "" if outcome.succeeded else outcome.cause,
                "index": outcome.index,
                "record": record,
                "seconds": outcome.usage.seconds,
                "statistics": statistics(outcome),
            },
        )
        publish(os.path.join(self._folder, f"{block}.log"), outcome.log.encode("utf-8"))


def statistics(outcome: Outcome) -> JSON:
    """Return what a block used, read and wrote, in the form of a statistics declaration."""
    usage = outcome.usage
    return {
        "schema_version": 1,
        "cpu": {
            "user": usage.user,
            "system": usage.system,
            "total": usage.user + usage.system,
            "context_switches": {
                "voluntary": usage.voluntary,
                "involuntary": usage.involuntary,
            },
        },
        "memory": {"rss": usage.peak_bytes},
        "data": outcome.data,
    }
