"""The one form of everything that is found wrong with a declaration.

A finding is a text, so that lists of errors stay lists of texts; it also carries what it says as
attributes, for programs. The text looks like the message of a compiler::

    algorithms/user/sum/1.json:7:25: error: no dataformat `user/integr/1'
      at /groups/0/inputs/in/type, did you mean "user/integer/1"?
        6 |                 "in": {
        7 |                     "type": "user/integr/1"
          |                             ^^^^^^^^^^^^^^^
"""

from __future__ import annotations

import json
from typing import Any

ERROR = "error"
WARNING = "warning"

#: longest texts within a finding, in characters
MAX_VALUE = 60
MAX_MESSAGE = 500
MAX_LINE = 100

FIELDS = (
    "severity",
    "path",
    "line",
    "column",
    "pointer",
    "message",
    "expected",
    "found",
    "suggestion",
    "excerpt",
)


class Finding(str):
    """Something wrong with a declaration, or with the code beside it.

    Parameters
    ----------
    message : str
        What is wrong.
    severity : str
        ``"error"``, or ``"warning"`` for what is questionable but accepted.
    path : str, optional
        The file, relative to the prefix.
    line, column : int, optional
        The place in the file, from 1.
    pointer : str, optional
        The place in the declaration, as a JSON pointer.
    expected, found : str, optional
        What would be right, and what is there.
    suggestion : str, optional
        The nearest name that would be right.
    excerpt : str, optional
        The lines of the file, the place marked.
    lead : str
        Text before everything else.
    """

    severity: str
    path: str | None
    line: int | None
    column: int | None
    pointer: str | None
    message: str
    expected: str | None
    found: str | None
    suggestion: str | None
    excerpt: str | None

    def __new__(
        cls,
        message: str,
        severity: str = ERROR,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        pointer: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        suggestion: str | None = None,
        excerpt: str | None = None,
        lead: str = "",
    ) -> Finding:
        """Put the text together."""
        message = printable(message, MAX_MESSAGE)
        parts = (path and printable(path, MAX_MESSAGE), line, column)
        place = ":".join(str(part) for part in parts if part is not None)
        head = f"{place}: {severity}" if path else severity
        notes = [f"at {pointer}"] if pointer else []
        if expected is not None and expected not in message:
            notes.append(f"expected {expected}")
        if suggestion is not None:
            notes.append(f"did you mean {quote(suggestion)}?")
        lines = [f"{lead}{head}: {message}"]
        lines += [f"  {', '.join(notes)}"] if notes else []
        lines += [excerpt] if excerpt else []
        self = super().__new__(cls, "\n".join(lines))
        given = (
            *(severity, path, line, column, pointer, message),
            *(expected, found, suggestion, excerpt),
        )
        self.__dict__.update(zip(FIELDS, given, strict=True), lead=lead)
        return self

    @property
    def is_error(self) -> bool:
        """Whether the declaration cannot be accepted."""
        return self.severity == ERROR

    def as_dict(self) -> dict[str, Any]:
        """Return everything the finding says, ready for JSON."""
        return {field: getattr(self, field) for field in FIELDS}

    def led_by(self, lead: str) -> Finding:
        """Return the same finding with another text before it."""
        fields = self.as_dict()
        return Finding(fields.pop("message"), **fields, lead=lead)

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        fields = self.as_dict()
        return (fields.pop("message"),), {**fields, "lead": self.__dict__["lead"]}


def printable(text: str, limit: int) -> str:
    """Return a text that is safe to show, cut where it is too long."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else " " if c in "\t\n" else "\N{MIDDLE DOT}" for c in text)


def quote(value: Any, limit: int = MAX_VALUE) -> str:
    """Return a value as JSON, cut where it is too long."""
    if isinstance(value, (dict, list)):
        value = list(value)[:1] if isinstance(value, list) else dict([*value.items()][:1])
    elif isinstance(value, str):
        value = value[: limit + 1]
    return printable(json.dumps(value, ensure_ascii=False, default=str), limit)


def describe(value: Any) -> str:
    """Return what a value is: scalars themselves, an object or a list in a word."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, str) and len(value) > MAX_VALUE:
        return f"{quote(value)} ({len(value)} characters)"
    return quote(value)
