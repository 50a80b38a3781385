from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python import hash as hashing


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_paths():
    assert hashing.toPath("0123456789") == "01/23/45/6789.data"
    assert hashing.toPath("0123456789", "") == "01/23/45/6789"
    assert hashing.toPath("0123456789", ".db") == "01/23/45/6789.db"
    digest = sha("someone")
    assert hashing.toUserPath("someone") == f"{digest[:2]}/{digest[2:4]}/someone"


def test_texts_and_bytes_hash_alike():
    assert hashing.hash("é") == hashing._sha256("é") == hashing._sha256("é".encode()) == sha("é")


def test_dictionaries_are_sorted_and_values_are_not_quoted():
    value = {"b": 1.0, "a": "text", "c": True, "d": {"x": None}}
    text = '{"a":text,"b":1.0,"c":True,"d":{\'x\': None}}'
    assert hashing._stringify(value) == text
    assert hashing.hash(value) == sha(text)


def test_compact():
    assert hashing._compact("{ a:\n b }\n") == "{a:b}"


def test_json_hash_leaves_out_the_description_and_nothing_else():
    contents = {"b": [1, 2.5, "é"], "description": "x", "a": {"description": "kept"}}
    expected = sha('{"a": {"description": "kept"}, "b": [1, 2.5, "\\u00e9"]}')
    assert hashing.hashJSON(contents, "description") == expected
    assert "description" in contents
    assert hashing.hashJSON({"#description": "x"}, "description") == sha('{"#description": "x"}')


def test_json_file_hash_does_not_depend_on_the_layout(tmp_path):
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_text('{"b": 1, "a": 2}')
    other.write_text('{\n  "a": 2,\n  "description": "text",\n  "b": 1\n}\n')
    assert hashing.hashJSONFile(str(one), "description") == sha('{"a": 2, "b": 1}')
    assert hashing.hashJSONFile(str(other), "description") == sha('{"a": 2, "b": 1}')


@pytest.mark.parametrize("content", [b"{broken", b"\xff\xfe", b"[" * 100_000])
def test_a_file_without_json_is_hashed_as_it_is(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert hashing.hashJSONFile(str(path), "description") == hashlib.sha256(content).hexdigest()


def test_file_hash_and_missing_file(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"0123456789" * 300_000)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashing.hashFileContents(str(path)) == expected
    with pytest.raises(FileNotFoundError):
        hashing.hashFileContents(str(tmp_path / "nothing"))


def test_dataset_hash():
    expected = sha('{"database":"my db/1","protocol":"P 1","set":"train"}')
    assert hashing.hashDataset("my db/1", "P 1", "train") == expected


def test_block_output_and_analyzer_hashes():
    parameters, environment = {"b": 2, "a": "x"}, {"version": "1", "name": "env"}
    inputs = {"in2": "h2", "in1": "h1"}
    tail = (
        '"parameters":{"a":x,"b":2},"environment":{"name":env,"version":1},'
        '"inputs":{"in1":h1,"in2":h2}'
    )
    block = hashing.hashBlockOutput("block", "u/a/1", "A", parameters, environment, inputs, "out")
    assert block == sha('{"algorithm":"A",' + tail + ',"output":"out"}')
    analyzer = hashing.hashAnalyzer("block", "u/a/1", "A", parameters, environment, inputs)
    assert analyzer == sha('{"algorithm_name":"u/a/1","algorithm":"A",' + tail + "}")


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_key_order_never_matters(values):
    backwards = dict(reversed(values.items()))
    assert hashing.hash(values) == hashing.hash(backwards)
    assert hashing.hashJSON(values, "description") == hashing.hashJSON(backwards, "description")
