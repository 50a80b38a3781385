"""Where things are in a flow file.

::

    /<dset>/data                      the rows; the first axis grows
    /<parent>/ref/<child>/ref         (L, 2) row numbers: of the parent, of the child
    /<parent>/ref/<child>/ref_region  for each row of the parent: start and stop in `ref`
    /<child>/ref/<parent>/ref_region  for each row of the child

Names of datasets may contain slashes. The files are shared with other programs: nothing of this
may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import h5py
import numpy

#: what the region tables hold; the wider form is used from 2**31 references on
ref_region_dtype = numpy.dtype([("start", "i4"), ("stop", "i4")])
wide_region_dtype = numpy.dtype([("start", "i8"), ("stop", "i8")])

REFERENCES = "ref"


def clean(name: str) -> str:
    """Return the name of a dataset without slashes around it.

    Raises
    ------
    TypeError, ValueError
        If it is no text, or empty.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a dataset must be text, got {type(name).__name__}")
    stripped = name.strip("/")
    if not stripped:
        raise ValueError(f"the name of a dataset must not be empty, got `{name}'")
    return stripped


def data_path(name: str) -> str:
    """Return where the rows of a dataset are."""
    return f"/{name}/data"


def refs_path(name: str) -> str:
    """Return the group of all references of a dataset."""
    return f"/{name}/{REFERENCES}"


def ref_path(parent: str, child: str) -> str:
    """Return where the references from parent to child are."""
    return f"/{parent}/ref/{child}/ref"


def region_path(one: str, other: str) -> str:
    """Return where, for the rows of one dataset, the regions of its references are."""
    return f"/{one}/ref/{other}/ref_region"


def dset_of(path: str) -> str:
    """Return the name of the dataset whose rows are at a path."""
    return path.strip("/").removesuffix("/data")


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or inside it, by whole components."""
    path, folder = path.strip("/"), folder.strip("/")
    return path == folder or path.startswith(f"{folder}/")


def is_listed(path: str, entries: Iterable[str]) -> bool:
    """Tell whether one of the entries is a path or one of the folders it is in."""
    return any(is_below(path, entry) for entry in entries)


def walk(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, object) of everything in a group, groups before what is in them."""
    for name in group:
        item = group.get(name)
        if item is None:  # a link to nothing
            continue
        below = f"{path}/{name}"
        yield below, item
        if isinstance(item, h5py.Group):
            yield from walk(item, below)


def dset_names(group: Any) -> list[str]:
    """Return the names of all datasets in a file or group, in the order of their paths."""
    return sorted(
        dset_of(path)
        for path, item in walk(group)
        if isinstance(item, h5py.Dataset) and path.endswith("/data") and path != "/data"
    )
