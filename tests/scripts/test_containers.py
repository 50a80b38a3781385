"""The image of an environment: its Dockerfile, replayed, and a block that runs from it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.blocks import Workspace
from support.dockerfile import Build, BuildError, Stage, files_of_context, read_steps
from support.platform_driver import ROOT, SubprocessDriver

SCRIPTS = ["execute", "loop_execute", "databases_provider", "index", "describe"]
NAME, VERSION = "an environment", "1.3"


def test_a_build_is_sent_what_the_wheel_is_made_of_and_nothing_else(tmp_path: Path) -> None:
    for name in (".git/config", ".venv/bin/python", "beat/a.py", "beat/__pycache__/a.pyc", "key"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
    assert [*map(str, files_of_context(tmp_path))] == ["beat/a.py"]
    needed = {"README.rst", "LICENSE", "setup.py", "pyproject.toml", "beat/__init__.py"}
    assert needed <= {*map(str, files_of_context(ROOT))}


def test_the_image_is_lean_and_runs_as_nobody() -> None:
    steps = read_steps(ROOT / "Dockerfile")
    last = max(i for i, (instruction, _) in enumerate(steps) if instruction == "FROM")
    assert [steps[last][1]] == ["python:${PYTHON}-slim"]
    assert "COPY" not in dict(steps[last:])  # the wheel is only there while it is installed
    assert dict(steps[last:])["USER"] == "65534:65534"
    for instruction, given in steps:
        if instruction == "RUN" and "pip" in given:
            assert "--no-cache-dir" in given


def build(work: Path) -> Stage:
    """Replay the Dockerfile; without a network, skip the test."""
    try:
        return Build(ROOT, work, {"NAME": NAME, "VERSION": VERSION}).stage
    except BuildError as error:
        if "connection" in str(error).lower():
            pytest.skip(f"no network: {str(error).splitlines()[-1]}")
        raise


@pytest.mark.once
@pytest.mark.timeout(600)
def test_a_block_runs_from_the_image(workspace: Workspace, tmp_path: Path) -> None:
    image = build(tmp_path / "image")
    labels = {"type": "execution", "name": NAME, "version": VERSION}
    assert image.labels == {f"beat.env.{key}": value for key, value in labels.items()}
    assert sorted(path.name for path in image.root.iterdir()) == ["etc", "usr"]

    binaries = image.root / "usr" / "bin"
    assert {path.name for path in binaries.iterdir()} >= {*SCRIPTS}
    assert image.command == '["describe"]'
    describe = (
        "import sys; from beat.backend.python.scripts.describe import main\n"
        f"sys.exit(main(path={str(image.place('/etc/beat/environment.json'))!r}))"
    )
    said = subprocess.run(
        [binaries / "python", "-c", describe], cwd=tmp_path, env=image.environment, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert json.loads(said.stdout).items() >= {"name": NAME, "version": VERSION}.items()

    workspace.bring("user/echo_sequential/1")
    workspace.bring_database("simple/1")
    given = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    workspace.configure("user/echo_sequential/1", given)
    driver = SubprocessDriver(
        binaries, workspace.directory, workspace.cache, environment=image.environment
    )
    result = driver.process(workspace.configuration)
    assert (result["status"], result["peers"]) == (0, [0]), result
    assert result["statistics"]["data"]["network"]["wait_time"] > 0
    assert len(workspace.values()) > 0
