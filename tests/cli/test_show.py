from __future__ import annotations

import json

import pytest
from support.declared_prefix import write_everything
from support.example_prefix import PREFIX
from support.objects import write_object

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.cli.show import pretty


@pytest.fixture
def everything(tmp_path):
    write_everything(tmp_path)
    return tmp_path


def test_ls(call, everything):
    lines = call(everything, "ls").output.splitlines()
    assert len(lines) == 20
    assert lines[0].split() == ["dataformats/plot/scatter/1"]
    assert [line.split(None, 1) for line in lines if "numbers" in line] == [
        ["databases/numbers/1", "a database"]
    ]
    assert call(everything, "ls", "library").output.splitlines() == [
        "libraries/user/lib/1    x",
        "libraries/user/other/1  x",
    ]
    assert json.loads(call(everything, "ls", "databases", "--json").output) == [
        {"kind": "database", "name": "numbers/1", "description": "a database"},
        {"kind": "database", "name": "templated/1", "description": "a database"},
    ]
    assert "expected one of dataformats" in call(everything, "ls", "dings", status=2).output


def test_ls_of_nothing_and_of_what_is_broken(call, tmp_path):
    assert call(tmp_path, "ls").output == ""
    write_object(tmp_path, "libraries", "a/b/1", "{")
    assert call(tmp_path, "ls").output == "libraries/a/b/1\n"


def test_deps(call, everything):
    lines = [
        line.split()[0] for line in call(everything, "deps", "user/chain/1/x").output.splitlines()
    ]
    assert set(lines) == {
        "toolchains/user/chain/1",
        "databases/numbers/1",
        "algorithms/user/work/1",
        "algorithms/user/processor/1",
        "algorithms/user/evaluator/1",
        "algorithms/user/report/1",
        "dataformats/user/number/1",
        "dataformats/plot/scatter/1",
        "dataformats/system/thing/1",
    }
    assert lines.index("dataformats/user/number/1") < lines.index("algorithms/user/work/1")
    assert call(everything, "deps", "user/number/1").output == ""
    assert [
        item["name"] for item in json.loads(call(everything, "deps", "user/lib/1", "--json").output)
    ] == ["user/other/1"]


def test_deps_of_what_is_broken(call, tmp_path):
    write_object(tmp_path, "dataformats", "a/a/1", {"x": "a/b/1", "y": "a/none/1", "z": 3})
    write_object(tmp_path, "dataformats", "a/b/1", {"x": "a/a/1"})
    assert call(tmp_path, "deps", "a/a/1").output == "dataformats/a/b/1\n"


def test_show(call):
    shown = json.loads(call(PREFIX, "show", "tutorial/pca/1", "--json").output)
    assert shown["kind"] == "algorithm"
    assert shown["name"] == "tutorial/pca/1"
    assert shown["file"] == f"{PREFIX}/algorithms/tutorial/pca/1.json"
    assert shown["hash"] == Algorithm(str(PREFIX), "tutorial/pca/1").hash()
    assert "dataformats/system/array_2d_uint8/1" in shown["needs"]
    inputs = shown["declaration"]["groups"][0]["inputs"]
    assert inputs["image"]["type"] == {"system/array_2d_uint8/1": {"value": [0, 0, "uint8"]}}
    assert "tutorial/pca/1" in shown["documentation"]
    text = call(PREFIX, "show", "tutorial/pca/1").output
    assert text.startswith(
        f"Algorithm tutorial/pca/1\nfile: {shown['file']}\nhash: {shown['hash']}\n"
    )
    assert '"value": [0, 0, "uint8"]' in text


@pytest.mark.parametrize("name", ["user/chain/1/x", "numbers/1", "user/values/1", "simple/1"])
def test_show_of_all_kinds(call, everything, name):
    assert json.loads(call(everything, "show", name, "--json").output)["documentation"] is None


def test_inherited_fields_are_shown(call, everything):
    shown = json.loads(call(everything, "show", "user/derived/1", "--json").output)
    assert shown["declaration"] == {
        "value": "float64",
        "#extends": "user/number/1",
        "more": "int8",
    }


def test_formats_without_end_are_not_written_out(call, tmp_path):
    for i in range(40):
        inner = {"x": f"a/f{i + 1}/1", "y": f"a/f{i + 1}/1"}
        write_object(tmp_path, "dataformats", f"a/f{i}/1", inner)
    write_object(tmp_path, "dataformats", "a/f40/1", {"x": "a/f40/1"})
    assert len(call(tmp_path, "show", "a/f0/1").output) < 5_000_000
    assert '"x": "a/f40/1"' in call(tmp_path, "show", "a/f40/1").output


def test_show_of_what_is_broken(call, tmp_path):
    write_object(tmp_path, "libraries", "a/b/1", '{"language": }')
    assert (
        "libraries/a/b/1.json:1:14: error: invalid JSON"
        in call(tmp_path, "show", "a/b/1", status=1).output
    )
    write_object(tmp_path, "libraries", "a/c/1", {"language": 3})
    assert '"language": 3' in call(tmp_path, "show", "a/c/1").output


def test_one_name_for_several_objects(call, tmp_path):
    write_object(tmp_path, "libraries", "a/b/1", {"language": "python"}, "")
    write_object(tmp_path, "dataformats", "a/b/1", {})
    shown = call(tmp_path, "show", "a/b/1", status=2).output
    assert "stands for 2 objects: dataformats/a/b/1, libraries/a/b/1" in shown
    assert call(tmp_path, "show", "libraries/a/b/1").output.startswith("Library a/b/1")
    assert call(tmp_path, "check", "a/b/1").output.startswith("2 objects")


@pytest.mark.parametrize(
    "value", [{}, [], [1, "x", None], {"a": {"b": [1, [2], {}]}, "c": "ä\n"}, [{"a": []}], "x", 1.5]
)
def test_pretty_json_is_json(value):
    assert json.loads(pretty(value)) == value


def test_export(call, everything, tmp_path):
    target = tmp_path / "target"
    shown = call(everything, "export", "user/chain/1/x", "user/values/1", str(target))
    assert "experiments/user/user/chain/1/x" in shown.output
    assert "no errors" in call(target, "check").output
    assert len(shown.output.splitlines()) == len(call(target, "ls").output.splitlines())
    call(everything, "export", "user/chain/1/x", str(target))


def test_what_is_wrong_is_not_exported(call, everything, tmp_path):
    write_object(everything, "dataformats", "user/number/1", {"value": "flot64"})
    shown = call(everything, "export", "user/chain/1/x", str(tmp_path / "target"), status=1)
    assert "dataformats/user/number/1.json:2:14: error" in shown.output
    assert not (tmp_path / "target").exists()
    shown = call(everything, "export", "user/lib/1", str(everything), status=1)
    assert "onto its own prefix" in shown.output
