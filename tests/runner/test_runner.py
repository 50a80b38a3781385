"""Whole experiments in real processes."""

from __future__ import annotations

import ctypes
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest
from support.example_prefix import PREFIX
from support.objects import write_object
from support.small_experiment import COPY, NAME, write_small_experiment

from beat.backend.python.data import CachedDataSource
from beat.backend.python.runner import IndexingFailed, InlineEngine, Limits, RunFailed, Runner

DIGITS = "tutorial/tutorial/digits/1/pca"

WITH_LIBRARY = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": lib.change(inputs["in"].data.value)})
        return True
"""


@pytest.fixture
def prefix(tmp_path):
    folder = tmp_path / "prefix"
    folder.mkdir()
    return folder


@pytest.fixture
def runner(prefix, cache):
    return Runner(str(prefix), cache)


@pytest.fixture(autouse=True)
def nothing_left(cache, monkeypatch):
    """Check that a run leaves no process and no temporary file."""
    folder = tempfile.mkdtemp(prefix="bt")  # short: the names of sockets may not be long
    monkeypatch.setattr(tempfile, "tempdir", folder)
    monkeypatch.setenv("TMPDIR", folder)
    yield
    assert not [c for c in psutil.Process().children(recursive=True) if "scripts" in _line(c)]
    assert os.listdir(folder) == []
    assert not list(Path(cache).rglob("*.tmp"))
    os.rmdir(folder)


def _line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def states(runner, name=NAME, **options):
    return runner.run(name, **options).states


def outputs_in(cache):
    return sorted(p for p in Path(cache).rglob("*.data") if ".beat" not in p.parts)


def test_cold_then_warm(runner, prefix, cache):
    name = write_small_experiment(prefix)
    run = runner.run(name)
    assert run.states == {"work": "done", "sum": "done"}
    total = run.results["sum"]["total"]
    assert (total.value, total.type, total.display) == (190, "int32", True)
    assert run.results["sum"]["count"].value == 20
    used = run.statistics["work"]
    assert used["memory"]["rss"] > 1 << 20
    assert used["cpu"]["total"] > 0
    assert used["data"]["blocks"] == {"read": 20, "write": 20}
    again = runner.run(name)
    assert again.states == {"work": "cached", "sum": "cached"}
    assert again.results == run.results
    assert again.statistics == {}


def give_up_privileges():
    """Let the modes of files hold for root, too, from the next program on."""
    drop_from_bounding_set, override_modes = 24, 1  # of linux/prctl.h, linux/capability.h
    ctypes.CDLL(None).prctl(drop_from_bounding_set, override_modes)


@pytest.mark.parametrize("is_new", [False, True])
def test_a_cache_that_may_only_be_read_is_enough_for_what_is_in_it(runner, prefix, cache, is_new):
    name = write_small_experiment(prefix)
    runner.run(name)
    folder = Path(cache, ".beat")
    lock = folder / "in-use.lock"
    lock.chmod(0o444)
    if is_new:
        lock.unlink()
    folder.chmod(0o555)
    code = (
        "import sys\n"
        "from beat.backend.python.runner import Runner\n"
        "print(*Runner(*sys.argv[1:3]).run(sys.argv[3]).states.values())\n"
    )
    command = [sys.executable, "-c", code, str(prefix), cache, name]
    ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=give_up_privileges)
    folder.chmod(0o755)
    assert ended.stdout == "cached cached\n", ended.stderr
    assert lock.exists() != is_new


def test_the_index_is_made_once(runner, prefix, cache):
    name = write_small_experiment(prefix)
    seen = []
    runner.run(name, on_event=lambda e: seen.append((e.name, e.state)))
    assert seen[:2] == [("data", "indexing"), ("data", "indexed")]
    seen.clear()
    runner.run(name, on_event=lambda e: seen.append((e.name, e.state)))
    assert seen == [("work", "cached"), ("sum", "cached")]


def test_a_view_that_fails_to_index(runner, prefix):
    name = write_small_experiment(prefix)
    view = "from beat.backend.python.database import View\n\nclass Numbers(View):\n" + (
        "    def index(self, root_folder, parameters):\n        return 1 / 0\n\n"
        "    def get(self, output, index):\n        return None\n"
    )
    (prefix / "databases" / "numbers" / "1.py").write_text(view)
    with pytest.raises(IndexingFailed, match=r"(?s)numbers/1/protocol/all.*ZeroDivisionError"):
        runner.run(name)


def test_only_what_a_change_touches_runs_again(runner, prefix, cache):
    shutil.copytree(PREFIX, prefix, ignore=shutil.ignore_patterns("cache"), dirs_exist_ok=True)
    first = runner.run(DIGITS, jobs=2)
    assert set(first.states.values()) == {"done"}
    assert 0 < first.results["analysis"]["eer"].value < 0.5
    changed = {("scoring", "similarity"): "cosine"}
    decisions = runner.decide(DIGITS, parameters=changed)
    assert [n for n, d in decisions.items() if d.run] == ["scoring", "analysis"]
    assert decisions["scoring"].reasons == ('parameter "similarity" changed euclidean -> cosine',)
    assert decisions["analysis"].reasons == ("input `scores' changed",)
    again = runner.run(DIGITS, parameters=changed, jobs=2)
    assert {n for n, s in again.states.items() if s == "done"} == {"scoring", "analysis"}
    assert again.results["analysis"]["eer"].value != first.results["analysis"]["eer"].value


@pytest.mark.parametrize("loop", ["sequential", "mixed", "autonomous"])
def test_loops(loop, cache):
    runner = Runner(str(PREFIX), cache)
    run = runner.run(f"tutorial/tutorial/loop/1/{loop}")
    assert run.states == {"learning": "done", "analysis": "done"}
    assert run.results["analysis"]["accuracy"].value > 0.8
    inline = Runner(str(PREFIX), cache + "2")
    again = inline.run(run.experiment, engine=InlineEngine(inline.cache))
    assert again.results == run.results


class TestReasons:
    def why(self, runner, block="work"):
        decision = runner.decide(NAME)[block]
        assert decision.run
        return " ".join(decision.reasons)

    def test_first_time(self, runner, prefix):
        write_small_experiment(prefix)
        assert self.why(runner) == "never computed here"

    def test_code(self, runner, prefix):
        write_small_experiment(prefix)
        runner.run(NAME)
        write_small_experiment(prefix, COPY + "\n# changed\n")
        assert self.why(runner) == "algorithm `user/work/1' changed"
        assert self.why(runner, "sum") == "input `in' changed"

    def test_parameters(self, runner, prefix):
        declared = {"factor": {"type": "int32", "default": 1}}
        write_small_experiment(prefix, declared_parameters=declared)
        runner.run(NAME)
        decision = runner.decide(NAME, parameters={("work", "factor"): 2})["work"]
        assert decision.reasons == ('parameter "factor" changed 1 -> 2',)

    def test_libraries_that_are_not_part_of_the_hash(self, runner, prefix):
        def write(code):
            write_object(prefix, "libraries", "user/lib/1", {"language": "python"}, code)

        write("def change(x):\n    return x * 1\n")
        write_small_experiment(prefix, WITH_LIBRARY)
        path = prefix / "algorithms" / "user" / "work" / "1.json"
        declaration = json.loads(path.read_text())
        path.write_text(json.dumps({**declaration, "uses": {"lib": "user/lib/1"}}))
        assert runner.run(NAME).results["sum"]["total"].value == 190
        write("def change(x):\n    return x * 2\n")
        assert self.why(runner) == "library `user/lib/1' changed"
        assert runner.run(NAME).results["sum"]["total"].value == 380
        assert states(runner) == {"work": "cached", "sum": "cached"}

    def test_the_contents_of_a_database(self, runner, prefix, cache):
        write_small_experiment(prefix)
        runner.run(NAME)
        write_small_experiment(prefix, count=10)
        for index in Path(cache).rglob("*.db"):
            index.unlink()
        run = runner.run(NAME)
        assert run.states == {"work": "done", "sum": "done"}
        assert run.results["sum"]["count"].value == 10

    def test_damage(self, runner, prefix, cache):
        write_small_experiment(prefix)
        expected = runner.run(NAME).results
        for path in outputs_in(cache):
            content = bytearray(path.read_bytes())
            content[-3] ^= 1
            path.write_bytes(content)
        assert "damaged" in self.why(runner)
        run = runner.run(NAME)
        assert run.states == {"work": "done", "sum": "done"}
        assert run.results == expected

    def test_removal(self, runner, prefix, cache):
        write_small_experiment(prefix)
        runner.run(NAME)
        for path in outputs_in(cache):
            for file in path.parent.glob(path.name.split(".")[0] + ".*"):
                file.unlink()
        assert "not in the cache" in self.why(runner)

    def test_force(self, runner, prefix):
        write_small_experiment(prefix)
        runner.run(NAME)
        assert states(runner, force=["work"]) == {"work": "done", "sum": "cached"}
        assert states(runner, force="*") == {"work": "done", "sum": "done"}
        with pytest.raises(RuntimeError, match=r"no block `wrk' \(did you mean `work'"):
            runner.run(NAME, force=["wrk"])

    def test_outputs_made_elsewhere_are_trusted_unless_strict(self, runner, prefix, cache):
        write_small_experiment(prefix)
        runner.run(NAME)
        shutil.rmtree(os.path.join(cache, ".beat"))
        assert states(runner) == {"work": "cached", "sum": "cached"}
        strict = Runner(str(prefix), cache, strict=True)
        assert "no record" in " ".join(strict.decide(NAME)["work"].reasons)
        assert states(strict) == {"work": "done", "sum": "done"}


class TestSplitting:
    def units(self, cache, path):
        source = CachedDataSource()
        assert source.setup(os.path.join(cache, path + ".data"), self.prefix, unpack=False)
        found = [source[i] for i in range(len(source))]
        source.close()
        return found

    def test_ranges_give_the_same_bytes(self, prefix, tmp_path):
        self.prefix = str(prefix)
        found = {}
        for slots in (1, 3):
            name = write_small_experiment(prefix, splittable=True, nb_slots=slots)
            cache = str(tmp_path / f"cache{slots}")
            runner = Runner(str(prefix), cache)
            run = runner.run(name, jobs=2)
            assert run.results["sum"]["total"].value == 190
            path = next(b for b in runner.plan(name)[1].blocks if b.name == "work").paths[0]
            assert len(glob.glob(os.path.join(cache, path) + "*.data")) == slots
            found[slots] = self.units(cache, path)
            assert states(runner) == {"work": "cached", "sum": "cached"}
        assert found[1] == found[3]

    def test_a_failing_range_fails_the_block(self, prefix, runner, cache):
        code = COPY.replace(
            "        outputs", "        1 / int(inputs['in'].data.value - 15)\n        outputs"
        )
        name = write_small_experiment(prefix, code, splittable=True, nb_slots=2)
        with pytest.raises(RunFailed, match="ZeroDivisionError"):
            runner.run(name)
        assert outputs_in(cache) == []


def algorithm_that(statement):
    """Return the code of an algorithm whose process is one statement."""
    return (
        "class Algorithm:\n"
        "    def process(self, inputs, data_loaders, outputs):\n"
        f"        {statement}\n"
    )


CRASHES = {
    "exception": ("a = b", "NameError: name 'b' is not defined", 1),
    "false": ("return False", "Could not process algorithm (returned False)", 1),
    "exit": ("import os; os._exit(3)", "its process ended with status 3", 3),
    "sys_exit": ("import sys; sys.exit(4)", "SystemExit", 1),
    "kill": ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL", -9),
    "segfault": ("import ctypes; ctypes.string_at(0)", "ended by SIGSEGV", -11),
    "recursion": ("f = lambda: f(); f()", "RecursionError", 1),
    "missing": ("return True", "missing data on the output", 1),
    "bad_value": ("outputs['out'].write({'value': 'text'})", "cannot cast `value'", 1),
    "unknown_output": ("outputs['x'].write({})", "object has no attribute 'write'", 1),
}


def test_the_data_index_of_a_failure_and_the_progress_before_it_are_told(prefix, cache, runner):
    slow = "import time; time.sleep(0.05); 1 / int(inputs['in'].data.value - 12)"
    code = COPY.replace("        outputs", f"        {slow}\n        outputs")
    name = write_small_experiment(prefix, code)
    seen = []
    with pytest.raises(RunFailed, match="failed at data index 12"):
        runner.run(name, on_event=lambda e: seen.append(e))
    progress = [event for event in seen if event.state == "progress"]
    assert progress
    assert [event.index for event in progress] == sorted({event.index for event in progress})
    assert {event.total for event in progress} == {20}
    assert progress[-1].index <= 13


@pytest.mark.parametrize("crash", CRASHES)
def test_every_way_to_fail_is_reported_and_leaves_nothing(crash, runner, prefix, cache):
    statement, text, status = CRASHES[crash]
    code = algorithm_that(statement)
    name = write_small_experiment(prefix, code)
    with pytest.raises(RunFailed) as caught:
        runner.run(name)
    report = str(caught.value)
    assert text in report
    assert "block `work' (algorithm user/work/1) failed" in report
    assert str(prefix) not in report
    assert os.path.join("beat", "backend") not in report  # nothing of ours in the traceback
    (failure,) = caught.value.run.failures
    assert failure.outcome.status == status
    assert caught.value.run.states == {"work": "failed", "sum": "skipped"}
    assert outputs_in(cache) == []
    assert "failed last time" in " ".join(runner.decide(name)["work"].reasons)
    write_small_experiment(prefix)
    assert states(runner) == {"work": "done", "sum": "done"}


@pytest.mark.parametrize("slots", [1, 3])
def test_a_block_whose_process_was_killed_is_retried_if_wanted(slots, runner, prefix, cache):
    marker = prefix / "killed"
    code = "import os\n" + algorithm_that(
        f"if inputs['in'].data.value < 6 and not os.path.exists({str(marker)!r}):\n"
        f"            open({str(marker)!r}, 'w').close()\n"
        "            os.kill(os.getpid(), 9)\n"
        "        outputs['out'].write({'value': inputs['in'].data.value}); return True"
    )
    name = write_small_experiment(prefix, code, splittable=True, nb_slots=slots)
    events = []
    run = runner.run(name, retries=1, on_event=events.append)
    assert run.states == {"work": "done", "sum": "done"}
    (retried,) = [event for event in events if event.state == "retried"]
    assert (retried.name, retried.reasons) == ("work", ("its process was ended by SIGKILL",))
    marker.unlink()
    with pytest.raises(RunFailed, match="SIGKILL"):
        runner.run(name, force=["work"])


def test_failures_of_user_code_are_not_retried(runner, prefix):
    name = write_small_experiment(prefix, algorithm_that("raise ValueError"))
    events = []
    with pytest.raises(RunFailed, match="ValueError"):
        runner.run(name, retries=5, on_event=events.append)
    assert "retried" not in [event.state for event in events]


@pytest.mark.parametrize("statement", ["while True: pass", "import time; time.sleep(1000)"])
def test_a_block_that_never_ends_is_ended(statement, runner, prefix, cache):
    code = algorithm_that(statement)
    name = write_small_experiment(prefix, code)
    with pytest.raises(RunFailed, match="it took longer than 1 s"):
        runner.run(name, limits=Limits(seconds=1))
    assert outputs_in(cache) == []


def test_memory_is_limited(runner, prefix, cache):
    body = "import numpy; x = numpy.ones(1 << 28); return bool(x.sum())"
    code = (
        f"class Algorithm:\n    def process(self, inputs, data_loaders, outputs):\n        {body}\n"
    )
    name = write_small_experiment(prefix, code)
    with pytest.raises(RunFailed, match=r"(?i)memory"):
        runner.run(name, limits=Limits(megabytes=1000))
    assert outputs_in(cache) == []


def test_what_does_not_depend_on_a_failure_goes_on_if_wanted(prefix, runner):
    shutil.copytree(PREFIX, prefix, ignore=shutil.ignore_patterns("cache"), dirs_exist_ok=True)
    broken = (
        "class Algorithm:\n    def process(self, inputs, data_loaders, outputs):\n        1 / 0\n"
    )
    (prefix / "algorithms" / "tutorial" / "enrolment" / "1.py").write_text(broken)
    with pytest.raises(RunFailed) as caught:
        runner.run(DIGITS, keep_going=True, jobs=2)
    found = caught.value.run.states
    assert found["enrolment"] == "failed"
    assert found["probe_projection"] == "done"
    assert found["scoring"] == found["analysis"] == "skipped"


def test_parts_of_an_experiment(runner, prefix):
    name = write_small_experiment(prefix)
    assert states(runner, last="work") == {"work": "done"}
    assert states(runner, first="sum") == {"sum": "done"}
    with pytest.raises(RuntimeError, match="no block `x'"):
        runner.run(name, first="x")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({("wrk", "factor"): 1}, "no block `wrk' (did you mean `work'?)"),
        ({("work", "facter"): 1}, "no parameter `facter' (did you mean `factor'?)"),
        ({("work", "factor"): "many"}, "cannot convert 'many' to int32"),
    ],
)
def test_parameters_that_cannot_be_set(runner, prefix, parameters, text):
    declared = {"factor": {"type": "int32", "default": 1}}
    name = write_small_experiment(prefix, declared_parameters=declared)
    with pytest.raises(RuntimeError) as caught:
        runner.run(name, parameters=parameters)
    assert text in str(caught.value)


def test_an_experiment_that_is_not_valid(runner, prefix):
    name = write_small_experiment(prefix, inputs={"other": "in"})
    with pytest.raises(RuntimeError, match="is not valid"):
        runner.run(name)


def test_two_runs_share_the_work(prefix, cache):
    code = COPY.replace("        outputs", "        import time; time.sleep(0.05)\n        outputs")
    name = write_small_experiment(prefix, code)
    Runner(str(prefix), cache).run(name, last="work", force=["work"])
    shutil.rmtree(cache)
    found = {}

    def run(key):
        found[key] = Runner(str(prefix), cache).run(name)

    threads = [threading.Thread(target=run, args=(key,)) for key in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found[key].states["work"] for key in "ab") == ["cached", "done"]
    assert found["a"].results == found["b"].results


def test_a_killed_run_blocks_nobody_and_is_taken_up(prefix, cache):
    marker = prefix / "started"
    slow = f"open({str(marker)!r}, 'w').close(); import time; time.sleep(60)"
    code = (
        f"class Algorithm:\n    def process(self, inputs, data_loaders, outputs):\n        {slow}\n"
    )
    name = write_small_experiment(prefix, code)
    script = (
        "from beat.backend.python.runner import Runner\n"
        f"Runner({str(prefix)!r}, {cache!r}).run({name!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        _wait_for(marker.exists)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=15)
        assert not alive, "processes outlive the run they belong to"
    finally:
        process.kill()
        process.wait()
    assert len(os.listdir(tempfile.gettempdir())) == 1  # tidied away by the next run
    write_small_experiment(prefix)
    assert states(Runner(str(prefix), cache)) == {"work": "done", "sum": "done"}


def _wait_for(condition, seconds=20):
    pause = threading.Event()
    for _ in range(seconds * 20):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")
