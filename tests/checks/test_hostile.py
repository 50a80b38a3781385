"""Declarations made to do harm end soon, with an error and in little memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest
from support.objects import write_object

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.checks import open_catalog
from beat.backend.python.database import Database
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.library import Library
from beat.backend.python.protocoltemplate import ProtocolTemplate

pytestmark = pytest.mark.once

CHECK = """
import resource, sys
from beat.backend.python.checks import open_catalog
catalog = open_catalog(sys.argv[1])
entry = catalog.find(sys.argv[2], sys.argv[3])
print(len(entry.findings))
print("\\n".join(entry.findings)[:2000])
"""

CLASSES = {
    "dataformat": DataFormat,
    "library": Library,
    "algorithm": Algorithm,
    "protocoltemplate": ProtocolTemplate,
    "database": Database,
}


def many(count, form):
    return ",".join(form % ((i,) * form.count("%d")) for i in range(count))


def blocks(count):
    made = many(count, '{"name":"b%d","synchronized_channel":"d","inputs":["i"],"outputs":["o"]}')
    return (
        '{"datasets":[{"name":"d","outputs":["o"]}],"analyzers":[],"connections":[],"blocks":['
        + made
        + '],"representation":{"connections":{},"blocks":{},"channel_colors":{}}}'
    )


HOSTILE = {
    "50 MB": (b"[" * 50_000_000, "too large: 50,000,000 bytes"),
    "depth": (b"[" * 10_000 + b"]" * 10_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested too deeply"),
    "open for ever": (b"[" * 8_000_000, "too large: 8,000,000 values"),
    "doubled keys": (b'{"a": 1, "a": 2}', "Invalid file content: a found several times"),
    "many doubled keys": (b"{" + many(79_000, '"a":1').encode() + b"}", "several times"),
    "NaN": (b'{"a": NaN}', "not a finite number"),
    "Infinity": (b'{"a": -Infinity}', "not a finite number"),
    "1e999": (b'{"a": 1e999}', "not a finite number"),
    "digits": (b'{"a": ' + b"1" * 10_000 + b"}", "not a finite number of reasonable length"),
    "byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8 text"),
    "no text": (bytes(range(256)), "not UTF-8 text"),
    "nothing": (b"", "invalid JSON code"),
    "a long string": (b'{"a": "' + b"x" * 2_000_000 + b'"}', "no basic type or dataformat `xxx"),
    "a long key": (b'{"' + b"x" * 2_000_000 + b'": 1}', "expected a basic type"),
    "a long name": (json.dumps({"#extends": "a/" + "b" * 300 + "/1"}).encode(), "no dataformat"),
    "many values": (b"{" + many(150_000, '"k%d":1').encode() + b"}", "too large: 150,000 values"),
    "many wrong values": (b"{" + many(19_000, '"k%d":"x"').encode() + b"}", "more than 100"),
    "many wrong values more": (b"{" + many(79_000, '"k%d":1').encode() + b"}", "too large: 79,000"),
    "many lists": (b"[" + b"[]," * 2_700_000 + b"1]", "too large: 2,700,001 values"),
    "many references": (b"{" + many(19_000, '"k%d":"a/b%d/1"').encode() + b"}", "more than 100"),
    "escaped quotes": (b'{"a": "' + b'\\"' * 4_000_000, "Unterminated string"),
    "control characters": (b'{"a": "\x1b[2J"}', "Invalid control character"),
}


def run_check(folder, kind, name):
    """Check an object in a process of its own, which may use 200 MB more than an idle one."""
    ended = subprocess.run(
        [sys.executable, "-c", CHECK, str(folder), kind, name],
        capture_output=True,
        text=True,
        timeout=20,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (400 * 2**20, 400 * 2**20)),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    count, _, text = ended.stdout.partition("\n")
    return int(count), text


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files(tmp_path, what):
    content, message = HOSTILE[what]
    path = tmp_path / "dataformats/a/b/1.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    count, text = run_check(tmp_path, "dataformat", "a/b/1")
    assert 1 <= count <= 202
    assert message in text or count > 10
    assert "dataformats/a/b/1.json:" in text


@pytest.mark.parametrize("what", [what for what in HOSTILE if what != "many references"])
@pytest.mark.parametrize("kind", ["dataformat", "database"])
def test_the_classes_survive_hostile_files(tmp_path, what, kind):
    content, message = HOSTILE[what]
    name = "a/b/1" if kind == "dataformat" else "b/1"
    path = tmp_path / f"{kind}s" / f"{name}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    errors = CLASSES[kind](str(tmp_path), name).errors
    assert errors
    if content[:1] not in (b"{",) or b"NaN" in content:
        assert message in errors[0]


def test_a_hundred_thousand_blocks(tmp_path):
    write_object(tmp_path, "toolchains", "a/b/1", blocks(100_000))
    count, text = run_check(tmp_path, "toolchain", "a/b/1")
    assert count == 1
    assert "too large" in text
    write_object(tmp_path, "toolchains", "a/b/1", blocks(11_000))
    count, text = run_check(tmp_path, "toolchain", "a/b/1")
    assert count == 101
    assert "input `b0.i' is not connected" in text


def test_a_long_cycle_in_a_toolchain(tmp_path):
    number = 6_000
    declaration = json.loads(blocks(number))
    declaration["connections"] = [
        {"from": f"b{i}.o", "to": f"b{(i + 1) % number}.i", "channel": "d"} for i in range(number)
    ]
    write_object(tmp_path, "toolchains", "a/b/1", declaration)
    _, text = run_check(tmp_path, "toolchain", "a/b/1")
    assert "error: cycle: b" in text


@pytest.mark.parametrize("key", ["x", "#extends"])
def test_long_chains_and_cycles_of_formats(tmp_path, key):
    number = 300
    for i in range(number):
        write_object(tmp_path, "dataformats", f"a/f{i}/1", {key: f"a/f{i + 1}/1"})
    write_object(tmp_path, "dataformats", f"a/f{number}/1", {})
    catalog = open_catalog(str(tmp_path))
    assert all(not catalog.find("dataformat", n).findings for n in catalog.names("dataformat"))
    assert len(catalog.closure([catalog.find("dataformat", "a/f0/1")])) == number + 1
    write_object(tmp_path, "dataformats", f"a/f{number}/1", {key: "a/f0/1"})
    catalog = open_catalog(str(tmp_path))
    (finding,) = catalog.find("dataformat", "a/f7/1").findings
    assert finding.message.startswith("dataformat refers to itself: a/f7/1 -> a/f8/1 -> a/f9/1")


def test_exponential_references(tmp_path):
    for i in range(40):
        write_object(
            tmp_path, "dataformats", f"a/f{i}/1", {"x": f"a/f{i + 1}/1", "y": f"a/f{i + 1}/1"}
        )
    write_object(tmp_path, "dataformats", "a/f40/1", {"x": "int8"})
    catalog = open_catalog(str(tmp_path))
    assert all(not catalog.find("dataformat", n).findings for n in catalog.names("dataformat"))


NAMES = [
    "../b/1",
    "a/../1",
    "a/../../etc/1",
    "a/./1",
    "/etc/passwd",
    "//1",
    "a//1",
    "a/b/",
    "a/b/1\n",
    "a/b\n/1",
    "a/b\0/1",
    "a\\b\\1",
    "a\\..\\b/c/1",
    "a/b\x1b/1",
    "a/b/1/2",
    "a/b",
    "",
    "a" * 300 + "/b/1",
    "a/" + "b" * 300 + "/1",
    "a/b/" + "1" * 300,
    "a/\ud800/1",
    "a/\u202e/1",
    "ä" * 150 + "/b/1",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["dataformat", "library", "algorithm"])
def test_impossible_names(tmp_path, kind, name):
    (tmp_path / "etc").mkdir()
    catalog = open_catalog(str(tmp_path))
    assert catalog.find(kind, name) is None
    with pytest.raises(RuntimeError, match="invalid"):
        CLASSES[kind](str(tmp_path), name)


@pytest.mark.parametrize("name", NAMES)
def test_impossible_names_in_declarations(tmp_path, name):
    write_object(tmp_path, "dataformats", "a/x/1", {"x": name, "#extends": name})
    write_object(tmp_path, "libraries", "a/x/1", {"language": "python", "uses": {"x": name}}, "")
    catalog = open_catalog(str(tmp_path))
    findings = catalog.find("dataformat", "a/x/1").findings
    assert {finding.pointer for finding in findings} == {"/x", "/#extends"}
    assert all(finding.is_error and finding.line for finding in findings)
    findings = catalog.find("library", "a/x/1").findings
    assert [finding.pointer for finding in findings] == ["/uses/x"]
    "\n".join(findings).encode("utf-8")


def test_symbolic_links_out_of_the_prefix(tmp_path):
    outside, prefix = tmp_path / "outside", tmp_path / "prefix"
    write_object(outside, "dataformats", "a/b/1", {"secret": "int8"})
    write_object(prefix, "dataformats", "a/real/1", {})
    (prefix / "dataformats/a/b").symlink_to(outside / "dataformats/a/b")
    (prefix / "dataformats/a/real/2.json").symlink_to("1.json")
    (prefix / "dataformats/a/real/3.json").symlink_to(outside / "dataformats/a/b/1.json")
    (prefix / "dataformats/a/real/4.json").symlink_to("nowhere.json")
    catalog = open_catalog(str(prefix))
    found = {
        name: catalog.find("dataformat", name).findings for name in catalog.names("dataformat")
    }
    assert found["a/real/1"] == found["a/real/2"] == []
    for name in ("a/b/1", "a/real/3"):
        (finding,) = found[name]
        assert finding.message == "the file is outside of the prefix"
        assert "secret" not in finding
    assert "cannot be read: No such file" in found["a/real/4"][0]


def test_code_out_of_the_prefix(tmp_path):
    outside, prefix = tmp_path / "outside.py", tmp_path / "prefix"
    outside.write_text("syntax error")
    write_object(prefix, "libraries", "a/b/1", {"language": "python"})
    (prefix / "libraries/a/b/1.py").symlink_to(outside)
    (finding,) = open_catalog(str(prefix)).find("library", "a/b/1").findings
    assert finding.message == "the code file is outside of the prefix: libraries/a/b/1.py"


def test_the_folder_of_a_kind_may_be_elsewhere(tmp_path):
    write_object(tmp_path / "shared", "dataformats", "a/b/1", {})
    (tmp_path / "prefix").mkdir()
    (tmp_path / "prefix/dataformats").symlink_to(tmp_path / "shared/dataformats")
    catalog = open_catalog(str(tmp_path / "prefix"))
    assert catalog.names("dataformat") == ["a/b/1"]
    assert catalog.find("dataformat", "a/b/1").findings == []


def test_folders_that_contain_themselves(tmp_path):
    write_object(tmp_path, "dataformats", "a/b/1", {})
    (tmp_path / "dataformats/a/loop").symlink_to("..")
    assert "a/b/1" in open_catalog(str(tmp_path)).names("dataformat")


def test_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "dataformats/a/b").mkdir(parents=True)
    os.mkfifo(tmp_path / "dataformats/a/b/1.json")
    (finding,) = open_catalog(str(tmp_path)).find("dataformat", "a/b/1").findings
    assert "not a regular file" in finding
    (tmp_path / "dataformats/a/c/1.json").mkdir(parents=True)
    (finding,) = open_catalog(str(tmp_path)).find("dataformat", "a/c/1").findings
    assert "not a regular file" in finding
