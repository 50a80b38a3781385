"""Classes of objects made from declarations without files."""

from __future__ import annotations

from typing import Any

from beat.backend.python.baseformat import baseformat
from beat.backend.python.dataformat import DataFormat


def format_of(declaration: dict[str, Any], name: str | None = None) -> DataFormat:
    """Return the format that a declaration says, with that name."""
    dataformat = DataFormat("/nonexistent", declaration)
    assert dataformat.valid, dataformat.errors
    if name is not None:
        dataformat._name = name
    return dataformat


def class_of(declaration: dict[str, Any], name: str | None = None) -> type[baseformat]:
    """Return the class of the objects of such a format."""
    return format_of(declaration, name).type
