"""Files that are read and written piece by piece, on their own and through a store."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import threading
from pathlib import Path
from typing import IO, Any

import pytest

from beat.backend.python.stores import (
    ChangedMeanwhile,
    File,
    FileObjectNotFound,
    FilePromise,
    LocalFileStore,
    ObjectExists,
    TypeInfo,
    UnknownType,
)
from beat.backend.python.stores.registry import load_text, save_json, save_text

CONFIG = {"a": 1}


@pytest.fixture
def store(base: str) -> LocalFileStore:
    return LocalFileStore(base, trusted=True)


def open_text(path: Path, mode: str, **kwargs: Any) -> File:
    return File(str(path), mode, save_text, load_text, **kwargs)


# File


def test_file_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    file = open_text(path, "w+")
    assert file.write("line 1\n") == 7
    file.writelines(["line 2\n", "line 3\n"])
    assert (file.readable(), file.writable(), file.seekable()) == (True, True, True)
    assert file.seek(0) == 0
    assert file.readline() == "line 1\n"
    assert file.readline(4) == "line"
    assert file.read(2) == " 2"
    assert file.readlines(0) == ["\n", "line 3\n"]
    assert file.seek(0, 2) == file.tell() == 21
    file.seek(14)
    assert file.truncate() == 14
    assert file.truncate(7) == 7
    file.flush()
    file.seek(0)
    assert list(file) == ["line 1\n"]
    assert not file.closed
    assert not path.exists()
    file.close()
    file.close()
    assert file.closed
    assert path.read_text() == "line 1\n"
    assert list(tmp_path.iterdir()) == [path]
    with open_text(path, "r") as file:
        assert not file.writable()


def test_file_load_and_save(tmp_path: Path) -> None:
    path = str(tmp_path / "x")

    def load(file: IO[str], **kwargs: Any) -> Any:
        return json.loads(file.readline()), kwargs

    with File(path, "w", save_json, load) as file:
        file.save([1], indent=None)
        file.write("\n")
        file.save([2])
    with File(path, "r", save_json, load, load_kwargs={"a": 1, "b": 1}) as file:
        assert file.load() == ([1], {"a": 1, "b": 1})
        assert file.load(b=2) == ([2], {"a": 1, "b": 2})


@pytest.mark.parametrize("mode", ["r", "r+", "rb"])
def test_file_that_is_not_there(tmp_path: Path, mode: str) -> None:
    with pytest.raises(FileNotFoundError, match="x"):
        open_text(tmp_path / "x", mode)
    assert list(tmp_path.iterdir()) == []


def test_exclusive_mode(tmp_path: Path) -> None:
    with open_text(tmp_path / "x", "x") as file:
        file.write("1")
    with pytest.raises(FileExistsError):
        open_text(tmp_path / "x", "x")
    assert (tmp_path / "x").read_text() == "1"


@pytest.mark.parametrize(
    ("mode", "expected"), [("w", "new"), ("a", "old new"), ("r+", "newnew"), ("a+", "old new")]
)
def test_modes_begin_with_what_they_should(tmp_path: Path, mode: str, expected: str) -> None:
    path = tmp_path / "x"
    path.write_text("old new" if mode == "r+" else "old ")
    with open_text(path, mode) as file:
        file.write("new")
        if mode == "r+":
            file.seek(3)
            file.write("new")
            file.truncate()
        assert path.read_text().startswith("old ")
    assert path.read_text() == (expected if mode != "r+" else "newnew")


@pytest.mark.parametrize("mode", ["w", "a", "r+"])
def test_exception_leaves_the_old_content(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stop"), open_text(path, mode) as file:
        file.write("new")
        raise RuntimeError("stop")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_discard(tmp_path: Path) -> None:
    file = open_text(tmp_path / "x", "w")
    file.write("new")
    file.discard()
    assert file.closed
    assert list(tmp_path.iterdir()) == []


def test_file_that_was_never_closed_warns(tmp_path: Path) -> None:
    file = open_text(tmp_path / "x", "w")
    file.f.close()
    with pytest.warns(ResourceWarning, match="was never closed, what was written to it is lost"):
        del file
        gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_open_function_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: str, mode: str) -> None:
        Path(path).touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        open_text(tmp_path / "x", "w", open_fn=fail)
    assert list(tmp_path.iterdir()) == []


# FilePromise


def test_promise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.txt"
    promise = FilePromise("x", str(path), save_text, load_text, None, "r", encoding="latin-1")
    with caplog.at_level(logging.WARNING):
        assert promise.load() is None
    assert "'x' is gone" in caplog.text
    path.write_bytes(b"\xe9")
    assert promise.load() == "é"
    assert pickle.loads(pickle.dumps(promise)).load() == "é"
    with File.from_promise(promise) as file:
        assert file.read() == "é"


def load_names(path: str, extra: str = "") -> list[str]:
    return [*sorted(os.listdir(path)), extra]


@pytest.mark.parametrize("mode", [None, "r"])
def test_promise_of_a_folder(tmp_path: Path, mode: str | None) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "part").touch()
    promise = FilePromise("x", str(tmp_path / "x"), save_text, load_names, mode=mode)
    assert promise.load() == ["part", ""]
    assert promise.load(extra="y") == ["part", "y"]


def test_promise_on_a_path_cannot_be_opened(tmp_path: Path, store: LocalFileStore) -> None:
    promise = FilePromise("x", str(tmp_path), save_text, load_names)
    with pytest.raises(TypeError, match="'x' cannot be opened as a file"):
        File.from_promise(promise)
    with pytest.raises(TypeError, match="'x' cannot be opened as a file"):
        store.open(promise=promise, mode="r")


def test_folder_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.mkdir()
    (path / "old").touch()

    def load(path: str) -> list[str]:
        found = os.listdir(path)
        if found == ["old"]:
            os.rename(path, tmp_path / "aside")
            os.mkdir(path)
            Path(path, "new").touch()
            raise FileNotFoundError("what it saw a moment ago")
        return found

    assert FilePromise("x", str(path), save_text, load).load() == ["new"]


def test_error_of_a_folder_that_was_not_replaced(tmp_path: Path) -> None:
    def load(path: str) -> None:
        raise LookupError("own")

    with pytest.raises(LookupError, match="own"):
        FilePromise("x", str(tmp_path), save_text, load).load()


# Through a store


def test_open_needs_arguments(store: LocalFileStore) -> None:
    for arguments in [{}, {"name": "x"}, {"name": "x", "task_name": "T", "mode": "r"}]:
        with pytest.raises(AssertionError, match="needs a promise, or else name"):
            store.open(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["r", "rb", "r+"])
def test_open_what_is_missing(store: LocalFileStore, mode: str) -> None:
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="'x' of task 'T'") as caught:
            store.open("x", "T", CONFIG, mode)
        assert isinstance(caught.value, FileObjectNotFound)
        store.create_run("T", CONFIG)


def test_write_and_read_in_pieces(store: LocalFileStore, base: str) -> None:
    file = store.open("log", "T", CONFIG, "w", type_="text", sub_dir="logs")
    assert file.path == os.path.join(base, "T/000/logs/log.txt")
    for number in range(3):
        file.write(f"{number}\n")
        file.flush()
        assert store.load("log", "T", CONFIG, default="nothing yet") == "nothing yet"
    file.close()
    assert store.load("log", "T", CONFIG) == "0\n1\n2\n"
    with store.open("log", "T", CONFIG, "r") as file:
        assert list(file) == ["0\n", "1\n", "2\n"]
    promise = store.load("log", "T", CONFIG, lazy=True)
    with store.open(promise=promise) as file:
        assert file.readline() == "0\n"
    with store.open(promise=promise, mode="rb") as file:
        assert file.readline() == b"0\n"
    assert promise.mode == "r"
    assert os.listdir(os.path.join(base, "T/.index/staging")) == []


def test_many_objects_in_one_file(store: LocalFileStore) -> None:
    with store.open("x", "T", CONFIG, "w", type_="pickle") as file:
        for number in range(3):
            file.save([number])
    with store.open("x", "T", CONFIG, "a") as file:
        file.save([3])
    with store.open("x", "T", CONFIG, "r") as file:
        assert [file.load() for _ in range(4)] == [[0], [1], [2], [3]]
        with pytest.raises(EOFError):
            file.load()


def test_exception_publishes_nothing(store: LocalFileStore) -> None:
    store.save("old", "x", "text", "T", CONFIG)
    for mode in ("w", "a", "r+"):
        with (
            pytest.raises(RuntimeError, match="stop"),
            store.open("x", "T", CONFIG, mode, type_="text") as file,
        ):
            file.write("half")
            raise RuntimeError("stop")
        assert store.load("x", "T", CONFIG) == "old"


def test_modes(store: LocalFileStore) -> None:
    for mode in ("w", "x", "a"):
        with pytest.raises(UnknownType, match="unknown type 'None'"):
            store.open("x", "T", CONFIG, mode)
    with store.open("x", "T", CONFIG, "a", type_="text") as file:
        file.write("1")
    with pytest.raises(FileExistsError) as caught:
        store.open("x", "T", CONFIG, "x", type_="text")
    assert isinstance(caught.value, ObjectExists)
    with store.open("x", "T", CONFIG, "a", type_="json") as file:  # keeps its type
        file.write("2")
    with store.open("x", "T", CONFIG, "r+") as file:
        file.seek(1)
        file.write("3")
    assert store.load("x", "T", CONFIG) == "13"
    with store.open("x", "T", CONFIG, "w", type_="json") as file:
        file.save([1])
    assert store.load("x", "T", CONFIG) == [1]


def test_reading_finds_the_run_of_a_part_and_writing_does_not(store: LocalFileStore) -> None:
    store.save("old", "x", "text", "T", CONFIG)
    bigger = {**CONFIG, "b": 2}
    with store.open("x", "T", bigger, "r") as file:
        assert file.read() == "old"
    with pytest.raises(FileNotFoundError):
        store.open("x", "T", bigger, "r+")
    with store.open("x", "T", bigger, "a", type_="text") as file:
        file.write("new")
    assert store.load("x", "T", CONFIG) == "old"
    assert store.load("x", "T", bigger) == "new"


def test_types_on_paths_cannot_be_opened(store: LocalFileStore) -> None:
    store.type_registry["folder"] = TypeInfo(save_text, load_names, needs_path=True)
    with pytest.raises(TypeError, match=r"'x' of task 'T' .*works on paths"):
        store.open("x", "T", CONFIG, "w", type_="folder")


def test_appends_at_the_same_time_are_all_kept(store: LocalFileStore) -> None:
    files = [store.open("x", "T", CONFIG, "a", type_="text") for _ in range(3)]
    for number, file in enumerate(files):
        file.write(f"{number}\n")
    for file in reversed(files):
        file.close()
    assert store.load("x", "T", CONFIG) == "2\n1\n0\n"
    late = store.open("x", "T", CONFIG, "a")
    late.write("late\n")
    store.delete("x", "T", CONFIG)
    late.close()
    assert store.load("x", "T", CONFIG) == "late\n"


def test_changes_at_the_same_time_are_told(store: LocalFileStore) -> None:
    store.save("old", "x", "text", "T", CONFIG)
    first = store.open("x", "T", CONFIG, "r+")
    second = store.open("x", "T", CONFIG, "r+")
    first.write("1")
    second.write("2")
    first.close()
    with pytest.raises(ChangedMeanwhile, match="'x' of task 'T'"):
        second.close()
    assert store.load("x", "T", CONFIG) == "1ld"


def test_exclusive_at_the_same_time(store: LocalFileStore) -> None:
    files = [store.open("x", "T", CONFIG, "x", type_="text") for _ in range(2)]
    for number, file in enumerate(files):
        file.write(str(number))
    files[0].close()
    with pytest.raises(ObjectExists):
        files[1].close()
    assert store.load("x", "T", CONFIG) == "0"


def test_run_deleted_while_writing_is_made_anew(store: LocalFileStore) -> None:
    with store.open("x", "T", CONFIG, "w", type_="text") as file:
        file.write("content")
        store.delete_run("T", CONFIG)
    assert store.load("x", "T", CONFIG) == "content"


def test_reader_keeps_what_it_opened(store: LocalFileStore) -> None:
    store.save("old", "x", "text", "T", CONFIG)
    with store.open("x", "T", CONFIG, "r") as file:
        store.save("new", "x", "text", "T", CONFIG)
        store.delete_run("T", CONFIG)
        assert file.read() == "old"


def test_saving_while_a_file_is_open(store: LocalFileStore) -> None:
    """Nobody waits for a file that somebody is writing, in the same thread or another."""
    with store.open("log", "T", CONFIG, "w", type_="text") as file:
        file.write("1")
        store.save([1], "x", "json", "T", CONFIG)
        thread = threading.Thread(target=store.save, args=([2], "y", "json", "T", CONFIG))
        thread.start()
        thread.join(timeout=30)
        assert store.load("y", "T", CONFIG) == [2]
    assert store.load("log", "T", CONFIG) == "1"
