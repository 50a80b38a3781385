"""Results in files: the layout on disk, types, sub-folders, and stores that others have made."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import multiprocessing
import os
import pickle
import shutil
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np
import pytest
from support import store_stress

from beat.backend.python.stores import (
    FilePromise,
    InvalidName,
    LocalFileStore,
    ObjectExists,
    ObjectNotFound,
    StoreContext,
    StoreError,
    TypeInfo,
    UnknownType,
    UnreadableObject,
    UnserialisableObject,
    UntrustedPickle,
)

CONFIG = {"Train": {"rate": 0.1}, "Data": {"seed": 1}}


@pytest.fixture
def store(base: str) -> LocalFileStore:
    return LocalFileStore(base)


def files(folder: str | os.PathLike[str]) -> list[str]:
    """Return all files but those of the index, seen from the folder."""
    found = (p for p in Path(folder).rglob("*") if p.is_file() and ".index" not in p.parts)
    return sorted(str(p.relative_to(folder)) for p in found)


# Layout


def test_nothing_is_made_before_the_first_save(store: LocalFileStore, base: str) -> None:
    assert store.load("x", "T", CONFIG) is None
    assert store.load("x", "T", CONFIG, lazy=True) is None
    assert store.get_context("T", CONFIG, create=False) == StoreContext()
    store.delete("x", "T", CONFIG)
    store.delete_run("T", CONFIG)
    for arguments in [{"mode": "r"}, {"mode": "r+"}, {"mode": "a"}, {"mode": "w"}]:
        with pytest.raises((FileNotFoundError, UnknownType)):
            store.open("x", "T", CONFIG, **arguments)
    assert not os.path.exists(base)


def test_layout(store: LocalFileStore, base: str) -> None:
    store.save([1], "x", "json", "T", CONFIG)
    store.save({1}, "x", "pickle", "T", {"a": 1})
    store.save("1", "x", "text", "T", {"a": 1}, sub_dir="deep/er")
    store.save("1", "e", "event", "T", {"a": 1}, sub_dir="deep")
    store.save(["x"], ".saved_results", "json", "T", {"a": 1}, sub_dir=".fluidml")
    assert files(base) == [
        "T/000/.fluidml/.x_load_info.json",
        "T/000/config.json",
        "T/000/x.json",
        "T/001/.fluidml/..saved_results_load_info.json",
        "T/001/.fluidml/.e_load_info.json",
        "T/001/.fluidml/.saved_results.json",
        "T/001/.fluidml/.x_load_info.json",
        "T/001/config.json",
        "T/001/deep/e",
        "T/001/deep/er/x.txt",
    ]
    text = Path(base, "T/000/config.json").read_text()
    assert text == json.dumps(CONFIG, indent=4)
    info = json.loads(Path(base, "T/000/.fluidml/.x_load_info.json").read_text())
    assert info == {"type_": "json", "obj_dir": "", "open_kwargs": {}, "load_kwargs": {}}


def test_keywords_reach_the_save_function(store: LocalFileStore, base: str) -> None:
    store.save({"b": 1, "a": 2}, "x", "json", "T", CONFIG, indent=1, sort_keys=True)
    assert Path(base, "T/000/x.json").read_text() == '{\n "a": 2,\n "b": 1\n}'


def test_load_kwargs_are_kept_and_the_callers_win(store: LocalFileStore) -> None:
    def load(file: IO[str], **kwargs: Any) -> Any:
        return kwargs

    store.type_registry["kwargs"] = TypeInfo(lambda obj, file: file.write(""), load)
    store.save(0, "x", "kwargs", "T", CONFIG, load_kwargs={"a": 1, "b": 2})
    assert store.load("x", "T", CONFIG) == {"a": 1, "b": 2}
    assert store.load("x", "T", CONFIG, b=3, c=4) == {"a": 1, "b": 3, "c": 4}
    promise = store.load("x", "T", CONFIG, lazy=True)
    assert promise.load(b=3) == {"a": 1, "b": 3}
    with store.open(promise=promise) as file:
        assert file.load(c=5) == {"a": 1, "b": 2, "c": 5}


def test_open_kwargs_are_kept_and_the_callers_win(store: LocalFileStore, base: str) -> None:
    store.save("é", "x", "text", "T", CONFIG, open_kwargs={"encoding": "latin-1"})
    assert Path(base, "T/000/x.txt").read_bytes() == b"\xe9"
    assert store.load("x", "T", CONFIG) == "é"
    assert store.load("x", "T", CONFIG, lazy=True).load() == "é"
    with store.open("x", "T", CONFIG, "r") as file:
        assert file.read() == "é"
    with store.open("x", "T", CONFIG, "r", encoding="cp437") as file:
        assert file.read() == "Θ"
    with store.open("x", "T", CONFIG, "a") as file:
        file.write("ü")
    assert store.load("x", "T", CONFIG) == "éü"


@pytest.mark.parametrize("kwargs", [{"load_kwargs": {"a": object()}}, {"open_kwargs": {"a": {1}}}])
def test_keywords_must_have_a_json_form(
    store: LocalFileStore, base: str, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(UnserialisableObject, match=r"'x' of task 'T' .*JSON form"):
        store.save(1, "x", "json", "T", CONFIG, **kwargs)
    assert not os.path.exists(base)


@pytest.mark.parametrize("missing", ["", "made/before"])
def test_failed_first_save_leaves_nothing(base: str, missing: str) -> None:
    folder = os.path.join(base, missing)
    store = LocalFileStore(folder)
    with pytest.raises(UnserialisableObject):
        store.save(object(), "x", "json", "T", CONFIG)
    with pytest.raises(InvalidName):
        store.save(1, "config", "json", "T", CONFIG)
    assert not os.path.exists(base)
    os.mkdir(base)
    with pytest.raises(UnserialisableObject):
        store.save(object(), "x", "json", "T", CONFIG)
    assert os.listdir(base) == []


def test_another_type_or_folder_replaces_the_old_file(store: LocalFileStore, base: str) -> None:
    store.type_registry["folder"] = TypeInfo(save_folder, load_folder, needs_path=True)
    infos = ["T/000/.fluidml/.x_load_info.json", "T/000/config.json"]
    for type_, sub_dir, place in [
        ("text", None, "x.txt"),
        ("text", "sub", "sub/x.txt"),
        ("folder", None, "x/part"),
        ("event", "sub", "sub/x"),
        ("folder", "sub", "sub/x/part"),
        ("event", "sub", "sub/x"),
    ]:
        store.save("content", "x", type_, "T", CONFIG, sub_dir=sub_dir)
        assert files(base) == sorted([*infos, f"T/000/{place}"])
        assert store.load("x", "T", CONFIG) == "content"


def test_base_dir_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalFileStore("results")
    store.save([1], "x", "json", "T", CONFIG)
    promise = store.load("x", "T", CONFIG, lazy=True)
    monkeypatch.chdir("/")
    assert store.base_dir == "results"
    assert promise.load() == [1]
    assert store.load("x", "T", CONFIG, default="elsewhere") == "elsewhere"


# Names of run folders


def test_numbering(store: LocalFileStore, base: str) -> None:
    for number in range(3):
        context = store.get_context("T", {"a": number})
        assert context == StoreContext(os.path.join(base, f"T/{number:03d}"), f"{number:03d}")
    os.mkdir(os.path.join(base, "T", "998"))
    os.mkdir(os.path.join(base, "T", "x-5000"))
    os.mkdir(os.path.join(base, "T", "²"))
    names = [store.create_run("T", {"a": n}).sweep_counter for n in (3, 4, 5)]
    assert names == ["999", "1000", "1001"]
    store.delete_run("T", {"a": 5})
    assert store.create_run("T", {"a": 6}).sweep_counter == "1001"


def test_numbering_with_run_name(store: LocalFileStore) -> None:
    def create(run_name: str, counter: str | None, number: int) -> str:
        store.run_info = SimpleNamespace(run_name=run_name, sweep_counter=counter)
        context = store.create_run("T", {"a": number})
        assert context.run_dir is not None
        assert context.run_dir.endswith(f"-{context.sweep_counter}")
        return os.path.basename(context.run_dir)

    assert create("brave-fox", None, 0) == "brave-fox-000"
    assert create("brave-fox", None, 1) == "brave-fox-001"
    assert create("brave", None, 2) == "brave-002"
    assert create("calm", "7", 3) == "calm-7"
    assert create("calm", None, 4) == "calm-008"
    assert create("brave-fox", None, 0) == "brave-fox-000"


def test_taken_counter_does_not_overwrite(
    store: LocalFileStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.run_info = SimpleNamespace(run_name="fox", sweep_counter="001")
    store.save(1, "x", "json", "T", {"a": 1})
    store.save(2, "x", "json", "T", {"a": 1})
    with caplog.at_level(logging.WARNING):
        store.save(3, "x", "json", "T", {"a": 2})
    assert "'fox-001' keeps another configuration" in caplog.text
    assert store.load("x", "T", {"a": 1}) == 2
    assert store.get_context("T", {"a": 2}).sweep_counter == "002"


@pytest.mark.parametrize("run_name", ["../up", "a/b", "a\n", "n" * 300])
def test_bad_run_name(store: LocalFileStore, base: str, run_name: str) -> None:
    for counter in ("1", None):
        store.run_info = SimpleNamespace(run_name=run_name, sweep_counter=counter)
        with pytest.raises(InvalidName, match="run name"):
            store.save(1, "x", "json", "T", CONFIG)
    assert files(base) == []


def test_task_that_looks_like_a_temporary_folder(store: LocalFileStore, base: str) -> None:
    for name in (f".{5:016x}.tmp", f"{5:016x}.tmp"):
        with pytest.raises(InvalidName, match="kept for temporary folders"):
            store.save(1, "x", "json", name, CONFIG)
    store.save(1, "x", "json", "some.tmp", CONFIG)
    assert os.listdir(base) == ["some.tmp"]


# Places that are somebody else's


@pytest.mark.parametrize(
    "sub_dir", ["..", "../../escape", "a/../b", "/tmp", "a\\b", "a\nb", "a/./../..", "x" * 300]
)
def test_bad_sub_dir(store: LocalFileStore, base: str, sub_dir: str) -> None:
    with pytest.raises(InvalidName, match="sub_dir"):
        store.save(1, "x", "json", "T", CONFIG, sub_dir=sub_dir)
    with pytest.raises(InvalidName, match="sub_dir"):
        store.open("x", "T", CONFIG, "w", type_="json", sub_dir=sub_dir)
    assert not os.path.exists(base)


@pytest.mark.parametrize("sub_dir", ["", ".", "a/", "./a//b/", Path("a/b")])
def test_harmless_sub_dir(store: LocalFileStore, base: str, sub_dir: Any) -> None:
    store.save(1, "x", "json", "T", CONFIG, sub_dir=sub_dir)
    assert os.path.exists(os.path.join(base, "T/000", sub_dir, "x.json"))
    assert store.load("x", "T", CONFIG) == 1


def test_links_out_of_the_run_are_not_followed(
    store: LocalFileStore, base: str, tmp_path: Path
) -> None:
    run = store.create_run("T", CONFIG).run_dir
    assert run is not None
    os.symlink(tmp_path, os.path.join(run, "link"))
    with pytest.raises(InvalidName, match="leads out of the run's folder"):
        store.save(1, "x", "json", "T", CONFIG, sub_dir="link")
    assert list(tmp_path.iterdir()) == []
    os.symlink(tmp_path / "target", os.path.join(run, "y.json"))
    store.save(1, "y", "json", "T", CONFIG)
    assert list(tmp_path.iterdir()) == []
    assert store.load("y", "T", CONFIG) == 1


@pytest.mark.parametrize(
    ("name", "type_", "sub_dir"),
    [
        ("config", "json", None),
        ("config.json", "event", None),
        (".x_load_info", "json", ".fluidml"),
        (".x_load_info.json", "event", ".fluidml"),
        (".x_load_info", "pickle", "./.load_info"),
    ],
)
def test_files_of_the_store_itself(
    store: LocalFileStore, name: str, type_: str, sub_dir: str | None
) -> None:
    store.save(1, "x", "json", "T", CONFIG)
    with pytest.raises(InvalidName, match="store's own"):
        store.save("{}", name, type_, "T", CONFIG, sub_dir=sub_dir)
    with pytest.raises(InvalidName, match="store's own"):
        store.open(name, "T", CONFIG, "w", type_=type_, sub_dir=sub_dir)
    assert store.load("x", "T", CONFIG) == 1


def test_two_objects_never_share_a_file(store: LocalFileStore) -> None:
    store.save([1], "x", "json", "T", CONFIG)
    with pytest.raises(InvalidName, match="is, or holds, the object 'x'"):
        store.save("text", "x.json", "event", "T", CONFIG)
    assert store.load("x", "T", CONFIG) == [1]
    store.save([2], "y", "json", "T", CONFIG, sub_dir="models")
    store.type_registry["folder"] = TypeInfo(save_folder, load_folder, needs_path=True)
    for type_ in ("event", "folder"):
        with pytest.raises(InvalidName, match="is, or holds, the object 'y'"):
            store.save("text", "models", type_, "T", CONFIG)
    assert store.load("y", "T", CONFIG) == [2]


def test_folders_of_others_are_not_replaced(store: LocalFileStore) -> None:
    run = store.create_run("T", CONFIG).run_dir
    assert run is not None
    Path(run, "plots").mkdir()
    Path(run, "plots", "mine.png").touch()
    with pytest.raises(InvalidName, match="another folder in its place"):
        store.save("text", "plots", "event", "T", CONFIG)
    assert Path(run, "plots", "mine.png").exists()


def test_folder_object_with_an_object_in_it(store: LocalFileStore) -> None:
    store.type_registry["folder"] = TypeInfo(save_folder, load_folder, needs_path=True)
    store.save("a", "models", "folder", "T", CONFIG)
    store.save([1], "inner", "json", "T", CONFIG, sub_dir="models")
    with pytest.raises(InvalidName, match="is, or holds, the object 'inner'"):
        store.save("b", "models", "folder", "T", CONFIG)
    assert store.load("inner", "T", CONFIG) == [1]


# Types of the user's


def save_folder(obj: str, path: str) -> None:
    os.mkdir(path)
    Path(path, "part").write_text(obj)


def load_folder(path: str) -> str:
    return Path(path, "part").read_text()


def save_rows(rows: list[list[str]], file: IO[str]) -> None:
    csv.writer(file).writerows(rows)


def load_rows(file: IO[str]) -> list[list[str]]:
    return list(csv.reader(file))


class OwnStore(LocalFileStore):
    """A store as users make it."""

    def __init__(self, base_dir: str) -> None:
        super().__init__(base_dir)
        self.type_registry["csv"] = TypeInfo(save_rows, load_rows, extension="csv")
        self.type_registry["array"] = TypeInfo(
            lambda obj, path: np.save(path, obj), np.load, extension="npy", needs_path=True
        )
        self.type_registry["zipped"] = TypeInfo(
            lambda obj, file: file.write(obj),
            lambda file: file.read(),
            extension="gz",
            is_binary=True,
            open_fn=gzip.open,
        )
        self.type_registry["folder"] = TypeInfo(save_folder, load_folder, needs_path=True)


@pytest.mark.parametrize(
    ("type_", "value", "place"),
    [
        ("csv", [["a", "b"], ["1", "2"]], "x.csv"),
        ("array", [[1, 2], [3, 4]], "x.npy"),
        ("zipped", b"content" * 1000, "x.gz"),
        ("folder", "content", "x/part"),
    ],
)
def test_own_types(base: str, type_: str, value: Any, place: str) -> None:
    store = OwnStore(base)
    for _ in range(2):
        store.save(value, "x", type_, "T", CONFIG)
        assert np.array_equal(store.load("x", "T", CONFIG), value)
        assert np.array_equal(store.load("x", "T", CONFIG, lazy=True).load(), value)
        assert f"T/000/{place}" in files(base)
    with pytest.raises(UnknownType, match=f"unknown type '{type_}' .*supported: event, json, "):
        LocalFileStore(base).load("x", "T", CONFIG)
    store.delete("x", "T", CONFIG)
    assert files(base) == ["T/000/config.json"]


def test_zipped_files_are_opened_by_their_own_function(base: str) -> None:
    store = OwnStore(base)
    with store.open("x", "T", CONFIG, "wb", type_="zipped", compresslevel=1) as file:
        file.write(b"one ")
        file.write(b"two")
    assert Path(base, "T/000/x.gz").read_bytes()[:2] == b"\x1f\x8b"
    with store.open("x", "T", CONFIG, "ab") as file:
        file.write(b" three")
    with store.open("x", "T", CONFIG, "rb") as file:
        assert file.read(3) == b"one"
        assert file.load() == b" two three"


def fail(obj: Any, file: Any) -> None:
    if hasattr(file, "write"):
        file.write("half")
    else:
        save_folder("half", file)
    raise obj


@pytest.mark.parametrize("needs_path", [False, True])
@pytest.mark.parametrize("error", [RuntimeError("own"), KeyboardInterrupt(), MemoryError()])
def test_errors_of_own_functions_leave_as_they_are(
    store: LocalFileStore, base: str, error: BaseException, needs_path: bool
) -> None:
    functions = (save_folder, load_folder) if needs_path else (write, read)
    store.type_registry["good"] = TypeInfo(*functions, needs_path=needs_path)
    store.type_registry["bad"] = TypeInfo(fail, load_folder, needs_path=needs_path)
    store.save("good", "x", "good", "T", CONFIG)
    before = files(base)
    with pytest.raises(type(error)) as caught:
        store.save(error, "x", "bad", "T", CONFIG)
    if isinstance(error, Exception):
        assert "while saving object 'x' of task 'T'" in caught.value.__notes__[0]
    assert files(base) == before
    assert store.load("x", "T", CONFIG) == "good"
    assert os.listdir(Path(base, "T/.index/staging")) == []


def write(obj: str, file: IO[str]) -> None:
    file.write(obj)


def read(file: IO[str]) -> str:
    return file.read()


def test_error_of_own_load_function_names_the_object(store: LocalFileStore) -> None:
    def load(file: IO[str]) -> None:
        raise LookupError("own")

    store.type_registry["bad"] = TypeInfo(write, load)
    store.save("x", "x", "bad", "T", CONFIG)
    with pytest.raises(LookupError, match="own") as caught:
        store.load("x", "T", CONFIG)
    assert "while loading object 'x' of task 'T'" in caught.value.__notes__[0]


@pytest.mark.parametrize("beside", [[], ["x", "y"], ["y"]])
def test_path_function_must_write_its_path(
    store: LocalFileStore, base: str, beside: list[str]
) -> None:
    def save(obj: Any, path: str) -> None:
        for name in beside:
            Path(path).with_name(name).touch()

    store.type_registry["odd"] = TypeInfo(save, load_folder, needs_path=True)
    with pytest.raises(UnserialisableObject, match="must write exactly the path it is given"):
        store.save(1, "x", "odd", "T", CONFIG)
    assert not os.path.exists(base)


def test_save_mode(store: LocalFileStore) -> None:
    store.save("a", "x", "text", "T", CONFIG, mode="a")
    store.save("b", "x", "text", "T", CONFIG, mode="a")
    assert store.load("x", "T", CONFIG) == "ab"
    with pytest.raises(ObjectExists):
        store.save("c", "x", "text", "T", CONFIG, mode="x")
    with pytest.raises(ValueError, match="mode 'r'"):
        store.save("c", "x", "text", "T", CONFIG, mode="r")
    store.save("d", "x", "text", "T", CONFIG, mode="w")
    assert store.load("x", "T", CONFIG) == "d"


# What cannot be read


@pytest.mark.parametrize("content", [b"", b"[1,", b"\xff\xfe", b"[" * 100_000])
def test_damaged_object(store: LocalFileStore, base: str, content: bytes) -> None:
    store.save([1], "x", "json", "T", CONFIG)
    Path(base, "T/000/x.json").write_bytes(content)
    with pytest.raises(UnreadableObject, match=r"'x' of task 'T' .*cannot be loaded as 'json'"):
        store.load("x", "T", CONFIG)


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04."])
def test_damaged_pickle(base: str, content: bytes) -> None:
    store = LocalFileStore(base, trusted=True)
    store.save([1], "x", "pickle", "T", CONFIG)
    Path(base, "T/000/x.p").write_bytes(content)
    with pytest.raises((UnreadableObject, IndexError)):
        store.load("x", "T", CONFIG)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"type_": 5}',
        '{"type_": "json", "open_kwargs": [1]}',
        '{"type_": "json", "obj_dir": 5}',
        '{"type_": "json", "type_": "text"}',
    ],
)
def test_damaged_load_info(store: LocalFileStore, base: str, content: str) -> None:
    store.save([1], "x", "json", "T", CONFIG)
    Path(base, "T/000/.fluidml/.x_load_info.json").write_text(content)
    with pytest.raises(UnreadableObject, match=r"'x' of task 'T' .*x_load_info.json' is damaged"):
        store.load("x", "T", CONFIG)
    store.save([2], "x", "json", "T", CONFIG)
    assert store.load("x", "T", CONFIG) == [2]


@pytest.mark.parametrize("folder", ["../../..", "/etc", "a/../.."])
def test_load_info_that_leads_away(store: LocalFileStore, base: str, folder: str) -> None:
    store.save("1", "passwd", "event", "T", CONFIG)
    info = Path(base, "T/000/.fluidml/.passwd_load_info.json")
    info.write_text(json.dumps({"type_": "event", "obj_dir": folder}))
    with pytest.raises(InvalidName):
        store.load("passwd", "T", CONFIG)


def test_file_that_is_gone(store: LocalFileStore, base: str) -> None:
    store.save([1], "x", "json", "T", CONFIG)
    promise = store.load("x", "T", CONFIG, lazy=True)
    os.unlink(os.path.join(base, "T/000/x.json"))
    with pytest.raises(ObjectNotFound, match="is gone"):
        store.load("x", "T", CONFIG, strict=True)
    with pytest.raises(FileNotFoundError):
        store.open("x", "T", CONFIG, "r")
    assert promise.load() is None
    store.delete("x", "T", CONFIG)
    assert files(base) == ["T/000/config.json"]


# Pickles and trust


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_untrusted_pickle(base: str, tmp_path: Path) -> None:
    store = LocalFileStore(base)
    store.save(Bomb(tmp_path / "bang"), "x", "pickle", "T", CONFIG)
    store.save(["x"], ".saved_results", "json", "T", CONFIG, sub_dir=".fluidml")
    promise = store.load("x", "T", CONFIG, lazy=True)
    file = store.open("x", "T", CONFIG, "rb")
    again = store.open(promise=promise)
    for load in (
        lambda: store.load("x", "T", CONFIG),
        lambda: store.get_results("T", CONFIG),
        promise.load,
        file.load,
        again.load,
    ):
        with pytest.raises(UntrustedPickle, match="make the store with trusted=True"):
            load()
    file.close()
    again.close()
    with pytest.raises(UntrustedPickle, match="object 'x' of task 'T' with configuration"):
        store.load("x", "T", CONFIG)
    assert not (tmp_path / "bang").exists()
    assert LocalFileStore(base, trusted=True).load("x", "T", CONFIG) is None
    assert (tmp_path / "bang").exists()


# Stores made by earlier packages


def make_old_run(
    base: str, number: str, config: Any, objects: dict[str, Any], infos: str = ".fluidml"
) -> Path:
    """Write a run as earlier packages do; `objects` are JSON values or `(type, content, info)`."""
    run = Path(base, "T", number)
    (run / infos).mkdir(parents=True)
    (run / "config.json").write_text(json.dumps(config, indent=4))
    for name, value in objects.items():
        extension, content, info = (
            value if isinstance(value, tuple) else (".json", json.dumps(value).encode(), {})
        )
        defaults = {"open_kwargs": {}, "load_kwargs": {}, "obj_dir": "", "type_": "json"}
        info = {**defaults, **info}
        (run / info["obj_dir"]).mkdir(parents=True, exist_ok=True)
        (run / info["obj_dir"] / f"{name}{extension}").write_bytes(content)
        path = run / infos / f".{name.lstrip('.')}_load_info.p"
        path.write_bytes(pickle.dumps(info))
    return run


@pytest.mark.parametrize("infos", [".fluidml", ".load_info"])
def test_old_store(store: LocalFileStore, base: str, infos: str) -> None:
    text = (".txt", b"\xe9", {"type_": "text", "open_kwargs": {"encoding": "latin-1"}})
    sub = (".json", b"[2]", {"obj_dir": "models"})
    listed = (".json", b'["x", "t"]', {"obj_dir": infos})
    objects = {"x": [1], "t": text, "y": sub, ".saved_results": listed}
    make_old_run(base, "004", CONFIG, objects, infos)
    make_old_run(base, "fox-001", {"a": 1}, {"x": [3]}, infos)
    assert store.load("x", "T", CONFIG) == [1]
    assert store.load("t", "T", CONFIG) == "é"
    assert store.load("y", "T", CONFIG, lazy=True).load() == [2]
    assert store.load("x", "T", {"a": 1, "b": 2}) == [3]
    assert store.get_results("T", CONFIG) == {"x": [1], "t": "é"}
    with store.open("t", "T", CONFIG, "a") as file:
        file.write("ü")
    assert store.load("t", "T", CONFIG) == "éü"
    store.save([4], "x", "json", "T", CONFIG)
    assert store.load("x", "T", CONFIG) == [4]
    for name in ("x", "t", "y", ".saved_results"):
        store.delete(name, "T", CONFIG)
        assert store.load(name, "T", CONFIG, default="gone") == "gone"
    assert files(Path(base, "T/004")) == ["config.json"]
    assert store.create_run("T", {"new": 1}).sweep_counter == "005"


@pytest.mark.parametrize(
    "kwargs",
    [
        {"a": OrderedDict(x=1)},
        {"a": {1, 2}, "b": frozenset("x"), "c": b"bytes", "d": bytearray(b"x")},
        {"a": (1, 2.5, None, True, 1 + 2j)},
    ],
)
def test_plain_old_load_info(store: LocalFileStore, base: str, kwargs: dict[str, Any]) -> None:
    store.type_registry["kwargs"] = TypeInfo(write, lambda file, **kwargs: kwargs)
    make_old_run(base, "000", CONFIG, {"x": ("", b"", {"type_": "kwargs", "load_kwargs": kwargs})})
    assert store.load("x", "T", CONFIG) == kwargs


def test_hostile_old_load_info(base: str, tmp_path: Path) -> None:
    run = make_old_run(base, "000", CONFIG, {"x": [1]})
    info = {"type_": "json", "load_kwargs": {"a": Bomb(tmp_path / "bang")}}
    (run / ".fluidml/.x_load_info.p").write_bytes(pickle.dumps(info))
    store = LocalFileStore(base)
    for load in (
        lambda: store.load("x", "T", CONFIG),
        lambda: store.open("x", "T", CONFIG, "r"),
        lambda: store.open("x", "T", CONFIG, "a"),
    ):
        with pytest.raises(UntrustedPickle, match=r"'x' of task 'T' .*holds posix\.mkdir"):
            load()
    assert not (tmp_path / "bang").exists()
    with pytest.raises(TypeError, match="'a'"):
        LocalFileStore(base, trusted=True).load("x", "T", CONFIG)
    assert (tmp_path / "bang").exists()


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps([1]), pickle.dumps({"type_": 1})])
def test_damaged_old_load_info(store: LocalFileStore, base: str, content: bytes) -> None:
    run = make_old_run(base, "000", CONFIG, {"x": [1]})
    (run / ".fluidml/.x_load_info.p").write_bytes(content)
    with pytest.raises(UnreadableObject, match=r"'x' of task 'T' .*x_load_info.p' is damaged"):
        store.load("x", "T", CONFIG)


def test_store_can_be_moved_and_copied(store: LocalFileStore, base: str, tmp_path: Path) -> None:
    for number in range(3):
        store.save(number, "x", "json", "T", {"a": number})
    shutil.copytree(base, tmp_path / "links", symlinks=True)
    shutil.copytree(base, tmp_path / "no links", symlinks=False)
    shutil.move(base, tmp_path / "moved")
    for name in ("links", "no links", "moved"):
        copy = LocalFileStore(str(tmp_path / name))
        assert [copy.load("x", "T", {"a": number}) for number in range(3)] == [0, 1, 2]
        copy.save(5, "x", "json", "T", {"a": 5})
        assert copy.get_context("T", {"a": 5}).sweep_counter == "003"


def test_store_pickles_with_its_types(base: str) -> None:
    store = LocalFileStore(base)
    store.type_registry["csv"] = TypeInfo(save_rows, load_rows, extension="csv")
    copy = pickle.loads(pickle.dumps(store))
    copy.save([["a"]], "x", "csv", "T", CONFIG)
    promise = pickle.loads(pickle.dumps(store.load("x", "T", CONFIG, lazy=True)))
    assert isinstance(promise, FilePromise)
    assert promise.load() == [["a"]]


def test_store_and_its_lock_travel_to_a_new_process(store: LocalFileStore) -> None:
    context = multiprocessing.get_context("spawn")
    store.lock = context.RLock()
    pickle.loads(pickle.dumps(store)).save(1, "x", "json", "T", CONFIG)  # the lock stays here
    process = context.Process(target=store_stress.save_with_lock, args=(store,))
    with store.lock:
        process.start()
        process.join(timeout=1.5)
        assert process.is_alive()  # it waits for the same lock
        assert store.load("x", "T", CONFIG) == 1
    process.join(timeout=60)
    assert process.exitcode == 0
    assert store.load("x", "T", CONFIG) == 2


def test_errors_survive_the_way_to_another_process(store: LocalFileStore) -> None:
    with pytest.raises(StoreError) as caught:
        store.load("x", "T", CONFIG, strict=True)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is ObjectNotFound
    assert str(copy) == str(caught.value)
    assert copy.address.name == "x"
