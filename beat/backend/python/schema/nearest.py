"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable

#: how many of many names are compared in full
MAX_COMPARED = 30
MAX_LENGTH = 200
#: how alike two names must be, from 0 to 1
CUTOFF = 0.75


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the name most like a wrong one; None if none is much like it.

    Parameters
    ----------
    word : str
        What was written.
    known : iterable of str
        What could have been meant.
    """
    if len(word) > MAX_LENGTH:
        return None
    leeway = 1 + len(word) // 3
    candidates = sorted({name for name in known if abs(len(name) - len(word)) <= leeway})
    if len(candidates) > MAX_COMPARED:
        candidates.sort(key=lambda name: -_shared(word, name))
        del candidates[MAX_COMPARED:]
    import difflib

    found = difflib.get_close_matches(word, candidates, n=1, cutoff=CUTOFF)
    return found[0] if found else None


def _shared(one: str, other: str) -> int:
    """Return how many characters two names share at their ends."""
    return _common(one, other) + _common(one[::-1], other[::-1])


def _common(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
