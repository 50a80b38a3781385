"""Shows results, keeps them, and compares them with results kept before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .case import SECONDS
from .measure import Result

BASELINE = Path(__file__).parent.parent / "baseline.json"

#: Ratios of two runs differ by less than that on a quiet machine
NOTICEABLE = 1.25

HEAD = ("case", "n", "ours", "limit", "ratio", "target", "growth", "")
FORM = "{:<52} {:>9} {:>9} {:>9} {:>7} {:>7} {:>13}  {}"

Kept = Mapping[str, float]


def head() -> str:
    """Return the first line of the table."""
    return FORM.format(*HEAD)


def line(result: Result, kept: Kept) -> str:
    """Return the line of a result; with what it was before, if that is known."""
    growth = "" if result.growth is None else f"n^{result.growth:.2f}"
    if result.growth is not None and result.growth_target is not None:
        growth += f" <={result.growth_target:.2f}"
    return FORM.format(
        f"{result.area}: {result.case}",
        f"{result.size:,}" if result.size > 1 else "",
        amount(result.ours, result.quantity),
        amount(result.limit, result.quantity),
        f"{result.ratio:.2f}",
        "" if result.target is None else f"{result.target:.2f}",
        growth,
        " ".join(filter(None, ("" if result.met else "MISSED", _change(result, kept)))),
    ).rstrip()


def _change(result: Result, kept: Kept) -> str:
    before = kept.get(_key(result))
    if before is None:
        return "new" if kept else ""
    change = result.ratio / before
    verdict = "slower" if change > NOTICEABLE else "faster" if change < 1 / NOTICEABLE else "same"
    return f"{verdict} (was {before:.2f})"


def amount(value: float, quantity: str) -> str:
    """Return seconds or bytes in a unit that is easy to read."""
    units = (
        [(1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")]
        if quantity == SECONDS
        else [(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")]
    )
    size, unit = next((pair for pair in units if value >= pair[0]), units[-1])
    return f"{value / size:.3g} {unit}"


def as_json(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Return results as JSON can hold them."""
    return [{**asdict(result), "met": result.met} for result in results]


def keep(results: Iterable[Result], path: Path) -> None:
    """Write the ratios to a file."""
    ratios = {_key(result): round(result.ratio, 3) for result in results}
    path.write_text(json.dumps(ratios, indent=2) + "\n", encoding="utf-8")


def load_kept(path: Path) -> Kept:
    """Read the ratios that `keep` has written."""
    ratios: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return ratios


def _key(result: Result) -> str:
    return f"{result.area}: {result.case} ({result.size})"
