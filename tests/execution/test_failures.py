"""Whose failures are whose, and what is told about them."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from beat.backend.python import loader
from beat.backend.python.data import CachedDataSource
from beat.backend.python.exceptions import RemoteException, UserError
from beat.backend.python.execution.failures import (
    MAX_CHARACTERS,
    OUT_OF_MEMORY,
    Failure,
    describe_failure,
)

CODE = """
class Algorithm:
    def name_error(self):
        a = b

    def runtime_error(self):
        raise RuntimeError("mine")

    def chained(self):
        try:
            self.name_error()
        except NameError as error:
            raise ValueError("worse") from error

    def outside(self):
        import json
        json.loads("{")

    def calls(self, function):
        function()

    def unprintable(self):
        class Odd(Exception):
            def __str__(self):
                raise ZeroDivisionError
        raise Odd()

    def exits(self):
        raise SystemExit(0)

    def talks(self):
        raise RuntimeError("x" * 1_000_000)
"""


class Users:
    """A prefix with one algorithm, and what its methods raise."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = str(prefix)
        self.file = prefix / "algorithms" / "user" / "bad" / "1.py"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(CODE)
        self.obj = loader.load_module("bad", str(self.file), {}).Algorithm()

    def raised_by(self, method: str, *args: Any, exc: Any = None) -> BaseException:
        try:
            loader.run(self.obj, method, exc, *args)
        except BaseException as error:  # noqa: BLE001 - whatever it is
            return error
        raise AssertionError("nothing was raised")

    def failure(self, method: str, *args: Any, exc: Any = None) -> Failure:
        return describe_failure(self.raised_by(method, *args, exc=exc), self.prefix)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "prefix")


@pytest.mark.parametrize("exc", [None, UserError])
def test_the_users_lines_with_paths_as_in_the_prefix(users: Users, exc: Any) -> None:
    kind, text = users.failure("name_error", exc=exc)
    assert kind == "usr"
    assert text.splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "algorithms/user/bad/1.py", line 4, in name_error',
        "    a = b",
    ]
    assert text.splitlines()[-1].startswith("NameError: name 'b' is not defined")


@pytest.mark.parametrize("exc", [None, UserError])
def test_causes_begin_at_the_users_file_too(users: Users, exc: Any) -> None:
    text = users.failure("chained", exc=exc).text
    assert text.count("Traceback (most recent call last):") == 2
    assert "direct cause" in text
    assert "a = b" in text
    assert text.endswith("ValueError: worse")
    assert users.prefix not in text


def test_what_the_users_lines_call_is_told(users: Users) -> None:
    lines = users.failure("outside").text.splitlines()
    assert 'File "algorithms/user/bad/1.py"' in lines[1]
    assert any("json/__init__.py" in line for line in lines)


def test_code_that_does_not_compile(users: Users) -> None:
    users.file.write_text("class Algorithm:\n    def process(self:\n")
    with pytest.raises(SyntaxError) as info:
        loader.load_module("bad", str(users.file), {})
    kind, text = describe_failure(info.value, users.prefix)
    assert kind == "usr"
    assert text.startswith('  File "algorithms/user/bad/1.py", line 2')
    assert "def process(self:" in text


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (UserError("Could not setup"), Failure("usr", "'Could not setup'")),
        (RemoteException("usr", "theirs"), Failure("usr", "theirs")),
        (RemoteException("sys", "broken"), Failure("sys", "broken")),
        (UserError(RemoteException("sys", "broken")), Failure("sys", "broken")),
        (UserError(UserError(RemoteException("usr", "no"))), Failure("usr", "no")),
        (RuntimeError("by convention"), Failure("usr", "RuntimeError: by convention")),
        (UserError(AttributeError("Algorithm")), Failure("usr", "AttributeError: Algorithm")),
        (KeyError("what"), Failure("sys", "KeyError: 'what'")),
    ],
)
def test_kinds(error: Exception, failure: Failure, tmp_path: Path) -> None:
    assert describe_failure(error, str(tmp_path)) == failure


def test_system_failures_are_told_in_full(tmp_path: Path) -> None:
    def broken() -> None:
        raise KeyError("deep")

    try:
        broken()
    except KeyError as error:
        kind, text = describe_failure(error, str(tmp_path / "prefix"))
    assert kind == "sys"
    assert __file__ in text
    assert 'raise KeyError("deep")' in text


def test_a_remote_failure_inside_the_users_code_stays_what_it_was(users: Users) -> None:
    def fetch() -> None:
        raise RemoteException("sys", "disk full over there")

    assert users.failure("calls", fetch, exc=UserError) == ("sys", "disk full over there")


@pytest.mark.parametrize("exc", [None, UserError])
def test_a_damaged_cache_is_the_systems_also_inside_the_users_code(
    users: Users, exc: Any, cache: str
) -> None:
    Path(cache, "out.0.1.data").write_text("x")
    Path(cache, "out.0.1.index").write_text("0 1\n")

    def read() -> None:
        CachedDataSource().setup(f"{cache}/out.data", users.prefix)

    kind, text = users.failure("calls", read, exc=exc)
    assert kind == "sys"
    assert "checksum" in text


@pytest.mark.parametrize("exc", [None, UserError])
def test_a_file_that_the_user_cannot_open_is_the_users(users: Users, exc: Any) -> None:
    def read() -> None:
        raise FileNotFoundError(errno.ENOENT, "no such image")

    kind, text = users.failure("calls", read, exc=exc)
    assert kind == "usr"
    assert "no such image" in text


@pytest.mark.parametrize("exc", [None, UserError])
def test_memory(users: Users, exc: Any) -> None:
    def grow() -> None:
        raise MemoryError

    kind, text = users.failure("calls", grow, exc=exc)
    assert kind == "usr"
    assert text.startswith(OUT_OF_MEMORY)
    assert "function()" in text


@pytest.mark.parametrize("method", ["unprintable", "exits", "runtime_error"])
def test_odd_exceptions_are_the_users(users: Users, method: str) -> None:
    kind, text = users.failure(method)
    assert kind == "usr"
    assert 'File "algorithms/user/bad/1.py"' in text


def test_texts_are_bounded(users: Users) -> None:
    text = users.failure("talks").text
    assert len(text) < MAX_CHARACTERS + 100
    assert text.startswith("Traceback")
    assert "characters ..." in text
