"""The soak works, and finds nothing in the rounds that there is time for here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.once
@pytest.mark.timeout(300)
def test_a_few_rounds() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--rounds", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stderr)
    assert done.returncode == 0
    assert done.stderr.startswith("seed ")
    found = json.loads(done.stdout)
    assert found["rounds"] == 2
    assert found["blocks"] > 2
    assert found["wrong"] == found["damaged"] == found["survivors"] == 0


def test_what_is_lost_is_told(tmp_path: Path) -> None:
    """A soak that could not fail would show nothing."""
    code = (
        "import sys\n"
        "from benchmarks import soak\n"
        "write = soak.write_experiment\n"
        "soak.write_experiment = lambda *given: write(*given) + 1\n"
        "soak.Round.disturb = lambda self: self.cache.mkdir(exist_ok=True)\n"
        "sys.argv = ['soak', '--rounds', '1']\n"
        "sys.exit(soak.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert json.loads(done.stdout)["wrong"] > 0
    assert "instead of" in done.stderr
