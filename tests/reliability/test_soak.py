"""The soak works, and finds nothing in the few rounds that there is time for here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_few_rounds() -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    print(done.stderr)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["rounds"] > 0
    assert found["wrong"] == 0
