"""A MongoDB server for all tests of stores, and stores in it."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.mongod import Server, why_not

from beat.backend.python.stores import MongoDBStore

_numbers = itertools.count()


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a running server."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    server = Server(tmp_path_factory.mktemp("mongod"))
    yield server
    server.kill()


@pytest.fixture
def make_mongo(mongod: Server) -> Iterator[Callable[..., MongoDBStore]]:
    """Give a function that makes stores in a database of their own."""
    stores: list[MongoDBStore] = []
    db = f"db{next(_numbers)}"

    def make(**kwargs: Any) -> MongoDBStore:
        kwargs = {"db": db, "host": mongod.address, "trusted": True, **kwargs}
        stores.append(MongoDBStore(**kwargs))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    """Give the path of a store that is not there yet, where to make things durable is fast."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield str(tmp_path / "base")
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield os.path.join(folder, "base")
