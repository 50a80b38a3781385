"""A declaration with its text, and where in the text each part of it is."""

from __future__ import annotations

import json
import os
import re
from functools import cached_property
from typing import Any

from .. import jsontext
from .finding import ERROR, MAX_LINE, Finding, describe, printable
from .nearest import nearest

#: the way from the root of a document to one of its parts
Pointer = tuple[str | int, ...]
#: offsets in the text: of the key (where there is one) and of the value, each from and to
Span = tuple[int, int]

#: for at most that many findings of a document, near names are looked for
MAX_SUGGESTIONS = 50

_BLANK = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def pointer_text(pointer: Pointer) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join(
        "/" + printable(str(token), 100).replace("~", "~0").replace("/", "~1") for token in pointer
    )


class Document:
    """A declaration.

    Parameters
    ----------
    path : str or None
        How its file is called, relative to the prefix.
    text : str or None
        The content of the file.
    data : object
        What the text stands for.

    Attributes
    ----------
    findings : list of Finding
        What is wrong with the text, when there is no data in it.
    """

    def __init__(self, path: str | None, text: str | None, data: Any) -> None:
        self.path = path
        self.text = text
        self.data = data
        self.findings: list[Finding] = []
        self._suggestions_left = MAX_SUGGESTIONS

    @classmethod
    def parse(cls, content: str | bytes, path: str | None = None) -> Document:
        """Return the document in a text."""
        try:
            return cls(path, *jsontext.parse(content))
        except jsontext.MalformedJSON as error:
            return cls._malformed(path, error)

    @classmethod
    def read(cls, file: str | os.PathLike[str], path: str | None = None) -> Document:
        """Return the document in a file, which is called ``path`` in messages."""
        path = os.fspath(file) if path is None else path
        try:
            return cls.parse(jsontext.read(file), path)
        except jsontext.MalformedJSON as error:
            return cls._malformed(path, error)
        except OSError as error:
            found = cls(path, "", None)
            found.findings.append(found.at(0, f"cannot be read: {error.strerror}"))
            return found

    def restrict(self, most: int) -> None:
        """Take a text of more values than that for malformed."""
        try:
            jsontext.check_number(self.text or "", most)
        except jsontext.MalformedJSON as error:
            self.findings += [self.at(offset, message) for offset, message in error.problems]

    @classmethod
    def _malformed(cls, path: str | None, error: jsontext.MalformedJSON) -> Document:
        found = cls(path, error.text, None)
        found.findings += [found.at(offset, message) for offset, message in error.problems]
        return found

    def at(self, offset: int, message: str, severity: str = ERROR) -> Finding:
        """Return a finding at an offset of the text."""
        return Finding(message, severity, path=self.path, **self._place((offset, offset + 1)))

    def finding(
        self,
        pointer: Pointer,
        message: str | None = None,
        *,
        severity: str = ERROR,
        expected: str | None = None,
        value: Any = None,
        key: bool = False,
        word: str | None = None,
        known: Any = (),
    ) -> Finding:
        """Return a finding at a part of the declaration.

        Parameters
        ----------
        pointer : tuple
            The part; where there is none, the nearest around it is marked.
        message : str, optional
            What is wrong, by default what was expected and what was found.
        expected : str, optional
            What would be right.
        value : object
            What is there.
        key : bool
            Whether the key of the part is meant, not its value.
        word : str, optional
            The name that is wrong.
        known : iterable of str
            The names that would be right.
        """
        if message is None:
            message = f"expected {expected}, found {describe(value)}"
        self._suggestions_left -= word is not None
        return Finding(
            message,
            severity,
            path=self.path,
            pointer=pointer_text(pointer),
            expected=expected,
            found=describe(value),
            suggestion=nearest(word, known) if word and self._suggestions_left >= 0 else None,
            **self._place(self._span(pointer, key)),
        )

    def _place(self, span: Span | None) -> dict[str, Any]:
        if self.text is None or span is None:
            return {}
        start, end = span
        line = self.text.count("\n", 0, start) + 1
        first = self.text.rfind("\n", 0, start) + 1
        last = self.text.find("\n", start)
        end = min(end, len(self.text) if last < 0 else last)
        lines = self._lines[max(line - 2, 0) : line]
        return {
            "line": line,
            "column": start - first + 1,
            "excerpt": excerpt(lines, line, start - first, end - first) if self.text else None,
        }

    @cached_property
    def _lines(self) -> list[str]:
        return (self.text or "").split("\n")

    def _span(self, pointer: Pointer, key: bool) -> Span | None:
        """Return where a part is in the text, or what is around it and is there."""
        if self.text is None:
            return None
        spans: tuple[Span | None, Span] = (None, (_skip(self.text, 0), len(self.text.rstrip())))
        container: Any = self.data
        for token in pointer:
            if not isinstance(container, (dict, list)):
                break
            children = self._children(spans[1][0])
            if token not in children:
                return spans[1]
            spans = children[token]
            container = container[token]  # type: ignore[index]
        return spans[0] if key and spans[0] else spans[1]

    def _children(self, start: int) -> dict[str | int, tuple[Span | None, Span]]:
        """Return where the children of the container at an offset are; looked up once."""
        if start not in self._known_children:
            self._known_children[start] = _children(self.text or "", start)
        return self._known_children[start]

    @cached_property
    def _known_children(self) -> dict[int, dict[str | int, tuple[Span | None, Span]]]:
        return {}


def _skip(text: str, offset: int) -> int:
    found = _BLANK.match(text, offset)
    return found.end() if found else offset


def _children(text: str, start: int) -> dict[str | int, tuple[Span | None, Span]]:
    """Return the spans of key and value of each child of the container that starts there."""
    found: dict[str | int, tuple[Span | None, Span]] = {}
    is_object = text[start] == "{"
    offset = _skip(text, start + 1)
    while text[offset] not in "]}":
        token: str | int = len(found)
        key: Span | None = None
        if is_object:
            token, end = _DECODER.raw_decode(text, offset)
            key = (offset, end)
            offset = _skip(text, _skip(text, end) + 1)
        _, end = _DECODER.raw_decode(text, offset)
        found[token] = (key, (offset, end))
        offset = _skip(text, end)
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
    return found


def excerpt(lines: list[str], number: int, start: int, end: int) -> str:
    """Return the last of some lines with a mark below, and what comes before it.

    Parameters
    ----------
    lines : list of str
        The line, and the one before it if there is one.
    number : int
        The number of the last line.
    start, end : int
        The columns to be marked, from 0.
    """
    cut = max(start - MAX_LINE // 2, 0) if start > MAX_LINE * 3 // 4 else 0
    width = len(str(number)) + 4
    shown = [printable(line[cut:], MAX_LINE) for line in lines]
    first = number - len(lines) + 1
    numbered = [f"{first + i:>{width}} | {line}".rstrip() for i, line in enumerate(shown)]
    marks = "^" * max(min(end - cut, MAX_LINE) - (start - cut), 1)
    return "\n".join([*numbered, f"{'':>{width}} | {' ' * (start - cut)}{marks}"])
