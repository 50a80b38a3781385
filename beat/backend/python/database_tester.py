"""Checks that the outputs of a view are synchronised, in unit tests of the view."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import SimpleNamespace
from typing import Any

from .baseformat import baseformat
from .data import viewindex
from .exceptions import OutputError
from .inputs import Input, InputGroup
from .views import Runner

Units = list[tuple[int, int]]


class DatabaseTester:
    """Drives a view as a running experiment does, and checks what its outputs give.

    The checks are made when the tester is: for every combination of outputs that may be connected,
    the view is indexed and set up, and everything is read. Each output must have units from index
    0 to the last entry of the view's index, without gaps, each of them with data, and the same
    whatever else is connected. Outputs that are not connected are never asked for data.

    Parameters
    ----------
    name : str
        What is tested, for the messages.
    view_class : class
        The view.
    outputs_declaration : dict
        The names of the dataformats of the outputs, by name.
    parameters : dict
        The parameters of the view.
    irregular_outputs : list of str
        The outputs which may have no data (None) for some of their units.
    all_combinations : bool
        Whether to check every combination of outputs, or only all of them together.
    root_folder : str
        Where the raw data is.
    prefix : str, optional
        The prefix of the dataformats. With it, the data must fit the formats; without it, it
        must only be a dictionary.

    Attributes
    ----------
    units : dict
        The (start, end) of the units of each output that have data, by name.

    Raises
    ------
    exceptions.OutputError
        If something is wrong with the view, its own failures included.
    """

    def __init__(
        self,
        name: str,
        view_class: Callable[[], Any],
        outputs_declaration: Mapping[str, str],
        parameters: Mapping[str, Any],
        irregular_outputs: Sequence[str] = (),
        all_combinations: bool = True,
        root_folder: str = "",
        prefix: str | None = None,
    ) -> None:
        self.name = name
        self.view_class = view_class
        self.outputs_declaration = dict(outputs_declaration)
        self.parameters = parameters
        self.irregular_outputs = irregular_outputs
        self.root_folder = root_folder
        self.prefix = prefix
        self.units: dict[str, Units] = {}
        self._check_declaration()
        outputs = [*self.outputs_declaration]
        for size in range(len(outputs), 0 if all_combinations else len(outputs) - 1, -1):
            for connected in combinations(outputs, size):
                self._check(connected)

    def _check_declaration(self) -> None:
        if not self.outputs_declaration:
            raise OutputError(f"{self.name}: no outputs are declared")
        for output in self.irregular_outputs:
            if output not in self.outputs_declaration:
                raise OutputError(
                    f"{self.name}: irregular output `{output}' is not declared, only "
                    f"{[*self.outputs_declaration]} are"
                )

    def _check(self, connected: Sequence[str]) -> None:
        """Check the view with some of its outputs connected."""
        outputs = {output: self.outputs_declaration[output] for output in connected}
        import tempfile  # not worth its time where databases are only read

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "index.db")
            self._runner(outputs).index(path)
            runner = self._runner(outputs)
            runner.setup(path, pack=False)
            last = len(viewindex.read_index(path)) - 1
        if last < 0:
            raise self._error(connected, "the view provides no data: its index is empty")
        for output, source in runner.data_sources.items():
            problem = index_problem(source.data_indices(), last)
            if problem:
                raise self._error(connected, f"output `{output}' {problem}")
        self._compare(connected, self._read(connected, runner))

    def _runner(self, outputs: dict[str, str]) -> Runner:
        module = SimpleNamespace(**{self.name: self.view_class})
        definition = {"view": self.name, "outputs": outputs, "parameters": self.parameters}
        return Runner(module, definition, self.prefix, self.root_folder, OutputError)

    def _read(self, connected: Sequence[str], runner: Runner) -> dict[str, Units]:
        """Read everything, as an algorithm with these inputs does; return the units with data."""
        group = InputGroup(self.name, restricted_access=False)
        for output, source in runner.data_sources.items():
            group.add(Input(output, self.outputs_declaration[output], source))
        units: dict[str, Units] = {output: [] for output in connected}
        while group.hasMoreData():
            try:
                group.next()
            except (AttributeError, OverflowError, TypeError, ValueError) as error:
                where = f"after index {group.last_data_index}"
                raise self._error(connected, f"{where}: {error}") from error
            for connection in group:
                if connection.hasDataChanged() and self._has_data(connected, connection):
                    units[connection.name].append(
                        (connection.data_index, connection.data_index_end)
                    )
        return units

    def _has_data(self, connected: Sequence[str], connection: Input) -> bool:
        """Tell whether the current unit has data, which only irregular outputs may lack."""
        data = connection.data
        if data is None and connection.name in self.irregular_outputs:
            return False
        if not isinstance(data, (dict, baseformat)):
            unit = f"({connection.data_index}, {connection.data_index_end})"
            raise self._error(
                connected,
                f"output `{connection.name}', unit {unit}: expected a dictionary, "
                f"got {type(data).__name__}",
            )
        return True

    def _compare(self, connected: Sequence[str], units: dict[str, Units]) -> None:
        """Check that the units of an output do not depend on which others are connected."""
        for output, found in units.items():
            if self.units.setdefault(output, found) != found:
                raise self._error(
                    connected,
                    f"the units of output `{output}' are not those it has with all connected: "
                    f"{_difference(found, self.units[output])}",
                )

    def _error(self, connected: Sequence[str], text: str) -> OutputError:
        return OutputError(f"{self.name}: with {', '.join(connected)} connected: {text}")

    def diagram(self, columns: int = 100) -> str:
        """Draw how the outputs are synchronised, as it is usual in the documentation of views.

        Parameters
        ----------
        columns : int
            How wide the text may be; what comes after the indices that fit is left out.

        Returns
        -------
        str
            For each output a row of boxes, one per unit that has data; the output with the most
            units comes first.
        """
        return draw(self.units, columns)

    def write_diagram(self, filename: str, columns: int = 100) -> None:
        """Write the `diagram` to a text file."""
        with open(filename, "w", encoding="utf-8") as f:
            f.write(self.diagram(columns) + "\n")


def index_problem(units: Units, last: int) -> str | None:
    """Tell what is wrong with the indices of units, which must cover 0 to ``last``."""
    expected = 0
    for i, (start, end) in enumerate(units):
        if start != expected or end < start:
            return f"is inconsistent: unit {i} is ({start}, {end}), expected to start at {expected}"
        expected = end + 1
    if expected != last + 1:
        return f"ends at index {expected - 1}, the index of the view at {last}"
    return None


def _difference(found: Units, expected: Units) -> str:
    for i, (one, other) in enumerate(zip(found, expected, strict=False)):
        if one != other:
            return f"unit {i} is {one} rather than {other}"
    return f"there are {len(found)} rather than {len(expected)}"


def draw(units: Mapping[str, Units], columns: int) -> str:
    """Draw the units of several outputs, one below the other, as boxes over their indices."""
    cell = max(3, *(_cell(name, intervals) for name, intervals in units.items()))
    last = max((end for intervals in units.values() for _, end in intervals), default=-1)
    shown = max(1, min(last + 1, (columns + 1) // (cell + 1)))
    lines = []
    for name in sorted(units, key=lambda name: -len(units[name])):
        border, text = _row(name, units[name], cell, shown)
        lines += [border, text + (" ..." if shown <= last else ""), border]
    return "\n".join(line.rstrip() for line in lines)


def _cell(name: str, intervals: Units) -> int:
    """Return how wide an index must be for the name to fit into the smallest unit."""
    span = min((end - start + 1 for start, end in intervals), default=1)
    return -(-(len(name) + 5 - span) // span)


def _row(name: str, intervals: Units, cell: int, shown: int) -> tuple[str, str]:
    """Draw the part of a row that is shown: its border, and what is between the borders."""
    border = [" "] * (shown * (cell + 1) - 1)
    text = border[:]
    for start, end in intervals:
        if start >= shown:
            break
        left, right = start * (cell + 1), (min(end, shown - 1) + 1) * (cell + 1) - 1
        inside = right - left - 2
        border[left:right] = "-" * (right - left)
        text[left:right] = f"|{name[:inside].center(inside)}{'|' if end < shown else ' '}"
    return "".join(border), "".join(text)
