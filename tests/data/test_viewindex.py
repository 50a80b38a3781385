from __future__ import annotations

import copy
import json
import math
import os
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.data import viewindex
from beat.backend.python.data.viewindex import read_index, write_index

Entry = namedtuple("Entry", ["name", "file_id"])


class Typed(NamedTuple):
    label: str
    value: float


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "aa" / "bb" / "cc" / "index.db")


def write_text(path, text):
    os.makedirs(os.path.dirname(path))
    Path(path).write_text(text, encoding="utf-8")


def test_entries_come_back_with_sorted_fields(path):
    write_index(path, [Entry("first", 1), Entry("second", 2)])
    entries = read_index(path)
    assert entries == [(1, "first"), (2, "second")]
    assert entries[0]._fields == ("file_id", "name")
    assert entries[1].name == "second"
    assert type(entries[0]) is type(entries[1])


def test_the_file_has_an_object_per_entry_in_the_order_of_the_fields(path):
    write_index(path, [Entry("first", 1), Entry("first", 1)])
    text = Path(path).read_text(encoding="utf-8")
    assert json.loads(text) == [{"name": "first", "file_id": 1}] * 2
    assert text.index("name") < text.index("file_id")


def test_writing_replaces_the_file_and_leaves_nothing_else(path):
    write_index(path, [Entry("first", 1)])
    write_index(path, [])
    assert read_index(path) == []
    assert os.listdir(os.path.dirname(path)) == ["index.db"]


def test_a_failed_write_leaves_the_old_file(path):
    write_index(path, [Entry("first", 1)])
    with pytest.raises(RuntimeError):
        write_index(path, [Entry("first", object())])
    assert len(read_index(path)) == 1


def test_numpy_scalars_and_nested_values(path):
    values = [
        numpy.int8(-1),
        numpy.uint64(2**64 - 1),
        numpy.float32(0.5),
        numpy.float64(math.inf),
        numpy.bool_(True),
        numpy.str_("text"),
        numpy.array([[1, 2]]),
        None,
        {"}, {": ["}, {", 1.5]},
        '\u00e9\n"',
    ]
    write_index(path, [Typed(i, value) for i, value in enumerate(values)])
    expected = [-1, 2**64 - 1, 0.5, math.inf, True, "text", [[1, 2]], None, values[8], values[9]]
    assert [entry.value for entry in read_index(path)] == expected


def test_not_a_number(path):
    write_index(path, [Typed("a", math.nan), Typed("b", numpy.float32("nan"))])
    assert all(math.isnan(entry.value) for entry in read_index(path))


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (None, "must return a list, got NoneType"),
        ((Entry("a", 1),), "must return a list, got tuple"),
        ([Entry("a", 1), ("b", 2)], "entry 1 must be a named tuple with fields, got ('b', 2)"),
        ([{"name": "a"}], "entry 0 must be a named tuple"),
        (["x" * 10_000], "entry 0 must be a named tuple"),
        ([namedtuple("Empty", [])()], "entry 0 must be a named tuple with fields"),
        ([Entry("a", 1), Typed("b", 2)], "entry 1 has the fields ['label', 'value'], expected"),
        (
            [Entry("a", 1), Entry("b", object())],
            "entry 1 cannot be kept as JSON (Object of type object is not",
        ),
        ([Entry({1: {2: {3}}}, 1)], "entry 0 cannot be kept as JSON (Object of type set is not"),
    ],
)
def test_what_is_no_index_is_refused(path, entries, text):
    with pytest.raises(RuntimeError) as caught:
        write_index(path, entries)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert not os.path.exists(path)


def test_fields_may_come_in_another_order(path):
    other = namedtuple("Other", ["file_id", "name"])
    write_index(path, [Entry("a", 1), other(2, "b")])
    assert read_index(path) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a list"),
        ("  {}", "expected a list"),
        ("[", "at byte 1"),
        ('[{"a": 1}', "at byte 9"),
        ('[{"a": 1}] x', "Extra data at byte 11"),
        ('[{"a": 1},]', ""),
        ("[1]", "entry 0 must be an object with fields, got 1"),
        ("[{}]", "entry 0 must be an object with fields, got {}"),
        ("[[]]", "entry 0 must be an object with fields, got []"),
        ('[{"class": 1}]', "class"),
        ('[{"a": 1}, "a"]', "entry 1 must be an object, got 'a'"),
        ('[{"a": 1}, null]', "entry 1 must be an object, got None"),
        ('[{"a": 1}, {"a": 2}, ["a"]]', "entry 2 must be an object, got ['a']"),
        (
            '[{"a": 1, "b": 1}, {"a": 1}]',
            "entry 1 has the fields ['a'], expected those of entry 0: ['a', 'b']",
        ),
        ('[{"a": 1}, {"b": 1}]', "entry 1 has the fields ['b']"),
        ('[{"a": 1}, {"a": 1, "b": 1}]', "entry 1 has the fields ['a', 'b']"),
    ],
)
@pytest.mark.parametrize("block", [1, viewindex.BLOCK_BYTES])
def test_files_that_are_no_index(path, text, expected, block, monkeypatch):
    monkeypatch.setattr(viewindex, "BLOCK_BYTES", block)
    write_text(path, text)
    with pytest.raises(RuntimeError) as caught:
        read_index(path)
    assert str(caught.value).startswith(f"database index `{path}' is invalid: ")
    assert expected in str(caught.value)


