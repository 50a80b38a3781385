"""A prefix of everything, and what is found after one change to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.declarations import changed
from support.declared_prefix import KIND_OF, declaration_of, write_everything
from support.objects import write_object

from beat.backend.python.checks import open_catalog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The prefix of everything."""
    write_everything(tmp_path / "prefix")
    return tmp_path / "prefix"


@pytest.fixture
def check(folder):
    """Check an object of the prefix, maybe after some parts of its declaration were changed."""

    def check(name, *changes, where=None):
        where, declaration = declaration_of(name) if where is None else (where, {})
        for path, value in changes:
            declaration = changed(declaration, *path, to=value)
        if changes:
            write_object(folder, where, name, declaration)
        entry = open_catalog(str(folder)).find(KIND_OF[where], name)
        assert entry is not None
        return entry.findings

    return check
