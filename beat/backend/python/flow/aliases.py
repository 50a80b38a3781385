"""Lets modules that were written for `h5flow` find the same names here.

Stages and generators in use say ``from h5flow.core import H5FlowStage``. Where no package of
that name is installed, ours stands in for it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

FOREIGN = "h5flow"
OWN = str(__package__)


def own_name(name: str) -> str:
    """Return the name under which we have a module."""
    if name == FOREIGN or name.startswith(f"{FOREIGN}."):
        return OWN + name[len(FOREIGN) :]
    return name


class _AliasFinder(MetaPathFinder, Loader):
    """Finds our modules under the other name, after everybody else has found nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if own_name(fullname) == fullname or find_spec(own_name(fullname)) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        own = importlib.import_module(own_name(module.__name__))
        names = {key: value for key, value in vars(own).items() if not key.startswith("__")}
        module.__dict__.update(names)


_finder = _AliasFinder()


def install_aliases() -> None:
    """Make the other name importable, unless a package of that name is installed."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
