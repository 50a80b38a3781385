"""What importing the package brings along."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["jsonschema", "referencing", "click", "rich", "matplotlib", "h5py", "pymongo", "yaml"]


def modules_after(code: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(shown.stdout.split())


@pytest.mark.parametrize(
    "module", ["execution", "data", "database", "algorithm", "helpers", "runner", "testing"]
)
def test_nothing_heavy_is_imported_before_it_is_used(module):
    assert not modules_after(f"import beat.backend.python.{module}") & set(HEAVY)


def test_no_thread_and_no_context_is_made_at_import():
    code = (
        "import beat.backend.python.execution, threading, zmq\n"
        "assert threading.active_count() == 1\n"
        "assert zmq.Context._instance is None"
    )
    assert "zmq" in modules_after(code)


@pytest.mark.parametrize("module", ["stores", "flow"])
def test_rooms_that_stand_on_their_own_feet(module):
    loaded = modules_after(f"import beat.backend.python.{module}")
    for other in ("execution", "runner", "data", "database"):
        assert f"beat.backend.python.{other}" not in loaded


def test_other_distributions_may_live_beside_this_one(tmp_path):
    extend = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    for folder in ("beat", "beat/other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "beat" / "__init__.py").write_text(extend)
    (tmp_path / "beat" / "other" / "__init__.py").write_text("value = 3\n")
    code = (
        f"import sys; sys.path.append({str(tmp_path)!r})\n"
        "import beat.other, beat.backend.python.hash\n"
        "assert beat.other.value == 3"
    )
    assert "beat.other" in modules_after(code)
