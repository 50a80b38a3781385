"""The output is there, whole, when a flow is through; otherwise what was there before still is."""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from support import flow_stages
from support.flow_files import write_rows
from support.flow_stages import events

from beat.backend.python.flow import H5FlowDataManager, H5FlowManager, run
from beat.backend.python.flow.errors import OutputExists
from beat.backend.python.flow.workfile import WorkFile

pytestmark = pytest.mark.serial

TESTS = Path(__file__).resolve().parent.parent

# Before 1.14, HDF5 crashes at the end of a process that could not write a file, come what may.
FAILED = (1,) if h5py.version.hdf5_version_tuple >= (1, 14, 0) else (1, -signal.SIGSEGV)

CONFIG = """\
flow: {{source: source, stages: [halves, {stage}], drop: [waste]}}
source: {{classname: Numbers, path: support.flow_stages, dset_name: numbers, params: {{times: {times}, rows: 500}}}}
halves: {{classname: Halves, path: support.flow_stages}}
waste: {{classname: Halves, path: support.flow_stages}}
fail: {{classname: Fail, path: support.flow_stages, params: {{at: {at}, how: {how}}}}}
"""  # noqa: E501


@pytest.fixture
def config(work):
    def config(stage="waste", times=4, at=0, how="raise", name="c.yaml"):
        text = CONFIG.format(stage=f"waste, {stage}", times=times, at=at, how=how)
        (work / name).write_text(text)
        return name

    return config


def old_output(path="out.h5"):
    """Write an output, and return its content."""
    write_rows(path, np.arange(10), "old")
    return Path(path).read_bytes()


def length(path="out.h5", name="numbers"):
    with h5py.File(path, "r") as file:
        return len(file[name]["data"])


