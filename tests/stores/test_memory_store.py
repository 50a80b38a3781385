"""Results in memory: references, managers, and what their processes do."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.manager_server import manager_at

from beat.backend.python.stores import InMemoryStore, StoreUnavailable, UnserialisableObject


def test_order_of_arguments() -> None:
    store = InMemoryStore()
    store.save([1], "x", "T", {"a": 1})
    store.save([2], "y", "T", {"a": 1}, "json", sub_dir="s", indent=4)
    assert store.load("x", "T", {"a": 1}, lazy=True) == [1]
    assert store.load("y", "T", {"a": 1}) == [2]
    assert store.open("x", "T", {"a": 1}, mode="r") is None


def test_objects_are_kept_as_they_are() -> None:
    store = InMemoryStore()
    for obj in (object(), threading.Lock(), lambda: None):
        store.save(obj, "x", "T", {})
        assert store.load("x", "T", {}) is obj


def message_of(call: Callable[[], object]) -> str:
    """Return what an error says, without keeping it.

    The frames of its traceback hold buffers of `multiprocessing`, of which Python complains if
    they are collected as parts of a cycle; `pytest.raises` makes one.
    """
    try:
        call()
    except StoreUnavailable as error:
        return str(error)
    return "no error"


def test_manager(tmp_path: Path) -> None:
    with manager_at(tmp_path / "socket") as (manager, server):
        store = InMemoryStore(manager)
        value = [1]
        store.save(value, "x", "T", {"a": 1})
        assert store.load("x", "T", {"a": 1}) == value
        assert store.load("x", "T", {"a": 1}) is not value
        for obj in (threading.Lock(), lambda: None):
            with pytest.raises(UnserialisableObject, match=r"'y' of task 'T' with .*'pickle'"):
                store.save(obj, "y", "T", {"a": 2})
        store.save("part", "y", "T", {})
        assert store.load("y", "T", {"a": 2}) == "part"
        store.delete_run("T", {"a": 1})
        assert len(store._objects) == 1
        server.kill()
        server.wait()
        for call in (
            lambda: store.save(1, "x", "T", {"a": 1}),
            lambda: store.load("x", "T", {"a": 1}),
            lambda: store.delete("x", "T", {"a": 1}),
            lambda: store.delete_run("T", {"a": 1}),
            lambda: store.get_context("T", {"a": 1}),
        ):
            assert re.search(r"of task 'T' with .*the manager .* has ended", message_of(call))


def test_run_deleted_while_saving() -> None:
    """Whoever saves into a run that goes away at that moment makes it anew, and leaks nothing."""
    store = InMemoryStore()

    class Deleting(dict):  # type: ignore[type-arg]
        times = 0

        def __setitem__(self, key: object, value: object) -> None:
            super().__setitem__(key, value)
            if self.times < 2:
                self.times += 1
                store._runs.clear()

    store._objects = Deleting()
    store.save([1], "x", "T", {"a": 1})
    assert store.load("x", "T", {"a": 1}) == [1]
    assert len(store._objects) == 1
