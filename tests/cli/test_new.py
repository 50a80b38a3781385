from __future__ import annotations

import shutil

import numpy
import pytest
from support.example_prefix import PREFIX
from support.objects import write_object

from beat.backend.python.cli.maker import Maker
from beat.backend.python.cli.skeletons import ALGORITHM_TYPES
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.runner import Runner
from beat.backend.python.schema import KINDS

NAMES = {
    "database": "mine/1",
    "protocoltemplate": "mine/1",
    "experiment": "me/mine/1/first",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_new_is_right(call, tmp_path, kind):
    prefix = tmp_path / "new" / "prefix"
    name = NAMES.get(kind, "me/mine/1")
    made = call(prefix, "new", kind, name).output.splitlines()
    assert made[-1].startswith(f"{prefix}/{KINDS[kind].folder}/")
    checked = call(prefix, "check").output
    assert checked == f"{len(made)} object{'s' * (len(made) > 1)} checked: no errors\n"
    path = made[-1].removesuffix(".json")
    for suffix in (".json", ".rst", *([".py"] if KINDS[kind].has_code else [])):
        assert (prefix / (path + suffix)).stat().st_size > 10
    assert "there is one already" in call(prefix, "new", kind, name, status=2).output


@pytest.mark.parametrize("kind", ALGORITHM_TYPES)
def test_algorithms_of_all_types(call, tmp_path, kind):
    call(tmp_path, "new", "algorithm", "me/mine/1", "--type", kind)
    assert call(tmp_path, "check").output == "2 objects checked: no errors\n"


def test_formats_of_the_prefix_are_used(call, tmp_path):
    arrays = {"numbers": [2, 0, "uint8"], "texts": [3, "string"], "objects": [2, {"y": "int8"}]}
    write_object(tmp_path, "dataformats", "a/b/1", {"value": "float32", "flag": "bool", **arrays})
    write_object(tmp_path, "dataformats", "a/a/1", {"x": "a/b/1"})
    write_object(tmp_path, "dataformats", "a/a/2", {"x": "a/none/1"})
    made = call(tmp_path, "new", "experiment", "me/mine/1/x").output
    assert "dataformats" not in made
    assert '"a/b/1"' in (tmp_path / "databases/mine_data/1.json").read_text()
    result = Runner(str(tmp_path), str(tmp_path / "cache")).run("me/me/mine/1/x")
    assert result.results["report"]["count"].value == 10


def test_the_simplest_format_is_used(call, tmp_path):
    write_object(tmp_path, "dataformats", "a/a/1", {"data": [0, {"x": "int8", "y": "int8"}]})
    write_object(tmp_path, "dataformats", "b/b/1", {"value": "float64"})
    call(tmp_path, "new", "algorithm", "me/mine/1")
    assert '"b/b/1"' in (tmp_path / "algorithms/me/mine/1.json").read_text()


def test_units_of_all_formats(tmp_path):
    arrays = {"numbers": [2, 0, "uint8"], "texts": [3, "string"], "objects": [2, {"y": "int8"}]}
    write_object(tmp_path, "dataformats", "a/b/1", {"value": "float32", **arrays})
    inner = {"#extends": "a/b/1", "text": "str", "deep": {"x": "a/b/1", "#description": "x"}}
    write_object(tmp_path, "dataformats", "a/c/1", inner)
    unit = eval(Maker(str(tmp_path)).unit_code("a/c/1"), {"np": numpy})
    made = DataFormat(str(tmp_path), "a/c/1").type()
    made.from_dict(unit)
    assert made.deep.x.numbers.shape == made.numbers.shape == (2, 1)


@pytest.mark.parametrize("toolchain", ["digits", "iris", "loop"])
def test_an_experiment_for_a_toolchain_that_is_there(call, tmp_path, toolchain):
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    for kept in ("toolchains", "databases", "dataformats", "protocoltemplates", "rawdata"):
        shutil.copytree(PREFIX / kept, prefix / kept)
    call(prefix, "new", "experiment", f"me/tutorial/{toolchain}/1/mine")
    assert call(prefix, "check").output.endswith("no errors\n")
    name = f"me/tutorial/{toolchain}/1/mine"
    result = Runner(str(prefix), str(tmp_path / "cache")).run(name)
    assert all(r["count"].value > 10 for r in result.results.values())


def test_databases_and_algorithms_are_made_where_none_fits(call, tmp_path):
    for folder in ("toolchains", "databases"):
        shutil.copytree(PREFIX / folder, tmp_path / folder)
    shutil.rmtree(tmp_path / "databases")
    made = call(tmp_path, "new", "experiment", "me/tutorial/digits/1/mine").output
    assert "databases/digits_probes/1.json" in made
    assert call(tmp_path, "check").output.endswith("no errors\n")
    made = call(tmp_path, "new", "experiment", "me/tutorial/digits/1/another").output
    assert "algorithms/me/digits_scoring/2.json" in made
    assert "/databases/" not in made.replace(str(tmp_path), "")
    assert call(tmp_path, "check").output.endswith("no errors\n")


def test_what_is_broken_is_not_used(call, tmp_path):
    call(tmp_path, "new", "experiment", "me/mine/1/x")
    (tmp_path / "databases/mine_data/1.py").write_text("")
    made = call(tmp_path, "new", "experiment", "me/mine/1/y").output
    assert "databases/mine_data/2.json" in made
    call(tmp_path, "check", "me/mine/1/y")


def test_a_toolchain_with_errors_is_no_start(call, tmp_path):
    write_object(tmp_path, "toolchains", "me/tc/1", {"datasets": []})
    shown = call(tmp_path, "new", "experiment", "me/tc/1/x", status=1).output
    assert "toolchain `me/tc/1' has errors" in shown
    assert "missing key `blocks'" in shown


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("library", "../x/1"),
        ("library", "x/1"),
        ("database", "a/b/1"),
        ("experiment", "a/b"),
        ("algorithm", "a/b\n/1"),
        ("dings", "a/b/1"),
    ],
)
def test_impossible_names(call, tmp_path, kind, name):
    call(tmp_path, "new", kind, name, status=2)
    assert list(tmp_path.rglob("*.json")) == []
