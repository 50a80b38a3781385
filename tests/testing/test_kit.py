from __future__ import annotations

import json
from importlib.metadata import entry_points

import numpy
import pytest
from click.testing import CliRunner
from support.example_prefix import PREFIX
from support.small_experiment import write_small_experiment

from beat.backend.python.cli import main
from beat.backend.python.testing import ViewUnits, assert_same
from beat.backend.python.testing.golden import Golden

pytest_plugins = ["pytester"]


class TestComparison:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1.0, 1.0 + 1e-9),
            (numpy.float32(0.1), 0.1),
            (numpy.array([1.0, 2.0]), [1.0, 2.0 + 1e-9]),
            ({"a": [1, 2], "b": "x"}, {"b": "x", "a": numpy.array([1, 2])}),
            ([{"a": 1}], [{"a": 1}]),
            (numpy.array(["a", "b"]), ["a", "b"]),
            (None, None),
            (True, True),
            ([], []),
        ],
    )
    def test_same(self, one, other):
        assert_same(one, other)

    @pytest.mark.parametrize(
        ("one", "other", "text"),
        [
            (1.0, 1.1, "value"),
            ({"a": 1}, {"b": 1}, r"expected fields \['b'\], got \['a'\]"),
            ({"a": {"b": 1}}, {"a": {"b": 2}}, r"value\.a\.b"),
            ([{"a": 1}], [{"a": 1}, {"a": 2}], "expected 2 items, got 1"),
            ("x", "y", "expected 'y', got 'x'"),
            (1, {"a": 1}, "expected fields, got 1"),
            (1, ["a"], "expected a list, got 1"),
            ({"a": None}, {"a": "x"}, r"value\.a: expected 'x', got None"),
        ],
    )
    def test_not_same(self, one, other, text):
        with pytest.raises(AssertionError, match=text):
            assert_same(one, other)


class TestGolden:
    def test_written_then_compared(self, tmp_path):
        path = tmp_path / "golden" / "x.json"
        with pytest.raises(AssertionError, match="--beat-update"):
            Golden(path).check({"a": 1})
        Golden(path, update=True).check({"a": numpy.float64(1.5), "b": [numpy.arange(3)]})
        assert json.loads(path.read_text()) == {"a": 1.5, "b": [[0, 1, 2]]}
        Golden(path).check({"a": 1.5 + 1e-9, "b": [[0, 1, 2]]})
        with pytest.raises(AssertionError, match=r"x\.json\.a"):
            Golden(path).check({"a": 2.5, "b": [[0, 1, 2]]})


class TestViews:
    def test_units(self, cache):
        units = ViewUnits(str(PREFIX), cache, "iris/1", "halves", "train")
        assert set(units) == {"measurements", "species"}
        assert len(units["measurements"]) == 75
        first = units.first("species", 2)
        assert [(u.data.text, u.start, u.end) for u in first] == [
            ("setosa", 0, 24),
            ("versicolor", 25, 49),
        ]

    def test_mistakes(self, cache):
        with pytest.raises(RuntimeError, match="file not found"):
            ViewUnits(str(PREFIX), cache, "none/1", "halves", "train")
        with pytest.raises(KeyError, match="no protocol"):
            ViewUnits(str(PREFIX), cache, "iris/1", "none", "train")


