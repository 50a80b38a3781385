"""Index files of database views: what a view provides, entry by entry, kept in the cache.

An index is a JSON list with one object per entry. It may have millions of entries: it is written
and checked in blocks, and of what is read of it later, a few blocks are kept.
"""

from __future__ import annotations

import io
import json
import os
import re
from bisect import bisect_right
from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Iterator, MutableSequence, Sequence
from functools import partial
from itertools import chain, compress, count
from operator import eq, itemgetter, ne
from typing import Any, BinaryIO
from weakref import finalize

from ..publish import publishing
from .indices import Column, Intervals, compact, joined

Entry = tuple[Any, ...]  # a named tuple, its fields sorted by name
Block = list[Any]

#: How much text is parsed at a time, and how many parsed blocks are kept for reading
BLOCK_BYTES = 1 << 14
MOST_BLOCKS = 64
READ_BYTES = 1 << 18
STARTS_AT_A_TIME = 1 << 13
_BEGIN = re.compile(rb"[ \t\r\n]*\[")
_BETWEEN_ENTRIES = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")


def write_index(filename: str, entries: Any) -> None:
    """Write the index of a view.

    Parameters
    ----------
    filename : str
        The file, usually ``<cache>/aa/bb/cc/….db``; its folder is made.
    entries : list or generator of named tuples
        What the view's ``index`` has returned, or yields.

    Raises
    ------
    RuntimeError
        If these are no named tuples which all have the same fields, or if one holds something
        that JSON cannot hold.
    OSError
        If the file cannot be written.
    """
    if not isinstance(entries, (list, Generator)):
        raise RuntimeError(f"index() must return a list, got {type(entries).__name__}")
    os.makedirs(os.path.dirname(os.path.abspath(filename)), exist_ok=True)
    with publishing(filename) as file:
        _write(file, entries)


def _write(file: BinaryIO, entries: Iterable[Any]) -> None:
    from ..numpyjson import NumpyJSONEncoder

    encode = NumpyJSONEncoder(allow_nan=True).encode
    expected: tuple[str, ...] = ()
    i = -1
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
        file.write(f"{',' if i else '['}\n{line}".encode())
    file.write(b"[]\n" if i < 0 else b"\n]\n")


def read_index(filename: str) -> Entries:
    """Check the index of a view, and find in it what is needed to read it.

    Returns
    -------
    Entries
        The entries: named tuples with their fields sorted by name.

    Raises
    ------
    RuntimeError
        If the file is no JSON list of objects, or if its entries differ in their fields.
    OSError
        If it cannot be read.
    """
    try:
        index = _Index(filename)
    except (ValueError, RecursionError) as error:
        raise RuntimeError(f"database index `{filename}' is invalid: {error}") from None
    return Entries(index, range(index.count))


class _Index:
    """An index file that was checked, in blocks that can be read again.

    Attributes
    ----------
    count : int
        The number of entries.
    fields : list of str
        The names of their fields, in the order of the first entry.
    starts : dict
        By field: 0, and the entries whose value differs from that of the entry before.
    """

    def __init__(self, filename: str) -> None:
        self._file = io.FileIO(filename)
        finalize(self, self._file.close)
        self.count = 0
        self.fields: list[str] = []
        self._sorted: tuple[str, ...] = ()
        self._make: Callable[[Any], Entry] = tuple
        self._firsts: list[int] = []  # the first entry of each block
        self._places: list[tuple[int, int]] = []  # where it begins and ends in the file
        self._kept: dict[int, list[Entry]] = {}
        changes: dict[str, _Changes] = {}
        for start, end, block in _blocks(self._file):
            if block and not self.count:
                self._sorted, self._make = _entry_type(block[0])
                self.fields = [*block[0]]
                changes = {field: _Changes() for field in self._sorted}
            columns = _columns(block, self._sorted, self.count)
            for one, column in zip(changes.values(), columns, strict=True):
                one.take(column, self.count)
            self._firsts.append(self.count)
            self._places.append((start, end))
            self.count += len(block)
        self.starts = {field: one.end() for field, one in changes.items()}

    def read(self, entry: int) -> tuple[int, list[Entry]]:
        """Return the first entry of the block that an entry is in, and all entries in it."""
        number = bisect_right(self._firsts, entry) - 1
        rows = self._kept.pop(number, None)
        if rows is None:
            start, end = self._places[number]
            text = os.pread(self._file.fileno(), end - start, start).decode("utf-8")
            columns = _columns(json.loads(f"[{text}]"), self._sorted, self._firsts[number])
            rows = [*map(self._make, zip(*columns, strict=True))]
        self._kept[number] = rows  # the block read last is the last
        if len(self._kept) > MOST_BLOCKS:
            oldest, *_ = [*self._kept]  # a copy: other threads may read, too
            self._kept.pop(oldest, None)
        return self._firsts[number], rows


