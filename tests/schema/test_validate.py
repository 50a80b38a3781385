"""What declarations of each kind may look like, field by field."""

from __future__ import annotations

import io
import json
import os
import pathlib
import subprocess
import sys

import pytest
from support.declarations import CACHE_PATH, ENVIRONMENT, HASH, POINT, RIGHT, changed

from beat.backend.python.schema import validate

D, L, B, A = "dataformat", "library", "algorithm 2 block", "algorithm 2 analyzer"
B1, A1 = "algorithm 1 block", "algorithm 1 analyzer"
P3, E3, B3, A3 = (f"algorithm 3 {what}" for what in ("processor", "evaluator", "block", "analyzer"))
T, DB1, DB2 = "protocoltemplate", "database 1", "database 2"
TC1, TC, X1, X = "toolchain 1", "toolchain 2", "experiment 1", "experiment 2"
PL, PP, EX, EXA, ST = "plotter", "plotterparameter", "execution", "execution analyzer", "statistics"

SET, VIEW = ("protocols", 0, "sets", 0), ("protocols", 0, "views", "train")
LONG = "x" * 101


@pytest.mark.parametrize("label", RIGHT)
def test_what_is_right_is_accepted(label):
    data, findings = validate(label.split()[0], RIGHT[label])
    assert findings == []
    assert data is RIGHT[label]


ACCEPTED = [
    (D, ("integer",), ...),
    (D, ("#description",), "x" * 100),
    (D, ("#schema_version",), 1.0),
    (D, ("integer",), "str"),
    (D, ("__reserved__",), "int8"),
    (D, ("array",), [-3, "int8"]),
    (L, ("language",), "cxx"),
    (L, ("anything",), {"x": 1}),
    (L, ("uses", "odd-alias"), "user/lib/1"),
    (B, ("parameters", "plain", "unit"), "metres"),
    (B, ("parameters", "plain", "range"), "anything"),
    (B, ("parameters", "plain", "choice"), {}),
    (B, ("parameters",), {}),
    (B, ("parameters",), ...),
    (B, ("uses",), ...),
    (B, ("api_version",), 7),
    (B, ("groups", 0, "name"), ...),
    (B1, ("schema_version",), ...),
    (A, ("results", "rate", "display"), ...),
    (A1, ("parameters",), ...),
    (E3, ("parameters",), ...),
    (DB1, ("root_folder",), "file:///some/where"),
    (DB1, (*SET, "parameters"), ...),
    (DB1, (*SET, "template"), ...),
    (DB2, (*VIEW, "view"), ...),
    (DB2, (*VIEW, "parameters"), ...),
    (DB2, ("protocols", 0, "views", "odd name"), [None]),
    (TC1, ("loops",), []),
    (TC, ("loops",), []),
    (TC, ("blocks",), []),
    (X, ("loops",), ...),
    (X, ("blocks",), {}),
    (X, ("globals",), {}),
    (X, ("blocks", "work", "parameters"), ...),
    (EX, ("range",), [None, 5]),
    (EX, ("range",), ...),
    (EX, ("loop",), "unchecked"),
    (ST, ("data", "network"), ...),
    (ST, ("data", "files"), []),
]


@pytest.mark.parametrize(("label", "path", "value"), ACCEPTED)
def test_what_has_always_been_accepted_is(label, path, value):
    _, findings = validate(label.split()[0], changed(RIGHT[label], *path, to=value))
    assert findings == []


