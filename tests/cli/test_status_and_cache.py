from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.small_experiment import COPY, NAME, write_small_experiment

from beat.backend.python.cli import main
from beat.backend.python.runner import Runner


@pytest.fixture
def prefix(tmp_path):
    folder = tmp_path / "prefix"
    folder.mkdir()
    write_small_experiment(folder)
    return folder


@pytest.fixture
def beat(prefix, cache):
    def beat(*arguments, status=0):
        shown = CliRunner().invoke(main, ["--prefix", str(prefix), "--cache", cache, *arguments])
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        assert shown.exit_code == status, shown.output
        return shown.output

    return beat


def damage(cache):
    path = next(p for p in Path(cache).rglob("*.data") if ".beat" not in p.parts)
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


class TestStatus:
    def test_before_and_after(self, beat):
        assert "work: to be run: never computed here" in beat("status", NAME, status=1)
        beat("run", NAME)
        shown = beat("status", NAME)
        assert "work: in the cache (done in" in shown
        assert "peak memory" in shown

    def test_json(self, beat):
        beat("run", NAME)
        shown = json.loads(beat("status", "--json", NAME))
        work = shown["blocks"]["work"]
        assert work["cached"]
        assert work["last"]["state"] == "done"
        assert work["last"]["statistics"]["data"]["blocks"] == {"read": 20, "write": 20}

    def test_a_failure_is_remembered(self, beat, prefix):
        write_small_experiment(
            prefix, COPY.replace("        outputs", "        a = b\n        outputs")
        )
        beat("run", NAME, status=1)
        assert "it failed last time (failed in" in beat("status", NAME, status=1)
        assert "NameError" in beat("logs", NAME, "work")

    def test_an_experiment_that_is_not_there(self, beat):
        assert "file not found" in beat("status", "user/user/small/1/none", status=1)


class TestLogs:
    def test_what_was_printed(self, beat, prefix):
        write_small_experiment(
            prefix, COPY.replace("        outputs", "        print('hello')\n        outputs")
        )
        assert "== work: never ran here" in beat("logs", NAME)
        beat("run", NAME)
        shown = beat("logs", NAME, "work")
        assert "== work\nhello\n" in shown
        assert "sum" not in shown

    def test_an_unknown_block(self, beat):
        assert "no block `x' (there is work, sum)" in beat("logs", NAME, "x", status=1)


