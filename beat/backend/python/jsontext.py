"""The strict and bounded reading of JSON text that comes from elsewhere.

Declarations are written by people and by programs that nobody vouches for. Whatever stands in
such a file, reading it ends soon, takes little memory, and says where the text is wrong.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

#: bounds of what is read; a toolchain of three thousand blocks, all of them drawn, stays below
MAX_SIZE = 8 * 2**20
MAX_VALUES = 80_000
MAX_DEPTH = 64
MAX_DIGITS = 400
#: at most that many problems of one text are listed
MAX_PROBLEMS = 100


class Problem(NamedTuple):
    """Something wrong with a text, and the offset in characters where it is."""

    offset: int
    message: str


class MalformedJSON(ValueError):
    """A text, or a file, that holds no acceptable JSON.

    Attributes
    ----------
    problems : list of Problem
        What is wrong; at least one.
    text : str
        The text, as far as there is one.
    """

    def __init__(self, problems: list[Problem], text: str = "") -> None:
        super().__init__("\n".join(problem.message for problem in problems))
        self.problems = problems
        self.text = text


class _Irregular(ValueError):
    """The text has a flaw that the parser gives no place for."""


def read(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file.

    Raises
    ------
    MalformedJSON
        If it is larger than `MAX_SIZE`, or no regular file.
    OSError
        If it cannot be read.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise MalformedJSON([Problem(0, "not a regular file")])
    with open(path, "rb") as f:
        content = f.read(min(status.st_size, MAX_SIZE) + 1)  # memory is taken for all of that
        if len(content) > status.st_size:  # it has just become longer
            content += f.read(MAX_SIZE + 1 - len(content))
    if len(content) > MAX_SIZE:
        raise _too_large(max(len(content), status.st_size))
    return content


def parse(content: str | bytes) -> tuple[str, Any]:
    """Parse JSON text.

    Returns
    -------
    str
        The text.
    object
        What it stands for.

    Raises
    ------
    MalformedJSON
        If the text is no JSON or no UTF-8; if it starts with a byte order mark; if a key stands
        twice in an object; if a number is not finite or has too many digits; if the text is
        larger than `MAX_SIZE`, has more than `MAX_VALUES` values, or is nested deeper than
        `MAX_DEPTH`.
    """
    if len(content) > MAX_SIZE:
        raise _too_large(len(content))
    text = content if isinstance(content, str) else _decode(content)
    if text.startswith("\ufeff"):
        raise MalformedJSON([Problem(0, "the file starts with a byte order mark")], text)
    check_number(text, MAX_VALUES)
    try:
        data = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJSON([_syntax_problem(text, error)], text) from None
    except (_Irregular, RecursionError):
        raise MalformedJSON(_irregularities(text), text) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(data):
        raise MalformedJSON(_irregularities(text), text)
    return text, data


def check_number(text: str, most: int) -> None:
    """Count the values of a text before memory is taken for them.

    Raises
    ------
    MalformedJSON
        If there are more than ``most``.
    """
    count = sum(map(text.count, ",[{")) if len(text) > most else 0
    if count > most:
        bare = re.sub(rf"{_STRING}|\s++", "", text)
        count = sum(map(bare.count, ",[{")) - bare.count("[]") - bare.count("{}")
    if count > most:
        message = f"too large: {count:,} values, at most {most:,} are accepted"
        raise MalformedJSON([Problem(0, message)], text)


def _too_large(size: int) -> MalformedJSON:
    return MalformedJSON(
        [Problem(0, f"too large: {size:,} bytes, at most {MAX_SIZE:,} are accepted")]
    )


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = len(content[: error.start].decode("utf-8"))
        raise MalformedJSON(
            [Problem(offset, "not UTF-8 text")], content.decode("utf-8", "replace")
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _Irregular
    return data


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _Irregular
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _Irregular
    return value


def _constant(name: str) -> Any:
    raise _Irregular


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)


def _is_too_deep(data: Any) -> bool:
    level = _containers([data])
    for _ in range(MAX_DEPTH):
        level = _containers(
            child for item in level for child in (item.values() if type(item) is dict else item)
        )
    return bool(level)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, (dict, list))]


def _syntax_problem(text: str, error: json.JSONDecodeError) -> Problem:
    """Return what the parser found; a trailing comma is named the same by all its versions."""
    before = text[: error.pos + 1].rstrip().rstrip("]}").rstrip()
    if text[error.pos : error.pos + 1] in ("]", "}", ",") and before.endswith(","):
        after = text[len(before) :].lstrip()
        if after[:1] in ("]", "}"):
            message = f"invalid JSON code: trailing comma before `{after[0]}'"
            return Problem(len(before) - 1, message)
    return Problem(error.pos, f"invalid JSON code: {error.msg}")


# Nothing is gone back to, and the quote at the end is optional: time and memory stay small whatever
# the text is
_STRING = r'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"?'

_TOKEN = (
    rf"(?P<string>{_STRING})(?P<colon>\s*:)?"
    r"|(?P<open>[\[{])|(?P<close>[\]}])"
    r"|(?P<number>-?[0-9][0-9.eE+-]*)|(?P<constant>NaN|-?Infinity)"
)


def _irregularities(text: str) -> list[Problem]:
    """Return what the parser gives no places for."""
    found = list(islice(_scan(text), MAX_PROBLEMS))
    return found or [Problem(0, "invalid JSON code: nested too deeply")]


def _scan(text: str) -> Iterator[Problem]:
    """Look at each token; the text need not be well-formed beyond the first problem."""
    open_objects: list[set[str] | None] = []
    for token in re.finditer(_TOKEN, text):
        kind, code = token.lastgroup, token.group()
        if kind == "open":
            open_objects.append(set() if code == "{" else None)
            if len(open_objects) > MAX_DEPTH:
                yield Problem(
                    token.start(), f"nested too deeply: at most {MAX_DEPTH} levels are accepted"
                )
                return
        elif kind == "close":
            del open_objects[-1:]
        elif kind == "colon":
            keys = open_objects[-1] if open_objects else None
            key = _text_of(token["string"])
            if keys is not None and key in keys:
                yield Problem(
                    token.start(), f"Invalid file content: {key:.100} found several times"
                )
            if keys is not None:
                keys.add(key)
        elif kind == "constant" or (kind == "number" and not _is_acceptable(code)):
            yield Problem(token.start(), f"not a finite number of reasonable length: {code:.40}")


def _text_of(token: str) -> str:
    """Return the text that a string of JSON stands for."""
    if "\\" not in token:
        return token[1:-1]
    try:
        return json.loads(token)  # type: ignore[no-any-return]
    except ValueError:  # found by the parser too, had it got that far
        return token


def _is_acceptable(number: str) -> bool:
    try:
        value = float(number)
    except ValueError:
        return False
    return len(number) <= MAX_DIGITS and not math.isinf(value)
