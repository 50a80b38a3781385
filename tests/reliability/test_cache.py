"""The cache: entries are complete or absent, whatever happens to their writers and to the disk."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy
import pytest
from support import cache_stress
from support.small_experiment import write_small_experiment
from support.units import MEASUREMENT, open_source, values, write_integers

from beat.backend.python import publish as publishing
from beat.backend.python.data import CachedDataSink, hashed_file
from beat.backend.python.data.viewindex import read_index, write_index
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.runner import InlineEngine, Run, RunFailed, Runner, indexing
from beat.backend.python.runner.aside import list_set_aside
from beat.backend.python.runner.outputs import leftovers, list_outputs, verify
from beat.backend.python.runner.record import write_json

pytestmark = pytest.mark.once

SEED = random.randrange(10**6)


def stress(what: str, prefix: str, cache: str, count: int) -> dict[str, int]:
    """Run the script; the seed is shown if the test fails."""
    print("seed", SEED)
    command = [sys.executable, "-W", "error", cache_stress.__file__, what, prefix, cache]
    done = subprocess.run(
        [*command, str(count), str(SEED)], capture_output=True, timeout=100, check=False
    )
    print(done.stderr.decode()[-2000:])
    assert done.returncode == 0
    found: dict[str, int] = json.loads(done.stdout)
    print(found)
    return found


def test_killed_writers(prefix: str, cache: str) -> None:
    found = stress("kill", prefix, cache, 200)
    assert found["killed"] == 200
    assert found["damaged"] == found["litter"] == 0
    assert min(found["whole"], found["leftovers"]) > 0


def test_writers_of_the_same_outputs(prefix: str, cache: str) -> None:
    found = stress("race", prefix, cache, 25)
    assert found["failed"] == found["mistaken"] == found["damaged"] == found["litter"] == 0
    assert found["whole"] == len(cache_stress.OUTPUTS)


# Calls that fail


class Failing:
    """Lets the nth call to the operating system fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
        self.calls = 0
        self.n = n
        places = (publishing.os, hashed_file.os)
        for name in ("fsync", "replace", "write", "open", "unlink"):
            for place in places:
                with suppress(AttributeError):
                    monkeypatch.setattr(place, name, self.wrap(getattr(os, name)))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if hasattr(function, "wrapped"):
            return function

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.n:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args, **kwargs)

        call.wrapped = function  # type: ignore[attr-defined]
        return call


def write_output(prefix: str, cache: str, version: int) -> None:
    cache_stress.write_output(prefix, cache, "output", version, 100)


def read_output(prefix: str, cache: str) -> int | None:
    """Return the version of the output; None if it is absent."""
    if not Path(cache, "output.0.4.index").exists():
        return None
    source = open_source(prefix, os.path.join(cache, "output.data"))
    (version,) = {int(number) for i in range(5) for number in source[i][0].values}
    source.close()
    return version


def write_view_index(prefix: str, cache: str, version: int) -> None:
    write_index(os.path.join(cache, "view.db"), [cache_stress.Entry(version)])


def read_view_index(prefix: str, cache: str) -> int | None:
    path = os.path.join(cache, "view.db")
    return int(read_index(path)[0].value) if os.path.exists(path) else None


def write_record(prefix: str, cache: str, version: int) -> None:
    write_json(os.path.join(cache, "record.json"), {"version": version})


def read_record(prefix: str, cache: str) -> int | None:
    path = Path(cache, "record.json")
    return int(json.loads(path.read_text())["version"]) if path.exists() else None


KINDS = {
    "output": (write_output, read_output),
    "view index": (write_view_index, read_view_index),
    "record": (write_record, read_record),
}


