"""The index that finds the folder of a configuration: quick, and never wrong for long."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beat.backend.python.stores import AmbiguousRun, LocalFileStore
from beat.backend.python.stores import index as index_module


@pytest.fixture
def store(base: str) -> LocalFileStore:
    return LocalFileStore(base)


def add_run(base: str, name: str, config: Any, value: Any = None) -> Path:
    """Add a run as somebody else would, who knows nothing of the index."""
    run = Path(base, "T", name)
    (run / ".fluidml").mkdir(parents=True)
    (run / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    (run / "x.json").write_text(json.dumps(value))
    (run / ".fluidml/.x_load_info.json").write_text('{"type_": "json"}')
    return run


@pytest.fixture
def read_configurations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the list of the folders whose configuration is read from now on."""
    read: list[str] = []
    original = index_module.read_configuration

    def reading(run: str) -> Any:
        read.append(os.path.basename(run))
        return original(run)

    monkeypatch.setattr(index_module, "read_configuration", reading)
    yield read


def test_lookup_does_not_grow(store: LocalFileStore, read_configurations: list[str]) -> None:
    """A lookup reads one configuration, or for a part one for each set of keys that fits."""
    for number in range(300):
        store.create_run("T", {"a": number})
        store.create_run("T", {"b": number, "c": 1})
    for _ in range(2):  # in the process that made them, and by a store that knows nothing yet
        read_configurations.clear()
        assert store.get_context("T", {"a": 5}).sweep_counter == "010"
        assert len(read_configurations) == 1
        read_configurations.clear()
        assert store.get_context("T", {"a": 5, "z": 1}, create=False).sweep_counter == "010"
        assert len(read_configurations) == 1
        read_configurations.clear()
        assert store.get_context("T", {"a": 5000}, create=False).run_dir is None
        assert store.get_context("T", {"z": 5}, create=False).run_dir is None
        assert read_configurations == []
        store = LocalFileStore(store.base_dir)


def test_making_runs_does_not_list_the_folder(
    store: LocalFileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        store.create_run("T", {"a": number})
    listed: list[str] = []
    for function in ("listdir", "scandir"):
        original = getattr(os, function)

        def listing(path: Any, original: Any = original) -> Any:
            listed.append(str(path))
            return original(path)

        monkeypatch.setattr(os, function, listing)
    for number in range(3, 6):
        store.create_run("T", {"a": number})
    assert os.path.join(store.base_dir, "T") not in listed


def test_runs_of_others_are_found_at_once(store: LocalFileStore, base: str) -> None:
    """Even those made within the tick of the kernel's clock in which the index was written."""
    add_run(base, "fox-007", {"a": 7}, 7)
    assert store.load("x", "T", {"a": 7}) == 7
    for number in range(8, 40):
        store.create_run("T", {"own": number})
        add_run(base, f"fox-{number:03d}", {"a": number, "b": 1}, number)
        assert store.load("x", "T", {"a": number, "b": 1}) == number
        add_run(base, f"cat-{number:03d}", {"a": number, "c": 1}, number)
        assert store.load("x", "T", {"a": number, "c": 1, "d": 1}) == number
    assert store.load("x", "T", {"a": 7}) == 7
    assert store.create_run("T", {"own": 0}).sweep_counter == "032"


def test_run_that_was_removed_by_hand(store: LocalFileStore, base: str) -> None:
    for number in range(3):
        store.save(number, "x", "json", "T", {"a": number})
    shutil.rmtree(Path(base, "T/001"))
    assert store.load("x", "T", {"a": 1}, default="gone") == "gone"
    assert store.load("x", "T", {"a": 2}) == 2
    store.save(5, "x", "json", "T", {"a": 1})
    assert store.get_context("T", {"a": 1}).sweep_counter == "003"


def test_run_that_was_renamed_by_hand(store: LocalFileStore, base: str) -> None:
    store.save(1, "x", "json", "T", {"a": 1})
    os.rename(Path(base, "T/000"), Path(base, "T/best-005"))
    assert store.load("x", "T", {"a": 1}) == 1
    assert store.get_context("T", {"a": 1}).sweep_counter == "005"


def test_configuration_that_was_changed_by_hand(store: LocalFileStore, base: str) -> None:
    store.save(1, "x", "json", "T", {"a": 1})
    store.save(2, "x", "json", "T", {"a": 2})
    Path(base, "T/000/config.json").write_text('{"b": 5}')
    assert store.load("x", "T", {"a": 1}, default="gone") == "gone"
    assert store.load("x", "T", {"b": 5}) == 1
    assert store.load("x", "T", {"a": 2}) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda index: shutil.rmtree(index),
        lambda index: shutil.rmtree(index / "runs"),
        lambda index: (index / "state.json").unlink(),
        lambda index: (index / "state.json").write_text(""),
        lambda index: (index / "state.json").write_text('{"stamp": 1}'),
        lambda index: (index / "state.json").write_text('{"stamp": 1, "shapes": 5, "last": []}'),
        lambda index: (index / "state.json").write_text('[{"stamp": "x"}]'),
        lambda index: [os.unlink(link) for link in (index / "runs").iterdir()],
        lambda index: [link.unlink() or link.touch() for link in (index / "runs").iterdir()],
        lambda index: [
            link.unlink() or link.symlink_to("../../001") for link in (index / "runs").iterdir()
        ],
        lambda index: [
            link.unlink() or link.symlink_to("../../../../..")
            for link in (index / "runs").iterdir()
        ],
    ],
    ids=range(11),
)
def test_damaged_index_is_made_anew(store: LocalFileStore, base: str, damage: Any) -> None:
    for number in range(3):
        store.save(number, "x", "json", "T", {"a": number})
    damage(Path(base, "T/.index"))
    os.utime(Path(base, "T"))
    for number in range(3):
        assert store.load("x", "T", {"a": number, "more": 1}) == number
        assert store.load("x", "T", {"a": number}) == number
    assert store.create_run("T", {"a": 3}).sweep_counter == "003"


