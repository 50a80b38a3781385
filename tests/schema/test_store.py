"""The schemas: complete, described, and fit for every validator."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from jsonschema import Draft7Validator

from beat.backend.python.schema import VERSIONS, load

SCHEMAS = [(kind, version) for kind, versions in VERSIONS.items() for version in versions]


def parts(schema):
    """Return all objects in a schema."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, (dict, list)):
            yield from parts(part)


def patterns(kind, version):
    found = set()
    for part in parts(load(kind, version)):
        if isinstance(part.get("pattern"), str):
            found.add(part["pattern"])
        if isinstance(part.get("patternProperties"), dict):
            found.update(part["patternProperties"])
    return found


ALL_PATTERNS = sorted(set().union(*(patterns(*schema) for schema in SCHEMAS)))


def test_all_kinds_are_there():
    assert set(VERSIONS) == {
        *("dataformat", "algorithm", "library", "database", "protocoltemplate", "toolchain"),
        *("experiment", "plotter", "plotterparameter", "execution", "statistics"),
    }
    assert VERSIONS["algorithm"] == (1, 2, 3)
    assert VERSIONS["database"] == VERSIONS["toolchain"] == VERSIONS["experiment"] == (1, 2)


@pytest.mark.parametrize(("kind", "version"), SCHEMAS)
def test_each_schema_is_draft_07_with_a_stable_name(kind, version):
    schema = load(kind, version)
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$id"] == f"urn:beat:schema:{kind}:{version}"
    assert schema["title"]


@pytest.mark.parametrize(("kind", "version"), SCHEMAS)
def test_each_schema_is_complete_in_itself(kind, version):
    schema = load(kind, version)
    references = {part["$ref"] for part in parts(schema) if isinstance(part.get("$ref"), str)}
    names = {reference.removeprefix("#/definitions/") for reference in references}
    assert names == set(schema.get("definitions", {}))


@pytest.mark.parametrize(("kind", "version"), SCHEMAS)
def test_what_is_expected_is_told_wherever_something_can_be_wrong(kind, version):
    rules = {"type", "pattern", "enum", "minimum", "minItems", "maxLength", "minProperties"}
    schema = load(kind, version)
    for part in parts(schema):
        is_rule = rules & {key for key, value in part.items() if not isinstance(value, dict)}
        is_condition = set(part) <= {"minItems", "maxItems", "type", "enum", "required"}
        assert not is_rule or is_condition or part.get("description"), part


def test_a_loaded_schema_is_the_callers_own():
    load("dataformat")["definitions"].clear()
    assert load("dataformat")["definitions"]


@pytest.mark.parametrize(("kind", "version"), [("dataformat", 2), ("x", 1), ("algorithm", 0)])
def test_an_unknown_schema_is_an_error(kind, version):
    with pytest.raises(ValueError, match="no schema"):
        load(kind, version)


HOSTILE = [
    "a" * 5000 + "!",
    "a-" * 2500 + "\n",
    "/a" * 2500 + "/",
    "a/" * 2500,
    "/" * 5000,
    "a/a/" + "1" * 5000 + "\n",
    "nfs://" + "a." * 2500,
    "nfs://a:" + "/a" * 2500 + "\n/",
    "file://" + "/a" * 2500 + "/",
    "plot/" + "a" * 5000,
    "0" * 5000,
    "#" + "f" * 5000,
    "ab/cd/" * 1000,
    "a." * 2500,
    "float" * 1000,
    "uuint88" * 700,
]

TRY_ALL = """
import json, re, sys
patterns, texts = json.load(sys.stdin)
for pattern in patterns:
    for text in texts:
        re.search(pattern, text)
"""


def test_no_pattern_takes_long_on_any_text():
    """A quadratic pattern would take minutes on these texts, an exponential one would never end."""
    texts = HOSTILE + [text * 20 for text in HOSTILE]
    tried = subprocess.run(
        [sys.executable, "-c", TRY_ALL],
        input=json.dumps([ALL_PATTERNS, texts]),
        text=True,
        timeout=20,
        check=True,
    )
    assert tried.returncode == 0


@pytest.mark.parametrize("pattern", ALL_PATTERNS)
def test_patterns_are_anchored_for_python_and_for_javascript(pattern):
    assert pattern.startswith("^")
    assert pattern.endswith("$(?!\\n)")
    assert "\\Z" not in pattern
    for text in ("a", "int8", "a/b/1", "abc/1", "plot/a/1", "/a", "a.b", "#00ff00", "0" * 64):
        if re.search(pattern, text):
            assert not re.search(pattern, text + "\n")
