"""Nothing waits by the clock on the wall, which may jump: by the monotonic one only."""

from __future__ import annotations

import ast
from pathlib import Path

import beat.backend.python.loader

PACKAGE = Path(beat.backend.python.loader.__file__).parent

WALL = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}

# Where the date is meant, and why
ALLOWED = {
    # whether time stamps of files are old enough to be believed
    "data/cache_files.py": {"time.time"},
    "stores/index.py": {"time.time_ns"},
    # how old what the dead have left is
    "stores/staging.py": {"time.time"},
    "stores/mongo_store.py": {"datetime.now"},
    # when results were made, and since when somebody is waited for
    "runner/keeping.py": {"datetime.now"},
    "runner/locks.py": {"datetime.now"},
}


def wall_clocks(text: str) -> set[str]:
    """Return the clocks on the wall that a module looks at."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else node.value
            name = owner.id if isinstance(owner, ast.Name) else str(owner)
            if node.attr in WALL.get(name, ()):
                found.add(f"{name}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {f"time.{n.name}" for n in node.names if n.name in WALL["time"]}
    return found


def test_clocks_are_found() -> None:
    assert wall_clocks("import time\nwhile time.time() < end: pass") == {"time.time"}
    assert wall_clocks("from time import time, monotonic") == {"time.time"}
    assert wall_clocks("import datetime\ndatetime.datetime.now()") == {"datetime.now"}
    assert wall_clocks("import time\ntime.monotonic(); event.wait(3); self.time()") == set()


def test_only_dates_are_taken_from_the_clock_on_the_wall() -> None:
    found = {
        str(path.relative_to(PACKAGE)): clocks
        for path in PACKAGE.rglob("*.py")
        if (clocks := wall_clocks(path.read_text(encoding="utf-8")))
    }
    assert found == ALLOWED