@pytest.mark.parametrize(
    "config", ["", "{", "[1]", "5", '{"a": 1, "a": 2}', "[" * 100_000, b"\xff".decode("latin-1")]
)
def test_damaged_configuration_is_passed_over(
    store: LocalFileStore, base: str, config: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.save(1, "x", "json", "T", {"a": 1})
    add_run(base, "001", config)
    with caplog.at_level(logging.WARNING):
        assert store.load("x", "T", {"a": 2}, default="none") == "none"
    assert "001/config.json', the configuration is damaged" in caplog.text
    assert store.load("x", "T", {"a": 1}) == 1
    assert store.create_run("T", {"a": 2}).sweep_counter == "002"


def test_folders_without_configuration_do_not_matter(store: LocalFileStore, base: str) -> None:
    Path(base, "T", "notes").mkdir(parents=True)
    Path(base, "T", "file").touch()
    Path(base, "T", "012").mkdir()
    store.save(1, "x", "json", "T", {"a": 1})
    assert store.get_context("T", {"a": 1}).sweep_counter == "013"
    assert Path(base, "T", "012").is_dir()


def test_two_folders_of_one_configuration(
    store: LocalFileStore, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_run(base, "001", {"a": 1}, "first")
    add_run(base, "002", {"a": 1}, "second")
    with caplog.at_level(logging.WARNING):
        assert store.load("x", "T", {"a": 1}) == "first"
    assert "keep the same configuration: using the first" in caplog.text
    shutil.rmtree(Path(base, "T", "001"))
    assert store.load("x", "T", {"a": 1}) == "second"


def test_ambiguous_runs_are_named(store: LocalFileStore) -> None:
    store.create_run("T", {"a": 1})
    store.create_run("T", {"b": 1})
    with pytest.raises(AmbiguousRun, match=r"T/000 with \['a'\]; .*T/001 with \['b'\]"):
        store.get_context("T", {"a": 1, "b": 1}, create=False)


def test_claim_of_a_killed_process_is_taken_over(store: LocalFileStore, base: str) -> None:
    """A process was killed after it had linked, or made, a folder, before that was filled."""
    store.save(0, "x", "json", "T", {"a": 0})
    link = next(Path(base, "T/.index/runs").iterdir())
    for make_folder in (False, True):
        store.create_run("T", {"a": 1})
        new = next(p for p in Path(base, "T/.index/runs").iterdir() if p != link)
        claim = (new.name, os.readlink(new))
        store.delete_run("T", {"a": 1})
        os.symlink(claim[1], Path(base, "T/.index/runs", claim[0]))
        if make_folder:
            Path(base, "T/001").mkdir()
        assert store.load("x", "T", {"a": 1}, default="none") == "none"
        assert not Path(base, "T/001").exists()
        store.save(1, "x", "json", "T", {"a": 1})
        assert store.load("x", "T", {"a": 1}) == 1
        assert sorted(p.name for p in Path(base, "T").iterdir()) == [".index", "000", "001"]
        store.delete_run("T", {"a": 1})


def test_leftovers_of_killed_writers_are_swept(store: LocalFileStore, base: str) -> None:
    store.save(0, "x", "json", "T", {"a": 0})
    staging = Path(base, "T/.index/staging")
    old, young, other = staging / f"{1:016x}.tmp", staging / f"{2:016x}.tmp", staging / "mine"
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "half").touch()
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    os.utime(other, (hour_ago, hour_ago))
    first = Path(base, f".{1:016x}.tmp")
    first.mkdir()
    os.utime(first, (hour_ago, hour_ago))
    writer = store.open("log", "T", {"a": 0}, "w", type_="text")
    writing = next(p for p in staging.iterdir() if p not in (old, young, other))
    os.utime(writing, (hour_ago, hour_ago))
    store.save(1, "x", "json", "T", {"a": 0})
    assert set(staging.iterdir()) == {young, other, writing}
    writer.write("content")
    writer.close()
    assert store.load("log", "T", {"a": 0}) == "content"
    store.save(1, "x", "json", "another task", {"a": 0})
    assert not first.exists()


READ_ONLY = """
    import os, sys, tempfile
    from beat.backend.python.stores import LocalFileStore, StoreIOError
    base = sys.argv[1]
    if os.getuid() == 0:
        os.setuid(65534)
    store = LocalFileStore(base)
    for number in range(3):
        assert store.load("x", "T", {"a": number}) == number
        assert store.load("x", "T", {"a": number, "b": 1}, lazy=True).load() == number
        with store.open("x", "T", {"a": number}, "r") as file:
            assert file.read() == str(number)
    assert store.load("x", "T", {"a": 5}, default="none") == "none"
    assert store.get_context("T", {"a": 1}).run_dir.endswith("001")
    for call in (
        lambda: store.save(1, "y", "json", "T", {"a": 1}),
        lambda: store.save(1, "x", "json", "T", {"a": 5}),
        lambda: store.delete("x", "T", {"a": 1}),
        lambda: store.delete_run("T", {"a": 1}),
        lambda: store.save(1, "x", "json", "U", {"a": 5}),
    ):
        try:
            call()
        except StoreIOError as error:
            assert "Permission denied" in str(error), error
        else:
            raise AssertionError("written to a read-only store")
"""


def test_read_only_store(store: LocalFileStore, base: str) -> None:
    """Whoever may not write reads all the same, with an index of others and without any."""
    for number in range(3):
        add_run(base, f"{number:03d}", {"a": number}, number)
    os.chmod(os.path.dirname(base), 0o755)
    script = textwrap.dedent(READ_ONLY)
    for _ in range(2):
        subprocess.run(["chmod", "-R", "a+rX,a-w", base], check=True)
        try:
            subprocess.run([sys.executable, "-W", "error", "-c", script, base], check=True)
        finally:
            subprocess.run(["chmod", "-R", "u+w", base], check=True)
        store.load("x", "T", {"a": 0})  # makes the index
        assert os.path.exists(os.path.join(base, "T/.index/lock"))
