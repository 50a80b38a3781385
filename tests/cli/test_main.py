from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from beat.backend.python.cli import main
from beat.backend.python.version import VERSION


def test_the_version():
    shown = CliRunner().invoke(main, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"beat, version {VERSION}\n")


def test_the_command_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "beat.backend.python", "--version"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"beat, version {VERSION}\n", "")


@pytest.mark.parametrize("where", ["mongodb://127.0.0.1/results", "memory:"])
def test_a_store_whose_extra_is_not_installed(tmp_path, monkeypatch, where):
    monkeypatch.setitem(sys.modules, "pymongo", None)
    shown = CliRunner().invoke(main, ["--prefix", str(tmp_path), "results", "ls", "--store", where])
    if where == "memory:":
        assert shown.exit_code == 0, shown.output
    else:
        assert shown.exit_code == 1
        assert "pip install 'beat.backend.python[mongodb]'" in shown.output
