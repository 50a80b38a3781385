from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy
import pytest
from support.units import IMAGE, INTEGER

from beat.backend.python.data import DatabaseOutputDataSource
from beat.backend.python.database import Database

Entry = namedtuple("Entry", ["client", "group_", "number"])
ENTRIES = [Entry([i // 3], "ab"[i // 6], i) for i in range(12)]


class RunningView:
    """A view that is set up for a range, as what drives views offers it."""

    def __init__(self, start: int = 0, end: int = 11) -> None:
        self.start_index = start
        self.entries = ENTRIES[start : end + 1]
        self.asked: list[tuple[str, int]] = []

    def objects(self) -> list[Entry]:
        return self.entries

    def get_output_mapping(self, output: str) -> str:
        return {"class": "client"}.get(output, output)

    def get(self, output: str, index: int) -> Any:
        self.asked.append((output, index))
        return {"value": numpy.int32(self.entries[index].number)}


def open_source(view: Any, prefix: str, output: str, *limits: int, **kwargs: Any) -> Any:
    source = DatabaseOutputDataSource()
    assert source.setup(view, output, INTEGER, prefix, *limits, **kwargs)
    assert source.ready
    return source


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("class", [(0, 2), (3, 5), (6, 8), (9, 11)]),
        ("group_", [(0, 5), (6, 11)]),
        ("number", [(i, i) for i in range(12)]),
    ],
)
def test_equal_neighbours_are_one_unit(
    prefix: str, output: str, expected: list[tuple[int, int]]
) -> None:
    view = RunningView()
    source = open_source(view, prefix, output)
    assert source.data_indices() == [*source.infos] == expected
    assert [(data.value, start, end) for data, start, end in source] == [
        (start, start, end) for start, end in expected
    ]
    assert view.asked == [(output, start) for start, _ in expected]


def test_a_value_that_comes_again_begins_a_new_unit(prefix: str) -> None:
    view = RunningView()
    view.entries = [Entry(c, 0, 0) for c in "aabba"]
    assert open_source(view, prefix, "client").data_indices() == [(0, 1), (2, 3), (4, 4)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 11, [(0, 2), (3, 5), (6, 8), (9, 11)]),
        (4, 9, [(4, 5), (6, 8), (9, 9)]),
        (4, 4, [(4, 4)]),
        (6, 11, [(6, 8), (9, 11)]),
    ],
)
def test_a_range_is_applied_once(
    prefix: str, start: int, end: int, expected: list[tuple[int, int]]
) -> None:
    """The view slices its entries: indices stay those of the whole, ``get`` counts the slice."""
    view = RunningView(start, end)
    source = open_source(view, prefix, "class", start, end)
    assert source.data_indices() == expected
    assert [data.value for data, _, _ in source] == [first for first, _ in expected]
    assert view.asked == [("class", first - start) for first, _ in expected]


def test_a_range_of_a_view_that_delivers_more(prefix: str) -> None:
    source = open_source(RunningView(), prefix, "class", 4, 9)
    assert [(d.value, s, e) for d, s, e in source] == [(4, 4, 5), (6, 6, 8), (9, 9, 9)]


@pytest.mark.parametrize("index", [-1, 4, 100])
def test_out_of_range(prefix: str, index: int) -> None:
    view = RunningView()
    source = open_source(view, prefix, "class")
    assert source[index] == (None, None, None)
    assert view.asked == []


def test_at_data_index(prefix: str) -> None:
    source = open_source(RunningView(4, 9), prefix, "class", 4, 9)
    assert source.getAtDataIndex(3) == (None, None, None)
    assert source.getAtDataIndex(8)[1:] == (6, 8)
    assert (source.first_data_index(), source.last_data_index()) == (4, 9)


def test_no_entries(prefix: str) -> None:
    view = RunningView()
    view.entries = []
    source = open_source(view, prefix, "class")
    assert len(source) == 0
    assert [*source] == []


def test_setting_up_twice(prefix: str) -> None:
    source = open_source(RunningView(), prefix, "class")
    assert source.setup(RunningView(), "group_", INTEGER, prefix)
    assert source.data_indices() == [(0, 5), (6, 11)]


