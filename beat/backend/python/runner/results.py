"""The results of analyzers, read back from the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..algorithm import Algorithm
from ..data import CachedDataSource


@dataclass(frozen=True)
class Result:
    """One value that an analyzer found.

    Attributes
    ----------
    value : object
        A number, truth value or text, or the nested dictionary of a structured result.
    type : str
        A basic type, or the name of a dataformat.
    display : bool
        Whether the analyzer wants it to be shown.
    """

    value: Any
    type: str
    display: bool


def load_results(cache: str, prefix: str, path: str, analyzer: Algorithm) -> dict[str, Result]:
    """Read the results of an analyzer.

    Parameters
    ----------
    cache, prefix : str
        The folders.
    path : str
        Where the cache keeps the result.
    analyzer : Algorithm
        The algorithm that made it.

    Raises
    ------
    RuntimeError
        If there are no results.
    OSError
        If the file is damaged.
    """
    source = CachedDataSource()
    try:
        if not source.setup(os.path.join(cache, path + ".data"), prefix) or not len(source):
            raise RuntimeError(f"no results of analyzer `{analyzer.name}' at {path}")
        data, _, _ = source[0]
        values = data.as_dict()
    finally:
        source.close()
    return {
        name: Result(
            _plain(values[name]), str(declared["type"]), bool(declared.get("display", False))
        )
        for name, declared in analyzer.data["results"].items()
    }


def _plain(value: Any) -> Any:
    """Return a value made of what JSON knows: scalars of NumPy become numbers."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value