class TestCommands:
    @pytest.fixture
    def beat(self, tmp_path, cache):
        write_small_experiment(tmp_path)

        def beat(*arguments, status=0):
            options = ["--prefix", str(tmp_path), "--cache", cache]
            shown = CliRunner().invoke(main, [*options, *arguments])
            assert shown.exit_code == status, shown.output
            return shown.output

        return beat

    def test_view(self, beat):
        shown = json.loads(beat("db", "view", "numbers/1/protocol/all", "-n", "2", "--json"))
        assert shown == {
            "value": [
                {"data": {"value": 0}, "start": 0, "end": 0},
                {"data": {"value": 1}, "start": 1, "end": 1},
            ]
        }
        assert '0-0      {"value": 0}' in beat("db", "view", "numbers/1/protocol/all")

    @pytest.mark.parametrize(
        ("arguments", "text", "status"),
        [
            (["numbers/1"], "expected DB/PROTOCOL/SET", 2),
            (["numbers/1/x/all"], "no protocol `x'", 1),
            (["numbers/1/protocol/all", "--output", "x"], "no output `x' (there is value)", 1),
        ],
    )
    def test_view_mistakes(self, beat, arguments, text, status):
        assert text in beat("db", "view", *arguments, status=status)

    @pytest.mark.parametrize("via", ["inline", "execute"])
    def test_algorithm(self, beat, tmp_path, via):
        units = tmp_path / "units.json"
        units.write_text('[3, {"data": {"value": 4}, "start": 1, "end": 5}]')
        shown = beat("algorithm", "run", "user/work/1", "--input", f"in={units}", "--via", via)
        assert json.loads(shown)["outputs"]["out"] == [
            {"data": {"value": 3}, "start": 0, "end": 0},
            {"data": {"value": 4}, "start": 1, "end": 5},
        ]
        shown = beat("algorithm", "run", "user/sum/1", "--input", f"in={units}")
        assert json.loads(shown)["results"] == {"count": 2, "total": 7}

    def test_inputs_are_what_other_commands_write(self, beat, tmp_path):
        units = tmp_path / "units.json"
        arguments = ["algorithm", "run", "user/sum/1", "--input", f"in={units}"]
        units.write_text(beat("db", "view", "numbers/1/protocol/all", "-n", "3", "--json"))
        assert json.loads(beat(*arguments))["results"] == {"count": 3, "total": 3}
        line = '{"output": "work.out", "start": %d, "end": %d, "data": {"value": %d}}\n'
        for count in (1, 2):
            units.write_text("".join(line % (i, i, 5) for i in range(count)))
            assert json.loads(beat(*arguments))["results"] == {"count": count, "total": 5 * count}

    @pytest.mark.parametrize(
        ("content", "arguments", "text", "status"),
        [
            ('{"a": [], "b": []}', ["--input", "in=FILE"], "expected a list of units", 2),
            ("[1]", [], "inputs missing: ['in']", 1),
            ("[1]", ["--set", "n=3", "--input", "in=FILE"], "undeclared parameter", 0),
            ("{}", ["--input", "in=FILE"], "expected a list of units", 2),
            ("[", ["--input", "in=FILE"], "Expecting", 2),
            ("[1]", ["--input", "FILE"], "expected INPUT=FILE", 2),
            ("[1]", ["--input", "in=/nowhere"], "No such file", 2),
            ("[1]", ["--set", "n", "--input", "in=FILE"], "expected NAME=VALUE", 2),
            ('["x"]', ["--input", "in=FILE"], "ValueError", 1),
        ],
    )
    def test_algorithm_mistakes(self, beat, tmp_path, content, arguments, text, status):
        path = tmp_path / "units.json"
        path.write_text(content)
        words = [word.replace("FILE", str(path)) for word in arguments]
        shown = beat("algorithm", "run", "user/work/1", *words, status=status)
        assert text in shown or status == 0  # without setup, parameters are not looked at


def test_fixtures(pytester):
    write_small_experiment(pytester.path / "prefix")
    pytester.makepyfile(
        """
        def test_algorithm(beat_algorithm):
            ran = beat_algorithm("user/work/1")({"in": [1, 2]})
            assert [u.data.value for u in ran.outputs["out"]] == [1, 2]

        def test_view(beat_view):
            assert len(beat_view("numbers/1", "protocol", "all")["value"]) == 20

        def test_golden(beat_golden, beat_prefix, beat_cache):
            beat_golden.check({"x": 1})
        """
    )
    known = {point.name for point in entry_points(group="pytest11")}
    plugin = [] if "beat" in known else ["-p", "beat.backend.python.pytest_plugin"]
    shown = pytester.runpytest_subprocess(*plugin)
    shown.assert_outcomes(passed=2, failed=1)
    shown.stdout.fnmatch_lines([">*beat_golden.check(*", "E*no golden file*"])
    assert "golden.py" not in shown.stdout.str()  # nothing of ours is in between
    pytester.runpytest_subprocess(*plugin, "--beat-update").assert_outcomes(passed=3)
    pytester.runpytest_subprocess(*plugin).assert_outcomes(passed=3)
    assert list((pytester.path / "golden").iterdir())
    shown = pytester.runpytest_subprocess(*plugin, "--beat-prefix", "none")
    shown.assert_outcomes(passed=1, failed=2)
