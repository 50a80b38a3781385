from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.small_experiment import NAME, write_small_experiment

from beat.backend.python.cli import main
from beat.backend.python.runner.keeping import expand, find, open_store
from beat.backend.python.stores import InMemoryStore, LocalFileStore

ADD = """
class Algorithm:
    def setup(self, parameters):
        self.n = parameters["n"]
        return True

    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": inputs["in"].data.value + self.n})
        return True
"""


@pytest.fixture
def beat(tmp_path, cache):
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    declared = {"n": {"type": "int32", "default": 1}}
    write_small_experiment(prefix, ADD, declared_parameters=declared)

    def beat(*arguments, status=0):
        shown = CliRunner().invoke(main, ["--prefix", str(prefix), "--cache", cache, *arguments])
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        assert shown.exit_code == status, shown.output
        return shown.stdout if status == 0 else shown.output

    return beat


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [{}]),
        ({("b", "p"): [1]}, [{("b", "p"): 1}]),
        (
            {("b", "p"): [1, 2], ("c", "q"): ["x"]},
            [{("b", "p"): 1, ("c", "q"): "x"}, {("b", "p"): 2, ("c", "q"): "x"}],
        ),
    ],
)
def test_expansion(values, expected):
    assert expand(values) == expected


def test_places(tmp_path):
    assert isinstance(open_store("memory:"), InMemoryStore)
    store = open_store(str(tmp_path / "store"))
    assert isinstance(store, LocalFileStore)
    assert not (tmp_path / "store").exists()


def test_a_sweep_is_run_kept_and_compared(beat, tmp_path):
    shown = json.loads(beat("run", NAME, "--set", "work.n=1,2,4", "--json"))
    assert [run["parameters"] for run in shown] == [{"work.n": 1}, {"work.n": 2}, {"work.n": 4}]
    assert [run["results"]["sum"]["total"]["value"] for run in shown] == [210, 230, 270]
    table = json.loads(beat("results", "compare", "--json"))
    assert sorted(table["settings"]["work.n"]) == [1, 2, 4]
    by_n = dict(zip(table["settings"]["work.n"], table["results"]["total"], strict=True))
    assert by_n == {1: 210, 2: 230, 4: 270}
    assert table["results"]["count"] == [20, 20, 20]
    kept = find(open_store(str(tmp_path / "prefix" / "results")), (NAME,))
    sweeps = {sweep.config["work.n"]: sweep.value for sweep in (item.as_sweep() for item in kept)}
    assert sweeps[4] == {"total": 270, "count": 20}
    lines = beat("results", "compare", NAME).splitlines()
    assert lines[0].split() == ["run", "work.n", "count", "total"]
    assert len(lines) == 4


def test_one_entry_for_one_configuration(beat):
    beat("run", NAME)
    beat("run", NAME)
    beat("run", NAME, "--force")
    beat("run", NAME, "--set", "work.n=1")
    assert len(json.loads(beat("results", "ls", "--json"))) == 2  # n=1 is given in one of them
    beat("run", NAME, "--set", "work.n=7")
    assert len(beat("results", "ls").splitlines()) == 3


def test_showing_and_removing(beat):
    beat("run", NAME, "--set", "work.n=3")
    shown = beat("results", "show", NAME)
    assert "work.n = 3" in shown
    assert "total: 250" in shown
    (kept,) = json.loads(beat("results", "show", "--json"))
    digest = kept["configuration"]["result"]
    assert beat("results", "rm", digest[:12]).split()[0] == NAME
    assert beat("results", "ls") == ""
    assert "nothing is kept of" in beat("results", "show", NAME, status=1)


def test_the_store_can_be_elsewhere(beat, tmp_path):
    beat("run", NAME, "--store", str(tmp_path / "elsewhere"))
    assert beat("results", "ls") == ""
    assert NAME in beat("results", "ls", "--store", str(tmp_path / "elsewhere"))
    beat("run", NAME, "--store", "memory:")


def test_a_string_may_hold_a_comma(beat):
    with pytest.raises(AssertionError):
        beat("run", "-n", NAME, "--set", 'work.n="1,2"')
    assert "cannot convert '1,2'" in beat("run", "-n", NAME, "--set", 'work.n="1,2"', status=1)


def test_a_server_that_is_down(beat):
    pytest.importorskip("pymongo", reason="the extra [mongodb] is not installed")
    where = "mongodb://127.0.0.1:1/results?serverSelectionTimeoutMS=200"
    shown = beat("results", "ls", "--store", where, status=1)
    assert "MongoDB" in shown
