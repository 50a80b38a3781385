"""What is measured: pairs of functions, ours and the limit, and how they are set up."""

from __future__ import annotations

import operator
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

Function = Callable[[], Any]

SECONDS = "seconds"
BYTES = "bytes"


@dataclass(frozen=True)
class Pair:
    """Two ways to do the same.

    Attributes
    ----------
    ours : callable
        What the package does.
    limit : callable, or sequence of callables
        Hand-written code for the same bytes. Of several, the slowest is the limit: what cannot be
        done faster even if all of them run side by side.
    units : int
        How many units of data one call is about; shown is the cost of one unit.
    same : callable or None
        Gets both results, once, and tells whether they are equal.
    """

    ours: Function
    limit: Function | Sequence[Function]
    units: int = 1
    same: Callable[[Any, Any], bool] | None = operator.eq

    @property
    def limits(self) -> list[Function]:
        """The functions of the limit."""
        return [self.limit] if callable(self.limit) else [*self.limit]


Preparation = Callable[[Path, int], Iterator[Pair]]


@dataclass(frozen=True)
class Case:
    """A pair to be measured.

    Attributes
    ----------
    area, name : str
        What it is called.
    prepare : callable
        A generator function: gets an empty folder and the size, yields the `Pair`, cleans up.
    target : float or None
        The most that ours may cost, as a multiple of the limit.
    sizes : tuple of int
        The sizes to measure it at.
    growth : float or None
        The greatest exponent with which the cost of a call may grow with the size.
    quantity : str
        `SECONDS`, which calls take, or `BYTES`, which they return.
    """

    area: str
    name: str
    prepare: Preparation
    target: float | None
    sizes: tuple[int, ...]
    growth: float | None
    quantity: str


_cases: list[Case] = []


def case(
    name: str,
    target: float | None = None,
    sizes: Sequence[int] = (1,),
    growth: float | None = None,
    quantity: str = SECONDS,
) -> Callable[[Preparation], Preparation]:
    """Make a case of the function that prepares it; its module is the area. See `Case`."""

    def register(prepare: Preparation) -> Preparation:
        area = prepare.__module__.rpartition(".")[2]
        _cases.append(Case(area, name, prepare, target, tuple(sizes), growth, quantity))
        return prepare

    return register


def load_areas(only: Sequence[str]) -> list[Case]:
    """Import the modules beside this package; return the cases of some areas, or of all.

    Raises
    ------
    ValueError
        If there is no such area.
    """
    package = __name__.rpartition(".harness")[0]
    folder = Path(__file__).parent.parent
    areas = [m.name for m in pkgutil.iter_modules([str(folder)]) if not m.ispkg]
    areas = [name for name in areas if not name.startswith("_")]
    unknown = sorted({*only} - {*areas})
    if unknown:
        raise ValueError(f"no such area: {', '.join(unknown)}; there are {', '.join(areas)}")
    for area in areas:
        if not only or area in only:
            import_module(f"{package}.{area}")
    return [case for case in _cases if not only or case.area in only]
