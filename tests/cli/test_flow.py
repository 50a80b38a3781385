from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from support.flow_files import write_example, write_rows

from beat.backend.python.cli import main

CONFIG = """\
resources:
  - classname: Geometry
    path: support.flow_stages
flow:
  source: charge/events
  stages: [copy, note]
  drop: [waste]
copy:
  classname: H5FlowTestStage
note:
  classname: Note
  path: support.flow_stages
  requires:
    - charge/hits
    - {name: t, path: [charge/hits, tracks], index_only: true}
    - {name: n, path: none, optional: true}
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_example("in.h5")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def beat():
    def beat(*arguments, status=0):
        shown = CliRunner().invoke(main, ["flow", *arguments])
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        assert shown.exit_code == status, shown.output
        return shown.output

    return beat


def test_what_is_not_installed_is_told_in_a_word(beat, monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith("beat.backend.python.") and "flow" in name
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h5py", None)
    shown = beat("ls", "x.h5", status=1)
    assert shown.startswith("Error: flows need `h5py'")
    assert "pip install 'beat.backend.python[hdf5]'" in shown


def test_run(beat, work):
    shown = beat("run", "-c", "c.yaml", "-i", "in.h5", "-o", "out.h5", "-s", "1", "-z", "gzip")
    assert "~~~ FINISH ~~~" in shown
    with h5py.File("out.h5") as file:
        assert len(file["copy/data"]) == 3
        assert file["copy/data"].compression == "gzip"
    shown = beat("run", "-c", "c.yaml", "-i", "in.h5", "-o", "out.h5", status=1)
    assert "error: the output `out.h5' exists already" in shown
    beat("run", "-c", "c.yaml", "-i", "in.h5", "-o", "out.h5", "--overwrite", "-d", "copy")
    with h5py.File("out.h5") as file:
        assert sorted(file) == ["charge", "tracks"]
    assert "Missing option" in beat("run", "-c", "c.yaml", status=2)


def test_show(beat, work):
    (work / "d.yaml").write_text(
        "flow: {source: g}\ng: {classname: Numbers, dset_name: raw/numbers}\n"
    )
    assert beat("show", "-c", "c.yaml", "-c", "d.yaml") == (
        "c.yaml\n"
        "  resource Geometry\n"
        "  source charge/events, looped over\n"
        "  stage copy: H5FlowTestStage\n"
        "  stage note: Note\n"
        "    requires charge/hits: charge/hits\n"
        "    requires t: charge/hits -> tracks (row numbers)\n"
        "    requires n: none (optional)\n"
        "  drops waste\n"
        "d.yaml\n"
        "  source raw/numbers, made by Numbers\n"
    )
    (work / "d.yaml").write_text("flow: 3")
    assert "d.yaml:1: `flow' must be a mapping" in beat("show", "-c", "d.yaml", status=1)


def test_check(beat, work):
    assert beat("check", "-c", "c.yaml", "-i", "in.h5") == "no errors found\n"
    (work / "c.yaml").write_text(
        CONFIG.replace("charge/events", "charge/event")
        .replace("TestStage", "TestStag")
        .replace("drop: ", "drops: ")
    )
    shown = beat("check", "-c", "c.yaml", "-i", "in.h5", status=1).splitlines()
    assert len(shown) == 3
    assert "warning: c.yaml:7: the key `drops' of flow is not used (did you mean `drop'?)" in shown
    assert shown[1].startswith("error: c.yaml:9: no class `H5FlowTestStag' in the Python files of ")
    assert shown[2].startswith(
        "error: c.yaml:5: no dataset `charge/event' in `in.h5' (did you mean `charge/events'"
    )
    shown = beat("check", "-c", "c.yaml", "-c", "none.yaml", status=1)
    assert "error: none.yaml: cannot be read" in shown


def test_ls(beat, work):
    write_rows("other.h5", np.zeros((1, 4, 5)), "im/ages")
    lines = beat("ls", "in.h5", "other.h5").splitlines()
    assert lines[0].startswith("in.h5 (")
    assert "  charge/hits: 6 rows, float32 (2,)" in lines
    assert "  charge/hits -> tracks: 4 references (charge/hits/ref/tracks/ref)" in lines
    assert lines[-1] == "  im/ages: 1 row, float64 (4, 5)"
    assert "    classname" not in "".join(lines)
    assert "  /charge/events: classname = EventBuilder" in beat("ls", "--attrs", "in.h5")
    assert "no such file: `on.h5' (did you mean `in.h5'" in beat("ls", "on.h5", status=1)


def test_help(beat):
    for command in ("run", "check", "show", "ls"):
        assert command in beat("--help")
        assert "Usage" in beat(command, "--help")
