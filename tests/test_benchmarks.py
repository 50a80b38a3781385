"""The benchmarks without their clock: both sides of a case come to the same, results are shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # the benchmarks are not installed

from benchmarks.harness import BYTES, SECONDS, Case, Pair, Result, load_areas  # noqa: E402
from benchmarks.harness.measure import _exponent, _prepared, check, measure  # noqa: E402
from benchmarks.harness.table import amount, keep, line, load_kept  # noqa: E402

QUICK = ["codec", "indices", "views"]


def a_case(ours, limit, same=None, sizes=(1,), growth=None, quantity=BYTES):
    def prepare(folder, n):
        assert [*folder.iterdir()] == []
        yield Pair(lambda: ours(n), limit, 2, same)

    return Case("area", "case", prepare, 1.5, sizes, growth, quantity)


def a_result(ratio, **more):
    return Result("area", "case", 10, SECONDS, 2e-6, 1e-6, ratio, 1.5, **more)


def test_areas_are_the_modules():
    areas = {case.area for case in load_areas([])}
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    files.remove("soak")  # which measures endurance
    assert areas == {name for name in files if not name.startswith("_")}


def test_only_some_areas():
    assert {case.area for case in load_areas(["views"])} == {"views"}


def test_an_unknown_area():
    with pytest.raises(ValueError, match="no such area: nonsense; there are cache, checks, codec"):
        load_areas(["codec", "nonsense"])


@pytest.mark.parametrize("case", load_areas(QUICK), ids=lambda case: f"{case.area}: {case.name}")
def test_both_sides_come_to_the_same(case):
    with _prepared(case, min(case.sizes)) as pair:
        check(case, pair)


def test_a_difference_is_not_measured():
    case = a_case(lambda n: b"ours", lambda: b"limit", lambda a, b: a == b)
    with pytest.raises(RuntimeError, match="area, case: the results differ"):
        [*measure(case, 0)]


def test_amounts_are_per_unit_and_ratios_are_of_the_greatest_limit():
    case = a_case(lambda n: 12, [lambda: 2, lambda: 4])
    assert [*measure(case, 0)] == [Result("area", "case", 1, BYTES, 6, 2, 3, 1.5)]


@pytest.mark.parametrize(
    ("power", "growth", "met"), [(1, 1.1, True), (2, 1.1, False), (0, 0.1, True)]
)
def test_growth_is_told_at_the_last_size(power, growth, met):
    case = a_case(lambda n: n**power, lambda: 10**9, sizes=(10, 100, 1000), growth=growth)
    *others, last = measure(case, 0)
    assert [result.growth for result in others] == [None, None]
    assert last.growth == pytest.approx(power)
    assert last.growth_target == growth
    assert last.met == met


def test_the_exponent_of_a_law_of_powers():
    assert _exponent([(n, 3 * n**1.5) for n in (10, 100, 1000)]) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("value", "quantity", "text"),
    [
        (2.5, SECONDS, "2.5 s"),
        (0.0123, SECONDS, "12.3 ms"),
        (4.56e-6, SECONDS, "4.56 us"),
        (7e-8, SECONDS, "70 ns"),
        (8e6, BYTES, "8 MB"),
        (12, BYTES, "12 B"),
    ],
)
def test_amounts(value, quantity, text):
    assert amount(value, quantity) == text


@pytest.mark.parametrize(
    ("ratio", "before", "end"),
    [
        (1.4, None, "1.50"),
        (1.6, None, "MISSED"),
        (1.4, 1.3, "same (was 1.30)"),
        (1.4, 1.0, "slower (was 1.00)"),
        (1.0, 1.6, "faster (was 1.60)"),
    ],
)
def test_lines(tmp_path, ratio, before, end):
    kept = {}
    if before is not None:
        keep([a_result(before)], tmp_path / "kept.json")
        kept = load_kept(tmp_path / "kept.json")
    assert line(a_result(ratio), kept).endswith(end)


def test_a_case_that_was_not_there_before():
    assert line(a_result(1), {"another": 1.0}).endswith("new")


def test_the_command_line_prints_json(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--only", "codec", "--case", "pack int64"]
    options = ["--json", "--seconds", "0", "--save", str(tmp_path / "kept.json")]
    output = subprocess.check_output(command + options, cwd=ROOT, text=True)
    (result,) = json.loads(output)
    assert (result["area"], result["case"]) == ("codec", "pack int64")
    assert load_kept(tmp_path / "kept.json") == {
        "codec: pack int64 (1)": pytest.approx(result["ratio"], abs=0.001)
    }


def test_the_command_line_refuses_unknown_areas():
    command = [sys.executable, "-m", "benchmarks", "--only", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode != 0
    assert "no such area: nonsense" in done.stderr
