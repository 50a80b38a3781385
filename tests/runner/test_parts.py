"""The parts of the runner that start nothing."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.example_prefix import PREFIX
from support.small_experiment import NAME, write_small_experiment

from beat.backend.python.database import Database
from beat.backend.python.execution.messagehandlers import VANISHED
from beat.backend.python.experiment import Experiment
from beat.backend.python.runner import Runner, make_plan
from beat.backend.python.runner.cache import what_is_missing
from beat.backend.python.runner.engines import Outcome, Usage
from beat.backend.python.runner.events import Failure, Run, RunFailed
from beat.backend.python.runner.history import History, statistics
from beat.backend.python.runner.inputs import last_index
from beat.backend.python.runner.locks import in_use, locked, unused
from beat.backend.python.runner.prepare import select
from beat.backend.python.runner.record import differences, read_json, write_json
from beat.backend.python.runner.scratch import scratch_folder, tidy
from beat.backend.python.runner.split import ranges_of
from beat.backend.python.runner.workdir import resolve_root_folder

DIGITS = "tutorial/tutorial/digits/1/pca"


class TestDifferences:
    @pytest.mark.parametrize(
        ("old", "new", "text"),
        [
            ({"parameters": {"n": 1}}, {"parameters": {"n": 2}}, 'parameter "n" changed 1 -> 2'),
            (
                {"libraries": {"u/l/1": "x"}},
                {"libraries": {"u/l/1": "y"}},
                "library `u/l/1' changed",
            ),
            ({"libraries": {}}, {"libraries": {"u/l/1": "y"}}, "library `u/l/1' is new"),
            ({"inputs": {"i": "x"}}, {"inputs": {}}, "input `i' is not used any more"),
            (
                {"evaluator parameters": {"n": 1}},
                {"evaluator parameters": {"n": 2}},
                'evaluator parameter "n" changed 1 -> 2',
            ),
            (
                {"environment": {"version": "1"}},
                {"environment": {"version": "2"}},
                "environment version changed 1 -> 2",
            ),
            ({"channel": "a"}, {"channel": "b"}, "channel changed a -> b"),
        ],
    )
    def test_in_words(self, old, new, text):
        assert differences(old, new) == [text]

    def test_nothing(self):
        assert differences({"parameters": {"n": 1}}, {"parameters": {"n": 1}}) == []


class TestFiles:
    def test_round_trip(self, tmp_path):
        path = str(tmp_path / "deep" / "file.json")
        write_json(path, {"a": 1})
        assert read_json(path) == {"a": 1}

    @pytest.mark.parametrize("content", [None, "", "{", "[1]", "\xff"])
    def test_what_cannot_be_read_counts_as_not_there(self, tmp_path, content):
        path = tmp_path / "file.json"
        if content is not None:
            path.write_bytes(content.encode("latin-1"))
        assert read_json(str(path)) is None


class TestLocks:
    def hold(self, cache):
        """Hold a lock in another process until its standard input is closed."""
        code = (
            "import sys\n"
            "from beat.backend.python.runner.locks import locked\n"
            f"with locked({cache!r}, 'aa/bb', print, lambda s: True) as held:\n"
            "    print(held, flush=True)\n"
            "    sys.stdin.read()\n"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "True\n"
        return holder

    def end(self, holder):
        holder.kill()
        holder.communicate()

    def test_a_live_holder_excludes_and_giving_up_is_possible(self, cache):
        holder = self.hold(cache)
        waited = []
        try:
            with locked(cache, "aa/bb", waited.append, lambda s: True) as held:
                assert not held
            with locked(cache, "aa/cc", waited.append, lambda s: True) as held:
                assert held
        finally:
            self.end(holder)
        (text,) = waited
        now = datetime.now().astimezone()
        start = f"for process {holder.pid} on {socket.gethostname()} since "
        assert text.startswith(start)
        assert now - datetime.fromisoformat(text.removeprefix(start)) < timedelta(minutes=10)

    @pytest.mark.parametrize("content", [b"", b"\xff\n", bytes(300)])
    def test_a_holder_that_says_nothing(self, cache, content):
        holder = self.hold(cache)
        waited = []
        try:
            (name,) = Path(cache).rglob("*.lock")
            name.write_bytes(content)
            with locked(cache, "aa/bb", waited.append, lambda s: True) as held:
                assert not held
        finally:
            self.end(holder)
        assert waited == ["for another run"]

    def test_a_dead_holder_never_blocks(self, cache):
        holder = self.hold(cache)
        threading.Timer(0.3, holder.kill).start()
        with locked(cache, "aa/bb", str, threading.Event().wait) as held:
            assert held
        self.end(holder)

    def test_what_is_unused_is_known_while_no_run_goes_on(self, cache):
        with unused(cache) as is_idle:
            assert is_idle
        with in_use(cache), in_use(cache), unused(cache) as is_idle:
            assert not is_idle
        with unused(cache) as is_idle:
            assert is_idle


class TestScratchFolders:
    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return tmp_path

    def test_a_folder_goes_with_its_block(self, temporary):
        with scratch_folder() as folder:
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
            Path(folder, "file").touch()
            tidy()
            assert os.path.exists(folder)
        assert [*temporary.iterdir()] == []

    def test_folders_of_the_dead_are_tidied_away(self, temporary):
        code = (
            "import os\nfrom beat.backend.python.runner.scratch import scratch_folder\n"
            "with scratch_folder() as folder:\n    os.kill(os.getpid(), 9)\n"
        )
        environment = {**os.environ, "TMPDIR": str(temporary)}
        subprocess.run([sys.executable, "-c", code], env=environment)
        assert len([*temporary.iterdir()]) == 1
        tidy()
        assert [*temporary.iterdir()] == []

    def test_nothing_else_is_touched(self, temporary):
        (temporary / "beat-of-somebody").mkdir()
        (temporary / "other").mkdir()
        (temporary / "other" / "run.lock").touch()
        (temporary / "beat-link").symlink_to(temporary / "other")
        tidy()
        assert len([*temporary.iterdir()]) == 3
        assert (temporary / "other" / "run.lock").exists()


class TestSelection:
    @pytest.fixture
    def plan(self):
        return make_plan(Experiment(str(PREFIX), DIGITS))

    @pytest.mark.parametrize(
        ("first", "last", "expected"),
        [
            (None, "enrolment", {"subspace", "template_projection", "enrolment"}),
            ("scoring", None, {"scoring", "analysis"}),
            ("enrolment", "scoring", {"enrolment", "scoring"}),
            ("analysis", "subspace", set()),
        ],
    )
    def test_parts(self, plan, first, last, expected):
        assert {block.name for block in select(plan, first, last).blocks} == expected

    def test_unknown_names(self, plan):
        with pytest.raises(RuntimeError, match=r"no block `scorin' \(did you mean `scoring'\?\)"):
            select(plan, "scorin", None)


class TestRanges:
    @pytest.mark.parametrize(
        ("count", "slots", "expected"),
        [
            (20, 1, []),
            (20, 2, [(0, 9), (10, 19)]),
            (10, 3, [(0, 3), (4, 6), (7, 9)]),
            (2, 5, [(0, 0), (1, 1)]),
            (1, 4, []),
        ],
    )
    def test_of_a_block(self, tmp_path, cache, count, slots, expected):
        name = write_small_experiment(tmp_path, count=count, splittable=True, nb_slots=slots)
        experiment = Experiment(str(tmp_path), name)
        plan = make_plan(experiment)
        (dataset,) = plan.datasets
        index = os.path.join(cache, dataset.path)
        os.makedirs(os.path.dirname(index))
        with open(index, "w") as f:
            json.dump([{"value": i} for i in range(count)], f)
        block = plan.blocks[0]
        assert ranges_of(cache, block, experiment.algorithms["user/work/1"]) == expected
        assert last_index(cache, block.configuration["inputs"]["in"]) == count - 1
        assert what_is_missing(cache, str(tmp_path), block) == "out: not in the cache"


class TestRootFolders:
    def test_order(self, tmp_path):
        write_small_experiment(tmp_path)
        database = Database(str(tmp_path), "numbers/1")
        assert resolve_root_folder(database, {}) == "/nowhere"
        beside = tmp_path / "rawdata" / "numbers" / "1"
        beside.mkdir(parents=True)
        assert resolve_root_folder(database, {}) == str(beside)
        database.data["root_folder"] = str(tmp_path)
        assert resolve_root_folder(database, {}) == str(tmp_path)
        assert resolve_root_folder(database, {"numbers/1": "/said"}) == "/said"


class TestOutcomes:
    def test_statistics_have_the_declared_form(self):
        from beat.backend.python.schema import validate

        data = {
            "volume": {"read": 1, "write": 2},
            "blocks": {"read": 1, "write": 1},
            "time": {"read": 0.5, "write": 0.25},
            "network": {"wait_time": 0.0},
            "files": [{"hash": "0" * 64, "size": 3, "blocks": 1}],
        }
        outcome = Outcome(0, data=data, usage=Usage(1.0, 0.5, 0.25, 3, 4, 1 << 20))
        _, errors = validate("statistics", statistics(outcome))
        assert errors == []

    def test_history(self, cache):
        history = History(cache, NAME)
        assert history.last("work") is None
        assert history.log("work") is None
        history.remember("work", {"a": 1}, Outcome(1, user_error="it broke", log="said"))
        last = history.last("work")
        assert (last["state"], last["cause"], last["record"]) == ("failed", "it broke", {"a": 1})
        assert history.log("work") == "said"

    @pytest.mark.parametrize(
        ("outcome", "cause"),
        [
            (Outcome(-11), "its process was ended by SIGSEGV"),
            (Outcome(3), "its process ended with status 3"),
            (Outcome(1, user_error="mine"), "mine"),
            (Outcome(1, system_error="yours"), "yours"),
            (Outcome(-9, ended_for="it took longer than 1 s"), "it took longer than 1 s"),
        ],
    )
    def test_causes(self, outcome, cause):
        assert outcome.cause == cause
        assert not outcome.succeeded

    def test_a_report(self):
        outcome = Outcome(1, user_error="broken", index=7, log="one\ntwo", usage=Usage(2.0))
        run = Run(NAME, failures=[Failure("work", "user/work/1", outcome)])
        assert str(RunFailed(run)) == (
            "block `work' (algorithm user/work/1) failed at data index 7\n"
            "broken\n"
            "last lines of its log:\n"
            "  one\n"
            "  two\n"
            "exit status 1, peak memory 0 MB, 2.0 s"
        )
        assert str(RunFailed(Run(NAME))) == "the run was stopped"

    def test_a_report_does_not_tell_who_else_ended_with_the_block(self):
        log = f"(usr) broken\n(sys) {VANISHED.text}\none"
        failure = Failure("work", "user/work/1", Outcome(1, user_error="broken", log=log))
        assert str(failure).splitlines()[1:-1] == ["broken", "last lines of its log:", "  one"]


def test_a_run_whose_cache_holds_everything_starts_no_process(tmp_path, cache, monkeypatch):
    name = write_small_experiment(tmp_path)
    runner = Runner(str(tmp_path), cache)
    runner.run(name)

    def refuse(*args, **kwargs):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert set(runner.run(name).states.values()) == {"cached"}
