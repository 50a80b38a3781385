"""The page of promises: complete, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "doc" / "promises.rst").read_text(encoding="utf-8")
TEST = re.compile(r"``(tests/[\w/]+\.py)(?:::(\w+)(?:::(\w+))?)?``")
ROW = re.compile(r"^   \* - (\d+)\n(?P<rest>(?:     .*\n)*)", re.MULTILINE)

NAMED = sorted(set(TEST.findall(PAGE)))
ROWS = {int(match[1]): match["rest"] for match in ROW.finditer(PAGE)}


def names_in(path: Path) -> set[tuple[str, str]]:
    """Return the functions of a file, and the methods of its classes."""
    found = {("", "")}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add((node.name, ""))
        if isinstance(node, ast.ClassDef):
            found |= {(node.name, n.name) for n in node.body if isinstance(n, ast.FunctionDef)}
    return found


@pytest.mark.parametrize(("file", "name", "method"), NAMED)
def test_each_test_that_is_named_exists(file: str, name: str, method: str) -> None:
    assert (ROOT / file).is_file()
    assert (name, method) in names_in(ROOT / file)


def test_all_promises_are_there_in_order() -> None:
    assert list(ROWS) == list(range(1, 34))


@pytest.mark.parametrize("number", range(1, 34))
def test_each_promise_has_a_test_or_says_that_it_has_none(number: int) -> None:
    assert TEST.search(ROWS[number]) or "No test yet" in ROWS[number]
