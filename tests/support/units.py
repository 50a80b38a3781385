"""Writes and reads outputs in a cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy

from beat.backend.python.data import CachedDataSink, CachedDataSource
from beat.backend.python.dataformat import DataFormat

INTEGER = "user/single_integer/1"
IMAGE = "user/single_image/1"
MEASUREMENT = "user/measurement/1"
SIGNAL = "user/signal/1"

Unit = tuple[Any, int, int]


def write_units(
    prefix: str,
    filename: str,
    units: Sequence[Unit],
    dataformat: str = INTEGER,
    encoding: str = "binary",
    end: int | None = None,
) -> None:
    """Write units (data, start, end) as one range of an output."""
    os.makedirs(os.path.dirname(filename), exist_ok=True)
    sink = CachedDataSink()
    last = units[-1][2] if end is None else end
    assert sink.setup(filename, DataFormat(prefix, dataformat), units[0][1], last, encoding)
    for data, start, stop in units:
        sink.write(data, start, stop)
    sink.close()


def write_integers(prefix: str, filename: str, start: int, end: int, length: int = 1) -> None:
    """Write units of some length whose number is their start."""
    units = []
    for first in range(start, end + 1, length):
        units.append(({"value": numpy.int32(first)}, first, min(first + length - 1, end)))
    write_units(prefix, filename, units)


def open_source(prefix: str, filename: str, *args: Any, **kwargs: Any) -> CachedDataSource:
    """Return a source that is set up."""
    source = CachedDataSource()
    assert source.setup(filename, prefix, *args, **kwargs)
    return source


def values(units: Iterable[Unit]) -> list[tuple[Any, int, int]]:
    """Return units with the field ``value`` in place of the data."""
    return [(None if data is None else data.value, start, end) for data, start, end in units]


def seal(path: str | Path) -> None:
    """Write the checksum that fits a file."""
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    Path(f"{path}.checksum").write_text(digest)
