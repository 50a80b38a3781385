"""Flows on several processes, started as people start them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.flow_files import write_rows

from beat.backend.python.flow import H5FlowDataManager

pytestmark = pytest.mark.serial

MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe"]
TESTS = Path(__file__).resolve().parent.parent

CONFIG = """\
flow: {{source: {source}, stages: [halves, sums, fail]}}
loop: {{classname: H5FlowDatasetLoopGenerator, dset_name: A, params: {{chunk_size: 70}}}}
numbers: {{classname: Numbers, path: support.flow_stages, dset_name: A, params: {{rows: 100}}}}
halves: {{classname: Halves, path: support.flow_stages}}
sums: {{classname: Sums, path: support.flow_stages, requires: [halves]}}
fail: {{classname: Fail, path: support.flow_stages, params: {{at: {at}, how: {how}, "on": {rank}}}}}
"""


def mpirun(size, *command, **options):
    """Run a Python command on several processes, for ten seconds at most after it failed."""
    return subprocess.run(
        [*MPIRUN, "-n", str(size), sys.executable, *command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


@pytest.fixture(scope="module", autouse=True)
def mpi():
    if shutil.which("mpirun") is None or find_spec("mpi4py") is None:
        pytest.skip("MPI is not installed: needs mpirun and mpi4py")
    code = "import h5py, sys; sys.exit(not h5py.get_config().mpi)"
    if mpirun(1, "-c", code).returncode:
        pytest.skip("h5py is not built for MPI")


@pytest.fixture
def config(work):
    def config(source="loop", at=10**9, how="raise", rank=1):
        text = CONFIG.format(source=source, at=at, how=how, rank=rank)
        (work / "c.yaml").write_text(text)
        return ["-m", "beat.backend.python.flow", "-c", "c.yaml"]

    return config


def contents(path):
    with H5FlowDataManager(path, "r", mpi=False) as flow:
        halves = flow["A", "halves", :]
        return flow["sums", :].tolist(), halves["value"].tolist(), halves["side"].tolist()


@pytest.mark.parametrize("compression", [[], ["-z", "gzip"]])
def test_results_do_not_depend_on_the_number_of_processes(work, config, compression):
    write_rows("in.h5", np.arange(1000.0))
    command = [*config(), "-i", "in.h5", *compression]
    serial = subprocess.run(
        [sys.executable, *command, "-o", "0.h5"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
        check=True,
        capture_output=True,
    )
    assert not serial.stderr
    expected = contents("0.h5")
    assert expected[0] == list(range(1000))
    for size in (1, 2, 3):
        done = mpirun(size, *command, "-o", f"{size}.h5")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("~~~ RUN ~~~") == 1
        assert contents(f"{size}.h5") == expected
    assert sorted(os.listdir()) == ["0.h5", "1.h5", "2.h5", "3.h5", "c.yaml", "in.h5"]


@pytest.mark.parametrize("how", ["raise", "exit", "kill"])
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("source", ["numbers", "loop"])
def test_a_failure_of_one_process_ends_all(work, config, how, rank, source):
    write_rows("in.h5", np.arange(1000.0))
    write_rows("out.h5", np.arange(10), "old")
    before = Path("out.h5").read_bytes()
    command = config(source, 150, how, rank)
    done = mpirun(2, *command, "-i", "in.h5", "-o", "out.h5", "--overwrite")
    assert done.returncode != 0
    if how == "raise":
        assert f"[process {rank} of 2] ArithmeticError: no result\n" in done.stderr
        assert f"[process {rank} of 2] in stage `fail', rows " in done.stderr
    assert Path("out.h5").read_bytes() == before
    left = [name for name in os.listdir() if name.endswith(".tmp")]
    assert how == "kill" or not left


def test_algorithms_run_on_each_process(work):
    write_rows("in.h5", np.arange(1000, dtype="i4"))
    (work / "c.yaml").write_text(
        "flow: {source: loop, stages: [made]}\n"
        "loop: {classname: H5FlowDatasetLoopGenerator, dset_name: A, params: {chunk_size: 70}}\n"
        "made:\n"
        "  classname: AlgorithmStage\n"
        "  path: beat.backend.python.flow.bridge\n"
        f"  params: {{prefix: {TESTS}/prefix, algorithm: user/echo_sequential/1}}\n"
    )
    command = ["-m", "beat.backend.python.flow", "-c", "c.yaml", "-i", "in.h5", "-o", "out.h5"]
    done = mpirun(2, *command)
    assert (done.returncode, done.stderr) == (0, "")
    with H5FlowDataManager("out.h5", "r", mpi=False) as flow:
        assert flow["A", "made/out", :]["value"][:, 0].tolist() == list(range(1000))


def test_a_configuration_that_is_wrong_ends_all(work, config):
    done = mpirun(2, *config("nothing"), "-o", "out.h5")
    assert done.returncode == 1
    assert "must specify an input filename! (it has the dataset `nothing'" in done.stderr
    assert os.listdir() == ["c.yaml"]


def test_working_alone_by_a_call(work, config):
    """Each process has a flow of its own."""
    config("numbers")
    (work / "alone.py").write_text(
        "import os\n"
        "from beat.backend.python.flow import run, H5FLOW_MPI\n"
        "assert H5FLOW_MPI\n"
        "run(['c.yaml'], os.environ['OMPI_COMM_WORLD_RANK'] + '.h5', nompi=True)\n"
    )
    done = mpirun(2, "alone.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert contents("0.h5") == contents("1.h5")
    assert contents("0.h5")[0] == list(range(300))


def test_working_alone_by_the_command_line(work, config):
    done = mpirun(1, *config("numbers"), "-o", "out.h5", "--nompi")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(contents("out.h5")[0]) == 300


def test_an_h5py_without_mpi_is_named(work):
    (work / "serial.py").write_text(
        "import sys, h5py\n"
        "h5py.get_config().__class__.mpi  # there\n"
        "class Config: mpi = False\n"
        "h5py.get_config = Config\n"
        "from beat.backend.python.flow import H5FlowDataManager\n"
        "H5FlowDataManager('x.h5', mpi=False)\n"
        "H5FlowDataManager('x.h5')\n"
    )
    done = mpirun(2, "serial.py")
    assert done.returncode != 0
    assert "2 processes on one file need an h5py that is built for MPI" in done.stderr
    assert "HDF5_MPI=ON pip install --no-binary=h5py h5py (or, to let" in done.stderr


def test_an_exception_that_a_script_does_not_catch_ends_all(work):
    (work / "script.py").write_text(
        "from beat.backend.python.flow import H5FlowDataManager\n"
        "flow = H5FlowDataManager('x.h5')\n"
        "flow.create_dset('A', 'i4')\n"
        "if flow.rank: raise LookupError('gone')\n"
        "flow.reserve_data('A', 3)\n"
    )
    done = mpirun(2, "script.py")
    assert done.returncode != 0
    assert "[process 1 of 2] LookupError: gone\n" in done.stderr
