from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from beat.backend.python import publish as publishing


def test_a_published_file_is_whole_and_alone(tmp_path):
    path = tmp_path / "file"
    publishing.publish(str(path), b"one")
    publishing.publish(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]


def test_the_mode_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        publishing.publish(str(tmp_path / "file"), b"")
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.fixture
def no_threads():
    threading.stack_size(1 << 47)  # more than there are addresses
    yield
    threading.stack_size(0)


def test_files_become_durable_where_no_thread_can_be_started(tmp_path, monkeypatch, no_threads):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with pytest.raises(RuntimeError):
        threading.Thread(target=print).start()
    files = [open(tmp_path / name, "wb") for name in "abc"]  # noqa: SIM115
    publishing.make_durable(files)
    assert sorted(synced) == sorted(file.fileno() for file in files)
    for file in files:
        file.close()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    publishing.publish(str(path), b"old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        publishing.publish(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_temporary_files_of_the_dead_are_told_from_those_of_the_living(tmp_path):
    path = str(tmp_path / "file")
    code = (
        "from beat.backend.python.publish import open_temporary\n"
        f"print(open_temporary({path!r}).name)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dead:
        name = dead.stdout.read().strip()
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        assert publishing.is_leftover(name)  # though nobody has asked yet how it ended
    assert publishing.is_leftover(name)
    with publishing.open_temporary(path) as mine:
        assert not publishing.is_leftover(mine.name)
    assert not publishing.is_leftover(path)
    assert not publishing.is_leftover(str(tmp_path / ".file.1-00000000.tmp"))


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        publishing.publish(str(tmp_path / "none" / "file"), b"")
