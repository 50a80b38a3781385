from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python import jsontext
from beat.backend.python.jsontext import MalformedJSON, parse, read

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from([None, 1, 4]))
def test_what_is_right_is_read_as_it_is(data, indent):
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    assert parse(text) == (text, data)
    assert parse(text.encode("utf-8", "surrogatepass") if text.isascii() else text) == (text, data)


@pytest.mark.parametrize(
    ("content", "offset", "message"),
    [
        ("", 0, "invalid JSON code: Expecting value"),
        ('{"a" 1}', 5, "invalid JSON code: Expecting ':' delimiter"),
        ('{"a": 1} x', 9, "invalid JSON code: Extra data"),
        ("{'a': 1}", 1, "invalid JSON code: Expecting property name"),
        ('{"a": 1,}', 7, "invalid JSON code: trailing comma before `}'"),
        ('{"a": [1,\n ]}', 8, "invalid JSON code: trailing comma before `]'"),
        ('["a\nb"]', 3, "invalid JSON code: Invalid control character"),
        ('{"a": tru}', 6, "invalid JSON code: Expecting value"),
        ("\ufeff{}", 0, "byte order mark"),
        (b"\xef\xbb\xbf{}", 0, "byte order mark"),
        (b'{"a\xc3\xa4": "\xff"}', 8, "not UTF-8 text"),
        ('{"a": 1, "b": {}, "a": 2}', 18, "Invalid file content: a found several times"),
        ('[{"a": 1, "\\u0061": 2}]', 10, "Invalid file content: a found several times"),
        ('{"a": NaN}', 6, "not a finite number of reasonable length: NaN"),
        ("[-Infinity]", 1, "not a finite number of reasonable length: -Infinity"),
        ('{"a": 1e999}', 6, "not a finite number of reasonable length: 1e999"),
        ("[-1e999]", 1, "not a finite number"),
        (f"[{'7' * 10000}]", 1, "not a finite number of reasonable length: 7777"),
        (f"[0.{'7' * 10000}e-9999999999999999999]", None, None),
        ("[" * 65 + "]" * 65, 64, "nested too deeply: at most 64 levels"),
        ("[" * 10000, 64, "nested too deeply"),
        ('{"a":' * 10000 + "1" + "}" * 10000, 320, "nested too deeply"),
        (f"[{'1,' * 80001}1]", 0, "too large: 80,002 values, at most 80,000 are accepted"),
        (f"[{'[],{ },' * 40001}1]", 0, "too large: 80,003 values, at most 80,000 are accepted"),
        (f"[{'1,' * 79999}1]", None, None),
        (f"[{'[],{ },' * 39999}1]", None, None),
        ('"' + ',[{\\"' * 80_000 + '"', None, None),
        ('[1e999, "' + '\\"' * 2**20, 1, "not a finite number"),
        (" " * 2**23 + "1", 0, "too large: 8,388,609 bytes, at most 8,388,608"),
        ("[1e999, }]]", 1, "not a finite number"),
        ('{"a": 1, "a": 2]', 15, "invalid JSON code"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(content, offset, message):
    if message is None:
        parse(content)
        return
    with pytest.raises(MalformedJSON) as raised:
        parse(content)
    assert [problem.offset for problem in raised.value.problems] == [offset]
    assert message in raised.value.problems[0].message
    assert message in str(raised.value)


def test_everything_that_the_parser_gives_no_place_for_is_told_at_once():
    with pytest.raises(MalformedJSON) as raised:
        parse('{"a": NaN, "b": {"x": 1, "x": 2}, "a": 1e999}')
    assert [problem.offset for problem in raised.value.problems] == [6, 25, 34, 39]


def test_beyond_the_first_problem_the_text_need_not_be_right():
    with pytest.raises(MalformedJSON) as raised:
        parse('[NaN, 1e+, "\\x", "\\x": 1}]]')
    assert [problem.offset for problem in raised.value.problems] == [1, 6]


def test_endless_problems_are_cut():
    with pytest.raises(MalformedJSON) as raised:
        parse("{" + ",".join('"a": 1' for _ in range(5000)) + "}")
    assert len(raised.value.problems) == jsontext.MAX_PROBLEMS


@pytest.mark.parametrize("depth", [1, 63, 64])
def test_depth_is_accepted_up_to_the_bound(depth):
    assert parse("[" * depth + "]" * depth)[1] is not None


def test_the_largest_file_is_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b" " * (2**21 - 2) + b"{}")
    assert parse(read(path))[1] == {}


def test_too_large_a_file_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"")
    os.truncate(path, 50_000_000)
    with pytest.raises(MalformedJSON, match="too large: 50,000,000 bytes"):
        read(path)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    path = tmp_path / "a.json"
    os.mkfifo(path)
    with pytest.raises(MalformedJSON, match="not a regular file"):
        read(path)
    with pytest.raises(MalformedJSON, match="not a regular file"):
        read("/dev/zero")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")


@given(st.text(alphabet='{}[]",:1eE+-.NaInfity \\u0061', max_size=40))
def test_any_text_ends_with_data_or_with_a_place_in_it(text):
    try:
        assert parse(text)[1] == json.loads(text)
    except MalformedJSON as error:
        assert error.problems
        assert all(0 <= problem.offset <= len(text) for problem in error.problems)


@given(st.binary(max_size=40))
def test_any_bytes_end_with_data_or_with_a_place(content):
    try:
        parse(content)
    except MalformedJSON as error:
        assert all(0 <= problem.offset <= len(content) for problem in error.problems)
