"""The description of the environment."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import pytest

from beat.backend.python.scripts.describe import environment, main

FILE = {
    "name": "tests",
    "version": "1.3",
    "databases": ["simple/1"],
    "capabilities": ["execution"],
    "secret": "not told",
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "environment.json"
    path.write_text(json.dumps(FILE))
    return str(path)


def test_without_file(tmp_path: Path) -> None:
    assert environment(path=str(tmp_path / "absent.json")) == {
        "name": "Python",
        "version": platform.python_version(),
        "os": [*os.uname()],
    }


def test_with_file(file: str) -> None:
    told = {key: FILE[key] for key in ("name", "version", "databases", "capabilities")}
    assert environment(path=file) == {**told, "os": [*os.uname()]}


@pytest.mark.parametrize(
    ("arguments", "name", "version"),
    [([], "tests", "1.3"), (["other"], "other", "1.3"), (["other", "2"], "other", "2")],
)
def test_the_command(
    file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], name: str, version: str
) -> None:
    assert main(arguments, path=file) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["name"], printed["version"]) == (name, version)
    assert printed["databases"] == ["simple/1"]


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_files_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[Any], text: str) -> None:
    path = tmp_path / "environment.json"
    path.write_text(text)
    assert main([], path=str(path)) == 1
    assert capsys.readouterr().err.startswith("describe: ")
