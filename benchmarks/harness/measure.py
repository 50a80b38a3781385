"""Measures both functions of a pair in turns, so that whatever slows the machine slows both."""

from __future__ import annotations

import gc
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from time import perf_counter

from .case import SECONDS, Case, Function, Pair

Clock = Callable[[], float]

ROUND_SECONDS = 0.01
LEAST_ROUNDS = 7
MOST_ROUNDS = 75


@dataclass(frozen=True)
class Result:
    """What was measured for a case at one size.

    Attributes
    ----------
    area, case, size, target, quantity
        As of the case.
    ours, limit : float
        The medians for one unit.
    ratio : float
        The median of the ratios of all rounds.
    growth, growth_target : float or None
        The exponent over all sizes, at the last of them, and what it may be.
    """

    area: str
    case: str
    size: int
    quantity: str
    ours: float
    limit: float
    ratio: float
    target: float | None
    growth: float | None = None
    growth_target: float | None = None

    @property
    def met(self) -> bool:
        """Whether all targets are met."""
        fast = self.target is None or self.ratio <= self.target
        return fast and (self.growth_target is None or (self.growth or 0) <= self.growth_target)


def measure(case: Case, seconds: float, clock: Clock = perf_counter) -> Iterator[Result]:
    """Measure a case at all its sizes, for about that long at each, where that is possible.

    With `time.process_time` for a clock, what others do on the machine counts less; but neither
    does it count to wait, nor what other processes do.
    """
    costs: list[tuple[int, float]] = []
    for size in case.sizes:
        with _prepared(case, size) as pair:
            check(case, pair)
            rounds = _rounds(pair, seconds, clock) if case.quantity == SECONDS else _amounts(pair)
        ours, limit = (statistics.median(side) for side in zip(*rounds, strict=True))
        ratio = statistics.median(a / b for a, b in rounds)
        costs.append((size, min(round[0] for round in rounds)))  # the least disturbed one
        last = size == case.sizes[-1] and len(case.sizes) > 1
        yield Result(
            case.area,
            case.name,
            size,
            case.quantity,
            ours / pair.units,
            limit / pair.units,
            ratio,
            case.target,
            _exponent(costs) if last else None,
            case.growth if last else None,
        )


@contextmanager
def _prepared(case: Case, size: int) -> Iterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        preparation = case.prepare(Path(folder), size)
        yield next(preparation)
        for _ in preparation:
            raise RuntimeError(f"{case.area}, {case.name}: more than one pair")


def check(case: Case, pair: Pair) -> None:
    """Call both functions once; raise `RuntimeError` if they do not come to the same."""
    ours = pair.ours()
    results = [function() for function in pair.limits]
    if pair.same is not None and not all(pair.same(ours, result) for result in results):
        raise RuntimeError(f"{case.area}, {case.name}: the results differ")


def _rounds(pair: Pair, seconds: float, clock: Clock) -> list[tuple[float, float]]:
    """Return the seconds that calls took: of ours, and of the slowest limit."""
    functions = [pair.ours, *pair.limits]
    calls = [_calls(function, clock) for function in functions]
    gc.collect()
    began = perf_counter()
    rounds: list[tuple[float, float]] = []
    while len(rounds) < LEAST_ROUNDS or (
        len(rounds) < MOST_ROUNDS and perf_counter() - began < seconds
    ):
        order = range(len(functions))
        took = dict.fromkeys(order, 0.0)
        for i in reversed(order) if len(rounds) % 2 else order:
            took[i] = _seconds(functions[i], calls[i], clock)
        rounds.append((took.pop(0), max(took.values())))
    return rounds


def _amounts(pair: Pair) -> list[tuple[float, float]]:
    """Return the numbers that the functions give."""
    return [(pair.ours(), max(limit() for limit in pair.limits)) for _ in range(3)]


def _calls(function: Function, clock: Clock) -> int:
    """Return how many calls make a round."""
    calls = 1
    while (took := calls * _seconds(function, calls, clock)) < ROUND_SECONDS / 2:
        calls = max(2 * calls, min(100 * calls, int(calls * ROUND_SECONDS / (took or 1e-9))))
    return calls


def _seconds(function: Function, calls: int, clock: Clock) -> float:
    began = clock()
    for _ in repeat(None, calls):
        function()
    return (clock() - began) / calls


def _exponent(costs: list[tuple[int, float]]) -> float:
    """Return the slope of the cost over the size, both as logarithms."""
    x, y = ([math.log(pair[i]) for pair in costs] for i in (0, 1))
    return statistics.linear_regression(x, y).slope
