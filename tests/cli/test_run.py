from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.small_experiment import COPY, NAME, write_small_experiment

from beat.backend.python.cli import main


@pytest.fixture
def prefix(tmp_path):
    folder = tmp_path / "prefix"
    folder.mkdir()
    return folder


@pytest.fixture
def beat(prefix, cache):
    """Run the command on the prefix; return its result."""

    def beat(*arguments, status=0):
        shown = CliRunner().invoke(main, ["--prefix", str(prefix), "--cache", cache, *arguments])
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        assert shown.exit_code == status, shown.output
        return shown

    return beat


def test_results_are_printed_as_a_table_and_as_json(beat, prefix):
    write_small_experiment(prefix)
    shown = beat("run", NAME)
    assert shown.stdout == f"results of {NAME}\n  sum\n    total  190\n    count  20\n"
    assert "work: done" in shown.stderr
    shown = beat("run", NAME, "--json")
    (run,) = json.loads(shown.stdout)
    assert run["experiment"] == NAME
    assert run["blocks"] == {"work": "cached", "sum": "cached"}
    assert run["results"]["sum"]["total"] == {"value": 190, "type": "int32", "display": True}


def test_dry_run_tells_what_and_why_and_runs_nothing(beat, prefix, cache):
    write_small_experiment(prefix, declared_parameters={"n": {"type": "int32", "default": 1}})
    assert "work: RUN (never computed here)" in beat("run", "-n", NAME).stdout
    assert not os.listdir(cache)
    beat("run", NAME)
    assert "work: CACHED" in beat("run", "--dry-run", NAME).stdout
    shown = beat("run", "-n", "--set", "work.n=3", "--json", NAME)
    (planned,) = json.loads(shown.stdout)
    assert planned["parameters"] == {"work.n": 3}
    assert planned["blocks"]["work"] == {"run": True, "reasons": ['parameter "n" changed 1 -> 3']}
    assert "sum:" not in beat("run", "-n", "--until", "work", NAME).stdout
    assert "work:" not in beat("run", "-n", "--from", "sum", NAME).stdout
    assert beat("run", "--until", "work", NAME).stdout == ""  # no analyzer, no results


def test_force(beat, prefix):
    write_small_experiment(prefix)
    beat("run", NAME)
    shown = beat("run", "--force=work", NAME)
    assert "work: done" in shown.stderr
    assert "sum: cached" in shown.stderr
    assert "sum: done" in beat("run", "--force", NAME).stderr


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("beat", "beat"),
        ("__main__.py", f"{os.path.basename(sys.executable)} -m beat.backend.python"),
    ],
)
def test_a_failure_tells_how_to_go_on_and_how_to_debug(program, called, beat, prefix, monkeypatch):
    write_small_experiment(
        prefix, COPY.replace("        outputs", "        a = b\n        outputs")
    )
    monkeypatch.setattr(sys, "argv", [f"/somewhere/{program}", "run", NAME, "--force"])
    shown = beat("run", NAME, "--force", status=1)
    assert "NameError: name 'b' is not defined" in shown.stderr
    assert 'algorithms/user/work/1.py", line 4, in process' in shown.stderr
    assert f"to go on from here:\n  {called} run {NAME}\n" in shown.stderr
    assert f"to debug `work':\n  {called} run {NAME} --debug work\n" in shown.stderr
    monkeypatch.setattr(sys, "argv", [f"/somewhere/{program}", "run", NAME, "--debug=work"])
    assert "to debug" not in beat("run", NAME, status=1).stderr


def test_the_debugger_stops_where_the_user_code_failed(beat, prefix, monkeypatch):
    write_small_experiment(
        prefix, COPY.replace("        outputs", "        a = b\n        outputs")
    )
    import pdb

    stopped = []

    def post_mortem(traceback):
        while traceback.tb_next:
            traceback = traceback.tb_next
        stopped.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno))

    monkeypatch.setattr(pdb, "post_mortem", post_mortem)
    beat("run", "--debug", "work", NAME, status=1)
    assert stopped == [("process", 4)]


def test_inline_engine(beat, prefix):
    write_small_experiment(prefix)
    assert "total  190" in beat("run", "--engine", "inline", NAME).stdout


@pytest.mark.parametrize(
    ("arguments", "text", "status"),
    [
        (["run"], "Missing argument", 2),
        (["run", "--store", "mongodb://x", NAME], "no database in", 1),
        (["run", "--set", "work=3", NAME], "expected BLOCK.PARAMETER=VALUE", 2),
        (["run", "--root-folder", "x", NAME], "expected NAME=FOLDER", 2),
        (["run", "-j", "0", NAME], "0 is not in the range", 2),
        (["run", "user/user/small/1/none"], "declaration file not found", 1),
        (["run", "../../x"], "invalid experiment name", 1),
        (["run", "--from", "x", NAME], "no block `x'", 1),
        (["nothing"], "No such command", 2),
    ],
)
def test_mistakes_on_the_command_line(beat, prefix, arguments, text, status):
    write_small_experiment(prefix)
    assert text in beat(*arguments, status=status).stderr


def test_a_prefix_that_is_not_there(tmp_path):
    shown = CliRunner().invoke(main, ["--prefix", str(tmp_path / "none"), "run", "x"])
    assert shown.exit_code == 2
    assert "no such prefix folder" in shown.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help(arguments):
    assert CliRunner().invoke(main, arguments).exit_code == 0


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from beat.backend.python.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print({'numpy', 'zmq', 'simplejson', 'jsonschema'} & set(sys.modules))\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("set()\n")


SLOW = COPY.replace("        outputs", "        import time; time.sleep(0.5)\n        outputs")


def test_the_command_leaves_signals_as_they_were(beat, prefix):
    write_small_experiment(prefix)
    before = signal.getsignal(signal.SIGINT)
    beat("run", NAME)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("times", [1, 2])
def test_interruption(prefix, cache, times):
    write_small_experiment(prefix, SLOW)
    code = "from beat.backend.python.cli import main; main(prog_name='beat')"
    arguments = ["--prefix", str(prefix), "--cache", cache, "run", NAME]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    seen = []
    for line in process.stderr:
        seen.append(line)
        if re.search("work: running", line):
            break
    time.sleep(1)  # the block's processes are starting
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 130
    assert "interrupted; to go on from here" in rest
    assert not [name for _, _, names in os.walk(cache) for name in names if ".tmp" in name]


def test_database_index(beat, prefix, cache):
    write_small_experiment(prefix)
    for name in ("numbers/1", "numbers/1/protocol", "numbers/1/protocol/all", "numbers/1/all"):
        shown = beat("db", "index", name)
        label, path = shown.stdout.strip().split(": ")
        assert label == "numbers/1/protocol/all"
        assert len(json.loads(Path(path).read_text())) == 20


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("numbers", "expected DB[/PROTOCOL[/SET]]", 2),
        ("numbers/2", "file not found", 1),
        ("numbers/1/x", "no protocol, set or view `x'", 1),
        ("numbers/1/protocol/x", "no set `x'", 1),
    ],
)
def test_databases_that_cannot_be_indexed(beat, prefix, name, text, status):
    write_small_experiment(prefix)
    assert text in beat("db", "index", name, status=status).stderr
