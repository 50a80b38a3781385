from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.flow_files import write_rows

import beat.backend.python.flow as flow
from beat.backend.python.flow import command
from beat.backend.python.flow.progress import progress_bar

pytestmark = pytest.mark.serial

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """\
flow:
  source: A
  stages: [copy]
copy:
  classname: H5FlowTestStage
  path: h5flow.modules
"""


@pytest.fixture
def files(work):
    write_rows("in.h5", np.arange(10))
    (work / "c.yaml").write_text(CONFIG)
    return work


@pytest.fixture
def main(files, monkeypatch):
    monkeypatch.setattr(command, "H5FLOW_MPI", False)

    def main(*arguments):
        return command.main(["-c", "c.yaml", "-o", "out.h5", *arguments])

    return main


def copied():
    with h5py.File("out.h5") as file:
        return file["copy/data"][:].tolist() if "copy" in file else None


def test_a_flow(main, capsys):
    assert main("-i", "in.h5") == 0
    assert copied() == list(range(10))
    sections = [line for line in capsys.readouterr().out.splitlines() if line.startswith("~~~")]
    assert sections == [
        f"~~~ {name} ~~~" for name in ("H5FLOW", "WORKFLOW", "INIT", "RUN", "FINISH")
    ]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["-s", "3"], list(range(3, 10))),
        (["-e", "4"], list(range(4))),
        (["--start_position", "3", "--end_position", "5"], [3, 4]),
        (["-d", "copy", "other"], None),
        (["--drop", "cop"], list(range(10))),
        (["-z", "gzip"], list(range(10))),
        (["--compression", "lzf", "--in-place", "-vvv"], list(range(10))),
    ],
)
def test_options(main, arguments, expected):
    assert main("--input_filename", "in.h5", *arguments) == 0
    assert copied() == expected


def test_several_configurations(main, work):
    text = CONFIG.replace("source: A", "source: copy")
    (work / "d.yaml").write_text(text.replace("copy:", "next:").replace("[copy]", "[next]"))
    assert command.main(["-c", "c.yaml", "d.yaml", "-o", "out.h5", "-i", "in.h5"]) == 0
    with h5py.File("out.h5") as file:
        assert sorted(file) == ["A", "copy", "next"]


@pytest.mark.parametrize("verbose", ["-v", "-vv", "-vvv", "-vvvvv"])
def test_any_number_of_vs(main, verbose, capsys, monkeypatch):
    levels = []
    monkeypatch.setattr(logging, "basicConfig", lambda **options: levels.append(options))
    assert main("-i", "in.h5", verbose) == 0
    assert CONFIG in capsys.readouterr().out
    assert levels[0]["level"] == (logging.INFO if verbose == "-v" else logging.DEBUG)
    assert "(r0)" in levels[0]["format"]


def test_errors_are_told_in_one_line_and_in_full_on_demand(main, capsys):
    write_rows("out.h5", np.arange(3))
    assert main("-i", "in.h5") == 1
    shown = capsys.readouterr().err
    assert shown == (
        "error: the output `out.h5' exists already; it is replaced only with --overwrite "
        "(overwrite=True)\n"
    )
    assert main("-i", "in.h5", "-v") == 1
    assert "Traceback" in capsys.readouterr().err
    assert main("-i", "in.h5", "--overwrite") == 0


@pytest.mark.parametrize(
    "old, new, shown",
    [
        (
            "stages: [copy]",
            "stages: [cpy]",
            "error: c.yaml:3: flow.stages: there is no section `cpy' (did you mean `copy'?)\n",
        ),
        ("source: A", "source: B", "error: no dataset `B' in `in.h5' (there are: A)\n"),
        (
            "  path: h5flow.modules\n",
            "  requires: [B]\n",
            "error: stage `copy': cannot load requirement `B' (path: B) for rows 0:10 of `A': "
            "no dataset `B' in `out.h5' (there are: A, copy)\n"
            "  in stage `copy', rows 0:10 of `A'\n",
        ),
        (
            "H5FlowTestStage\n  path: h5flow.modules",
            "H5FlowTestStag",
            "(did you mean `H5FlowTestStage'?)\n  for c.yaml:5\n",
        ),
    ],
)
def test_what_people_get_wrong(main, work, capsys, old, new, shown):
    assert old in CONFIG
    (work / "c.yaml").write_text(CONFIG.replace(old, new))
    assert main("-i", "in.h5") == 1
    assert capsys.readouterr().err.endswith(shown)
    assert not os.path.exists("out.h5")


