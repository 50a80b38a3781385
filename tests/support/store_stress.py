"""Processes that use one store at the same time, or are killed while they write to it.

Run as a script in a process without threads: ``store_stress.py kill|race KIND WHERE COUNT SEED``,
where KIND is ``files`` (WHERE is the folder), ``mongo`` (``host:port/database``) or ``manager``
(WHERE does not matter). It prints what it has counted as JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from beat.backend.python.stores import (
    InMemoryStore,
    LocalFileStore,
    MongoDBStore,
    ResultsStore,
)

TASK = "Train"
CONFIGS = [{"Train": {"rate": rate, "layers": [1, 2]}} for rate in range(4)]
NAMES = ("json", "text", "pickle", "log")


def make_store(kind: str, where: str) -> ResultsStore:
    """Make the store that is meant."""
    if kind == "files":
        return LocalFileStore(where, trusted=True)
    if kind == "mongo":
        host, _, db = where.partition("/")
        return MongoDBStore(db, host=host, trusted=True)
    return InMemoryStore(multiprocessing.Manager())


def seal(content: str) -> dict[str, str]:
    """Return a value from which can be seen whether all of it is there."""
    return {"content": content, "sum": hashlib.sha256(content.encode()).hexdigest()}


def is_sealed(value: Any) -> bool:
    """Tell whether all of a value is there."""
    if isinstance(value, str):
        return all(is_sealed(json.loads(line)) for line in value.splitlines())
    return isinstance(value, dict) and value == seal(value["content"])


def save_with_lock(store: ResultsStore) -> None:
    """Save something while holding the lock of the store."""
    with store.lock:
        store.save(
            obj=2, name="x", type_="json", task_name="T",
            task_unique_config={"Train": {"rate": 0.1}, "Data": {"seed": 1}},
        )  # fmt: skip


def write(store: ResultsStore, chance: random.Random) -> None:
    """Change something in the store."""
    config = chance.choice(CONFIGS)
    value = seal(chance.choice("abc") * chance.choice([1, 1000, 100_000]))
    run: Any = {"task_name": TASK, "task_unique_config": config}
    name = chance.choice([*NAMES, "delete", "delete_run"])
    if name == "delete":
        store.delete(name=chance.choice(NAMES), **run)
    elif name == "delete_run":
        store.delete_run(**run)
    elif name == "log" and isinstance(store, LocalFileStore):
        with store.open(name="log", mode="a", type_="text", **run) as file:
            file.write(json.dumps(value) + "\n")
    elif name in ("text", "log"):
        store.save(obj=json.dumps(value), name=name, type_="text", **run)
    else:
        store.save(obj=value, name=name, type_=name, **run)


def check(store: ResultsStore, found: Counter[str]) -> None:
    """Read everything, and count what is whole and what is not."""
    for config in CONFIGS:
        for name in NAMES:
            value = store.load(
                name=name, task_name=TASK, task_unique_config=config, default=None, strict=True
            )
            found["missing" if value is None else "whole" if is_sealed(value) else "torn"] += 1


def in_child(work: Callable[[], None]) -> int:
    """Start a process that does something and ends; return its id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - told by the status
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return pid


def kill(store: ResultsStore, count: int, seed: int) -> dict[str, int]:
    """Kill so many writers; each one first checks what the one before it has left."""
    chance = random.Random(seed)
    found: Counter[str] = Counter()
    for number in range(count):
        reading, writing = os.pipe()

        def work(number: int = number, writing: int = writing) -> None:
            seen: Counter[str] = Counter()
            begin = time.monotonic()
            check(store, seen)
            store.save(
                obj=seal("first"), name="json", type_="json", task_name=TASK,
                task_unique_config=CONFIGS[number % len(CONFIGS)],
            )  # fmt: skip
            seen["slow"] += time.monotonic() - begin > 5
            os.write(writing, json.dumps(seen).encode())
            chance = random.Random(seed + number)
            while True:
                write(store, chance)

        pid = in_child(work)
        os.close(writing)
        said = os.read(reading, 4096)
        os.close(reading)
        time.sleep(chance.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        found["killed"] += os.WIFSIGNALED(status)
        found["failed"] += not os.WIFSIGNALED(status)
        found.update(json.loads(said or b'{"failed": 1}'))
    pid = in_child(lambda: check(store, Counter()))
    found["failed"] += os.waitpid(pid, 0)[1] != 0
    return dict(found)


def race(store: ResultsStore, count: int, seed: int) -> dict[str, int]:
    """Let 8 processes make the same and different runs, and read each other's objects."""

    def work(number: int) -> None:
        chance = random.Random(seed + number)
        for i in chance.sample(range(count), count):
            for config in ({"same": i}, {"own": number, "i": i}):
                run: Any = {"task_name": TASK, "task_unique_config": config}
                store.save(obj=seal(f"{number}-{i}"), name=f"p{number}", type_="json", **run)
                store.save(obj=seal(str(i) * 5000), name="x", type_="json", **run)
                value = store.load(name="x", **run)
                assert is_sealed(value), value
            if isinstance(store, LocalFileStore):
                with store.open("log", TASK, {"log": 1}, "a", type_="text") as file:
                    file.write(json.dumps(seal(f"{number}-{i}")) + "\n")

    pids = [in_child(lambda number=number: work(number)) for number in range(8)]
    found: Counter[str] = Counter()
    for pid in pids:
        found["failed"] += os.waitpid(pid, 0)[1] != 0
    for number in range(8):
        for i in range(count):
            for config in ({"same": i}, {"own": number, "i": i}):
                run: Any = {"task_name": TASK, "task_unique_config": config}
                value = store.load(name=f"p{number}", default=None, **run)
                found["kept" if value == seal(f"{number}-{i}") else "lost"] += 1
    if isinstance(store, LocalFileStore):
        lines = store.load("log", TASK, {"log": 1}).splitlines()
        found["lines"] = len({line for line in lines if is_sealed(json.loads(line))})
    return dict(found)


def main() -> None:
    """Do what the arguments say."""
    logging.disable(logging.WARNING)
    what, kind, where, count, seed = sys.argv[1:]
    store = make_store(kind, where)
    work = {"kill": kill, "race": race}[what]
    sys.stdout.write(json.dumps(work(store, int(count), int(seed))))
    with contextlib.suppress(AttributeError):
        store.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
