"""What every test shares: the prefix of test objects, an empty cache, no leftovers."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.blocks import Workspace
    from support.peers import Peers

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def prefix() -> str:
    """The small prefix of test objects beside the tests (read only)."""
    return str(HERE / "prefix")


@pytest.fixture
def cache(tmp_path: Path) -> str:
    """Return an empty cache folder."""
    folder = tmp_path / "cache"
    folder.mkdir()
    return str(folder)


@pytest.fixture
def workspace(tmp_path: Path, prefix: str) -> Workspace:
    """Return an empty working directory of a block, and its cache."""
    from support.blocks import Workspace

    return Workspace(tmp_path, prefix)


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Return what makes message handlers and sockets, and closes them in the end."""
    from support.peers import Peers

    peers = Peers()
    yield peers
    peers.close()


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """Fail a test that leaves a thread or a child process behind."""
    threads = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in threads and t.is_alive() and not t.daemon]
    for thread in left:
        thread.join(timeout=5)
    assert not [t for t in left if t.is_alive()], "threads left running"
    assert not multiprocessing.active_children(), "child processes left running"