def start(*arguments, **options):
    """Start a flow in a process of its own."""
    command = [sys.executable, "-m", "beat.backend.python.flow", *arguments]
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    # what measures coverage would want to write files as well
    environment = {key: value for key, value in os.environ.items() if "COVERAGE" not in key}
    return subprocess.Popen(
        command,
        env={**environment, "PYTHONPATH": paths, "H5FLOW_NOMPI": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_flow_that_is_through(config):
    run([config()], "out.h5", nompi=True)
    assert length() == 2000
    assert sorted(os.listdir()) == ["c.yaml", "out.h5"]
    with h5py.File("out.h5") as file:
        assert sorted(file) == ["halves", "numbers"]


@pytest.mark.parametrize("at", [0, 700, 1999])
@pytest.mark.parametrize("exists", [False, True])
def test_an_error_in_a_stage_leaves_no_temporary_file_and_no_half_made_output(config, at, exists):
    before = old_output() if exists else None
    with pytest.raises(ArithmeticError, match="no result") as caught:
        run([config("fail", at=at)], "out.h5", nompi=True, overwrite=True)
    assert caught.value.__notes__ == [
        f"in stage `fail', rows {at // 500 * 500}:{at // 500 * 500 + 500} of `numbers'"
    ]
    assert sorted(os.listdir()) == ["c.yaml", "out.h5"][: 1 + exists]
    if exists:
        assert Path("out.h5").read_bytes() == before


@pytest.mark.parametrize("step", ["__init__", "init", "run", "finish"])
@pytest.mark.parametrize("classname", ["Halves", "Numbers"])
def test_errors_at_any_other_time(config, monkeypatch, step, classname):
    def fail(*args, **options):
        raise ArithmeticError("no result")

    step = "next" if (step, classname) == ("run", "Numbers") else step
    monkeypatch.setattr(getattr(flow_stages, classname), step, fail)
    before = old_output()
    with pytest.raises(ArithmeticError):
        run([config()], "out.h5", nompi=True, overwrite=True)
    assert sorted(os.listdir()) == ["c.yaml", "out.h5"]
    assert Path("out.h5").read_bytes() == before


def test_an_error_in_the_second_flow_undoes_the_first(config):
    paths = [config(name="a.yaml"), config("fail", name="b.yaml")]
    with pytest.raises(ArithmeticError):
        run(paths, "out.h5", nompi=True)
    assert sorted(os.listdir()) == ["a.yaml", "b.yaml"]


def test_an_error_in_a_configuration_comes_before_anything_is_run(config, work):
    (work / "bad.yaml").write_text("flow: {source: x, stages: [y]}")
    with pytest.raises(KeyError, match=r"bad.yaml:1: flow.stages: there is no section `y'"):
        run([config(), "bad.yaml"], "out.h5", nompi=True)
    assert not os.path.exists("out.h5")


@pytest.mark.parametrize("how, status", [("exit", 3), ("kill", -signal.SIGKILL)])
@pytest.mark.parametrize("at", [0, 1200])
def test_a_process_that_ends_leaves_the_previous_output(config, how, status, at):
    before = old_output()
    child = start("-c", config("fail", at=at, how=how), "-o", "out.h5", "--overwrite")
    child.communicate(timeout=60)
    assert child.returncode == status
    assert Path("out.h5").read_bytes() == before
    left = [name for name in os.listdir() if name.endswith(".tmp")]
    assert len(left) == (2 if how == "kill" else 0)
    run([config()], "out.h5", nompi=True, overwrite=True)
    assert sorted(os.listdir()) == ["c.yaml", "out.h5"]  # the next one has cleared them away


def test_kill_at_any_moment(config):
    """Whenever it happens, there is an output that can be read: the old one, or the new."""
    seed = random.randrange(10**6)
    print("seed", seed)
    moments = random.Random(seed)
    old_output()
    seen = set()
    for _ in range(6):
        child = start("-c", config(times=40), "-o", "out.h5", "--overwrite")
        assert child.stdout is not None
        child.stdout.readline()  # it has begun
        time.sleep(moments.uniform(0, 0.3))
        child.kill()
        child.communicate(timeout=60)
        with h5py.File("out.h5", "r") as file:
            (name,) = {"old", "numbers"} & set(file)
            assert len(file[name]["data"]) == {"old": 10, "numbers": 20_000}[name]
            seen.add(name)
            for path in ("numbers/ref/halves/ref_region", "halves/ref/numbers/ref_region"):
                if name == "numbers":
                    assert len(file[path]) == len(file[path.split("/")[0]]["data"])
    assert seen


@pytest.mark.parametrize("limit", [300, 4_000, 60_000])
@pytest.mark.parametrize("stage", ["waste", "halves"])
def test_files_that_may_not_become_larger(config, limit, stage):
    before = old_output()

    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    child = start("-c", config(stage, times=20), "-o", "out.h5", "--overwrite", preexec_fn=prepare)
    _, errors = child.communicate(timeout=60)
    assert child.returncode in FAILED, errors
    assert "File too large" in errors
    assert "ignored" not in errors
    assert Path("out.h5").read_bytes() == before
    assert sorted(os.listdir()) == ["c.yaml", "out.h5"]


@pytest.fixture
def small_disk(work):
    """Return a folder on a disk of 300 kB."""
    folder = work / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount disks")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(config, small_disk):
    before = old_output(small_disk / "out.h5")
    output = str(small_disk / "out.h5")
    child = start("-c", config(times=20), "-o", output, "--overwrite")
    _, errors = child.communicate(timeout=60)
    assert child.returncode in FAILED, errors
    assert "No space left on device" in errors
    assert "ignored" not in errors
    assert Path(output).read_bytes() == before
    assert os.listdir(small_disk) == ["out.h5"]


# -- outputs that are there already ------------------------------------------------------------


def loop(path, name="a"):
    config = {
        "flow": {"source": "A", "stages": [name]},
        name: {"classname": "H5FlowTestStage", "path": "h5flow.modules"},
    }
    return lambda **options: finish(H5FlowManager(config, "out.h5", path, mpi=False, **options))


def finish(manager):
    manager.init()
    manager.run()
    manager.finish()


def test_an_output_is_replaced_only_on_demand(work):
    write_rows("in.h5", np.arange(30))
    before = old_output()
    with pytest.raises(OutputExists, match=r"`out.h5' exists already; .* --overwrite"):
        loop("in.h5")()
    assert Path("out.h5").read_bytes() == before
    assert sorted(os.listdir()) == ["in.h5", "out.h5"]
    loop("in.h5")(overwrite=True)
    assert length(name="a") == 30
    assert length("in.h5", "A") == 30


@pytest.mark.parametrize("path", ["out.h5", "./out.h5", "../{work}/out.h5", "link.h5"])
@pytest.mark.parametrize("in_place", [False, True])
def test_the_output_may_be_the_input_however_it_is_spelled(work, path, in_place):
    write_rows("out.h5", np.arange(30))
    os.symlink("out.h5", "link.h5")
    loop(path.format(work=work.name))(in_place=in_place)
    assert length(name="a") == 30
    assert sorted(os.listdir()) == ["link.h5", "out.h5"]


def test_an_output_behind_a_link(config):
    os.symlink("real.h5", "out.h5")
    for times in (1, 2):
        run([config()], "out.h5", nompi=True)
        assert length("real.h5") == 2000 * times
    assert os.path.islink("out.h5")
    assert sorted(os.listdir()) == ["c.yaml", "out.h5", "real.h5"]


def test_generators_without_an_input_add_to_an_output(config):
    for times in (1, 2, 3):
        run([config()], "out.h5", nompi=True)
        assert length() == 2000 * times
    run([config()], "out.h5", nompi=True, overwrite=True)
    assert length() == 2000
    run([config()], "out.h5", nompi=True, in_place=True)
    assert length() == 4000
    run([config()], "out.h5", nompi=True, in_place=True, overwrite=True)
    assert length() == 2000


def test_flows_one_after_the_other_on_one_output(config, work):
    (work / "d.yaml").write_text(
        "flow: {source: numbers, stages: [again]}\n"
        "again: {classname: Note, path: support.flow_stages}\n"
    )
    events.clear()
    run([config(), "d.yaml", "d.yaml"], "out.h5", None, 100, 600, nompi=True, drop=["halves"])
    rows = [event[2] for event in events if isinstance(event, tuple)]
    assert min(part.start for part in rows) == 100
    assert max(part.stop for part in rows) == 600
    assert sum(part.stop - part.start for part in rows) == 2 * 500
    with h5py.File("out.h5") as file:
        assert sorted(file) == ["numbers"]


def test_working_in_place(config):
    config_path = config("fail", at=1200)
    with pytest.raises(ArithmeticError):
        run([config_path], "out.h5", nompi=True, in_place=True)
    assert sorted(os.listdir()) == ["c.yaml", "out.h5"]
    assert length() == 1500  # half-made, as asked for


def test_an_output_that_cannot_be_written(config, work):
    with pytest.raises(FileNotFoundError):
        run([config()], "none/out.h5", nompi=True)
    (work / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        run([config()], "folder", nompi=True)
    assert sorted(os.listdir()) == ["c.yaml", "folder"]


def test_a_manager_that_is_given_up_leaves_nothing(work):
    write_rows("in.h5", np.arange(30))
    manager = H5FlowManager({"flow": {"source": "A"}}, "out.h5", "in.h5", mpi=False)
    assert len(os.listdir()) == 2
    manager.data_manager.close_file()
    del manager
    gc.collect()
    assert os.listdir() == ["in.h5"]


def test_a_file_that_could_not_be_closed_is_opened_anew(work, monkeypatch):
    with H5FlowDataManager("flow.h5", mpi=False) as flow:
        flow.create_dset("A", "i4")
        flow.reserve_data("A", 3)
    flow.reserve_data("A", 3)

    def fail(file):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(h5py.File, "flush", fail)
        flow.close_file()
    assert len(flow.get_dset("A")) == 3
    flow.close_file()


# -- work files --------------------------------------------------------------------------------


def test_only_what_nobody_holds_is_cleared_away(work):
    """Temporary files of other outputs, and of flows that are running, stay."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        f".out.h5.{ended.pid}-01234567.tmp": False,
        f".out.h5.{os.getpid()}-01234567.tmp": True,
        f".other.h5.{ended.pid}-01234567.tmp": True,
        f".out.h5.{ended.pid}-0123456.tmp": True,
        "out.h5.tmp": True,
    }
    for name in names:
        Path(name).touch()
    held = WorkFile("out.h5")
    borrowed = held.path.replace(f".{os.getpid()}-", f".{ended.pid}-")
    os.rename(held.path, borrowed)  # as if of another machine, where the number means another
    WorkFile("out.h5").discard()
    assert {name: os.path.exists(name) for name in names} == names
    assert os.path.exists(borrowed)
    held.discard()


def test_a_work_file_appears_under_its_name(work):
    old_output("first.h5")
    file = WorkFile("out.h5", "first.h5")
    assert os.path.dirname(file.path) == os.path.realpath(work)
    file.publish()
    assert Path("out.h5").read_bytes() == Path("first.h5").read_bytes()
    assert sorted(os.listdir()) == ["first.h5", "out.h5"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_work_file_that_cannot_be_published(work, monkeypatch, step):
    before = old_output()
    file = WorkFile("out.h5")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        file.publish()
    assert Path("out.h5").read_bytes() == before
    assert os.listdir() == ["out.h5"]
