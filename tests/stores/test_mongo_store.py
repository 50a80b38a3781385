"""Results in MongoDB: what is in the database, its indices, old documents, absent servers."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.mongod import Server

from beat.backend.python.stores import (
    MongoDBStore,
    StoreError,
    StoreUnavailable,
    TypeInfo,
    UnknownType,
    UnreadableObject,
    UnserialisableObject,
    UntrustedPickle,
)
from beat.backend.python.stores.mongo_store import INLINE

CONFIG = {"Train": {"rate": 0.1}, "Data": {"seed": 1}}


@pytest.fixture
def store(make_mongo: Callable[..., MongoDBStore]) -> MongoDBStore:
    return make_mongo()


def counts(store: MongoDBStore) -> tuple[int, int, int]:
    """Return how many documents, files and chunks there are."""
    database = store._database()
    names = (store.collection_name, "fs.files", "fs.chunks")
    runs, files, chunks = (database[name].count_documents({}) for name in names)
    return runs, files, chunks


def test_one_document_for_each_run(store: MongoDBStore) -> None:
    for number in range(3):
        store.save({"a": 1}, "x", "json", "T", {"number": number})
        store.save("text", "y", "text", "T", {"number": number})
    assert counts(store) == (3, 0, 0)
    document = store._database()["task_result"].find_one({"config": '{"number":2}'})
    assert document is not None
    assert document["name"] == "T"
    assert document["objects"]["x"] == {"type": "json", "load_kwargs": "{}", "text": '{"a": 1}'}


@pytest.mark.parametrize(
    ("type_", "value", "has_file"),
    [
        ("json", "x" * (INLINE - 2), False),
        ("json", "x" * (INLINE - 1), True),
        ("text", "é" * (INLINE // 2), False),
        ("text", "é" * (INLINE // 2 + 1), True),
        ("pickle", 1, True),
    ],
)
def test_files_are_for_large_and_binary_objects(
    store: MongoDBStore, type_: str, value: Any, has_file: bool
) -> None:
    store.save(value, "x", type_, "T", CONFIG)
    assert counts(store) == (1, int(has_file), int(has_file))
    assert store.load("x", "T", CONFIG) == value


def test_no_file_is_left_behind(store: MongoDBStore) -> None:
    for number in range(5):
        store.save(bytes(600_000), "x", "pickle", "T", CONFIG)
        store.save("x" * 10_000 * number, "y", "text", "T", CONFIG)
        store.save(number, "z", "pickle", "T", {"number": number})
    assert counts(store) == (6, 7, 9)
    store.save([1], "x", "json", "T", CONFIG)
    assert counts(store) == (6, 6, 6)
    store.delete("y", "T", CONFIG)
    assert counts(store) == (6, 5, 5)
    for number in range(5):
        store.delete_run("T", {"number": number})
    assert counts(store) == (1, 0, 0)


def test_lookups_use_an_index(store: MongoDBStore) -> None:
    for number in range(200):
        store.create_run("T", {"number": number})
        store.create_run("U", {"number": number, "more": 1})
    collection = store._database()["task_result"]
    document = collection.find_one({"config": '{"number":7}'})
    assert document is not None
    query = {"name": "T", "digest": document["digest"]}
    found = collection.find(query).explain()["executionStats"]
    assert (found["totalDocsExamined"], found["totalKeysExamined"]) == (1, 1)
    old = collection.find({"name": "T", "shape": None}).explain()["executionStats"]
    assert old["totalDocsExamined"] == 0
    shapes = store._database().command(
        "explain", {"distinct": "task_result", "key": "shape", "query": {"name": "T"}}
    )
    assert shapes["executionStats"]["totalKeysExamined"] <= 2


def test_object_goes_to_a_file_when_the_document_is_full(store: MongoDBStore) -> None:
    store.create_run("T", CONFIG)
    collection = store._database()["task_result"]
    collection.update_one({}, {"$set": {"filler": bytes(16 * 1024 * 1024 - 2048)}})
    store.save("x" * 3000, "x", "text", "T", CONFIG)
    assert counts(store) == (1, 1, 1)
    assert store.load("x", "T", CONFIG) == "x" * 3000


def test_collections_and_databases_do_not_mix(make_mongo: Callable[..., MongoDBStore]) -> None:
    stores = [
        make_mongo(),
        make_mongo(collection_name="other"),
        make_mongo(db="another_database"),
        make_mongo(db="another_database", collection_name="other"),
    ]
    for number, store in enumerate(stores):
        store.save(number, "x", "pickle", "T", CONFIG)
    assert [store.load("x", "T", CONFIG) for store in stores] == [0, 1, 2, 3]
    stores[0].remove_orphans(older_than=-10)
    assert [store.load("x", "T", CONFIG) for store in stores] == [0, 1, 2, 3]
    stores[3]._database().client.drop_database("another_database")


def test_types(store: MongoDBStore) -> None:
    store.type_registry["upper"] = TypeInfo(
        lambda obj, file: file.write(obj.upper()),
        lambda file, end="": file.read() + end,
    )
    store.save("a\r\n", "x", "upper", "T", CONFIG, load_kwargs={"end": "."})
    assert store.load("x", "T", CONFIG) == "A\r\n."
    assert store.load("x", "T", CONFIG, end="!") == "A\r\n!"
    store.type_registry["path"] = TypeInfo(print, print, needs_path=True)
    store.type_registry["opened"] = TypeInfo(print, print, open_fn=open)
    for type_ in ("path", "opened"):
        with pytest.raises(UnknownType, match="only a LocalFileStore can keep it"):
            store.save("a", "x", type_, "T", CONFIG)
    with pytest.raises(UnserialisableObject):
        store.save("a", "x", "text", "T", CONFIG, load_kwargs={"end": object()})
    del store.type_registry["upper"]
    with pytest.raises(UnknownType, match="unknown type 'upper'"):
        store.load("x", "T", CONFIG)


def test_untrusted_pickle(store: MongoDBStore, make_mongo: Callable[..., MongoDBStore]) -> None:
    store.save({1}, "x", "pickle", "T", CONFIG)
    with pytest.raises(UntrustedPickle, match=r"'x' of task 'T' with .*trusted=True"):
        make_mongo(trusted=False).load("x", "T", CONFIG)


def test_damaged_file(store: MongoDBStore) -> None:
    store.save(bytes(600_000), "x", "pickle", "T", CONFIG)
    chunks = store._database()["fs.chunks"]
    chunks.delete_one({"n": 1})
    with pytest.raises(UnreadableObject, match=r"'x' of task 'T' .*GridFS file .* is damaged"):
        store.load("x", "T", CONFIG)
    store._database()["fs.files"].delete_many({})
    with pytest.raises(UnreadableObject, match="is damaged"):
        store.load("x", "T", CONFIG)
    store.save(1, "x", "pickle", "T", CONFIG)
    assert store.load("x", "T", CONFIG) == 1


def test_readers_of_what_is_replaced(
    store: MongoDBStore, make_mongo: Callable[..., MongoDBStore]
) -> None:
    store.save(bytes([0]) * 600_000, "x", "pickle", "T", CONFIG)
    stop = threading.Event()

    def replace() -> None:
        other = make_mongo()
        number = 0
        while not stop.is_set():
            number += 1
            other.save(bytes([number % 256]) * 600_000, "x", "pickle", "T", CONFIG)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        seen = set()
        for _ in range(100):
            value = store.load("x", "T", CONFIG)
            assert len(set(value)) == 1
            assert len(value) == 600_000
            seen.add(value[0])
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 1


# Documents made by earlier packages


def add_old(store: MongoDBStore, config: Any, results: dict[str, Any], name: str = "T") -> None:
    """Add a document as earlier packages do."""
    entries = {
        key: {"obj": store._files.upload_from_stream(key, pickle.dumps(value))}
        for key, value in results.items()
    }
    document = {"name": name, "unique_config": config, "results": entries}
    store._database()["task_result"].insert_one(document)


def test_old_documents(store: MongoDBStore, make_mongo: Callable[..., MongoDBStore]) -> None:
    add_old(store, {"a": 1, "b": {"c": [1, 2]}}, {"x": [1], "y": {2}})
    add_old(store, {"a": 2}, {"x": [2]})
    add_old(store, {"a": 2}, {"x": [3]}, name="U")
    config = {"b": {"c": (1, 2)}, "a": 1}
    assert store.load("x", "T", config) == [1]
    assert store.load("y", "T", {**config, "z": 1}) == {2}
    assert store.load("x", "T", {"a": 2}) == [2]
    assert store.load("x", "T", {"a": 3}, default="none") == "none"
    assert store.load("gone", "T", {"a": 2}, default="none") == "none"
    with pytest.raises(UntrustedPickle):
        make_mongo(trusted=False).load("x", "T", config)
    assert counts(store) == (3, 4, 4)
    store.save([4], "x", "json", "T", config)
    store.save([5], "z", "json", "T", config)
    assert counts(store) == (3, 3, 3)
    assert [store.load(name, "T", config) for name in "xyz"] == [[4], {2}, [5]]
    store.delete("y", "T", config)
    assert counts(store) == (3, 2, 2)
    store.delete("x", "T", {"a": 2})
    assert counts(store) == (3, 1, 1)
    store.delete_run("T", config)
    store.delete_run("U", {"a": 2})
    assert counts(store) == (1, 0, 0)


def test_old_document_that_cannot_be_read(
    store: MongoDBStore, caplog: pytest.LogCaptureFixture
) -> None:
    store._database()["task_result"].insert_one({"name": "T", "unique_config": {"a": b"bytes"}})
    store._database()["task_result"].insert_one({"name": "T", "unique_config": 5})
    store.save(1, "x", "json", "T", {"a": 1})
    assert store.load("x", "T", {"a": 1, "b": 2}) == 1
    assert "passing over document" in caplog.text


# Processes and servers


def test_each_process_has_its_own_connection(store: MongoDBStore) -> None:
    script = """
        import os, sys
        from beat.backend.python.stores import MongoDBStore
        store = MongoDBStore(sys.argv[2], host=sys.argv[1])
        store.save([1], "x", "json", "T", {"a": 1})
        if os.fork() == 0:
            status = 1
            try:
                assert store.load("x", "T", {"a": 1}) == [1]
                store.save([2], "x", "json", "T", {"a": 1})
                store.close()
                status = 0
            finally:
                os._exit(status)
        assert os.wait()[1] == 0
        assert store.load("x", "T", {"a": 1}) == [2]
        store.close()
        assert store.load("x", "T", {"a": 1}) == [2]
    """
    # Newer Pythons warn of every fork in a process with threads, and every client has threads.
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *warnings, "-c", textwrap.dedent(script)]
    subprocess.run([*command, str(store.host), store.db], check=True, timeout=60)


CALLS: dict[str, Callable[[MongoDBStore], object]] = {
    "save": lambda store: store.save(1, "x", "json", "T", CONFIG),
    "save to a file": lambda store: store.save(1, "x", "pickle", "T", CONFIG),
    "load": lambda store: store.load("x", "T", CONFIG),
    "delete": lambda store: store.delete("x", "T", CONFIG),
    "delete_run": lambda store: store.delete_run("T", CONFIG),
    "get_context": lambda store: store.get_context("T", CONFIG),
    "get_results": lambda store: store.get_results("T", CONFIG),
    "is_finished": lambda store: store.is_finished("T", CONFIG),
    "remove_orphans": lambda store: store.remove_orphans(),
}


@pytest.mark.parametrize("call", CALLS)
def test_server_that_is_not_there(make_mongo: Callable[..., MongoDBStore], call: str) -> None:
    store = make_mongo(host="127.0.0.1:1", timeout=0.1)
    with pytest.raises(ConnectionError, match=r"MongoDB at 127\.0\.0\.1:1 does not") as caught:
        CALLS[call](store)
    assert isinstance(caught.value, StoreUnavailable)
    if call != "remove_orphans":
        assert "of task 'T' with configuration {" in str(caught.value)


def test_address_with_a_password(make_mongo: Callable[..., MongoDBStore]) -> None:
    address = "mongodb://name:secret@127.0.0.1:1/?serverSelectionTimeoutMS=100"
    with pytest.raises(StoreUnavailable, match="object 'x' of task 'T'") as caught:
        make_mongo(host=address, timeout=60).load("x", "T", CONFIG)
    assert "secret" not in str(caught.value)


def test_file_of_a_failed_save_is_removed(make_mongo: Callable[..., MongoDBStore]) -> None:
    store = make_mongo(collection_name="$x")
    for value, type_ in [(1, "pickle"), (1, "json"), ("x" * 5000, "text")]:
        with pytest.raises(StoreError, match="MongoDB refused"):
            store.save(value, "x", type_, "T", CONFIG)
    assert store._database()["fs.files"].count_documents({}) == 0
    assert store._database()["fs.chunks"].count_documents({}) == 0


@pytest.mark.parametrize(
    "arguments", [{"db": "in valid"}, {"host": "mongodb://"}, {"collection_name": "$x"}]
)
def test_bad_arguments(make_mongo: Callable[..., MongoDBStore], arguments: dict[str, str]) -> None:
    with pytest.raises(StoreError, match=r"'x' of task 'T' .*MongoDB refused"):
        make_mongo(**arguments).load("x", "T", CONFIG)


def test_server_that_goes_and_comes_back(
    tmp_path: Path, mongod: Server, make_mongo: Callable[..., MongoDBStore]
) -> None:
    server = Server(tmp_path)
    try:
        store = make_mongo(host=server.address, timeout=1)
        store.save("old", "x", "text", "T", CONFIG)
        server.pause()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.save("new " * 5000, "x", "text", "T", CONFIG)
        server.resume()
        assert store.load("x", "T", CONFIG) in ("old", "new " * 5000)
        store.save("newer", "x", "text", "T", CONFIG)
        server.kill()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.load("x", "T", CONFIG)
        server.start()
        assert store.load("x", "T", CONFIG) == "newer"
    finally:
        server.kill()


def test_without_pymongo() -> None:
    script = """
        import sys
        sys.modules["pymongo"] = None
        from beat.backend.python.stores import MongoDBStore
        try:
            MongoDBStore("db")
        except ImportError as error:
            assert "pip install 'beat.backend.python[mongodb]'" in str(error), error
        else:
            raise AssertionError("made without pymongo")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_store_that_is_not_closed_closes_itself(mongod: Server) -> None:
    script = """
        import gc, sys
        from beat.backend.python.stores import MongoDBStore
        store = MongoDBStore("closing", host=sys.argv[1])
        store.save(1, "x", "json", "T", {})
        del store
        gc.collect()
        MongoDBStore("closing", host=sys.argv[1]).load("x", "T", {})
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), mongod.address]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, env=os.environ)
    assert done.stderr == b""