def test_too_deep_nesting_is_an_error(path):
    write_text(path, '[{"a": ' + "[" * 200_000)
    with pytest.raises(RuntimeError, match="is invalid"):
        read_index(path)


def test_a_file_that_is_no_text(path):
    write_text(path, "")
    Path(path).write_bytes(b'[{"a": "\xff"}]')
    with pytest.raises(RuntimeError, match=r"is invalid: .*utf-8"):
        read_index(path)


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        read_index(path)


def test_the_entry_at_fault_is_counted_over_all_blocks(path, monkeypatch):
    monkeypatch.setattr(viewindex, "BLOCK_BYTES", 30)
    objects = [{"a": i} for i in range(100)] + [{"b": 1}]
    write_text(path, json.dumps(objects))
    with pytest.raises(RuntimeError, match="entry 100 has the fields"):
        read_index(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('}, {["a\\'),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text("}a,{"), children),
    max_leaves=5,
)


@given(
    st.lists(st.tuples(json_values, json_values)),
    st.integers(0, 200),
    st.sampled_from([None, 0, 4]),
)
def test_blocks_give_what_reading_in_one_go_gives(tmp_path_factory, rows, block, indent):
    path = tmp_path_factory.mktemp("index") / "index.db"
    objects = [{"value": value, "key": key} for value, key in rows]
    path.write_text(json.dumps(objects, indent=indent), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(viewindex, "BLOCK_BYTES", block)
        entries = read_index(str(path))
    assert [entry._asdict() for entry in entries] == objects


@pytest.fixture
def entries(path, monkeypatch):
    monkeypatch.setattr(viewindex, "BLOCK_BYTES", 100)
    monkeypatch.setattr(viewindex, "READ_BYTES", 500)
    monkeypatch.setattr(viewindex, "MOST_BLOCKS", 3)
    write_index(path, [Entry(f"number {i // 4}", i) for i in range(200)])
    return read_index(path)


def test_several_threads_read_entries(entries):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            orders = [[7 * i * step % 200 for i in range(2000)] for step in (1, 3, 9, 11)]
            found = [*pool.map(lambda order: [entries[i].file_id for i in order], orders)]
    finally:
        sys.setswitchinterval(interval)
    assert found == orders


def test_entries_are_read_when_they_are_asked_for(entries, path):
    expected = [(i, f"number {i // 4}") for i in range(200)]
    assert [entries[i] for i in reversed(range(200))] == expected[::-1]
    assert [*entries] == expected == entries
    assert entries[-1] == expected[-1]
    assert entries[50:60] == expected[50:60]
    assert entries[50:60][2:4] == expected[52:54]
    assert entries[::-7] == expected[::-7]
    assert entries.index((7, "number 1")) == 7
    assert (200, "number 50") not in entries
    assert entries != expected[1:]
    assert repr(entries) == "<200 entries of an index>"
    assert len(entries._index._kept) == 3
    os.unlink(path)  # what was opened stays readable
    assert entries[0] == expected[0]
    for index in (200, -201):
        with pytest.raises(IndexError):
            entries[index]


def test_entries_can_be_changed_as_a_list_can(entries):
    part = entries[:3]
    part.append(entries[9])
    part[0] = entries[8]
    del part[1]
    part.sort(key=lambda entry: -entry.file_id)
    assert part == [entries[i] for i in (9, 8, 2)]
    assert part[1:] == [entries[8], entries[2]]
    assert entries[:2] + part[:1] == [entries[0], entries[1], entries[9]]
    first = entries[:1].copy()
    assert first + entries[1:2] == entries[:2].copy()
    assert copy.deepcopy(part) == [*part]
    assert part.runs("name", 0) is None
    assert len(entries) == 200


def test_entries_that_are_equal_in_a_field(entries):
    quarters = [(i, i + 3) for i in range(0, 200, 4)]
    assert entries.runs("name", 0) == quarters
    assert entries.runs("file_id", 0) == [(i, i) for i in range(200)]
    part = entries[6:13]
    assert part.runs("name", 6) == [(6, 7), (8, 11), (12, 12)]
    assert part.runs("name", 0) is None
    assert part.runs("nothing", 6) is None
    assert entries[5:5].runs("name", 5) is None


def test_fields_are_known_in_the_order_of_the_file(entries):
    assert entries.fields == ["name", "file_id"]
    assert [*entries.starts("name")] == [*range(0, 200, 4)]


def test_entries_may_be_yielded(path):
    write_index(path, (Entry("first", i) for i in range(3)))
    assert [entry.file_id for entry in read_index(path)] == [0, 1, 2]


def test_a_failure_among_yielded_entries_leaves_nothing(path):
    def fail():
        yield Entry("first", 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_index(path, fail())
    assert os.listdir(os.path.dirname(path)) == []
