"""Fixtures of flows. All tests but those marked `serial` also run on several processes of MPI."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from beat.backend.python.flow import H5FlowDataManager
from beat.backend.python.flow.processes import world

SIZE = world().size


def pytest_configure(config):
    config.addinivalue_line("markers", "serial: not on several processes of MPI")


def pytest_collection_modifyitems(items):
    for item in items:
        if SIZE > 1 and item.get_closest_marker("serial"):
            item.add_marker(pytest.mark.skip(reason="not on several processes"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """End all processes when a test fails on one: the others would wait for it."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and SIZE > 1:
        where = f"process {world().rank} of {SIZE}: {item.nodeid}"
        sys.__stderr__.write(f"{where}\n{report.longreprtext}\n")
        sys.__stderr__.flush()
        world().comm.Abort(1)


@pytest.fixture
def processes():
    return world()


@pytest.fixture
def folder(processes):
    """Return an empty folder, the same for all processes."""
    name = processes.from_first(tempfile.mkdtemp() if processes.rank == 0 else None)
    yield Path(name)
    processes.barrier()
    if processes.rank == 0:
        shutil.rmtree(name)


@pytest.fixture
def work(folder, monkeypatch):
    """Make that folder the working folder."""
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def together(processes):
    """Let one process make something, and the others wait for it."""

    def together(function, *args):
        result = function(*args) if processes.rank == 0 else None
        return processes.from_first(result)

    return together


@pytest.fixture
def open_flow(folder):
    """Open flow files, and close them in the end."""
    opened = []

    def open_flow(name="flow.h5", mode="a", **options):
        opened.append(H5FlowDataManager(str(folder / name), mode, **options))
        return opened[-1]

    yield open_flow
    for manager in opened:
        manager.close_file()
        manager.processes.barrier()


@pytest.fixture
def flow(open_flow):
    """Return the manager of a new file."""
    return open_flow()


@pytest.fixture
def fill():
    """Make a dataset with given rows, each process its share of them."""

    def fill(flow, name, rows):
        flow.create_dset(name, rows.dtype, rows.shape[1:])
        flow.reserve_data(name, slice(0, len(rows)))
        share = slice(len(rows) * flow.rank // flow.size, len(rows) * (flow.rank + 1) // flow.size)
        flow.write_data(name, share, rows[share])
        flow.sync()

    return fill


@pytest.fixture
def link():
    """Write references, each process its share of them."""

    def link(flow, parent, child, refs):
        flow.create_ref(parent, child)
        first, last = (len(refs) * (flow.rank + k) // flow.size for k in (0, 1))
        flow.write_ref(parent, child, refs[first:last])
        flow.sync()

    return link
