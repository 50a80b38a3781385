"""Cache files, and hand-written code for them."""

from __future__ import annotations

import hashlib
import mmap
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from beat.backend.python.data import CachedDataSink

Place = tuple[int, int, int]  # first index, last index, offset


def write_cache(stem: Path, dataformat: Any, units: Sequence[Any], width: int = 1) -> Path:
    """Write units, each so many indices wide; return the path of the data file."""
    last = len(units) * width - 1
    stem.parent.mkdir(parents=True, exist_ok=True)
    sink = CachedDataSink()
    if not sink.setup(f"{stem}.data", dataformat, 0, last):
        raise OSError(f"cannot write {stem}")
    for i, unit in enumerate(units):
        sink.write(unit, i * width, (i + 1) * width - 1)
    sink.close()
    return Path(f"{stem}.0.{last}.data")


def map_file(path: Path) -> mmap.mmap:
    """Return a private mapping of a file."""
    with path.open("rb") as f:
        return mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)


def offsets_of(path: Path) -> list[Place]:
    """Return where the units in a data file are."""
    content = path.read_bytes()
    position = content.index(b"\n", content.index(b"\n") + 1) + 1
    places = []
    while position < len(content):
        line_end = content.index(b"\n", position)
        start, end, size = map(int, content[position:line_end].split())
        places.append((start, end, line_end + 1))
        position = line_end + 1 + size
    return places


def write_integers(stem: Path, format_name: str, n: int, width: int) -> Path:
    """Write int64 by hand, which is quicker for many of them; return the path of the data file."""
    last = n * width - 1
    limits = [(i * width, (i + 1) * width - 1) for i in range(n)]
    units = [b"%d %d 9\n%b\n" % (*limits[i], i.to_bytes(8, "little")) for i in range(n)]
    content = f"binary\n{format_name}\n".encode() + b"".join(units)
    for kind, text in (("data", content), ("index", b"".join(map(b"%d %d\n".__mod__, limits)))):
        path = Path(f"{stem}.0.{last}.{kind}")
        path.write_bytes(text)
        Path(f"{path}.checksum").write_text(hashlib.sha256(text).hexdigest(), "ascii")
    return Path(f"{stem}.0.{last}.data")


def last(items: Iterable[Any]) -> Any:
    """Go through all items; return the last one."""
    return deque(items, maxlen=1).pop()
