"""Views of databases: what it takes to open one, and to read from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .harness import Pair, case
from .support.database import OUTPUT, open_view
from .support.kinds import INTEGER


@case("set up", 2.5, sizes=(10_000, 100_000), growth=1.1)
def setup(folder: Path, n: int) -> Iterator[Pair]:
    """The limit parses the index."""
    view = open_view(folder, n)
    path = folder / "index.db"

    def ours() -> int:
        view.setup(str(path))
        return len(view.data_sources[OUTPUT])

    def limit() -> int:
        return len(json.loads(path.read_bytes()))

    yield Pair(ours, limit, n)


@case("read", 1.6, sizes=(10_000,))
def read(folder: Path, n: int) -> Iterator[Pair]:
    """The limit calls the user's method and packs what it returns."""
    view = open_view(folder, n)
    source = view.data_sources[OUTPUT]

    def ours() -> Any:
        for i in range(n):
            unit = source[i]
        return unit

    def limit() -> Any:
        get, encode = view.obj.get, INTEGER.codec.encode
        for i in range(n):
            unit = encode(get(OUTPUT, i)), i, i
        return unit

    yield Pair(ours, limit, n)
