"""Whose failure it was, in words for the other end of a socket.

User code fails often: its author is to see the own lines only, with paths as in the prefix. Every
other failure is the system's and is told in full.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import NamedTuple

from ..exceptions import RemoteException, UserError

MAX_CHARACTERS = 100_000
OUT_OF_MEMORY = "out of memory: let the code keep less data at a time, or give it more memory"

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


class Failure(NamedTuple):
    """A failure as it is sent: ``usr`` or ``sys``, and the text."""

    kind: str
    text: str


def describe_failure(error: BaseException, prefix: str) -> Failure:
    """Tell whose failure an exception is, and describe it.

    The other side's failures stay what they are. The user's are `UserError`, `MemoryError`, by
    the convention of the wire `RuntimeError`, and what passed through a file of the prefix. The
    rest is the system's, and so is, inside the user's code too, what this package itself could
    not read or reach.

    Parameters
    ----------
    error : BaseException
        What was raised.
    prefix : str
        The folder of the users' files, to which paths are made relative; empty if not known.
    """
    cause: object = error
    while isinstance(cause, UserError):
        cause = cause.value
    if not isinstance(cause, BaseException):
        return Failure("usr", _bounded(str(error)))
    if isinstance(cause, RemoteException):
        return Failure(cause.kind, _bounded(cause.system_error or cause.user_error))
    if isinstance(cause, OSError) and _deepest_file(cause.__traceback__).startswith(_PACKAGE):
        return Failure("sys", _report(cause))
    if isinstance(cause, MemoryError):
        traceback.clear_frames(cause.__traceback__)
        return Failure("usr", f"{OUT_OF_MEMORY}\n{_report(cause, prefix)}")
    told = isinstance(error, (UserError, RuntimeError)) or _passed_through(cause, prefix)
    return Failure("usr", _report(cause, prefix)) if told else Failure("sys", _report(cause))


def _deepest_file(trace: TracebackType | None) -> str:
    """Return the file of the line that raised."""
    frame = None
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
    return frame.f_code.co_filename if frame is not None else ""


def _passed_through(error: BaseException, prefix: str) -> bool:
    """Tell whether a file of the prefix was running, or could not be compiled."""
    if not prefix:
        return False
    folder = os.path.join(prefix, "")
    if isinstance(error, SyntaxError) and str(error.filename).startswith(folder):
        return True
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_filename.startswith(folder) for frame, _ in frames)


def _report(error: BaseException, prefix: str | None = None) -> str:
    """Return a traceback: the whole one, or what is the user's in it."""
    told = traceback.TracebackException.from_exception(error)
    if prefix is not None:
        _keep_users_part(told, os.path.join(prefix, ""))
    return _bounded("".join(told.format()).rstrip())


def _keep_users_part(told: traceback.TracebackException, folder: str) -> None:
    """Begin a traceback, and those it is chained to, at the first file of a folder.

    What this package does below the user's line is left out.
    """
    frames = told.stack
    own = [i for i, frame in enumerate(frames) if frame.filename.startswith(folder)]
    del frames[: own[0] if own else len(frames)]
    while frames and _is_ours(frames[-1]):
        frames.pop()
    for frame in frames:
        _ = frame.line  # read from the file now, while its name is the real one
        frame.filename = frame.filename.removeprefix(folder)
    if not frames:
        told.stack = None  # type: ignore[assignment]  # no headline without lines
    if getattr(told, "filename", None):  # of a SyntaxError
        told.filename = told.filename.removeprefix(folder)
    for link in ("__cause__", "__context__"):
        chained = getattr(told, link)
        if chained is not None and chained.stack and all(map(_is_ours, chained.stack)):
            setattr(told, link, None)
        elif chained is not None:
            _keep_users_part(chained, folder)


def _is_ours(frame: traceback.FrameSummary) -> bool:
    """Tell whether a line is this package's: of a file, or of a function made by the codec."""
    return frame.filename.startswith((_PACKAGE, "<codec of "))


def _bounded(text: str) -> str:
    """Leave out the middle of an endless text."""
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters ...]\n{text[-half:]}"
