"""Loads the users' Python code and is the one place that calls it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any


@contextmanager
def _importable(module: ModuleType) -> Iterator[None]:
    """Let decorators such as ``dataclass`` find the module by name while its code runs.

    A name that already belongs to some other module is left alone: user code must be able to
    import what an alias happens to be called like.
    """
    name = module.__name__
    if not name.isidentifier() or name in sys.modules or find_spec(name) is not None:
        yield
        return
    sys.modules[name] = module
    try:
        yield
    finally:
        sys.modules.pop(name, None)


def load_module(name: str, path: str, uses: Mapping[str, Mapping[str, Any]]) -> ModuleType:
    """Run a Python file as a fresh module.

    Parameters
    ----------
    name : str
        The name of the module.
    path : str
        The file; tracebacks name it as given here.
    uses : dict
        The libraries that the code may use: ``{alias: {"path": …, "uses": {…}}}``. They are
        loaded first, in turn with what they use, and bound to their aliases in the module.

    Raises
    ------
    OSError
        If the file cannot be read.
    Exception
        Whatever the code itself raises, `SyntaxError` included.
    """
    module = ModuleType(name)
    module.__file__ = path
    for alias, library in uses.items():
        setattr(module, alias, load_module(alias, library["path"], library["uses"]))
    with _importable(module):
        exec(_compiled(path), module.__dict__)
    return module


def _compiled(path: str) -> CodeType:
    """Compile a file, once for as long as it does not change."""
    status = os.stat(path)
    return _compile(path, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=256)
def _compile(path: str, identity: tuple[int, int, int]) -> CodeType:
    with open(path, "rb") as f:
        return compile(f.read(), path, "exec", dont_inherit=True)


def run(
    obj: Any,
    method: str,
    exc: Callable[[Exception], Exception] | None = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Call a method of a user's object.

    Parameters
    ----------
    obj : object
        The object, or the class to instantiate.
    method : str
        The method's name; ``"__new__"`` calls ``obj`` itself.
    exc : class, optional
        Whatever the method raises is raised again as ``exc(original)``, with the original
        traceback, so that its deepest frame stays the user's own line. Without it, exceptions
        leave unchanged.
    """
    try:
        function = obj if method == "__new__" else getattr(obj, method)
        return function(*args, **kwargs)
    except Exception as error:
        if exc is None:
            raise
        raise exc(error).with_traceback(error.__traceback__) from None
