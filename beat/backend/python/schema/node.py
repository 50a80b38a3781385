"""A part of a declaration that knows its place, for rules that look at one part after the other.

Rules walk over declarations of any form: what is not there, or of another kind than a rule looks
for, is simply nothing to it. That it should be there is the schema's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .document import Document, Pointer
from .finding import ERROR, WARNING, Finding

ABSENT: Any = object()


class Node:
    """A part of a declaration.

    Attributes
    ----------
    value : object
        What is there; `ABSENT` if nothing is.
    pointer : tuple
        The way to it from the root.
    """

    __slots__ = ("_document", "pointer", "value")

    def __init__(self, document: Document, pointer: Pointer = (), value: Any = ABSENT) -> None:
        self._document = document
        self.pointer = pointer
        self.value = value

    @classmethod
    def root(cls, document: Document) -> Node:
        """Return the whole of a declaration."""
        return cls(document, (), document.data)

    def __bool__(self) -> bool:
        """Whether the part is there."""
        return self.value is not ABSENT

    def __getitem__(self, key: str) -> Node:
        """Return a member of an object, absent or not."""
        value = self.value.get(key, ABSENT) if isinstance(self.value, dict) else ABSENT
        return Node(self._document, (*self.pointer, key), value)

    @property
    def members(self) -> dict[str, Node]:
        """The members of an object by name; nothing for everything else."""
        if not isinstance(self.value, dict):
            return {}
        return {key: Node(self._document, (*self.pointer, key), v) for key, v in self.value.items()}

    @property
    def items(self) -> list[Node]:
        """The items of a list; nothing for everything else."""
        if not isinstance(self.value, list):
            return []
        return [Node(self._document, (*self.pointer, i), v) for i, v in enumerate(self.value)]

    @property
    def text(self) -> str | None:
        """The value, if it is a text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def key(self) -> str:
        """The last part of the way to it."""
        return str(self.pointer[-1]) if self.pointer else ""

    def error(
        self,
        message: str | None = None,
        *,
        expected: str | None = None,
        key: bool = False,
        known: Iterable[str] | None = None,
        word: str | None = None,
    ) -> Finding:
        """Return an error here.

        Parameters
        ----------
        message : str, optional
            What is wrong, by default what was expected and what was found.
        expected : str, optional
            What would be right.
        key : bool
            Whether it is the key that is wrong, not the value.
        known : iterable of str, optional
            The names that would be right.
        word : str, optional
            The name that is wrong, by default the value, or the key if that is meant.
        """
        return self._finding(ERROR, message, expected, key, known, word)

    def warning(
        self,
        message: str | None = None,
        *,
        expected: str | None = None,
        key: bool = False,
        known: Iterable[str] | None = None,
        word: str | None = None,
    ) -> Finding:
        """Return a warning here; parameters as for `error`."""
        return self._finding(WARNING, message, expected, key, known, word)

    def _finding(
        self,
        severity: str,
        message: str | None,
        expected: str | None,
        key: bool,
        known: Iterable[str] | None,
        word: str | None,
    ) -> Finding:
        value = self.key if key else None if self.value is ABSENT else self.value
        if word is None and known is not None:
            word = self.key if key else self.text
        return self._document.finding(
            self.pointer,
            message,
            expected=expected,
            value=value,
            key=key,
            word=word,
            known=known or (),
            severity=severity,
        )
