"""Killed, starved and failing writers: everybody else sees the old or the new, never a half."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import store_stress
from support.mongod import Server

from beat.backend.python.stores import (
    File,
    LocalFileStore,
    MongoDBStore,
    StoreIOError,
    TypeInfo,
)
from beat.backend.python.stores.locks import hold, locked, release
from beat.backend.python.stores.registry import load_text, save_text

pytestmark = pytest.mark.once


def stress(what: str, kind: str, where: str, count: int) -> dict[str, int]:
    """Run the script; the seed is shown if the test fails."""
    seed = random.randrange(10**6)
    command = [sys.executable, "-W", "error", store_stress.__file__, what, kind, where]
    done = subprocess.run(
        [*command, str(count), str(seed)], capture_output=True, timeout=100, check=False
    )
    print("seed", seed, done.stderr.decode()[-2000:])
    assert done.returncode == 0
    found: dict[str, int] = json.loads(done.stdout)
    print(found)
    return found


# Killed


def test_killed_writers_of_files(base: str) -> None:
    found = stress("kill", "files", base, 200)
    assert found["killed"] == 200
    assert found["failed"] == found.get("torn", 0) == found["slow"] == 0
    assert found["whole"] > 0
    hour_ago = time.time() - 3600
    for folder in Path(base, "Train/.index/staging").iterdir():
        os.utime(folder, (hour_ago, hour_ago))
    store = LocalFileStore(base)
    for config in store_stress.CONFIGS:
        store.save(1, "x", "json", "Train", config)
    assert not list(Path(base).rglob("*.tmp"))
    runs = [path.parent for path in Path(base).rglob("config.json")]
    assert len(runs) == len(store_stress.CONFIGS)
    assert {p.name for p in Path(base, "Train").iterdir()} == {".index", *(r.name for r in runs)}


def test_killed_writers_to_mongodb(mongod: Server, make_mongo: Callable[..., MongoDBStore]) -> None:
    store = make_mongo()
    found = stress("kill", "mongo", f"{mongod.address}/{store.db}", 60)
    assert found["killed"] == 60
    assert found["failed"] == found.get("torn", 0) == found["slow"] == 0
    assert found["whole"] > 0
    store.remove_orphans()  # all of them are younger than a day
    time.sleep(1)  # the ids of files have the time in seconds
    store.remove_orphans(older_than=0)
    assert store.remove_orphans(older_than=0) == 0
    database = store._database()
    assert len(store._runs.files()) == database["fs.files"].count_documents({})
    assert set(database["fs.chunks"].distinct("files_id")) == store._runs.files()


def test_killed_clients_of_a_manager() -> None:
    found = stress("kill", "manager", "-", 50)
    assert found["killed"] == 50
    assert found["failed"] == found.get("torn", 0) == found["slow"] == 0


# At the same time


def test_race_of_files(base: str) -> None:
    assert stress("race", "files", base, 10) == {"failed": 0, "kept": 160, "lines": 80}
    configs = [path.read_text() for path in Path(base).rglob("config.json")]
    assert len(configs) == len(set(configs)) == 10 + 80 + 1
    assert not list(Path(base).rglob("*.tmp"))


def test_race_in_mongodb(mongod: Server, make_mongo: Callable[..., MongoDBStore]) -> None:
    store = make_mongo()
    where = f"{mongod.address}/{store.db}"
    assert stress("race", "mongo", where, 10) == {"failed": 0, "kept": 160}
    database = store._database()
    assert database["task_result"].count_documents({}) == 10 + 80
    assert database["fs.files"].count_documents({}) == len(store._runs.files())


def test_race_for_a_manager() -> None:
    assert stress("race", "manager", "-", 10) == {"failed": 0, "kept": 160}


# Locks


HOLDER = """
    import sys, time
    from beat.backend.python.stores.locks import locked
    with locked(sys.argv[1]):
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def start_holder(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Give a function that starts a process which holds a lock."""
    started: list[subprocess.Popen[bytes]] = []

    def start(path: str) -> subprocess.Popen[bytes]:
        script = textwrap.dedent(HOLDER)
        process = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_dead_holder_does_not_block(
    base: str, start_holder: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    store = LocalFileStore(base)
    store.save(1, "x", "json", "T", {"a": 1})
    holder = start_holder(os.path.join(base, "T/.index/lock"))
    os.kill(holder.pid, signal.SIGSTOP)
    reader = "import sys; from beat.backend.python.stores import LocalFileStore\n"
    reader += "print(LocalFileStore(sys.argv[1]).load('x', 'T', {'a': 1}))"
    waiting = subprocess.Popen([sys.executable, "-c", reader, base], stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):  # a live holder excludes everybody
        waiting.communicate(timeout=1)
    os.kill(holder.pid, signal.SIGKILL)
    out, _ = waiting.communicate(timeout=5)
    assert out == b"1\n"
    store.save(2, "x", "json", "T", {"a": 1})


def test_lock_is_not_inherited(tmp_path: Path) -> None:
    """A child that is forked while a lock is held keeps nobody out when its parent is gone."""
    path = str(tmp_path / "lock")
    script = """
        import os, sys, time
        from beat.backend.python.stores.locks import locked
        with locked(sys.argv[1]):
            if os.fork() == 0:
                os.close(1)
                time.sleep(60)
            print(os.getpid(), flush=True)
            os.kill(os.getpid(), 9)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), path],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.wait(timeout=30)
    try:
        with locked(path):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_shared_locks(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with locked(path, shared=True), locked(path, shared=True):
        import fcntl

        with pytest.raises(BlockingIOError):
            hold(path, os.O_RDONLY, fcntl.LOCK_EX | fcntl.LOCK_NB)
    release(hold(path, os.O_RDONLY, fcntl.LOCK_EX | fcntl.LOCK_NB))
    release(-1)


# Failing system calls


FUNCTIONS = (
    "mkdir",
    "symlink",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "fsync",
    "utime",
    "readlink",
)


def save_folder(obj: str, path: str) -> None:
    os.makedirs(os.path.join(path, "sub"))
    Path(path, "sub", "part").write_text(obj)


def load_folder(path: str) -> str:
    return Path(path, "sub", "part").read_text()


def append(store: LocalFileStore) -> None:
    with store.open("x", "T", {"a": 1}, "a", type_="text") as file:
        file.write("new")


OPERATIONS: dict[str, tuple[Callable[[LocalFileStore], object], set[str]]] = {
    "first save": (lambda s: s.save("new", "y", "text", "T", {"a": 2}), {"old"}),
    "save again": (lambda s: s.save("new", "x", "text", "T", {"a": 1}), {"old", "new"}),
    "other type": (lambda s: s.save("new", "x", "json", "T", {"a": 1}), {"old", "new"}),
    "other folder": (
        lambda s: s.save("new", "x", "text", "T", {"a": 1}, sub_dir="deep/er"),
        {"old", "new"},
    ),
    "to folder": (lambda s: s.save("new", "x", "folder", "T", {"a": 1}), {"old", "new"}),
    "append": (append, {"old", "oldnew"}),
    "delete": (lambda s: s.delete("x", "T", {"a": 1}), {"old", "gone"}),
    "delete run": (lambda s: s.delete_run("T", {"a": 1}), {"old", "gone"}),
    "create run": (lambda s: s.create_run("T", {"a": 2}), {"old"}),
}


class Failing:
    """Lets the n-th of some system calls fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for name in FUNCTIONS:
            monkeypatch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.left > 0:
                self.left -= 1
                if self.left == 0:
                    raise OSError(errno.ENOSPC, "No space left on device", str(args[0]))
            return function(*args, **kwargs)

        return call


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_failing_call_leaves_the_old_or_the_new(
    base: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """The n-th call fails, for n = 1, 2, 3, …, until the operation passes."""
    work, allowed = OPERATIONS[operation]
    failing = Failing(monkeypatch)
    for n in range(1, 300):
        store = LocalFileStore(os.path.join(base, str(n)))
        store.type_registry["folder"] = TypeInfo(save_folder, load_folder, needs_path=True)
        store.save("old", "x", "text", "T", {"a": 1})
        failing.left = n
        error: OSError | None = None
        try:
            work(store)
        except OSError as caught:
            error = caught
        has_passed = failing.left > 0
        failing.left = -1
        if error is not None:
            assert isinstance(error, StoreIOError)
            assert error.errno == errno.ENOSPC
            assert "of task 'T' with configuration" in str(error)
            assert "No space left on device" in str(error)
        if has_passed:
            break
        assert store.load("x", "T", {"a": 1}, default="gone") in allowed
        if error is None:  # not every call matters
            continue
        work(store)
        assert store.load("x", "T", {"a": 1}, default="gone") in {*allowed, "oldnewnew"}
        store.save("newer", "x", "text", "T", {"a": 1})
        store.save("newer", "y", "text", "T", {"a": 2})
        assert store.load("x", "T", {"a": 1}) == store.load("y", "T", {"a": 2}) == "newer"
        runs = [p for p in Path(store.base_dir, "T").iterdir() if p.name != ".index"]
        assert sum((run / "config.json").exists() for run in runs) == 2
    assert has_passed
    assert n > 3


FULL_DISK = """
    import os, resource, sys
    from beat.backend.python.stores import LocalFileStore, StoreIOError
    store = LocalFileStore(sys.argv[1], trusted=True)
    store.save("old", "x", "text", "T", {"a": 1})
    store.save(b"old", "y", "pickle", "T", {"a": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    def write():
        with store.open("x", "T", {"a": 1}, "w", type_="text") as file:
            for _ in range(10_000):
                file.write("new ")
    def append():
        with store.open("x", "T", {"a": 1}, "a") as file:
            file.write("new" * 10_000)
            file.flush()
    for call in (
        lambda: store.save("new" * 10_000, "x", "text", "T", {"a": 1}),
        lambda: store.save(b"new" * 10_000, "y", "pickle", "T", {"a": 1}),
        lambda: store.save("new" * 10_000, "z", "text", "T", {"a": 2}),
        lambda: store.create_run("T", {"a": "long" * 10_000}),
        write,
        append,
    ):
        try:
            call()
        except StoreIOError as error:
            assert "of task 'T' with configuration" in str(error), error
            assert "File too large" in str(error), error
        else:
            raise AssertionError("written beyond the limit")
        assert store.load("x", "T", {"a": 1}) == "old"
        assert store.load("y", "T", {"a": 1}) == b"old"
        assert sorted(os.listdir(sys.argv[1] + "/T")) == [".index", "000"]
        assert os.listdir(sys.argv[1] + "/T/.index/staging") == []
"""


def test_full_disk(base: str) -> None:
    script = textwrap.dedent(FULL_DISK)
    subprocess.run([sys.executable, "-W", "error", "-c", script, base], check=True, timeout=60)


def test_full_disk_of_a_file_on_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    failing = Failing(monkeypatch)
    file = File(str(path), "w", save_text, load_text)
    file.save("new")
    failing.left = 1
    with pytest.raises(StoreIOError, match="x: cannot be written: No space left"):
        file.close()
    failing.left = -1
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_replace_each_other_where_the_kernel_cannot_exchange(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beat.backend.python.stores import staging

    store = LocalFileStore(base)
    store.type_registry["folder"] = TypeInfo(save_folder, load_folder, needs_path=True)
    monkeypatch.setattr(staging, "_exchange", lambda first, second: False)
    for content in ("1", "2", "3"):
        store.save(content, "x", "folder", "T", {"a": 1})
        assert store.load("x", "T", {"a": 1}) == content
    assert os.listdir(Path(base, "T/.index/staging")) == []


def test_data_is_durable_before_it_is_seen(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, then its name, then the folder; and the load info of new content first."""
    store = LocalFileStore(base)
    store.create_run("T", {"a": 1})
    done: list[str] = []

    def noting(name: str) -> Callable[..., Any]:
        function = getattr(os, name)

        def call(*args: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{args[0]}") if name == "fsync" else args[-1]
            if "staging" not in path or path.endswith("x.json"):
                done.append(f"{name} {os.path.relpath(path, base)}")
            return function(*args)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noting(name))
    store.save([1], "x", "json", "T", {"a": 1})
    done = [line for line in done if "x" in line or "fluidml" in line or line.endswith("000")]
    assert done[0].startswith("fsync T/.index/staging")
    names = [line for line in done if line.startswith("replace")]
    assert names == ["replace T/000/.fluidml/.x_load_info.json", "replace T/000/x.json"]
    assert done[-1] == "fsync T/000"