REFUSED = [
    # dataformats
    (D, ("integer",), "int33", "/integer", 'found "int33"'),
    (D, ("integer",), "int8\n", "/integer", "expected a basic type"),
    (D, ("integer",), 3, "/integer", "found 3"),
    (D, ("integer",), None, "/integer", "found null"),
    (D, ("other",), "user/number", "/other", "expected a basic type, a dataformat"),
    (D, ("other",), "0user/number/1", "/other", "expected"),
    (D, ("2nd",), "int8", "/2nd", "unknown key `2nd'"),
    (D, ("a b",), "int8", "/a b", "unknown key"),
    (D, ("#extend",), "user/base/1", "/#extend", "unknown key `#extend'"),
    (D, ("#extends",), "int8", "/#extends", "a name like user/name/version"),
    (D, ("#description",), LONG, "/#description", "at most 100 characters"),
    (D, ("array",), [], "/array", "found an empty list"),
    (D, ("array",), ["int8"], "/array", "one to five sizes"),
    (D, ("array",), [1, 2, 3, 4, 5, 6, "int8"], "/array", "one to five sizes"),
    (D, ("array",), [1.0, "int8"], "/array/0", "expected a size, 0 for any, found 1.0"),
    (D, ("array",), [True, "int8"], "/array/0", "found true"),
    (D, ("array",), [0, 0], "/array/1", "or an object of fields, found 0"),
    (D, ("array",), [0, [0, "int8"]], "/array/1", "found a list of 2"),
    (D, ("array",), [0, "int8", 0, "int8"], "/array/1", "expected a size"),
    (D, ("array",), [0, {"x": "y"}], "/array/1/x", 'found "y"'),
    (D, ("inner", "y", "z"), "boole", "/inner/y/z", 'found "boole"'),
    (D, ("inner", "#other"), "x", "/inner/#other", "unknown key"),
    # libraries
    (L, ("language",), ..., "", "missing key `language'"),
    (L, ("language",), "Python", "/language", "expected unknown, python, cxx, matlab or r"),
    (L, ("uses",), [], "/uses", "expected an object of libraries by alias"),
    (L, ("uses",), {"x": "y"}, "/uses/x", 'a name like user/name/version, found "y"'),
    # algorithms
    (B, ("schema_version",), 4, "/schema_version", "expected schema_version 1 or 2 or 3, found 4"),
    (B, ("schema_version",), "2", "/schema_version", 'found "2"'),
    (B, ("schema_version",), True, "/schema_version", "found true"),
    (B, ("schema_version",), 1.5, "/schema_version", "found 1.5"),
    (B, ("api_version",), ..., "", "missing key `api_version'"),
    (B, ("api_version",), 0, "/api_version", "a whole number, 1 or more, found 0"),
    (B, ("api_version",), 1.5, "/api_version", "found 1.5"),
    (B, ("type",), ..., "", "missing key `type'"),
    (B, ("type",), "sequencial", "/type", "legacy, sequential or autonomous"),
    (B, ("type",), "sequential_loop_processor", "/type", "legacy, sequential or autonomous"),
    (B, ("splittable",), ..., "", "missing key `splittable'"),
    (B, ("splittable",), 1, "/splittable", "true or false, found 1"),
    (B, ("groups",), ..., "", "missing key `groups'"),
    (B, ("groups",), [], "/groups", "found an empty list"),
    (B, ("groups", 0, "outputs"), ..., "/groups/0", "missing key `outputs'"),
    (B, ("groups", 0, "loop"), {}, "/groups/0/loop", "only algorithms of loops"),
    (B, ("groups", 1, "outputs"), {"o": POINT}, "/groups/1/outputs", "only the first group"),
    (B, ("groups", 1, "inputs"), {}, "/groups/1/inputs", "found an empty object"),
    (B, ("groups", 1, "inputs", "in2"), {}, "/groups/1/inputs/in2", "missing key `type'"),
    (B, ("groups", 1, "inputs", "a b"), POINT, "/groups/1/inputs/a b", "unknown key"),
    (B, ("groups", 1, "other"), 1, "/groups/1/other", "unknown key `other'"),
    (B, ("parameters", "plain"), {}, "/parameters/plain", "missing key `type'"),
    (B, ("parameters", "plain", "type"), "str", "/parameters/plain/type", 'found "str"'),
    (B, ("parameters", "plain", "default"), [1], "/parameters/plain/default", "a list of 1"),
    (B, ("parameters", "plain", "default"), None, "/parameters/plain/default", "found null"),
    (B, ("parameters", "a.b"), {"type": "int8"}, "/parameters/a.b", "unknown key"),
    (B, ("results",), {"x": {"type": "int32"}}, "/splittable", "analyzers are never split"),
    (B, ("something",), 1, "/something", "unknown key `something'"),
    (B1, ("api_version",), 2, "/api_version", "it needs schema_version 2 or 3"),
    (B1, ("type",), "legacy", "/type", "it needs schema_version 2 or 3"),
    (A1, ("splittable",), True, "/splittable", "analyzers are never split"),
    (A, ("parameters",), {}, "/parameters", "analyzers of schema_version 2 have no parameters"),
    (A, ("groups", 0, "outputs"), {"o": POINT}, "/groups/0/outputs", "only the first group"),
    (A, ("results",), {}, "/results", "found an empty object"),
    (A, ("results", "rate", "type"), "float64", "/results/rate/type", "int32, float32, bool"),
    (A, ("results", "rate", "type"), "user/x/1", "/results/rate/type", "int32, float32, bool"),
    (A, ("results", "rate", "display"), 1, "/results/rate/display", "true or false"),
    (A3, ("parameters",), {}, "/parameters", "analyzers of schema_version 3"),
    (B3, ("type",), "loop", "/type", "expected legacy, sequential, autonomous"),
    (P3, ("groups", 0, "loop"), ..., "/groups/0", "missing key `loop'"),
    (P3, ("groups", 0, "loop", "answer"), ..., "/groups/0/loop", "missing key `answer'"),
    (P3, ("groups", 1, "loop"), {}, "/groups/1/loop", "only the first group of a loop"),
    (P3, ("splittable",), ..., "", "missing key `splittable'"),
    (P3, ("results",), {"x": {"type": "int32"}}, "/results", "processors of loops"),
    (E3, ("splittable",), False, "/splittable", "evaluators of loops are never split"),
    (E3, ("results",), {"x": {"type": "int32"}}, "/results", "evaluators of loops"),
    # databases and templates
    (DB1, ("root_folder",), ..., "", "missing key `root_folder'"),
    (DB1, ("root_folder",), "some/where", "/root_folder", "an absolute folder"),
    (DB1, ("root_folder",), "/", "/root_folder", "an absolute folder"),
    (DB1, ("root_folder",), "/a//b", "/root_folder", "an absolute folder"),
    (DB1, ("root_folder",), "/a/", "/root_folder", "an absolute folder"),
    (DB1, ("root_folder",), "nfs://HOST:/a", "/root_folder", "an absolute folder"),
    (DB1, ("protocols",), [], "/protocols", "found an empty list"),
    (DB1, ("protocols", 0, "name"), ".x", "/protocols/0/name", "a protocol's name"),
    (DB1, ("protocols", 0, "template"), "x/1", "/protocols/0/template", "letters, digits"),
    (DB1, ("protocols", 0, "views"), {}, "/protocols/0/views", "views need schema_version 2"),
    (DB1, ("protocols", 1), None, "/protocols/1", "expected a protocol"),
    (DB1, (*SET, "view"), "pkg.View", "/protocols/0/sets/0/view", "the name of a class"),
    (DB1, (*SET, "outputs"), {}, "/protocols/0/sets/0/outputs", "found an empty object"),
    (DB1, (*SET, "parameters", "b"), None, "/protocols/0/sets/0/parameters/b", "found null"),
    (DB1, ("environment",), {"name": "x"}, "/environment", "missing key `version'"),
    (DB1, ("environment", "version"), 1, "/environment/version", "a string, found 1"),
    (DB1, ("direct_rawdata_access",), 0, "/direct_rawdata_access", "true or false"),
    (DB2, ("protocols", 0, "template"), "simple", "/protocols/0/template", "like name/version"),
    (DB2, ("protocols", 0, "views"), {}, "/protocols/0/views", "found an empty object"),
    (DB2, ("protocols", 0, "sets"), [], "/protocols/0/sets", "those of the protocol template"),
    (DB2, (*VIEW, "class"), "X", "/protocols/0/views/train/class", "unknown key `class'"),
    (T, ("schema_version",), ..., "", "missing key `schema_version'"),
    (T, ("schema_version",), 2, "/schema_version", "expected schema_version 1, found 2"),
    (T, ("sets", 0, "name"), "1st", "/sets/0/name", "starts with no digit"),
    (T, ("sets", 0, "outputs", "value"), "int8", "/sets/0/outputs/value", "user/name/version"),
    # toolchains
    (TC, ("loops",), ..., "", "missing key `loops'"),
    (TC1, ("loops",), [1], "/loops", "no loops: they need schema_version 2"),
    (TC, ("representation",), ..., "", "missing key `representation'"),
    (TC, ("datasets", 0, "outputs"), ["a", "a"], "/datasets/0/outputs/1", "stands twice"),
    (TC, ("datasets", 0, "outputs"), [], "/datasets/0/outputs", "found an empty list"),
    (TC, ("blocks", 0, "inputs"), ["a b"], "/blocks/0/inputs/0", "letters, digits"),
    (TC, ("connections", 0, "from"), "data:value", "/connections/0/from", "like block.name"),
    (TC, ("connections", 5), 3, "/connections/5", "a connection: from, to and channel"),
    (
        *(TC, ("representation", "channel_colors", "data"), "red"),
        *("/representation/channel_colors/data", "a colour like #1f77b4"),
    ),
    (
        *(TC, ("representation", "blocks", "work", "col"), 1.5),
        *("/representation/blocks/work/col", "a whole number, found 1.5"),
    ),
    (
        *(TC, ("representation", "connections", "data.value/work.in", 0), {"col": 1}),
        *("/representation/connections/data.value~1work.in/0", "missing key `row'"),
    ),
    # experiments
    (X, ("datasets",), {}, "/datasets", "found an empty object"),
    (X, ("analyzers",), {}, "/analyzers", "found an empty object"),
    (X, ("globals",), ..., "", "missing key `globals'"),
    (X, ("datasets", "data", "database"), "xy/1", "/datasets/data/database", "three characters"),
    (X, ("blocks", "work", "nb_slots"), 0, "/blocks/work/nb_slots", "1 or more, found 0"),
    (X, ("blocks", "work", "nb_slots"), 2.0, "/blocks/work/nb_slots", "found 2.0"),
    (X, ("blocks", "work", "inputs"), {}, "/blocks/work/inputs", "found an empty object"),
    (X, ("blocks", "work", "inputs", "a-b"), "in", "/blocks/work/inputs/a-b", "digits and _"),
    (X, ("blocks", "work", "outputs"), ..., "/blocks/work", "missing key `outputs'"),
    (X, ("blocks", "work", "parameters", "plain"), {}, "/blocks/work/parameters/plain", "a string"),
    (X, ("analyzers", "report", "outputs"), {}, "/analyzers/report/outputs", "unknown key"),
    (X, ("loops", "loop", "parameters"), {}, "/loops/loop/parameters", "unknown key"),
    (X, ("globals", "work"), {}, "/globals/work", "queue, environment or an algorithm like"),
    (X, ("globals", "queue"), 3, "/globals/queue", "a queue's name, found 3"),
    (X1, ("loops",), {}, "/loops", "loops need schema_version 2"),
    # plotters
    (PL, ("dataformat",), "user/scatter/1", "/dataformat", "like plot/name/version"),
    (PL, ("parameters",), ..., "", "missing key `parameters'"),
    (PP, ("plotter",), "plotter/1", "/plotter", "user/name/version"),
    (PP, ("data", "plain"), [], "/data/plain", "a string, a number or a boolean"),
    # what the package itself makes
    (EX, ("inputs", "a", "path"), "/etc/passwd", "/inputs/a/path", "a path in the cache"),
    (EX, ("inputs", "b", "path"), CACHE_PATH, "/inputs/b/path", "<58 hexadecimal digits>.db"),
    (EX, ("inputs", "a", "hash"), HASH[:-1], "/inputs/a/hash", "64 hexadecimal digits"),
    (EX, ("inputs",), {}, "/inputs", "found an empty object"),
    (EX, ("nb_slots",), ..., "", "missing key `nb_slots'"),
    (EX, ("outputs",), ..., "", "missing key `outputs'"),
    (EX, ("range",), [0], "/range", "a list of the first and the last data index"),
    (EX, ("range",), [0, -1], "/range/1", "0 or more, or null, found -1"),
    (EX, ("environment",), {**ENVIRONMENT, "x": 1}, "/environment/x", "unknown key `x'"),
    (EXA, ("outputs",), {}, "/outputs", "there is a result already"),
    (EXA, ("result", "hash"), ..., "/result", "missing key `hash'"),
    (ST, ("cpu", "total"), -1, "/cpu/total", "a number, 0 or more"),
    (ST, ("memory", "rss"), 1.5, "/memory/rss", "a whole number, 0 or more"),
    (ST, ("memory", "limit"), 1, "/memory/limit", "unknown key `limit'"),
    (ST, ("data", "time", "read"), True, "/data/time/read", "found true"),
    (ST, ("data", "files", 0, "hash"), "x", "/data/files/0/hash", "64 hexadecimal digits"),
]