@pytest.mark.parametrize("arguments", [[], ["-c", "c.yaml"], ["-o", "x"], ["-x"], ["-z", "zip"]])
def test_bad_arguments(files, arguments, capsys):
    if "-z" in arguments:
        arguments = [*arguments, "-c", "c.yaml", "-o", "x"]
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


MINE = """\
from h5flow.core import H5FlowStage
class Mine(H5FlowStage):
    def run(self, *args):
        1 / 0
"""


def module(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "beat.backend.python.flow", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "H5FLOW_NOMPI": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_module_is_a_command(files):
    done = module("-c", "c.yaml", "-o", "out.h5", "-i", "in.h5", "--nompi")
    assert (done.returncode, done.stderr) == (0, "")
    assert copied() == list(range(10))
    assert module("-c", "c.yaml").returncode == 2
    assert module("-c", "none.yaml", "-o", "out.h5").returncode == 1
    (files / "mine.py").write_text(MINE)
    (files / "c.yaml").write_text("flow: {source: A, stages: [m]}\nm: {classname: Mine}\n")
    done = module("-c", "c.yaml", "-o", "out.h5", "-i", "in.h5", "--overwrite")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith(
        "ZeroDivisionError: division by zero\nin stage `m', rows 0:10 of `A'\n"
    )


def test_a_call(files):
    told = []
    flow.run(["c.yaml"], "out.h5", "in.h5", 2, 4, 0, None, True, "gzip", announce=told.append)
    assert copied() == [2, 3]
    assert told[0] == "~~~ H5FLOW ~~~\noutput file: out.h5\ninput file: in.h5"
    with pytest.raises(flow.command.ConfigError, match="a flow needs a configuration"):
        flow.run([], "out.h5")


# -- progress ----------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [True, False])
def test_bars_are_for_terminals(monkeypatch, terminal):
    class Terminal:
        encoding = "utf-8"
        shown = ""

        def write(self, text):
            self.shown += text

        def flush(self):
            pass

        def isatty(self):
            return terminal

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar([1, 2, 3], "hits", True) as items:
        assert list(items) == [1, 2, 3]
    assert ("hits: 100%" in screen.shown) is terminal
    assert screen.shown.isascii()
    with progress_bar([1, 2, 3], "hits", False) as items:
        assert list(items) == [1, 2, 3]


# -- what else must be installed ---------------------------------------------------------------


def without(module_name, code, **environment):
    """Run code in a process in which a module is not installed."""
    block = f"import sys; sys.modules[{module_name!r}] = None\n{code}"
    return subprocess.run(
        [sys.executable, "-c", block],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["h5py", "yaml"])
def test_a_missing_part_names_the_extra(name):
    done = without(name, "import beat.backend.python.flow")
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"MissingExtra: flows need `{name}', which is not installed; "
        "it comes with: pip install 'beat.backend.python[hdf5]'\n"
    )


def test_a_missing_bar_names_the_extra():
    code = (
        "from beat.backend.python.flow.progress import progress_bar\n"
        "with progress_bar([], '', False): print('fine')\n"
        "with progress_bar([], '', True): pass\n"
    )
    done = without("tqdm", code)
    assert done.stdout == "fine\n"
    assert "pip install 'beat.backend.python[hdf5]'" in done.stderr


OPEN = """
from beat.backend.python.flow import H5FLOW_MPI, H5FlowDataManager
print(H5FLOW_MPI)
try:
    H5FlowDataManager("x.h5")
except ImportError as error:
    print(error)
"""
SEVERAL = {"OMPI_COMM_WORLD_SIZE": "2"}


def test_one_process_needs_no_mpi(work):
    environment = {key: "" for key in os.environ if key.startswith(("OMPI_", "PMI"))}
    assert without("mpi4py", OPEN, **environment).stdout == "False\n"


def test_several_processes_need_mpi(work):
    assert without("mpi4py", OPEN, **SEVERAL).stdout.splitlines() == [
        "True",
        "flows of many processes need `mpi4py', which is not installed; it comes with: "
        "pip install 'beat.backend.python[mpi]'",
    ]
    assert without("mpi4py", OPEN, **SEVERAL, H5FLOW_NOMPI="1").stdout == "False\n"
    argument = "sys.argv.append('--nompi')\n"
    assert without("mpi4py", argument + OPEN, **SEVERAL).stdout == "False\n"
    alone = OPEN.replace('"x.h5"', '"x.h5", mpi=False')
    assert without("mpi4py", alone, **SEVERAL).stdout == "True\n"
