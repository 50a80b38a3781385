"""The public names, and the arguments of what can be called, change on purpose only."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

from support.exports import PACKAGE, PUBLIC, exported

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "doc" / "reference"


def test_public_names_and_arguments():
    expected = (HERE / "golden" / "exports.txt").read_text().splitlines()
    changes = list(unified_diff(expected, list(exported()), lineterm="", n=0))[2:]
    advice = "if that is meant: python tests/support/exports.py >tests/golden/exports.txt"
    assert not changes, "\n".join([*changes, advice])


def test_every_public_module_is_in_the_reference():
    text = "".join(page.read_text() for page in PAGES.glob("*.rst"))
    assert [name for name in PUBLIC if f".. automodule:: {PACKAGE}.{name}\n" not in text] == []
