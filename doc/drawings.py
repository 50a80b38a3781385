"""Draws how units of data belong together, for the guide.

Every interval in a drawing is one that the package computes: inputs are advanced, data loaders
filled and outputs written by the same classes that experiments use. To write the drawings anew:
``python doc/drawings.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from beat.backend.python.data import DataSink, DataSource, foundSplitRanges
from beat.backend.python.data_loaders import DataLoader
from beat.backend.python.inputs import Input, InputGroup
from beat.backend.python.outputs import Output, SynchronizationListener

FOLDER = Path(__file__).resolve().parent / "guide" / "drawings"

LABEL, CELL, HEIGHT, GAP = 150, 62, 26, 10
RED, YELLOW, GREEN, BLUE, GREY = "#e8a29b", "#efd58c", "#a9d1a2", "#9cc0e0", "#dddddd"

Interval = tuple[int, int]


class Box(NamedTuple):
    """A unit of data, or a call: the indices it covers and what is written into it."""

    start: int
    end: int
    text: str


class Row(NamedTuple):
    """Boxes beside each other; empty ones, such as units without data, have no colour."""

    label: str
    colour: str
    boxes: list[Box]


class Units(DataSource):
    """A source whose units cover the given intervals; their data is their name and number."""

    def __init__(self, name: str, intervals: Iterable[Interval]) -> None:
        super().__init__()
        self.infos = list(intervals)
        self.name = name

    def __getitem__(self, index: int) -> Any:
        """Return the unit of that number."""
        if not 0 <= index < len(self.infos):
            return None, None, None
        return (f"{self.name} {index}", *self.infos[index])


class Written(DataSink):
    """A sink that remembers what was written."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []

    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        """Remember a unit."""
        self.boxes.append(Box(start_data_index, end_data_index, "" if data is None else data))

    def isConnected(self) -> bool:
        """Tell that somebody wants the data."""
        return True


Process = Callable[[InputGroup, Output], None]


def sequential(
    inputs: dict[str, list[Interval]], colours: list[str], process: Process
) -> list[Row]:
    """Run a sequential algorithm; return its inputs, its calls and what it wrote."""
    listener, sink = SynchronizationListener(), Written()
    calls: list[Box] = []
    output = Output("out", sink, listener)
    group = InputGroup("channel", listener, restricted_access=False)
    sources = {name: Units(name, intervals) for name, intervals in inputs.items()}
    for name, source in sources.items():
        group.add(Input(name, None, source))
    while group.hasMoreData():
        group.next()
        number = str(len(calls) + 1)
        calls.append(Box(group.first_data_index, group.last_data_index, f"call {number}"))
        process(group, output)
    rows = [Row(s.name, c, list(boxes(s))) for s, c in zip(sources.values(), colours, strict=True)]
    return [*rows, Row("process", GREY, calls), Row("out", BLUE, sink.boxes)]


def boxes(source: Iterable[Any]) -> Iterator[Box]:
    """Yield a box for each unit of a source or loader."""
    for data, start, end in source:
        yield Box(start, end, data if isinstance(data, str) else " + ".join(data.values()))


def each(group: InputGroup, output: Output) -> None:
    """Write a unit for each call."""
    output.write(f"out {output.nb_data_blocks_written}")


def at_the_end_of_in2(group: InputGroup, output: Output) -> None:
    """Write a unit when the current unit of ``in2`` is done."""
    in2 = group["in2"]
    if in2 is not None and in2.isDataUnitDone():
        output.write(f"out {output.nb_data_blocks_written}")


def some(group: InputGroup, output: Output) -> None:
    """Write a unit for each call, without data at two of them."""
    output.write(None if group.data_index in (2, 4) else f"out {group.data_index}")


def single(count: int) -> list[Interval]:
    """Return that many units of one index each."""
    return [(index, index) for index in range(count)]


