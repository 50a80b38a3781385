"""What can be wrong with a flow: every error says what, where, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 200


class FlowError(Exception):
    """The root of all errors of flows."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class ConfigError(FlowError, ValueError, KeyError):
    """A configuration that cannot be used.

    Parameters
    ----------
    *problems : str
        Everything that is wrong, each with file and line where they are known.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class ClassNotFound(FlowError, RuntimeError):
    """No class of that name where classes are looked for."""


class MissingData(FlowError, KeyError):
    """A dataset, or references between two datasets, that are not in the file."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class BadSelection(FlowError, IndexError):
    """Rows that a dataset does not have."""


class BadReferences(FlowError, ValueError):
    """References that cannot be written: of another shape or kind, or to rows not there."""


class ReversedReferences(FlowError, RuntimeError):
    """References that are to be created, but are there the other way round."""


class BadReservation(FlowError, ValueError):
    """A demand for rows that makes no sense, such as a negative number of them."""


class RequirementError(FlowError, RuntimeError):
    """Something a stage requires that cannot be loaded."""


class MissingFile(FlowError, FileNotFoundError):
    """A file that is not there."""


class InputError(FlowError, OSError):
    """A file that cannot be opened as HDF5."""


class OutputExists(FlowError, FileExistsError):
    """An output that is there already and is not to be overwritten."""


class OtherProcessFailed(FlowError, RuntimeError):
    """Another process of the same run failed in a step that all of them do together."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return what to append to a message about an unknown name: near matches, or what there is."""
    names = sorted(set(known))
    near = get_close_matches(name, names, n=3)
    if near:
        return f" (did you mean {' or '.join(f'`{match}' + chr(39) for match in near)}?)"
    if not names:
        return " (there are none)"
    return f" (there are: {shorten(', '.join(names))})"


def shorten(value: object) -> str:
    """Return a text of bounded length."""
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
