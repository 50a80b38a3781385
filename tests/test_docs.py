"""What README and documentation show is done and comes out: Python examples, commands, files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.pages import run_page

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [ROOT / "README.rst", ROOT / "prefix" / "README.rst", *(ROOT / "doc").rglob("*.rst")]
)


@pytest.mark.timeout(600)  # a page runs whole experiments, one after the other
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples(page, tmp_path, monkeypatch):
    folder = tmp_path / "work"
    ignored = shutil.ignore_patterns("cache", "results", "__pycache__")
    shutil.copytree(ROOT / "prefix", folder / "prefix", ignore=ignored)
    monkeypatch.chdir(folder)
    assert run_page(page, folder, tmp_path / "programs").failed == 0


def test_quick_start_has_two_blocks_of_one_command_each():
    section = (ROOT / "README.rst").read_text().split("Quick start")[1].split("\n=")[1]
    blocks = re.findall(r"::\n\n((?:    .*\n)+)", section)
    assert [len(block.splitlines()) for block in blocks] == [1, 1]