def loader() -> list[Row]:
    """Return two inputs, the units of their data loader, and a view of one of them."""
    sources = [Units("a", [(0, 1), (2, 6), (7, 9)]), Units("b", [(0, 4), (5, 9)])]
    both = DataLoader("channel")
    for source in sources:
        both.add(source.name, source)
    view = both.view("b", 1)
    assert view is not None
    return [
        Row("a", RED, list(boxes(sources[0]))),
        Row("b", YELLOW, list(boxes(sources[1]))),
        Row("the loader", BLUE, list(boxes(both))),
        Row('view("b", 1)', GREEN, list(boxes(view))),
    ]


def ranges() -> list[Row]:
    """Return two inputs of a block that is split for three slots, and its ranges."""
    inputs = {"in": single(10), "in2": [(0, 1), (2, 4), (5, 5), (6, 9)]}
    starts = [[start for start, _ in units] + [units[-1][1] + 1] for units in inputs.values()]
    found = foundSplitRanges(starts, 3)
    rows = [
        Row(name, colour, list(boxes(Units(name, units))))
        for (name, units), colour in zip(inputs.items(), (RED, YELLOW), strict=True)
    ]
    parts = [Box(first, last, f"{first} to {last}") for first, last in found]
    return [*rows, Row("nb_slots: 3", BLUE, parts)]


def drawings() -> dict[str, str]:
    """Return all drawings, by the name of the file."""
    pairs = [(0, 1), (2, 3), (4, 5)]
    rows = {
        "one_to_one": sequential({"in": single(6)}, [RED], each),
        "two_inputs": sequential({"in": single(6), "in2": pairs}, [RED, YELLOW], each),
        "many_to_one": sequential(
            {"in": single(6), "in2": pairs}, [RED, YELLOW], at_the_end_of_in2
        ),
        "in2_alone": sequential({"in2": pairs}, [YELLOW], each),
        "uneven": sequential(
            {"in": [(0, 0), (1, 3), (4, 5)], "in2": [(0, 1), (2, 5)]}, [RED, YELLOW], each
        ),
        "skipped": sequential({"in": single(6)}, [RED], some),
        "loader": loader(),
        "ranges": ranges(),
    }
    return {f"{name}.svg": draw(content) for name, content in rows.items()}


def draw(rows: list[Row]) -> str:
    """Return a drawing of rows above each other, over their indices."""
    count = 1 + max(box.end for row in rows for box in row.boxes)
    width, height = LABEL + count * CELL + GAP, (len(rows) + 1) * (HEIGHT + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
        *_text(LABEL - GAP, 0, "index", "end"),
    ]
    for index in range(count):
        lines += _text(LABEL + index * CELL + CELL // 2, 0, str(index), "middle")
    for line, row in enumerate(rows, 1):
        lines += _text(LABEL - GAP, line, row.label, "end")
        for box in row.boxes:
            lines += _box(box, line, row.colour)
    return "\n".join([*lines, "</svg>", ""])


def _box(box: Box, line: int, colour: str) -> list[str]:
    left, wide = LABEL + box.start * CELL + 2, (box.end - box.start + 1) * CELL - 4
    look = f'fill="{colour}" stroke="#666666"'
    if not box.text:
        look = 'fill="none" stroke="#999999" stroke-dasharray="4 3"'
    rectangle = (
        f'<rect x="{left}" y="{_top(line)}" width="{wide}" height="{HEIGHT}" rx="4" {look}/>'
    )
    return [rectangle, *_text(left + wide // 2, line, box.text or "no data", "middle")]


def _text(x: int, line: int, text: str, anchor: str) -> list[str]:
    baseline = _top(line) + HEIGHT - 8
    return [f'<text x="{x}" y="{baseline}" text-anchor="{anchor}">{escape(text)}</text>']


def _top(line: int) -> int:
    return GAP + line * (HEIGHT + GAP)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, drawing in drawings().items():
        (FOLDER / name).write_text(drawing, encoding="utf-8")
