"""What notebooks and IPython show of objects of this package: a title and some lines.

The objects know nothing of it: formatters for their classes are registered with IPython.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy

from ..algorithm import Algorithm
from ..asset import Asset
from ..baseformat import baseformat
from ..data import DataSource
from ..data_loaders import DataLoader, DataView
from ..dataformat import DataFormat
from ..experiment import Experiment
from ..runner import Result, Run
from ..testing import Ran

LONGEST = 200
MOST_ROWS = 60

_short = reprlib.Repr()
_short.maxother = _short.maxstring = LONGEST


class Card(NamedTuple):
    """What is shown of an object.

    Attributes
    ----------
    title : str
        What it is.
    rows : list of (str, str)
        What there is to say about it, each with its name.
    """

    title: str
    rows: list[tuple[str, str]]

    def plain(self) -> str:
        """Return the card as plain text."""
        width = max((len(name) for name, _ in self.rows), default=0)
        lines = [self.title]
        for name, text in self.rows:
            first, *more = text.splitlines() or [""]
            lines.append(f"  {name:{width}}  {first}".rstrip())
            lines += [f"  {'':{width}}  {line}" for line in more]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the card as HTML."""
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left"><pre style="margin:0">{escape(text)}</pre></td></tr>'
            for name, text in self.rows
        )
        return f"<div><strong>{escape(self.title)}</strong><table>{rows}</table></div>"


def show_cards(formatter: Any, shown: bool = True) -> None:
    """Have an IPython display formatter show objects of this package as cards, or no more.

    Parameters
    ----------
    formatter : IPython.core.formatters.DisplayFormatter
        The formatter, of which plain text and HTML are concerned.
    shown : bool
        Whether cards are shown from now on.
    """
    for shown_type, make in CARDS.items():
        for mime, function in (("text/plain", _plain(make)), ("text/html", _html(make))):
            if shown:
                formatter.formatters[mime].for_type(shown_type, function)
            else:
                formatter.formatters[mime].pop(shown_type, None)


def _plain(make: Callable[[Any], Card]) -> Callable[[Any, Any, bool], None]:
    return lambda shown, printer, cycle: printer.text(make(shown).plain())


def _html(make: Callable[[Any], Card]) -> Callable[[Any], str]:
    return lambda shown: make(shown).html()


