"""Results stores: finding a run among few and many, loading, saving.

MongoDB is measured if ``BEAT_BENCHMARK_MONGODB`` is the address of a server; the database
``beat_benchmark`` is made there and removed again.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import multiprocessing
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from beat.backend.python.stores import InMemoryStore, LocalFileStore, MongoDBStore, ResultsStore

from .harness import Pair, case

SIZES = (10, 1_000, 10_000)
UNITS = 100
FEW = 5  # of what waits for the disk
TASK = "Train"
RESULT = {"accuracy": 0.93, "losses": [0.5, 0.25, 0.125], "note": "x" * 60}
MONGODB = os.environ.get("BEAT_BENCHMARK_MONGODB")


def config(number: int) -> dict[str, Any]:
    """Return a configuration as a task after two others has it."""
    return {
        "Train": {"rate": number / 7, "layers": [10, 20], "seed": number},
        "Split": {"folds": 5, "shuffle": True},
        "Data": {"name": "digits", "scale": 1.0},
    }


def canonical(value: Any) -> str:
    """Return the text of which the digest is made."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(value: Any) -> str:
    """Return what a run is found by."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def some(n: int) -> list[dict[str, Any]]:
    """Return configurations at random, of those that are stored."""
    chance = random.Random(n)
    return [config(chance.randrange(n)) for _ in range(UNITS)]


def make_files(folder: Path, n: int) -> LocalFileStore:
    """Make a store with so many runs; by hand, which is quicker, and it is indexed afterwards."""
    for number in range(n):
        run = folder / TASK / f"{number:03d}"
        (run / ".fluidml").mkdir(parents=True)
        (run / "config.json").write_text(json.dumps(config(number), indent=4))
        (run / "result.json").write_text(json.dumps(RESULT))
        (run / ".fluidml/.result_load_info.json").write_text('{"type_": "json"}')
    store = LocalFileStore(folder)
    store.load("result", TASK, config(0))
    return store


_shared: dict[int, tempfile.TemporaryDirectory[str]] = {}


def shared_files(n: int) -> tuple[LocalFileStore, str]:
    """Return a store with so many runs, for all that only read, and the folder of the task."""
    if n not in _shared:
        _shared[n] = tempfile.TemporaryDirectory(prefix="benchmark-")
        atexit.register(_shared[n].cleanup)
        make_files(Path(_shared[n].name), n)
    return LocalFileStore(_shared[n].name), f"{_shared[n].name}/{TASK}"


def folder_of(task: str, wanted: dict[str, Any]) -> str:
    """Find the folder of a configuration, and make sure that it is the right one."""
    run = os.path.join(
        task, os.path.basename(os.readlink(f"{task}/.index/runs/{digest_of(wanted)}"))
    )
    with open(os.path.join(run, "config.json"), encoding="utf-8") as f:
        if canonical(json.load(f)) != canonical(wanted):
            raise RuntimeError("the index is wrong")
    return run


def read_result(run: str) -> Any:
    """Read the load info of an object and the object."""
    with open(f"{run}/.fluidml/.result_load_info.json", encoding="utf-8") as f:
        extension = json.load(f)["type_"]
    with open(f"{run}/result.{extension}", encoding="utf-8") as f:
        return json.load(f)


@case("files: find a run", 2.5, sizes=SIZES, growth=0.1)
def find_run(folder: Path, n: int) -> Iterator[Pair]:
    """The limit follows the same link and reads the same configuration."""
    (store, task), wanted = shared_files(n), some(n)

    def ours() -> list[str | None]:
        return [store.get_context(TASK, one, create=False).run_dir for one in wanted]

    yield Pair(ours, lambda: [folder_of(task, one) for one in wanted], UNITS)


@case("files: load", 3.5, sizes=SIZES, growth=0.1)
def load_object(folder: Path, n: int) -> Iterator[Pair]:
    """The limit also reads the load info and the object."""
    (store, task), wanted = shared_files(n), some(n)

    def limit() -> list[Any]:
        return [read_result(folder_of(task, one)) for one in wanted]

    yield Pair(lambda: [store.load("result", TASK, one) for one in wanted], limit, UNITS)


@case("files: load, by a larger configuration", 3.5, sizes=SIZES, growth=0.1)
def load_part(folder: Path, n: int) -> Iterator[Pair]:
    """The limit looks for the larger one too, and knows which keys are stored."""
    store, task = shared_files(n)
    wanted = [{**one, "Report": {"kind": "table"}} for one in some(n)]

    def limit() -> list[Any]:
        found = []
        for one in wanted:
            if os.path.lexists(f"{task}/.index/runs/{digest_of(one)}"):
                raise RuntimeError("it should not be there")
            part = {key: one[key] for key in ("Train", "Split", "Data")}
            found.append(read_result(folder_of(task, part)))
        return found

    yield Pair(lambda: [store.load("result", TASK, one) for one in wanted], limit, UNITS)


@case("files: no such run", 3.5, sizes=SIZES, growth=0.1)
def miss(folder: Path, n: int) -> Iterator[Pair]:
    """The limit looks for the link, and whether the folder has been changed."""
    store, task = shared_files(n)
    wanted = [config(n + number) for number in range(UNITS)]

    def limit() -> list[bool]:
        found = []
        for one in wanted:
            is_there = os.path.lexists(f"{task}/.index/runs/{digest_of(one)}")
            with open(f"{task}/.index/state.json", encoding="utf-8") as f:
                if json.load(f)["stamp"] != os.stat(task).st_mtime_ns:
                    raise RuntimeError("the folder has been changed")
            found.append(is_there)
        return found

    def ours() -> list[bool]:
        return [store.get_context(TASK, one, create=False).run_dir is not None for one in wanted]

    yield Pair(ours, limit, UNITS)


def publish(path: str, content: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".tmp", path)
    sync(os.path.dirname(path))


def sync(folder: str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@case("files: save again", 4, sizes=(10, 10_000), growth=0.1)
def save_again(folder: Path, n: int) -> Iterator[Pair]:
    """The limit publishes one file."""
    store, task, wanted = make_files(folder, n), str(folder / TASK), some(n)[:FEW]

    def ours() -> None:
        for one in wanted:
            store.save(RESULT, "result", "json", TASK, one)

    def limit() -> None:
        for one in wanted:
            publish(f"{folder_of(task, one)}/result.json", json.dumps(RESULT))

    yield Pair(ours, limit, FEW)


@case("files: save in a new run", 3, sizes=(10, 10_000), growth=0.1)
def save_new(folder: Path, n: int) -> Iterator[Pair]:
    """The limit makes two folders and publishes configuration, load info and object."""
    store, other = make_files(folder / "ours", n), folder / "limit"
    make_files(other, n)
    task, ours_next, limit_next = str(other / TASK), n, n

    def ours() -> None:
        nonlocal ours_next
        for number in range(ours_next, ours_next + FEW):
            store.save(RESULT, "result", "json", TASK, config(number))
        ours_next += FEW

    def limit() -> None:
        nonlocal limit_next
        for number in range(limit_next, limit_next + FEW):
            run, text = f"{task}/{number:03d}", json.dumps(config(number), indent=4)
            os.makedirs(f"{run}/.fluidml")
            publish(f"{run}/config.json", text)
            os.symlink(f"../../{number:03d}", f"{task}/.index/runs/{digest_of(config(number))}")
            for name in ("", ".index/runs"):
                sync(f"{task}/{name}")
            publish(f"{run}/.fluidml/.result_load_info.json", '{"type_": "json"}')
            publish(f"{run}/result.json", json.dumps(RESULT))
        limit_next += FEW

    yield Pair(ours, limit, FEW)


def loads(store: ResultsStore, n: int) -> Callable[[], list[Any]]:
    """Save in so many runs, and return what loads some of the objects."""
    for number in range(n):
        run: Any = {"task_name": TASK, "task_unique_config": config(number)}
        store.save(obj=RESULT, name="result", type_="json", **run)
    wanted = some(n)
    return lambda: [store.load("result", TASK, one) for one in wanted]


@case("memory: load", 4, sizes=SIZES, growth=0.1)
def memory(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is a dictionary by digest."""
    known, wanted = {digest_of(config(number)): RESULT for number in range(n)}, some(n)
    yield Pair(loads(InMemoryStore(), n), lambda: [known[digest_of(o)] for o in wanted], UNITS)


@case("manager: load", 2, sizes=SIZES, growth=0.1)
def managed(folder: Path, n: int) -> Iterator[Pair]:
    """The limit asks a dictionary of the manager twice."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        known, wanted = manager.dict(), some(n)
        for number in range(n):
            known[digest_of(config(number))] = RESULT

        def limit() -> list[Any]:
            return [known.get("token") or known[digest_of(one)] for one in wanted]

        yield Pair(loads(InMemoryStore(manager), n), limit, UNITS)


if MONGODB:

    @case("mongodb: load", 2, sizes=SIZES, growth=0.1)
    def mongodb(folder: Path, n: int) -> Iterator[Pair]:
        """The limit gets a document by an indexed field."""
        store = MongoDBStore("beat_benchmark", host=MONGODB)
        database = store._database()
        database.client.drop_database("beat_benchmark")
        ours, wanted = loads(store, n), some(n)
        collection = database["task_result"]

        def limit() -> list[Any]:
            found = []
            for one in wanted:
                document = collection.find_one({"name": TASK, "digest": digest_of(one)})
                found.append(json.loads((document or {})["objects"]["result"]["text"]))
            return found

        yield Pair(ours, limit, UNITS)
        database.client.drop_database("beat_benchmark")
        store.close()
