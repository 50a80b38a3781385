"""The public names and signatures, and what other stores made on them may rely on."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from beat.backend.python import stores
from beat.backend.python.stores import (
    LazySweep,
    Names,
    Promise,
    ResultsStore,
    StoreContext,
    Sweep,
    TypeInfo,
)

SIGNATURES = {
    "File": "path, mode, save_fn, load_fn, open_fn=None, load_kwargs=None, **open_kwargs",
    "FilePromise": "name, path, save_fn, load_fn, open_fn=None, mode=None, load_kwargs=None, "
    "**open_kwargs",
    "InMemoryStore": "manager=None",
    "LazySweep": "value, config",
    "LocalFileStore": "base_dir",
    "MongoDBStore": "db, collection_name=None, host=None",
    "StoreContext": "run_dir=None, sweep_counter=None",
    "Sweep": "value, config",
    "TypeInfo": "save_fn, load_fn, extension=None, is_binary=None, open_fn=None, needs_path=False",
    "File.load": "self, **kwargs",
    "File.read": "self, size=-1",
    "File.readline": "self, size=-1",
    "File.readlines": "self, hint=-1",
    "File.save": "self, obj, **kwargs",
    "File.seek": "self, offset, whence=0",
    "File.truncate": "self, size=None",
    "File.write": "self, obj",
    "File.writelines": "self, lines",
    "FilePromise.load": "self, **kwargs",
    "Promise.load": "self, **kwargs",
    "ResultsStore.load": "self, name, task_name, task_unique_config, **kwargs",
    "ResultsStore.save": "self, obj, name, type_, task_name, task_unique_config, **kwargs",
    "ResultsStore.delete": "self, name, task_name, task_unique_config",
    "ResultsStore.delete_run": "self, task_name, task_unique_config",
    "ResultsStore.get_context": "self, task_name, task_unique_config",
    "ResultsStore.get_results": "self, task_name, task_unique_config",
    "ResultsStore.is_finished": "self, task_name, task_unique_config",
    "ResultsStore.open": "self, name=None, task_name=None, task_unique_config=None, mode=None, "
    "promise=None, type_=None, sub_dir=None, **open_kwargs",
    "InMemoryStore.save": "self, obj, name, task_name, task_unique_config, type_=None, **kwargs",
    "InMemoryStore.load": "self, name, task_name, task_unique_config, **kwargs",
    "LocalFileStore.load": "self, name, task_name, task_unique_config, lazy=False, **kwargs",
    "LocalFileStore.save": "self, obj, name, type_, task_name, task_unique_config, sub_dir=None, "
    "mode=None, open_kwargs=None, load_kwargs=None, **kwargs",
    "LocalFileStore.open": "self, name=None, task_name=None, task_unique_config=None, mode=None, "
    "promise=None, type_=None, sub_dir=None, **open_kwargs",
    "MongoDBStore.save": "self, obj, name, type_, task_name, task_unique_config, **kwargs",
    "MongoDBStore.load": "self, name, task_name, task_unique_config, lazy=False",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    """They are fixed; what this package adds is given by keyword only."""
    function: Any = stores
    for part in name.split("."):
        function = getattr(function, part)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    if name == "MongoDBStore.load":
        parameters.pop()  # keywords for the load function
    assert ", ".join(map(str, parameters)) == SIGNATURES[name]


def test_all_names_are_there() -> None:
    for name in stores.__all__:
        assert hasattr(stores, name)
    assert {name.split(".")[0] for name in SIGNATURES} | {"Names"} <= set(stores.__all__)


def test_names() -> None:
    assert {name.name: str(name) for name in Names} == {
        "FLUIDML_INFO_FILE": "fluidml_info",
        "SAVED_RESULTS_FILE": ".saved_results",
        "FLUIDML_DIR": ".fluidml",
        "CONFIG": "config.json",
    }


def test_data_classes() -> None:
    assert Sweep(1, {"a": 1}) == Sweep(value=1, config={"a": 1}) != Sweep(2, {"a": 1})
    promise = Ready(5)
    assert LazySweep(promise, {}) == LazySweep(value=promise, config={})
    assert StoreContext() == StoreContext(None, None) != StoreContext("x", "1")
    assert TypeInfo(print, input).needs_path is False


class Ready(Promise):
    def __init__(self, value: Any) -> None:
        self.value = value

    def load(self, **kwargs: Any) -> Any:
        return self.value


class OwnStore(ResultsStore):
    """A store as made elsewhere: only what is abstract, and strict about keywords."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def load(self, name: str, task_name: str, task_unique_config: Any, **kwargs: Any) -> Any:
        assert not kwargs
        return self.objects.get(name)

    def save(
        self, obj: Any, name: str, type_: str, task_name: str, task_unique_config: Any,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self.objects[name] = obj

    def delete(self, name: str, task_name: str, task_unique_config: Any) -> None:
        del self.objects[name]

    def delete_run(self, task_name: str, task_unique_config: Any) -> None:
        self.objects.clear()

    def get_context(self, task_name: str, task_unique_config: Any) -> StoreContext:
        return StoreContext("somewhere")


def test_own_store() -> None:
    store = OwnStore()
    assert store.run_info is None
    assert store.open() is None
    assert store.create_run("T", {}) == StoreContext("somewhere")
    assert store.get_results("T", {}) is None
    assert store.is_finished("T", {}) is False
    store.save({"state": "finished"}, "fluidml_info", "json", "T", {})
    store.save(["x", "y"], ".saved_results", "json", "T", {})
    store.save(1, "x", "json", "T", {})
    assert store.get_results("T", {}) == {"x": 1, "y": None}
    assert store.is_finished("T", {}) is True
    with store.lock:
        store.lock = lock = threading.RLock()
    assert store.lock is lock
    store.run_info = "anything"
    assert store.run_info == "anything"


@pytest.mark.parametrize("name", ["ResultsStore", "Promise"])
def test_abstract_classes(name: str) -> None:
    with pytest.raises(TypeError, match="abstract"):
        getattr(stores, name)()


def test_import_is_light() -> None:
    code = "import sys, beat.backend.python.stores; print(*sys.modules)"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    heavy = {"pymongo", "gridfs", "bson", "pytest", "zmq", "multiprocessing", "numpy"}
    assert not heavy & set(out.stdout.split())