def test_packing(prefix: str) -> None:
    source = open_source(RunningView(), prefix, "class", pack=True)
    assert source[1] == (b"\x03\x00\x00\x00", 3, 5)
    assert source.nb_bytes_read == 4
    assert source.read_duration > 0


@pytest.mark.parametrize(
    ("given", "unpacked", "packed"),
    [
        ({"value": numpy.int16(5)}, 5, b"\x05\x00\x00\x00"),
        (None, None, b""),
        ("instance", 8, b"\x08\x00\x00\x00"),
    ],
)
def test_what_a_view_may_return(prefix: str, given: Any, unpacked: Any, packed: bytes) -> None:
    class View(RunningView):
        def get(self, output: str, index: int) -> Any:
            return source.dataformat.type(value=8) if given == "instance" else given

    source = open_source(View(), prefix, "class")
    data, _, _ = source[0]
    assert (data if unpacked is None else data.value) == unpacked
    source = open_source(View(), prefix, "class", pack=True)
    assert source[0][0] == packed


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"value": 5}, TypeError),
        ({}, AttributeError),
        ({"value": numpy.int32(5), "more": 1}, AttributeError),
    ],
)
def test_dictionaries_are_cast_safely(prefix: str, given: Any, error: type[Exception]) -> None:
    class View(RunningView):
        def get(self, output: str, index: int) -> Any:
            return given

    source = open_source(View(), prefix, "class")
    with pytest.raises(error):
        source[0]


def test_an_invalid_format(prefix: str) -> None:
    with pytest.raises(RuntimeError, match=r"`user/missing/1' is not valid"):
        DatabaseOutputDataSource().setup(RunningView(), "class", "user/missing/1", prefix)


def test_failures_of_the_view_pass(prefix: str) -> None:
    class View(RunningView):
        def get(self, output: str, index: int) -> Any:
            raise ZeroDivisionError(f"{output} {index}")

    source = DatabaseOutputDataSource()
    source.setup(View(), "class", IMAGE, prefix)
    with pytest.raises(ZeroDivisionError, match="class 3"):
        source[1]
    assert source.data_indices() == [(0, 2), (3, 5), (6, 8), (9, 11)]


def test_entries_without_the_field(prefix: str) -> None:
    with pytest.raises(AttributeError, match=r"output `number2': .* no field `number2', only"):
        DatabaseOutputDataSource().setup(RunningView(), "number2", INTEGER, prefix)


@pytest.mark.parametrize(
    ("limits", "files", "clients"),
    [
        ((None, None), [*range(6)], [(0, 2), (3, 5)]),
        ((2, 4), [2, 3, 4], [(2, 2), (3, 4)]),
        ((5, None), [5], [(5, 5)]),
    ],
)
def test_a_view_in_a_database(
    prefix: str,
    cache: str,
    limits: tuple[int | None, int | None],
    files: list[int],
    clients: list[tuple[int, int]],
) -> None:
    view = Database(prefix, "people/1").view("verification", "train")
    view.index(f"{cache}/view.db")
    view.setup(f"{cache}/view.db", *limits, pack=False)
    sources = view.data_sources
    assert [(d.value, s, e) for d, s, e in sources["file_id"]] == [(i + 1, i, i) for i in files]
    assert sources["client_id"].data_indices() == clients
    assert [d.value for d, _, _ in sources["client_id"]] == [
        f"client_{start // 3 + 1}" for start, _ in clients
    ]
    assert [d.value[0, 0] for d, _, _ in sources["image"]] == [i + 1 for i in files]


def test_a_view_may_call_anything_of_its_own_reader(prefix: str) -> None:
    view = RunningView()
    view.reader = [1]  # type: ignore[attr-defined]
    assert open_source(view, prefix, "number")[3][0].value == 3


def test_units_that_were_appended_are_seen(prefix: str) -> None:
    source = open_source(RunningView(), prefix, "number")
    source.infos = []
    assert source[0] == (None, None, None)
    source.infos += [(0, 1), (2, 2)]
    source.infos.append((3, 5))
    assert [(start, end) for _, start, end in source] == [(0, 1), (2, 2), (3, 5)]
    assert source[3] == (None, None, None)
