"""Findings are where they say they are."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.schema import Document, Finding, Node
from beat.backend.python.schema.document import excerpt, pointer_text
from beat.backend.python.schema.finding import FIELDS, describe, printable, quote

TEXT = """{
    "name": "sum",
    "groups": [
        {"inputs": {"in": 3}}, [
            []
        ]
    ],
    "a/b~c": {"": null}
}
"""


def place(finding):
    return finding.line, finding.column


def marked(finding):
    """Return the text that is marked."""
    line, marks = finding.excerpt.split("\n")[-2:]
    start, end = marks.index("^"), marks.rindex("^") + 1
    return line[start:end]


@pytest.mark.parametrize(
    ("pointer", "key", "where", "text"),
    [
        ((), False, (1, 1), "{"),
        (("name",), False, (2, 13), '"sum"'),
        (("name",), True, (2, 5), '"name"'),
        (("groups",), False, (3, 15), "["),
        (("groups", 0, "inputs", "in"), False, (4, 27), "3"),
        (("groups", 0, "inputs", "in"), True, (4, 21), '"in"'),
        (("groups", 0), True, (4, 9), '{"inputs": {"in": 3}}'),
        (("groups", 1, 0), False, (5, 13), "[]"),
        (("a/b~c", ""), False, (8, 19), "null"),
        (("a/b~c", ""), True, (8, 15), '""'),
        (("groups", 7), False, (3, 15), "["),
        (("none", "deeper"), False, (1, 1), "{"),
        (("name", "deeper"), False, (2, 13), '"sum"'),
    ],
)
def test_places(pointer, key, where, text):
    finding = Document.parse(TEXT, "a.json").finding(pointer, "wrong", key=key)
    assert place(finding) == where
    assert marked(finding) == text
    assert finding.startswith(f"a.json:{where[0]}:{where[1]}: error: wrong")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just(1e30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)


def parts_of(data, pointer=()):
    yield pointer, data
    items = data.items() if isinstance(data, dict) else ()
    for token, part in enumerate(data) if isinstance(data, list) else items:
        yield from parts_of(part, (*pointer, token))


@given(JSON, st.sampled_from([None, 0, 3]), st.booleans())
def test_each_part_is_where_its_value_is(data, indent, is_ascii):
    text = json.dumps(data, indent=indent, ensure_ascii=is_ascii)
    document = Document.parse(text)
    lines = text.split("\n")
    for pointer, part in parts_of(data):
        finding = document.finding(pointer, "x")
        offset = sum(len(line) + 1 for line in lines[: finding.line - 1]) + finding.column - 1
        assert json.JSONDecoder().raw_decode(text, offset)[0] == part
        if pointer and isinstance(pointer[-1], str):
            finding = document.finding(pointer, "x", key=True)
            offset = sum(len(line) + 1 for line in lines[: finding.line - 1]) + finding.column - 1
            assert json.JSONDecoder().raw_decode(text, offset)[0] == pointer[-1]


def test_the_form():
    text = '{\n    "type": "sytem/text/1"\n}'
    finding = Document.parse(text, "algorithms/a/b/1.json").finding(
        ("type",),
        "no dataformat `sytem/text/1'",
        expected="a dataformat",
        value="sytem/text/1",
        word="sytem/text/1",
        known=["system/text/1"],
    )
    assert finding == (
        "algorithms/a/b/1.json:2:13: error: no dataformat `sytem/text/1'\n"
        '  at /type, expected a dataformat, did you mean "system/text/1"?\n'
        "    1 | {\n"
        '    2 |     "type": "sytem/text/1"\n'
        "      |             ^^^^^^^^^^^^^^"
    )
    assert finding.as_dict() == {
        "severity": "error",
        "path": "algorithms/a/b/1.json",
        "line": 2,
        "column": 13,
        "pointer": "/type",
        "message": "no dataformat `sytem/text/1'",
        "expected": "a dataformat",
        "found": '"sytem/text/1"',
        "suggestion": "system/text/1",
        "excerpt": "\n".join(finding.split("\n")[2:]),
    }
    assert json.loads(json.dumps(finding.as_dict()))["line"] == 2
    assert set(finding.as_dict()) == set(FIELDS)
    assert finding.is_error


def test_the_message_tells_what_was_expected_and_what_was_found():
    finding = Document.parse('{"a": 5}').finding(("a",), expected="a text", value=5)
    assert finding.message == "expected a text, found 5"
    assert finding.split("\n")[:2] == ["error: expected a text, found 5", "  at /a"]


def test_a_document_without_text_has_no_places():
    finding = Document(None, None, {"a": 5}).finding(("a",), "wrong", severity="warning")
    assert finding == "warning: wrong\n  at /a"
    assert (finding.path, finding.line, finding.column, finding.excerpt) == (None,) * 4
    assert not finding.is_error


@pytest.mark.parametrize("change", [pickle.dumps, copy.copy, copy.deepcopy, repr])
def test_findings_can_be_copied_and_sent(change):
    finding = Document.parse('{"a": 5}', "x.json").finding(("a",), "wrong").led_by("File invalid: ")
    assert finding.startswith("File invalid: x.json:1:7: error: wrong")
    other = change(finding)
    if isinstance(other, bytes):
        other = pickle.loads(other)
    if change is not repr:
        assert isinstance(other, Finding)
        assert other == finding
        assert other.as_dict() == finding.as_dict()


def test_long_lines_are_cut_around_the_place():
    text = '{"a": "' + "x" * 500 + '", "b": 1, "c": "' + "y" * 500 + '"}'
    finding = Document.parse(text).finding(("b",), "wrong")
    assert marked(finding) == "1"
    assert all(len(line) < 120 for line in finding.split("\n"))


def test_what_cannot_be_shown_is_replaced():
    document = Document.parse('{"a\\u0000\\ud800\\u001b": "\x7f\u202e\\n", "b": 1}', "x.json")
    for pointer, value in parts_of(document.data):
        finding = document.finding(pointer, f"wrong {value!s}", value=value, expected="x")
        finding.encode("utf-8")
        assert all(line.isprintable() for line in finding.split("\n"))


def test_tabs_do_not_move_the_mark():
    finding = Document.parse('{\n\t"a":\t5\n}').finding(("a",), "wrong")
    assert marked(finding) == "5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", '"abc"'),
        ("ä", '"ä"'),
        ("x" * 100, '"' + "x" * 58 + "… (100 characters)"),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        ({}, "an empty object"),
        ({"a": 1}, "an object"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        (10**399, "1" + "0" * 58 + "…"),
    ],
)
def test_values_in_words(value, text):
    assert describe(value) == text


def test_quoting_is_bounded():
    assert len(quote(["x" * 10**6])) <= 60
    assert len(quote({"x" * 10**6: 1})) <= 60
    assert printable("a\tb\x00", 10) == "a b\N{MIDDLE DOT}"


@pytest.mark.parametrize(
    ("pointer", "text"),
    [((), ""), (("a", 0), "/a/0"), (("a/b", "c~d"), "/a~1b/c~0d"), (("",), "/")],
)
def test_pointers(pointer, text):
    assert pointer_text(pointer) == text


def test_an_excerpt():
    assert (
        excerpt(["one", "two three"], 10, 4, 9)
        == "     9 | one\n    10 | two three\n       |     ^^^^^"
    )


def test_files(tmp_path):
    path = tmp_path / "a.json"
    assert "cannot be read: No such file" in Document.read(path).findings[0]
    path.write_text('{"a": 1,\n "a": 2}')
    (finding,) = Document.read(path, "x/a.json").findings
    assert finding.startswith("x/a.json:2:2: error: Invalid file content: a found several times")
    path.write_text('{"a": 1}')
    assert Document.read(path).data == {"a": 1}


def test_nodes():
    root = Node.root(Document.parse('{"a": {"b": [1, "x"]}, "c": null}', "f.json"))
    assert list(root.members) == ["a", "c"]
    assert root["a"]["b"].items[1].text == "x"
    assert root["a"]["b"].items[1].pointer == ("a", "b", 1)
    assert root["c"]
    assert not root["d"]
    assert not root["d"]["e"]
    assert (root["d"].text, root["d"].members, root["a"].items) == (None, {}, [])
    assert root["a"].key == "a"
    assert root.key == ""
    assert root["a"]["b"].error("x").pointer == "/a/b"
    assert root["a"].warning("x", key=True, known=["b"]).severity == "warning"
    assert root["d"].error("x").line == 1
