"""Command lines: what is taken, what is not, and that asking costs little."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest
from support.processes import SCRIPTS, command

NAMES = ["execute", "loop_execute", "databases_provider", "index", "describe"]


def main(name: str, *arguments: str) -> int:
    """Run a script in this process; return its exit status."""
    try:
        status: int = importlib.import_module(f"{SCRIPTS}.{name}").main(list(arguments))
    except SystemExit as error:
        return int(error.code or 0)
    return status


@pytest.mark.parametrize("name", NAMES)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(name, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {name} ")
    assert ("--debug" in text) == (name != "describe")


@pytest.mark.parametrize("name", NAMES)
def test_asking_for_help_loads_nothing_heavy(name: str) -> None:
    code = (
        f"import sys\nfrom {SCRIPTS}.{name} import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'zmq', 'simplejson', 'jsonschema', 'logging'} & sys.modules.keys()\n"
        "sys.exit(repr(heavy) if heavy else 0)\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("execute", []),
        ("execute", ["a"]),
        ("execute", ["a", "b", "c", "d"]),
        ("execute", ["--odd", "a", "b"]),
        ("execute", ["--cach=/x", "a", "b"]),
        ("execute", ["--cache"]),
        ("loop_execute", ["a", "b"]),
        ("loop_execute", ["a", "b", "c", "d", "e"]),
        ("databases_provider", ["a", "b"]),
        ("databases_provider", ["a", "b", "c", "d", "e"]),
        ("index", ["a", "b"]),
        ("index", ["--uid=me", "a", "b", "c"]),
        ("index", ["a", "b", "c", "d", "e", "f"]),
        ("describe", ["a", "b", "c"]),
    ],
)
def test_wrong_command_lines(
    name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(name, *arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"{name}: ")
    assert "usage:" in captured.out


@pytest.mark.parametrize(
    ("name", "target", "arguments", "expected"),
    [
        (
            "execute",
            "running.run_algorithm",
            ["tcp://h:1", "dir"],
            ("tcp://h:1", "dir", "/cache", None, None),
        ),
        (
            "execute",
            "running.run_algorithm",
            ["--debug", "--cache=/c", "tcp://h:1", "dir", "tcp://h:2", "--loop=tcp://h:3"],
            ("tcp://h:1", "dir", "/c", "tcp://h:2", "tcp://h:3"),
        ),
        (
            "execute",
            "running.run_algorithm",
            ["--cache", "/c", "--loop", "h:3", "h:1", "dir"],
            ("h:1", "dir", "/c", None, "h:3"),
        ),
        ("loop_execute", "serving.serve_evaluator", ["h:1", "d", "c"], ("h:1", "d", "c", None)),
        (
            "loop_execute",
            "serving.serve_evaluator",
            ["--debug", "h:1", "d", "c", "tcp://h:2"],
            ("h:1", "d", "c", "tcp://h:2"),
        ),
        ("databases_provider", "serving.serve_databases", ["h", "d", "c"], ("h", "d", "c", None)),
        (
            "databases_provider",
            "serving.serve_databases",
            ["h", "d", "c", "loop"],
            ("h", "d", "c", "loop"),
        ),
        (
            "index",
            "index.index_database",
            ["--db_root_folder=/r", "p", "c", "d/1", "protocol", "set"],
            ("p", "c", "d/1", "protocol", "set", "/r"),
        ),
        ("index", "index.index_database", ["p", "c", "d/1"], ("p", "c", "d/1", None, None, None)),
    ],
)
def test_where_arguments_go(
    name: str,
    target: str,
    arguments: list[str],
    expected: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    got: list[tuple[Any, ...]] = []
    module, function = target.split(".")
    monkeypatch.setattr(
        importlib.import_module(f"{SCRIPTS}.{module}"), function, lambda *a: got.append(a) or 0
    )
    assert not main(name, *arguments)
    assert got[0][: len(expected)] == expected


def test_the_processes_arguments_are_the_default() -> None:
    process = subprocess.run(command("describe", "name"), capture_output=True, text=True)
    assert process.returncode == 0
    assert '"name": "name"' in process.stdout


@pytest.mark.parametrize(
    ("name", "target", "count"),
    [
        ("execute", "running.run_algorithm", 2),
        ("loop_execute", "serving.serve_evaluator", 3),
        ("databases_provider", "serving.serve_databases", 3),
    ],
)
def test_where_keys_go(name: str, target: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[Any, ...]] = []
    module, function = target.split(".")
    monkeypatch.setattr(
        importlib.import_module(f"{SCRIPTS}.{module}"), function, lambda *a: got.append(a) or 0
    )
    assert not main(name, "--keys=/k", *"adc"[:count])
    assert got[0][-1] == "/k"
