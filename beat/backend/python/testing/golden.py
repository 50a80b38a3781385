"""Golden files: what a test found when it was last said to be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import simplejson

from ..baseformat import baseformat
from ..publish import publish
from ..utils import NumpyJSONEncoder
from .comparing import assert_same


class Golden:
    """A golden file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    update : bool
        Whether it is written anew instead of compared with.
    """

    def __init__(self, path: Path, update: bool = False) -> None:
        self.path = path
        self.update = update

    def check(self, value: Any, rtol: float = 1e-5, atol: float = 1e-8) -> None:
        """Compare a value (anything that can be JSON, data objects included) with the file.

        Raises
        ------
        AssertionError
            If it is not the same, or if there is no file yet; the text says how to write it.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        text = simplejson.dumps(_jsonable(value), indent=4, sort_keys=True, cls=NumpyJSONEncoder)
        if self.update:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            publish(str(self.path), text.encode("utf-8") + b"\n")
            return
        if not self.path.exists():
            raise AssertionError(f"no golden file {self.path}: write it with --beat-update")
        expected = simplejson.loads(self.path.read_text(encoding="utf-8"))
        assert_same(simplejson.loads(text), expected, rtol, atol, self.path.name)


def _jsonable(value: Any) -> Any:
    if isinstance(value, baseformat):
        return baseformat.as_dict(value)
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value
