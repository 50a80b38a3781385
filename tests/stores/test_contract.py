"""The contract of results stores, on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from multiprocessing.managers import SyncManager

import pytest
from support.manager_server import manager_at

from beat.backend.python.stores import InMemoryStore, LocalFileStore, MongoDBStore
from beat.backend.python.testing.store_contract import StoreContract


class TestInMemoryStore(StoreContract):
    serialises = False
    keeps_references = True

    @pytest.fixture
    def store(self) -> InMemoryStore:
        return InMemoryStore()

    @pytest.fixture
    def other(self, store: InMemoryStore) -> InMemoryStore:
        return store  # there is no second handle on a dictionary of this process


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncManager]:
    with manager_at(tmp_path_factory.mktemp("manager") / "socket") as (manager, _):
        yield manager


class TestManagedInMemoryStore(StoreContract):
    serialises = False

    @pytest.fixture
    def store(self, manager: SyncManager) -> InMemoryStore:
        return InMemoryStore(manager)


class TestLocalFileStore(StoreContract):
    @pytest.fixture
    def store(self, base: str) -> LocalFileStore:
        return LocalFileStore(base, trusted=True)


class TestMongoDBStore(StoreContract):
    @pytest.fixture
    def store(self, make_mongo: Callable[..., MongoDBStore]) -> MongoDBStore:
        return make_mongo()

    @pytest.fixture
    def other(self, make_mongo: Callable[..., MongoDBStore]) -> MongoDBStore:
        return make_mongo()
