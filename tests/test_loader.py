from __future__ import annotations

import os
import sys
import traceback

import pytest

from beat.backend.python.exceptions import UserError
from beat.backend.python.loader import load_module, run


@pytest.fixture
def code(tmp_path):
    """Write a Python file and return its path."""

    def write(text: str, name: str = "code.py") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_modules_are_fresh_and_know_their_file(code):
    path = code("values = []")
    one, other = load_module("one", path, {}), load_module("one", path, {})
    assert one is not other
    assert one.values is not other.values
    assert one.__name__ == "one"
    assert one.__file__ == path
    assert "one" not in sys.modules


def test_libraries_are_bound_to_their_aliases_before_the_code_runs(code):
    inner = code("value = 3", "inner.py")
    library = code("value = deep.value * 2", "library.py")
    path = code("result = lib.value + 1")
    uses = {"lib": {"path": library, "uses": {"deep": {"path": inner, "uses": {}}}}}
    assert load_module("main", path, uses).result == 7


def test_an_alias_does_not_hide_an_installed_module(code):
    library = code("import json\nvalue = json.dumps([1])", "library.py")
    path = code("value = json.value")
    uses = {"json": {"path": library, "uses": {}}}
    assert load_module("main", path, uses).value == "[1]"
    assert sys.modules["json"].__name__ == "json"


def test_a_changed_file_is_compiled_again(code):
    assert load_module("m", code("value = 1"), {}).value == 1
    path = code("value = 22")
    assert load_module("m", path, {}).value == 22


def test_a_file_is_compiled_once_while_it_does_not_change(code, monkeypatch):
    import builtins

    compiled = []
    original = builtins.compile

    def counting(source, filename, *args, **kwargs):
        compiled.append(filename)
        return original(source, filename, *args, **kwargs)

    path = code("value = 1", "counted.py")
    monkeypatch.setattr(builtins, "compile", counting)
    for _ in range(3):
        load_module("m", path, {})
    assert compiled.count(path) == 1


def test_dataclasses_with_postponed_annotations_work(code):
    path = code(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Point:\n"
        "    x: int = 3\n"
    )
    assert load_module("user_points_1", path, {}).Point().x == 3


def test_features_of_this_package_do_not_leak_into_user_code(code):
    assert load_module("m", code("x: 1 + 1"), {}).__annotations__ == {"x": 2}


def test_errors_of_the_code_are_unchanged_and_name_the_real_file(code):
    with pytest.raises(SyntaxError) as syntax:
        load_module("m", code("def broken(:\n"), {})
    assert syntax.value.filename.endswith("code.py")
    with pytest.raises(ZeroDivisionError) as division:
        load_module("m", code("\n1 / 0\n"), {})
    last = traceback.extract_tb(division.value.__traceback__)[-1]
    assert (os.path.basename(last.filename), last.lineno, last.line) == ("code.py", 2, "1 / 0")
    assert "m" not in sys.modules


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_module("m", str(tmp_path / "none.py"), {})


class User:
    def __init__(self, value: int = 1) -> None:
        self.value = value

    def double(self, extra: int = 0) -> int:
        return self.value * 2 + extra

    def fail(self) -> None:
        raise KeyError("user's own")


def test_run_calls_methods_and_constructors():
    assert run(User(4), "double", None, extra=1) == 9
    assert run(User, "__new__", None, 5).value == 5
    assert run(User, "__new__", UserError, value=6).value == 6


def test_run_leaves_exceptions_unchanged_without_a_class():
    with pytest.raises(KeyError, match="user's own"):
        run(User(), "fail")
    with pytest.raises(AttributeError):
        run(User(), "missing")


@pytest.mark.parametrize("method", ["fail", "missing"])
def test_run_wraps_exceptions_and_keeps_the_traceback(method):
    with pytest.raises(UserError) as caught:
        run(User(), method, UserError)
    assert isinstance(caught.value.value, (KeyError, AttributeError))
    assert caught.value.__suppress_context__
    if method == "fail":
        last = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert last.name == "fail"


def test_run_does_not_hold_back_an_exit():
    class Leaving:
        def process(self):
            raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(Leaving(), "process", UserError)