def _bounded(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    left_out = len(rows) - MOST_ROWS
    return rows if left_out <= 0 else [*rows[:MOST_ROWS], ("...", f"{left_out} more")]


def _shown_value(value: Any) -> str:
    """Return a value in few characters: large arrays by their kind, shape and ends."""
    if isinstance(value, baseformat):
        value = baseformat.as_dict(value)
    if isinstance(value, numpy.ndarray):
        kind = "objects" if value.dtype == object else value.dtype.name
        shape = " x ".join(map(str, value.shape))
        items = numpy.array2string(value, threshold=6, edgeitems=2, separator=", ")
        return f"{kind}, {shape}" + (f": {items}" if value.dtype != object else "")
    if isinstance(value, numpy.generic):
        value = value.item()
    return _short.repr(value)


def _object_card(data: baseformat) -> Card:
    values = data.__dict__.items()
    return Card(data._name, _bounded([(name, _shown_value(value)) for name, value in values]))


def _asset_card(asset: Asset, more: Iterable[tuple[str, str]] = (), what: str = "") -> Card:
    """Return a card of any declaration, what is wrong with it first."""
    rows = [("error", str(error)) for error in asset.errors]
    if asset.description is not None:
        rows.append(("description", str(asset.description)))
    what = what or asset.kind
    return Card(f"{what} {asset.name or '(no name)'}", _bounded([*rows, *more]))


def _dataformat_card(dataformat: DataFormat) -> Card:
    fields = dataformat.data.items()
    rows = [(name, _short.repr(one)) for name, one in fields if not name.startswith("#")]
    return _asset_card(dataformat, rows)


def _algorithm_card(algorithm: Algorithm) -> Card:
    rows = []
    for number, group in enumerate(algorithm.groups):
        name = group.get("name", number) if isinstance(group, dict) else number
        for part in ("inputs", "outputs", "loop"):
            points = group.get(part) if isinstance(group, dict) else None
            if isinstance(points, dict):
                rows.append((f"group {name}: {part}", _points(points)))
    for name, one in (algorithm.parameters or {}).items():
        default = one.get("default") if isinstance(one, dict) else one
        rows.append((f"parameter {name}", _shown_value(default)))
    if isinstance(algorithm.results, dict):
        rows.append(("results", _points(algorithm.results)))
    return _asset_card(algorithm, rows, f"Algorithm ({algorithm.type})")


def _points(points: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{name}: {point.get('type') if isinstance(point, dict) else point}"
        for name, point in points.items()
    )


def _experiment_card(experiment: Experiment) -> Card:
    rows = []
    for name, one in experiment.datasets.items():
        rows.append((f"dataset {name}", f"{one['database']}/{one['protocol']}/{one['set']}"))
    steps = {"block": experiment.blocks, "analyzer": experiment.analyzers}
    for what, declared in steps.items():
        rows += [(f"{what} {name}", one["algorithm"]) for name, one in declared.items()]
    for name, one in experiment.loops.items():
        sides = (f"{side}: {one[f'{side}_algorithm']}" for side in ("processor", "evaluator"))
        rows.append((f"loop {name}", "\n".join(sides)))
    return _asset_card(experiment, rows)


def _run_card(run: Run) -> Card:
    rows = list(run.states.items())
    for analyzer, results in run.results.items():
        rows += [(f"{analyzer}.{name}", _shown_value(one.value)) for name, one in results.items()]
    rows += [("failure", str(failure)) for failure in run.failures]
    return Card(f"Run of {run.experiment}", _bounded(rows))


def _result_card(result: Result) -> Card:
    return Card(f"Result ({result.type})", [("value", _shown_value(result.value))])


def _ran_card(ran: Ran) -> Card:
    rows = [(name, _count(units)) for name, units in ran.outputs.items()]
    if ran.results is not None:
        rows += _object_card(ran.results).rows
    return Card("What the algorithm gave", rows)


def _count(units: Sequence[Any]) -> str:
    return f"{len(units) or 'no'} unit{'' if len(units) == 1 else 's'}"


def _range(intervals: Sequence[Any]) -> str:
    indices = f", data indices {intervals[0][0]} to {intervals[-1][1]}" if len(intervals) else ""
    return _count(intervals) + indices


def _source_row(source: DataSource) -> str:
    name = getattr(getattr(source, "dataformat", None), "name", None)
    return _range(source.data_indices()) + (f", {name}" if name else "")


def _source_card(source: DataSource) -> Card:
    if not source.ready:
        return Card(type(source).__name__, [("units", "not set up")])
    return Card(type(source).__name__, [("units", _source_row(source))])


def _loader_card(loader: DataLoader | DataView) -> Card:
    if isinstance(loader, DataView):
        title, indices = "DataView", loader.data_indices
    else:
        title, indices = f"DataLoader of channel {loader.channel}", loader.mixed_data_indices
    inputs = loader.infos.items()
    rows = [(f"input {name}", _source_row(info["data_source"])) for name, info in inputs]
    return Card(title, [("units", _range(indices)), *rows])


#: How each type is shown; subclasses, such as those of data formats, as their nearest base
CARDS: dict[type, Callable[[Any], Card]] = {
    baseformat: _object_card,
    Asset: _asset_card,
    DataFormat: _dataformat_card,
    Algorithm: _algorithm_card,
    Experiment: _experiment_card,
    Run: _run_card,
    Result: _result_card,
    Ran: _ran_card,
    DataSource: _source_card,
    DataLoader: _loader_card,
    DataView: _loader_card,
}
