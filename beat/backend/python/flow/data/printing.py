"""What is in a flow file, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from ..errors import shorten
from .layout import dset_of, walk


def describe_data(group: Any) -> Iterator[str]:
    """Yield a line for each dataset in a file or group."""
    for path, item in _datasets(group, "/data"):
        dtype = shorten(str(item.dtype))
        compression = f", {item.compression}" if item.compression else ""
        shape = f" {item.shape[1:]}" if len(item.shape) > 1 else ""
        yield f"{dset_of(path)}: {_rows(item)}, {dtype}{shape}{compression}"


def describe_refs(group: Any) -> Iterator[str]:
    """Yield a line for each set of references in a file or group."""
    for path, item in _datasets(group, "/ref"):
        ends = [item.attrs.get(f"dset{number}") for number in (0, 1)]
        arrow = " -> ".join(dset_of(end) if isinstance(end, str) else "?" for end in ends)
        yield f"{arrow}: {item.shape[0]} references ({path.strip('/')})"


def describe_attrs(group: Any) -> Iterator[str]:
    """Yield a line for each attribute of a file or group and of what is in it."""
    for path, item in [("/", group), *walk(group)]:
        for key, value in item.attrs.items():
            yield f"{path}: {key} = {shorten(value)}"


def print_data(group: Any) -> None:
    """Print the datasets in a file or group: rows, shape and kind of a row."""
    _print(describe_data(group))


def print_ref(group: Any) -> None:
    """Print the references in a file or group: between which datasets, and how many."""
    _print(describe_refs(group))


def print_attr(group: Any) -> None:
    """Print the attributes of everything in a file or group."""
    _print(describe_attrs(group))


def _datasets(group: Any, ending: str) -> Iterator[tuple[str, Any]]:
    base = group.name.rstrip("/")
    for path, item in walk(group):
        if isinstance(item, h5py.Dataset) and path.endswith(ending):
            yield base + path, item


def _rows(dset: Any) -> str:
    return f"{dset.shape[0]} row{'s' * (dset.shape[0] != 1)}"


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)
