"""Index files of database views: what a view provides, entry by entry, kept in the cache.

An index is a JSON list with one object per entry. It may have millions of entries: it is read in
blocks, so that beside the text and the finished entries only one block is in memory.
"""

from __future__ import annotations

import gc
import io
import json
import os
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import Any

from .publish import publish

Entry = tuple[Any, ...]  # a named tuple, its fields sorted by name

BLOCK_CHARACTERS = 1 << 20
_BETWEEN_ENTRIES = re.compile(r"\}\s*,\s*(?=\{)")


def write_index(filename: str, entries: Any) -> None:
    """Write the index of a view.

    Parameters
    ----------
    filename : str
        The file, usually ``<cache>/aa/bb/cc/….db``; its folder is made.
    entries : list of named tuples
        What the view's ``index`` has returned.

    Raises
    ------
    RuntimeError
        If it is no list of named tuples which all have the same fields, or if it holds
        something that JSON cannot hold.
    OSError
        If the file cannot be written.
    """
    if not isinstance(entries, list):
        raise RuntimeError(f"index() must return a list, got {type(entries).__name__}")
    from .numpyjson import NumpyJSONEncoder

    encode = NumpyJSONEncoder(allow_nan=True).encode
    expected: tuple[str, ...] = ()
    text = io.BytesIO()
    for i, entry in enumerate(entries):
        fields = getattr(entry, "_fields", None) if isinstance(entry, tuple) else None
        if not fields:
            raise RuntimeError(
                f"index(): entry {i} must be a named tuple with fields, got {_short(entry)}"
            )
        expected = expected or fields
        if fields != expected and {*fields} != {*expected}:
            raise RuntimeError(f"index(): {_other_fields(i, fields, expected)}")
        try:
            line = encode(entry)
        except (TypeError, ValueError, RecursionError) as error:
            raise RuntimeError(
                f"index(): entry {i} cannot be kept as JSON ({error}): {_short(entry)}"
            ) from None
        text.write(f"{',' if i else '['}\n{line}".encode())
    text.write(b"\n]\n" if entries else b"[]\n")
    os.makedirs(os.path.dirname(os.path.abspath(filename)), exist_ok=True)
    publish(filename, text.getvalue())


def read_index(filename: str) -> list[Entry]:
    """Read the index of a view.

    Returns
    -------
    list of named tuples
        The entries; their fields are sorted by name.

    Raises
    ------
    RuntimeError
        If the file is no JSON list of objects, or if its entries differ in their fields.
    OSError
        If it cannot be read.
    """
    try:
        with open(filename, encoding="utf-8") as f:
            text = f.read()
        with _no_garbage_collection():
            return _entries(text)
    except (ValueError, RecursionError) as error:
        raise RuntimeError(f"database index `{filename}' is invalid: {error}") from None


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spare a million new objects, all of which stay, the search for cycles among them.

    It takes half of the time otherwise.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _entries(text: str) -> list[Entry]:
    entries: list[Entry] = []
    fields: tuple[str, ...] = ()
    make: Callable[[Any], Entry] = tuple
    for block in _blocks(text):
        if block and not fields:
            fields, make = _entry_type(block[0])
        entries.extend(map(make, _rows(block, fields, len(entries))))
    return entries


def _blocks(text: str) -> Iterator[list[Any]]:
    """Parse a JSON list block by block.

    A cut that falls into a string or a nested object leaves a block that is not JSON: from
    there on, the rest is parsed in one go.
    """
    start = len(text) - len(text.lstrip())
    if not text.startswith("[", start):
        raise ValueError("expected a list")
    start += 1
    while cut := _BETWEEN_ENTRIES.search(text, start + BLOCK_CHARACTERS):
        try:
            block = json.loads(f"[{text[start : cut.start() + 1]}]")
        except ValueError:
            break
        yield block
        start = cut.end()
    try:
        rest = json.loads("[" + text[start:])
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {start - 1 + error.pos}") from None
    yield rest


def _entry_type(first: Any) -> tuple[tuple[str, ...], Callable[[Any], Entry]]:
    """Return the sorted fields of entries, and what makes one of its values, without checks."""
    if not isinstance(first, dict) or not first:
        raise ValueError(f"entry 0 must be an object with fields, got {_short(first)}")
    fields = tuple(sorted(first))
    return fields, partial(tuple.__new__, namedtuple("Entry", fields))


def _rows(block: list[Any], fields: tuple[str, ...], offset: int) -> Iterable[Entry]:
    """Return the values of each entry in the order of the fields, which all must have."""
    try:
        if {*map(len, block)} <= {len(fields)}:
            # complete columns first: nothing is given away of a block that has a bad entry
            return zip(*[[*map(itemgetter(field), block)] for field in fields], strict=True)
    except (KeyError, TypeError):
        pass  # the entry at fault is told below
    problems = (_problem(i, entry, fields) for i, entry in enumerate(block, offset))
    raise ValueError(next(filter(None, problems)))


def _problem(i: int, entry: Any, fields: tuple[str, ...]) -> str | None:
    if not isinstance(entry, dict):
        return f"entry {i} must be an object, got {_short(entry)}"
    return _other_fields(i, entry, fields) if entry.keys() != {*fields} else None


def _other_fields(i: int, got: Iterable[str], expected: Iterable[str]) -> str:
    return (
        f"entry {i} has the fields {_short(sorted(got))}, "
        f"expected those of entry 0: {_short(sorted(expected))}"
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