@pytest.mark.parametrize(("label", "path", "value", "pointer", "text"), REFUSED)
def test_what_is_wrong_is_told_at_its_place(label, path, value, pointer, text):
    document = changed(RIGHT[label], *path, to=value)
    kind = label.split()[0]
    data, findings = validate(kind, json.dumps(document, indent=2))
    assert data == document
    found = [finding for finding in findings if finding.pointer == pointer]
    assert found, findings
    assert text in found[0]
    assert found[0].line
    assert {f.message for f in validate(kind, document)[1]} == {f.message for f in findings}


@pytest.mark.parametrize("kind", [label.split()[0] for label in RIGHT])
@pytest.mark.parametrize("document", [[], [1], 3, None, True])
def test_what_is_no_object_is_refused(kind, document):
    _, (finding,) = validate(kind, document)
    assert "expected an object, found" in finding


def test_everything_is_told_at_once_in_the_order_of_the_file():
    text = json.dumps(
        {"language": "pyton", "groups": [], "splitable": True, "uses": {"a": "b"}}, indent=1
    )
    _, findings = validate("algorithm", text)
    assert [(f.line, f.column, f.pointer, f.suggestion) for f in findings] == [
        (1, 1, "", None),
        (2, 14, "/language", "python"),
        (3, 12, "/groups", None),
        (4, 2, "/splitable", "splittable"),
        (6, 8, "/uses/a", None),
    ]


