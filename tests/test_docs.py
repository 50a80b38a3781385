"""Every Python example in README and documentation runs and prints what it says."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.rst", *(ROOT / "doc").rglob("*.rst")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples(page, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "prefix", tmp_path / "prefix", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert failed == 0


def test_quick_start_has_two_blocks_of_one_command_each():
    section = (ROOT / "README.rst").read_text().split("Quick start")[1].split("\n=")[1]
    blocks = re.findall(r"::\n\n((?:    .*\n)+)", section)
    assert [len(block.splitlines()) for block in blocks] == [1, 1]