class _Changes:
    """Finds where the values of a field change."""

    def __init__(self) -> None:
        self._starts: Column = range(0)
        self._new: list[int] = []
        self._last: Any = object()  # equal to no value

    def take(self, values: Sequence[Any], first: int) -> None:
        """Take the values of the next entries, the first of which has that number."""
        self._new += compress(count(first), map(ne, values, chain([self._last], values)))
        self._last = values[-1]
        if len(self._new) >= STARTS_AT_A_TIME:
            self.end()

    def end(self) -> Column:
        """Return what was found so far."""
        self._starts = joined(self._starts, compact(self._new))
        self._new.clear()
        return self._starts


class Entries(MutableSequence[Entry]):
    """Entries of an index, read from the file when they are asked for.

    To the code of views it is a list. Whoever changes it has all of it in memory from then on.
    """

    def __init__(self, index: _Index, chosen: range) -> None:
        self._index = index
        self._chosen = chosen
        self._block: tuple[int, Sequence[Entry]] = (0, ())  # the one read last
        self._list: list[Entry] | None = None

    def _all(self) -> list[Entry]:
        """Keep everything as a list, from now on."""
        if self._list is None:
            self._list = [*self]
        return self._list

    def __len__(self) -> int:
        return len(self._chosen if self._list is None else self._list)

    def __getitem__(self, index: Any) -> Any:
        if self._list is not None:
            return self._list[index]
        if isinstance(index, slice):
            chosen = self._chosen[index]
            return Entries(self._index, chosen) if chosen.step == 1 else [*map(self._at, chosen)]
        return self._at(self._chosen[index])

    def _at(self, entry: int) -> Entry:
        first, rows = self._block
        if not first <= entry < first + len(rows):
            self._block = first, rows = self._index.read(entry)
        return rows[entry - first]

    def __iter__(self) -> Iterator[Entry]:
        return map(self._at, self._chosen) if self._list is None else iter(self._list)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._all()[index] = value

    def __delitem__(self, index: Any) -> None:
        del self._all()[index]

    def insert(self, index: int, value: Entry) -> None:
        """Insert an entry."""
        self._all().insert(index, value)

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort as lists do."""
        self._all().sort(key=key, reverse=reverse)

    def copy(self) -> list[Entry]:
        """Return a list of the entries."""
        return [*self]

    def __add__(self, other: Iterable[Entry]) -> list[Entry]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Entry]) -> list[Entry]:
        return [*other, *self]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, Entries)):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment] # as that of lists

    def __repr__(self) -> str:
        return f"<{len(self)} entries of an index>"

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self.copy(),)

    @property
    def fields(self) -> list[str]:
        """The names of the fields in the order of the file's first entry."""
        return self._index.fields

    def starts(self, field: str) -> Column:
        """Return the numbers of the entries that differ in a field from the one before.

        They are those of the whole index, beginning with 0.
        """
        return self._index.starts[field]

    def runs(self, field: str, first: int) -> Intervals | None:
        """Return the intervals of consecutive entries that are equal in a field.

        They are counted from ``first``. None if they are not known: because there is no such
        field, the entries have been changed, or the first one is another one.
        """
        chosen = self._chosen
        if self._list is not None or field not in self.fields or not chosen or chosen[0] != first:
            return None
        runs = Intervals.between(self._index.starts[field], self._index.count)
        return runs.clipped(first, chosen[-1])


def _blocks(file: io.FileIO) -> Iterator[tuple[int, int, Block]]:
    """Parse a JSON list block by block; yield where in the file each begins and ends, and it.

    A cut that falls into a string or a nested object leaves a block that is not JSON: it has to be
    a longer one.
    """
    text, base = file.read(READ_BYTES), 0
    begin = _BEGIN.match(text)
    if begin is None:
        raise ValueError("expected a list")
    at, least = begin.end(), BLOCK_BYTES
    while True:
        cut = _BETWEEN_ENTRIES.search(text, at + least)
        if cut is None:
            more = file.read(max(READ_BYTES, len(text)))
            if not more:
                break
            text, base, at = text[at:] + more, base + at, 0
            continue
        try:
            block = json.loads(f"[{text[at : cut.start() + 1].decode('utf-8')}]")
        except ValueError:
            least = 2 * (cut.end() - at)
            continue
        yield base + at, base + cut.start() + 1, block
        at, least = cut.end(), BLOCK_BYTES
    rest = text[at:].decode("utf-8")
    try:
        block = json.loads("[" + rest)
    except json.JSONDecodeError as error:
        place = base + at + len(rest[: error.pos - 1].encode("utf-8"))
        raise ValueError(f"{error.msg} at byte {place}") from None
    if block:
        yield base + at, base + text.rindex(b"]"), block


def _entry_type(first: Any) -> tuple[tuple[str, ...], Callable[[Any], Entry]]:
    """Return the sorted fields of entries, and what makes one of its values, without checks."""
    if not isinstance(first, dict) or not first:
        raise ValueError(f"entry 0 must be an object with fields, got {_short(first)}")
    fields = tuple(sorted(first))
    return fields, partial(tuple.__new__, namedtuple("Entry", fields))


def _columns(block: Block, fields: tuple[str, ...], offset: int) -> list[list[Any]]:
    """Return the values of each field, which all entries must have, and no other ones."""
    try:
        if {*map(len, block)} <= {len(fields)}:
            return [[*map(itemgetter(field), block)] for field in fields]
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
