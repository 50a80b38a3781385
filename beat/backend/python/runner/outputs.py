"""The outputs that a cache holds: listing, checking, removing and tidying them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

from ..asset import JSON
from ..data import CachedDataSource, getAllFilenames
from ..data.cache_files import record_path
from ..publish import alone_in, is_leftover
from .record import read_json

_FILE = re.compile(r"(?P<output>[^.].*)\.(?P<start>[0-9]+)\.(?P<end>[0-9]+)\.(?:data|index)")

# A writer that ends while it gives files their names leaves the last of them, the index, unnamed.
_INDEX_TO_BE = re.compile(r"\.(?P<stem>.+)\.index\.[0-9]+-[0-9a-f]{8}\.tmp")
_BEFORE_THE_INDEX = ("data", "data.checksum", "index.checksum")


@dataclass(frozen=True)
class CachedOutput:
    """An output in a cache.

    Attributes
    ----------
    path : str
        Where it is, relative to the cache.
    files : tuple of str
        Its files, in full.
    record : dict or None
        What it was made of, if it was made here.
    """

    path: str
    files: tuple[str, ...]
    record: JSON | None

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(os.path.getsize(name) for name in self.files if os.path.exists(name))

    @property
    def algorithm(self) -> str:
        """The name of the algorithm that made it, as far as that is known."""
        return next(iter(self.record["algorithm"])) if self.record else "unknown"


def list_outputs(cache: str) -> Iterator[CachedOutput]:
    """Yield all outputs of a cache, by their paths."""
    found = set()
    for folder, folders, names in os.walk(cache):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for match in filter(None, map(_FILE.fullmatch, names)):
            found.add(os.path.relpath(os.path.join(folder, match["output"]), cache))
    for path in sorted(found):
        groups = getAllFilenames(os.path.join(cache, path + ".data"))
        files = tuple(name for group in groups for name in group)
        yield CachedOutput(path, files, read_json(record_path(cache, path)))


def indices(cache: str) -> Iterator[str]:
    """Yield the indices of sets of databases in a cache, by their paths."""
    for folder, folders, names in os.walk(cache):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".db") and not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), cache)


def verify(cache: str, prefix: str, output: CachedOutput) -> str | None:
    """Say what is wrong with an output; None if it is whole and unchanged."""
    source = CachedDataSource()
    try:
        if not source.setup(os.path.join(cache, output.path + ".data"), prefix):
            return "its files are not complete"
    except (OSError, RuntimeError) as error:
        return str(error)
    finally:
        source.close()
    return None


def remove(cache: str, output: CachedOutput) -> None:
    """Remove an output and its record."""
    for name in [*output.files, record_path(cache, output.path)]:
        with suppress(FileNotFoundError):
            os.unlink(name)


def leftovers(cache: str) -> Iterator[str]:
    """Yield what writers that are no more have left: temporary files, outputs without an index.

    What is yielded may be removed until the next is asked for: nobody else changes it.
    """
    for folder, _, names in os.walk(cache):
        if not any(is_leftover(os.path.join(folder, name)) for name in names):
            continue
        with alone_in(folder):
            for name in _leftovers_among(folder, sorted(os.listdir(folder))):
                yield os.path.join(folder, name)


def _leftovers_among(folder: str, names: list[str]) -> Iterator[str]:
    for name in names:
        if not is_leftover(os.path.join(folder, name)):
            continue
        match = _INDEX_TO_BE.fullmatch(name)
        if match and f"{match['stem']}.index" not in names:
            parts = [f"{match['stem']}.{part}" for part in _BEFORE_THE_INDEX]
            yield from filter(names.__contains__, parts)
        yield name


def unused(cache: str, wanted: Collection[str]) -> Iterator[CachedOutput]:
    """Yield the outputs made here that are not among the wanted paths.

    Those without a record were made by somebody else: they are never among them.
    """
    for output in list_outputs(cache):
        if output.record is not None and output.path not in wanted:
            yield output


def units(cache: str, prefix: str, path: str) -> Iterator[JSON]:
    """Yield the units of an output as plain dictionaries: ``start``, ``end`` and ``data``.

    Raises
    ------
    RuntimeError
        If it is not in the cache.
    OSError
        If it is damaged.
    """
    source = CachedDataSource()
    try:
        if not source.setup(os.path.join(cache, path + ".data"), prefix):
            raise RuntimeError(f"not in the cache: {path}")
        for index in range(len(source)):
            data, start, end = source[index]
            yield {"start": start, "end": end, "data": None if data is None else data.as_dict()}
    finally:
        source.close()