class TestCache:
    def test_listing(self, beat, cache):
        assert beat("cache", "ls") == ""
        beat("run", NAME)
        rows = json.loads(beat("cache", "ls", "--json"))
        assert sorted(row["algorithm"] for row in rows) == ["user/sum/1", "user/work/1"]
        assert all(row["size"] > 100 for row in rows)
        assert len(beat("cache", "ls").splitlines()) == 2

    def test_verification(self, beat, cache):
        beat("run", NAME)
        assert beat("cache", "verify") == "2 outputs, 0 damaged\n"
        damage(cache)
        assert "2 outputs, 1 damaged" in beat("cache", "verify", status=1)

    def test_what_was_set_aside(self, beat, cache):
        beat("run", NAME)
        assert beat("cache", "ls", "--damaged") == ""
        damage(cache)
        beat("run", NAME)
        (row,) = json.loads(beat("cache", "ls", "--damaged", "--json"))
        assert row["path"] in beat("cache", "ls", "--damaged")
        assert row["problem"].startswith("wrong checksum")
        shown = beat("cache", "verify")
        assert shown == "2 outputs, 0 damaged\n1 set aside (beat cache ls --damaged)\n"
        assert row["folder"] not in beat("cache", "gc")
        assert row["folder"] in beat("cache", "gc", "--damaged", "--dry-run")
        assert beat("cache", "gc", "--damaged") == row["folder"] + "\n"
        assert not os.path.exists(row["folder"])

    def test_removal_of_what_was_set_aside(self, beat, cache):
        beat("run", NAME)
        damage(cache)
        beat("run", NAME)
        assert len(beat("cache", "rm", NAME).splitlines()) == 3
        assert beat("cache", "ls", "--damaged") == ""

    def test_verification_of_indices(self, beat, cache):
        beat("run", NAME)
        (index,) = Path(cache).rglob("[!.]*.db")
        index.write_text(index.read_text().replace("7", "8"))
        shown = beat("cache", "verify", status=1)
        assert shown.startswith(f"{index.relative_to(cache)}: wrong checksum")

    def test_tidying_up_after_the_dead(self, beat, prefix, cache):
        code = (
            "from beat.backend.python.publish import open_temporary\n"
            f"print(open_temporary({cache!r} + '/x').name)"
        )
        dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        path = dead.stdout.strip()
        assert path in beat("cache", "gc", "--dry-run")
        assert os.path.exists(path)
        assert path in beat("cache", "gc")
        assert not os.path.exists(path)

    def test_tidying_up_what_no_experiment_makes(self, beat, prefix, cache):
        beat("run", NAME)
        write_small_experiment(prefix, COPY + "\n# changed\n")
        beat("run", NAME)
        assert len(beat("cache", "ls").splitlines()) == 4
        assert len(beat("cache", "gc", "--unused").splitlines()) == 2
        assert len(beat("cache", "ls").splitlines()) == 2
        beat("status", NAME)

    def test_a_live_run_loses_nothing(self, prefix, cache):
        slow = "import time\n" + COPY.replace(
            "        outputs", "        time.sleep(0.05); outputs"
        )
        write_small_experiment(prefix, slow, declared_parameters={"n": {"type": "int32"}})
        arguments = ["--prefix", str(prefix), "--cache", cache, "cache", "gc", "--unused"]
        found = []
        # no experiment of the prefix makes what this run makes
        runner = Runner(str(prefix), cache)
        run = lambda: found.append(runner.run(NAME, parameters={("work", "n"): 2}))  # noqa: E731
        thread = threading.Thread(target=run)
        thread.start()
        refused, removed = 0, []
        while thread.is_alive():
            ended = CliRunner().invoke(main, arguments)
            refused += ended.exit_code == 1 and "a run is using the cache" in ended.output
            removed += [] if ended.exit_code else ended.output.splitlines()
        thread.join()
        assert refused
        assert found[0].states == {"work": "done", "sum": "done"}
        removed += CliRunner().invoke(main, arguments).output.splitlines()
        # working folders of killed runs, which other tests have left, are told with their paths
        assert len([name for name in removed if not os.path.isabs(name)]) == 2

    def test_outputs_of_others_are_kept(self, beat, prefix, cache):
        beat("run", NAME)
        write_small_experiment(prefix, COPY + "\n# changed\n")
        for record in Path(cache, ".beat", "records").rglob("*.json"):
            record.unlink()
        assert beat("cache", "gc", "--unused") == ""

    def test_removal(self, beat):
        beat("run", NAME)
        assert len(beat("cache", "rm", NAME, "work").splitlines()) == 1
        assert "sum: in the cache" in beat("status", NAME, status=1)
        assert "no block `x'" in beat("cache", "rm", NAME, "x", status=1)

    def test_export(self, beat, tmp_path):
        assert "not in the cache" in beat("cache", "export", NAME, "work", "-", status=1)
        beat("run", NAME)
        beat("cache", "export", NAME, "work", str(tmp_path / "units"))
        units = [json.loads(line) for line in (tmp_path / "units").read_text().splitlines()]
        assert units[3] == {"output": "work.out", "start": 3, "end": 3, "data": {"value": 3}}
        assert len(units) == 20

    def test_export_to_hdf5(self, beat, tmp_path):
        h5py = pytest.importorskip("h5py", reason="the extra [hdf5] is not installed")
        path = tmp_path / "units.h5"
        beat("cache", "export", "--hdf5", NAME, "work", str(path), status=1)
        beat("run", NAME)
        beat("cache", "export", "--hdf5", NAME, "work", str(path))
        with h5py.File(path) as file:
            assert "out" in file
            assert len(file["out/index/data"]) == 20
        assert [p.name for p in tmp_path.glob("units*")] == ["units.h5"]


class TestDoctor:
    def test_a_healthy_machine(self, beat):
        shown = beat("doctor")
        assert "BAD" not in shown
        assert "ok  numpy: " in shown

    def test_a_prefix_that_is_not_there(self, tmp_path):
        shown = CliRunner().invoke(main, ["--prefix", str(tmp_path / "none"), "doctor"])
        assert shown.exit_code == 1
        assert "BAD prefix: no folder" in shown.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(beat, shell):
    assert "_BEAT_COMPLETE" in beat("completion", shell)