def test_endless_depth_ends():
    document = "int8"
    for _ in range(900):
        document = {"x": document}
    _, (finding,) = validate("dataformat", document)
    assert finding.message == "nested too deeply"


def test_endless_findings_are_cut():
    _, findings = validate("dataformat", {f"f{i}": "x" for i in range(5000)})
    assert len(findings) == 101
    assert "more than 100 findings" in findings[-1]


def test_a_list_of_anything_is_compared_in_linear_time():
    datasets = [{"name": "a"}, [], 1, "x", None, True, 1.5] * 2500
    _, findings = validate("toolchain", {"datasets": datasets})
    assert len(findings) == 101


def test_all_ways_to_give_a_document(tmp_path, monkeypatch):
    text = '{"a": "int8"}'
    path = tmp_path / "x.json"
    path.write_text(text)
    for document in (text, str(path), path, io.StringIO(text), io.BytesIO(text.encode())):
        assert validate("dataformat", document) == ({"a": "int8"}, [])
    path.write_text('{"a": 1}')
    monkeypatch.chdir(tmp_path)
    assert validate("dataformat", "x.json")[1][0].startswith("x.json:1:7: error: expected a basic")
    assert validate("dataformat", pathlib.Path("x.json"))[1][0].path == "x.json"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1', "invalid JSON code"),
        ('{"a": 1, "a": 2}', "Invalid file content: a found several times"),
    ],
)
def test_what_is_no_json_gives_no_data(text, message):
    data, (finding,) = validate("dataformat", text)
    assert data is None
    assert message in finding


def test_a_missing_file_and_an_unknown_kind():
    data, (finding,) = validate("dataformat", "/none/such.json")
    assert data is None
    assert "cannot be read: No such file or directory" in finding
    with pytest.raises(ValueError, match="no schema for `dings'"):
        validate("dings", {})


BLOCKED = """
import socket
def refuse(*arguments):
    raise AssertionError("the network was used")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from beat.backend.python.schema import VERSIONS, validate
for kind in VERSIONS:
    assert validate(kind, {"schema_version": 9})[1]
    validate(kind, {"x": 1})
"""


def test_the_network_is_not_used(tmp_path):
    subprocess.run([sys.executable, "-c", BLOCKED], check=True, timeout=60, env=os.environ)


def test_validation_is_loaded_when_it_is_used():
    code = "import sys; import {}; assert 'jsonschema' not in sys.modules, '{}'"
    for module in ("beat.backend.python.execution", "beat.backend.python.checks"):
        subprocess.run([sys.executable, "-c", code.format(module, module)], check=True)
