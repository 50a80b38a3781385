"""Every store behaves like the simplest possible one, whatever is done to it in whatever order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from beat.backend.python.stores import (
    AmbiguousRun,
    InMemoryStore,
    LocalFileStore,
    MongoDBStore,
    ResultsStore,
)

TASKS = st.sampled_from(["A", "B"])
CONFIGS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 1), max_size=3)
NAMES = st.sampled_from(["x", ".x", "y.z"])
VALUES = st.sampled_from([("json", None), ("json", [1]), ("text", "é" * 5000), ("pickle", {2})])

Run = tuple[str, frozenset[tuple[str, int]]]


class Model(RuleBasedStateMachine):
    """A store beside a dictionary."""

    make: ClassVar[Callable[[], ResultsStore]]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).make()
        self.runs: dict[Run, dict[str, Any]] = {}

    @rule(task=TASKS, config=CONFIGS, name=NAMES, value=VALUES)
    def save(self, task: str, config: dict[str, int], name: str, value: tuple[str, Any]) -> None:
        type_, obj = value
        run: Any = {"task_name": task, "task_unique_config": config}
        self.store.save(obj=obj, name=name, type_=type_, **run)
        self.runs.setdefault((task, frozenset(config.items())), {})[name] = obj

    @rule(task=TASKS, config=CONFIGS)
    def create(self, task: str, config: dict[str, int]) -> None:
        self.store.create_run(task, config)
        self.runs.setdefault((task, frozenset(config.items())), {})

    @rule(task=TASKS, config=CONFIGS, name=NAMES)
    def delete(self, task: str, config: dict[str, int], name: str) -> None:
        self.store.delete(name, task, config)
        self.runs.get((task, frozenset(config.items())), {}).pop(name, None)

    @rule(task=TASKS, config=CONFIGS)
    def delete_run(self, task: str, config: dict[str, int]) -> None:
        self.store.delete_run(task, config)
        self.runs.pop((task, frozenset(config.items())), None)

    @rule(task=TASKS, config=CONFIGS, name=NAMES)
    def load(self, task: str, config: dict[str, int], name: str) -> None:
        wanted = frozenset(config.items())
        parts = [items for stored, items in self.runs if stored == task and items <= wanted]
        largest = [items for items in parts if len(items) == max(map(len, parts))]
        if len(largest) > 1:
            with pytest.raises(AmbiguousRun):
                self.store.load(name, task, config, default="none")
            return
        expected = self.runs[task, largest[0]].get(name, "none") if largest else "none"
        assert self.store.load(name, task, config, default="none") == expected

    @invariant()
    def has_all(self) -> None:
        for (task, items), objects in self.runs.items():
            for name, obj in objects.items():
                assert self.store.load(name, task, dict(items), default="none") == obj


def check(make: Callable[[], ResultsStore], examples: int) -> None:
    machine = type("Machine", (Model,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_in_memory_store() -> None:
    check(InMemoryStore, 50)


def test_local_file_store(base: str) -> None:
    numbers = itertools.count()
    check(lambda: LocalFileStore(f"{base}/{next(numbers)}", trusted=True), 25)


def test_mongodb_store(make_mongo: Callable[..., MongoDBStore]) -> None:
    numbers = itertools.count()
    check(lambda: make_mongo(collection_name=f"c{next(numbers)}"), 8)