@pytest.mark.parametrize("before", [None, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_the_nth_call_fails(
    kind: str, before: int | None, prefix: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a writer needs no nth call any more, it fails at it, and says so."""
    write, read = KINDS[kind]
    for n in range(1, 100):
        for path in Path(cache).iterdir():
            path.unlink()
        if before is not None:
            write(prefix, cache, before)
        with monkeypatch.context() as patch:
            failing = Failing(patch, n)
            try:
                write(prefix, cache, 2)
            except OSError as error:
                assert error.errno == errno.ENOSPC
            except AssertionError:  # a sink that cannot be opened says so by returning False
                assert failing.calls == n
        found = read(prefix, cache)
        assert found in (None, before, 2)
        assert not list(Path(cache).glob("*.tmp"))
        if failing.calls < n:
            assert found == 2
            break
    assert n > 4


# Full disks


@contextmanager
def mounted(folder: str, size: str) -> Iterator[None]:
    """Mount a small disk over a folder."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # indices may be open


def test_a_full_disk(prefix: str, cache: str) -> None:
    with mounted(cache, "1m"):
        write_output(prefix, cache, 1)
        filename = os.path.join(cache, "large.data")
        sink = CachedDataSink()
        sink.setup(filename, DataFormat(prefix, MEASUREMENT), 0, 9)
        with pytest.raises(OSError, match="No space left on device"):
            for i in range(10):
                sink.write({"label": "", "values": numpy.zeros(1 << 16)}, i, i)
        sink.close()
        assert not [name for name in os.listdir(cache) if "large" in name]
        assert read_output(prefix, cache) == 1
        write_output(prefix, cache, 2)
        assert read_output(prefix, cache) == 2


def test_a_disk_full_for_a_whole_experiment(tmp_path: Path, cache: str) -> None:
    folder = tmp_path / "prefix"
    folder.mkdir()
    name = write_small_experiment(folder, count=2000)
    runner = Runner(str(folder), cache)
    with mounted(cache, "64k"):
        with pytest.raises(RunFailed, match=r"No space left on device: .*\.data'"):
            runner.run(name)
        assert not list(Path(cache).rglob("*.tmp"))
        assert not [o for o in list_outputs(cache) if verify(cache, str(folder), o)]
    run = runner.run(name)
    assert run.results["sum"]["count"].value == 2000


# Damage


def damages(content: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield what may have become of the content of a file: flipped bytes, all kinds of ends."""
    for position in {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(40))}:
        yield (
            content[:position]
            + bytes([content[position] ^ 1 << chance.randrange(8)])
            + (content[position + 1 :])
        )
    for length in {0, 1, len(content) // 2, len(content) - 1}:
        yield content[:length]
    yield content + b"\0"
    yield bytes(len(content))


@pytest.mark.parametrize("kind", ["data", "index", "data.checksum", "index.checksum"])
def test_damage_of_any_byte_of_any_file_is_found(prefix: str, cache: str, kind: str) -> None:
    print("seed", SEED)
    filename = os.path.join(cache, "output.data")
    write_integers(prefix, filename, 0, 9)
    expected = values(open_source(prefix, filename))
    path = Path(cache, f"output.0.9.{kind}")
    content = path.read_bytes()
    for damaged in damages(content, random.Random(SEED)):
        path.write_bytes(damaged)
        if damaged.lower().strip() == content:  # the same number in other letters
            continue
        with pytest.raises(OSError, match=r"checksum|damaged"):
            open_source(prefix, filename)
    path.write_bytes(content)
    assert values(open_source(prefix, filename)) == expected


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def nothing(path: Path) -> None:
    path.unlink()


def emptiness(path: Path) -> None:
    path.write_bytes(b"")


def another_version(path: Path) -> None:
    path.write_bytes(b"binary-2\n" + path.read_bytes())


OBSTACLES = [a_folder, a_link_to_nothing, a_link_to_itself, nothing, emptiness, another_version]


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Return an experiment, its prefix and the cache in which it has been computed."""
    folder = tmp_path_factory.mktemp("computed")
    (folder / "prefix").mkdir()
    name = write_small_experiment(folder / "prefix")
    Runner(str(folder / "prefix"), str(folder / "cache")).run(name)
    return name, folder / "prefix", folder / "cache"


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("kind", ["data", "index", "data.checksum"])
def test_a_damaged_output_is_as_good_as_none(
    computed: tuple[str, Path, Path], obstacle: Callable[[Path], None], kind: str
) -> None:
    name, prefix, cache = computed
    runner = Runner(str(prefix), str(cache))
    block = next(b for b in runner.plan(name)[1].blocks if b.name == "work")
    path = cache / f"{block.paths[0]}.0.19.{kind}"
    content = path.read_bytes()
    obstacle(path)
    try:
        assert runner.decide(name)["work"].run
    finally:
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    assert not runner.decide(name)["work"].run


def a_flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 2  # one digit becomes another
    path.write_bytes(content)


def an_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def run_again(computed: tuple[str, Path, Path]) -> tuple[Run, dict[str, tuple[str, ...]]]:
    """Run the experiment in this process; return that, and why each block was computed."""
    name, prefix, cache = computed
    reasons = {}
    run = Runner(str(prefix), str(cache)).run(
        name,
        engine=InlineEngine(str(cache)),
        on_event=lambda e: reasons.update({e.name: e.reasons} if e.state == "running" else {}),
    )
    assert (run.results["sum"]["count"].value, run.results["sum"]["total"].value) == (20, 190)
    return run, reasons


def work_of(computed: tuple[str, Path, Path]) -> str:
    """Return where the cache keeps what the block has made."""
    name, prefix, cache = computed
    blocks = Runner(str(prefix), str(cache)).plan(name)[1].blocks
    return next(block for block in blocks if block.name == "work").paths[0]


@pytest.fixture
def copied(computed: tuple[str, Path, Path], tmp_path: Path) -> tuple[str, Path, Path]:
    """Return the same with another cache, which may be damaged."""
    return (*computed[:2], shutil.copytree(computed[2], tmp_path / "copy"))


@pytest.mark.parametrize(
    ("kind", "obstacle"),
    [
        *(("data", obstacle) for obstacle in (a_flip, an_end, another_version, a_folder)),
        *((kind, a_flip) for kind in ("index", "data.checksum", "index.checksum")),
        ("data", nothing),
        ("index", emptiness),
    ],
)
def test_what_is_damaged_is_set_aside_and_computed_again(
    copied: tuple[str, Path, Path],
    kind: str,
    obstacle: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = work_of(copied)
    file = copied[2] / f"{path}.0.19.{kind}"
    obstacle(file)
    content = file.read_bytes() if file.is_file() else None
    run, reasons = run_again(copied)
    assert run.states["work"] == "done"
    assert reasons["work"][-1] == f"out: set aside in .beat/damaged/{path}.1"
    (aside,) = list_set_aside(str(copied[2]))
    assert aside.path == path
    assert aside.problem in caplog.text
    assert any(aside.problem in reason for reason in reasons["work"])
    if content is not None:
        assert Path(aside.folder, file.name).read_bytes() == content
    assert not [o for o in list_outputs(str(copied[2])) if ".beat" in o.path]


def test_what_was_never_finished_is_removed(copied: tuple[str, Path, Path]) -> None:
    (copied[2] / f"{work_of(copied)}.0.19.index").unlink()
    assert run_again(copied)[0].states["work"] == "done"
    assert [*list_set_aside(str(copied[2]))] == []


def test_the_same_output_may_be_damaged_again(copied: tuple[str, Path, Path]) -> None:
    for _ in range(3):
        a_flip(copied[2] / f"{work_of(copied)}.0.19.data")
        run_again(copied)
    assert len([*list_set_aside(str(copied[2]))]) == 3


def test_what_cannot_be_set_aside_is_removed(
    copied: tuple[str, Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    (copied[2] / ".beat" / "damaged").touch()  # no folder can be made there
    a_flip(copied[2] / f"{work_of(copied)}.0.19.data")
    assert run_again(copied)[0].states["work"] == "done"
    assert "cannot be set aside" in caplog.text


@pytest.mark.parametrize("obstacle", [a_flip, an_end, emptiness, a_folder, a_link_to_nothing])
def test_a_damaged_index_of_a_set_is_set_aside_and_made_again(
    copied: tuple[str, Path, Path], obstacle: Callable[[Path], None]
) -> None:
    """Be it still JSON or not."""
    (index,) = (path for path in copied[2].rglob("*.db") if ".beat" not in path.parts)
    content = index.read_bytes()
    obstacle(index)
    run_again(copied)
    assert index.read_bytes() == content
    (aside,) = list_set_aside(str(copied[2]))
    assert aside.path == str(index.relative_to(copied[2]))


@pytest.mark.parametrize("obstacle", [an_end, emptiness])
def test_a_damaged_index_of_others_is_set_aside_where_it_cannot_be_read(
    copied: tuple[str, Path, Path], obstacle: Callable[[Path], None]
) -> None:
    (record,) = copied[2].rglob("*.db.json")
    record.unlink()
    assert {*run_again(copied)[0].states.values()} == {"cached"}
    (index,) = (path for path in copied[2].rglob("*.db") if ".beat" not in path.parts)
    index.write_text(index.read_text().rstrip())
    obstacle(index)
    run_again(copied)
    assert len([*list_set_aside(str(copied[2]))]) == 1


def test_an_index_is_made_again_if_its_maker_was_killed_before_it_noted_the_checksum(
    copied: tuple[str, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, prefix, cache = copied
    (index,) = (path for path in cache.rglob("*.db") if ".beat" not in path.parts)
    index.unlink()

    def kill(path: str) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(indexing, "hashFileContents", kill)
        Runner(str(prefix), str(cache)).run(name)
    a_flip(index)
    run_again(copied)
    assert len([*list_set_aside(str(cache))]) == 1


@pytest.mark.parametrize("obstacle", [a_flip, an_end, emptiness])
@pytest.mark.parametrize("kind", ["records", "runs"])
def test_damage_of_what_is_remembered_does_no_harm(
    copied: tuple[str, Path, Path], kind: str, obstacle: Callable[[Path], None]
) -> None:
    for path in [*(copied[2] / ".beat" / kind).rglob("*.json")]:
        obstacle(path)
    run, _ = run_again(copied)
    assert {*run.states.values()} == {"done" if kind == "records" else "cached"}


# Tidying


def test_the_unfinished_output_of_a_dead_writer_is_tidied_away(prefix: str, cache: str) -> None:
    """One that is killed after it has named the data, and before it has named the index."""
    child = os.fork()
    if child == 0:
        replace = os.replace

        def die_at_the_index(source: str, target: str) -> None:
            if target.endswith(".index"):
                os._exit(0)
            replace(source, target)

        publishing.os.replace = die_at_the_index
        write_output(prefix, cache, 1)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert Path(cache, "output.0.4.data").exists()
    for name in leftovers(cache):
        os.unlink(name)
    assert os.listdir(cache) == []


def test_the_unfinished_output_of_a_living_writer_is_left_alone(prefix: str, cache: str) -> None:
    filename = os.path.join(cache, "output.data")
    sink = CachedDataSink()
    sink.setup(filename, DataFormat(prefix, MEASUREMENT), 0, 0)
    sink.write({"label": "", "values": numpy.zeros(3)}, 0, 0)
    assert [*leftovers(cache)] == []
    sink.close()
    assert [*leftovers(cache)] == []
    assert len(os.listdir(cache)) == 4


def test_a_writer_in_another_container_is_known_by_its_lock(cache: str) -> None:
    with publishing.open_temporary(os.path.join(cache, "file")) as file:
        unknown = Path(cache, f".file.{2**22 + 1}-00000000.tmp")  # no process has that number
        os.rename(file.name, unknown)
        assert [*leftovers(cache)] == []
    assert [*leftovers(cache)] == [str(unknown)]
