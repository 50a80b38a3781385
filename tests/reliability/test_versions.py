"""A process of another version of this package refuses to take part in a run, and says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.blocks import Workspace
from support.small_experiment import write_small_experiment

from beat.backend.python.execution.block import MADE_BY, load_configuration
from beat.backend.python.runner import RunFailed, Runner
from beat.backend.python.version import VERSION

# Python reads it before anything else: the processes of one script claim to be older
CLAIM = """
import sys
if {script!r} in " ".join(sys.orig_argv):
    import beat.backend.python.version
    beat.backend.python.version.VERSION = "0.9"
"""
ALGORITHM = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": inputs["in"].data.value})
        return True
"""


@pytest.mark.parametrize("script", ["scripts.execute", "scripts.databases_provider", "nobody"])
def test_a_process_of_another_version(
    tmp_path: Path, cache: str, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    prefix, claiming = tmp_path / "prefix", tmp_path / "claiming"
    prefix.mkdir()
    claiming.mkdir()
    (claiming / "sitecustomize.py").write_text(CLAIM.format(script=script))
    paths = [str(claiming), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    name = write_small_experiment(prefix, ALGORITHM)
    if script == "nobody":
        assert Runner(str(prefix), cache).run(name).results["sum"]
        return
    with pytest.raises(RunFailed) as caught:
        Runner(str(prefix), cache).run(name)
    told = f"made by version {VERSION} of {MADE_BY}, but this process has version 0.9"
    assert told in str(caught.value)


@pytest.mark.parametrize("version", ["0.9", "2.0.0.dev1", "", None, 2, ["x" * 1000]])
def test_a_configuration_of_another_version(workspace: Workspace, version: object) -> None:
    path = workspace.directory / "configuration.json"
    path.write_text(json.dumps({MADE_BY: version}))
    with pytest.raises(ValueError, match="all processes of a run must have the same one") as caught:
        load_configuration(str(workspace.directory))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("content", [{}, {MADE_BY: VERSION}])
def test_drivers_that_tell_no_version(workspace: Workspace, content: dict[str, str]) -> None:
    path = workspace.directory / "configuration.json"
    path.write_text(json.dumps(content))
    assert load_configuration(str(workspace.directory)) == content
