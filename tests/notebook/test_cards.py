from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
from IPython.core.formatters import DisplayFormatter
from support.example_prefix import PREFIX
from support.small_experiment import write_small_experiment
from support.units import IMAGE, INTEGER, open_source, write_units

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import CachedDataSource
from beat.backend.python.data_loaders import DataLoader
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.experiment import Experiment
from beat.backend.python.library import Library
from beat.backend.python.notebook import show_cards
from beat.backend.python.runner import InlineEngine, RunFailed, Runner
from beat.backend.python.testing import run_algorithm


@pytest.fixture
def show():
    formatter = DisplayFormatter()
    show_cards(formatter)

    def show(shown):
        found, _ = formatter.format(shown)
        return found["text/plain"], found["text/html"]

    return show


def test_a_data_object(prefix, show):
    text, html = show(DataFormat(prefix, "user/measurement/1").type(label="<b>", values=[1, 2]))
    assert text.splitlines() == [
        "user/measurement/1",
        "  label   '<b>'",
        "  values  float64, 2: [1., 2.]",
    ]
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_large_data_is_shown_by_its_ends(prefix, show):
    large = numpy.zeros((300, 200), numpy.uint8)
    text, _ = show(DataFormat(prefix, IMAGE).type(value=large))
    assert "uint8, 300 x 200" in text
    assert len(text) < 400


def test_data_with_objects_in_it(prefix, show):
    text, _ = show(DataFormat(prefix, "user/person_with_photo/1").type())
    assert "{" in text


def test_an_algorithm(show):
    text, html = show(Algorithm(str(PREFIX), "tutorial/scoring/1"))
    assert text.startswith("Algorithm (sequential) tutorial/scoring/1\n")
    for part in (text, html):
        assert ": inputs" in part
        assert "tutorial/model/1" in part


def test_parameters_and_results(show):
    assert "parameter number-of-components  5" in show(Algorithm(str(PREFIX), "tutorial/pca/1"))[0]
    assert "eer: float32" in show(Algorithm(str(PREFIX), "tutorial/roc/1"))[0]


def test_what_is_wrong_comes_first(prefix, show):
    text, html = show(Algorithm(prefix, "user/nothing/1"))
    assert text.splitlines()[1].startswith("  error  Algorithm declaration file not found")
    assert "not found" in html


@pytest.mark.parametrize(
    "declaration",
    [{"groups": 3}, {"groups": ["x"]}, {"groups": [{"inputs": 1}]}, {"parameters": {"a": {}}}],
)
def test_malformed_declarations_are_shown(prefix, show, declaration):
    text, _ = show(Algorithm(prefix, {"language": "python", "api_version": 2, **declaration}))
    assert "(no name)" in text


def test_other_declarations(show):
    text, _ = show(Library(str(PREFIX), "tutorial/linear/1"))
    assert text.startswith("Library tutorial/linear/1\n")
    text, _ = show(DataFormat(str(PREFIX), "tutorial/class_scores/1"))
    assert text.startswith("Dataformat tutorial/class_scores/1\n")


def test_experiments(show):
    text, _ = show(Experiment(str(PREFIX), "tutorial/tutorial/iris/1/lda"))
    assert "dataset train" in text
    assert "iris/1/halves/train" in text
    assert "analyzer report" in text
    text, _ = show(Experiment(str(PREFIX), "tutorial/tutorial/loop/1/mixed"))
    assert "processor: tutorial/" in text
    assert "evaluator: tutorial/" in text


def test_a_run(tmp_path, show):
    name = write_small_experiment(tmp_path)
    cache = str(tmp_path / "cache")
    run = Runner(str(tmp_path), cache).run(name, engine=InlineEngine(cache))
    text, html = show(run)
    assert text.startswith(f"Run of {name}\n")
    for shown in ("work", "done", "sum.total", "190"):
        assert shown in text
        assert shown in html
    (results,) = run.results.values()
    assert show(results["total"])[0] == "Result (int32)\n  value  190"


def test_a_failed_run(tmp_path, show):
    code = "class Algorithm:\n    def process(self, inputs, data_loaders, outputs): return False\n"
    name = write_small_experiment(tmp_path, code)
    cache = str(tmp_path / "cache")
    with pytest.raises(RunFailed) as raised:
        Runner(str(tmp_path), cache).run(name, engine=InlineEngine(cache))
    text, _ = show(raised.value.run)
    assert "failed" in text
    assert "failure" in text


def test_what_an_algorithm_gave(prefix, show):
    ran = run_algorithm("user/echo_sequential/1", {"in": [numpy.int32(1)] * 3}, prefix=prefix)
    assert show(ran)[0].splitlines()[1:] == ["  out  3 units"]


def test_sources_and_loaders(prefix, cache, show):
    write_units(prefix, f"{cache}/a.data", [({"value": numpy.int32(n)}, n, n) for n in range(7)])
    source = open_source(prefix, f"{cache}/a.data")
    line = f"7 units, data indices 0 to 6, {INTEGER}"
    assert show(source)[0] == f"CachedDataSource\n  units  {line}"
    assert show(CachedDataSource())[0] == "CachedDataSource\n  units  not set up"
    loader = DataLoader("channel")
    assert show(loader)[0].splitlines()[1] == "  units  no units"
    loader.add("one", source)
    assert show(loader)[0] == (
        "DataLoader of channel channel\n"
        "  units      7 units, data indices 0 to 6\n"
        f"  input one  {line}"
    )
    assert "1 unit, data indices 2 to 2" in show(loader.view("one", 2))[0]


def test_cards_can_be_taken_back(prefix):
    formatter = DisplayFormatter()
    shown = DataFormat(prefix, INTEGER).type()
    show_cards(formatter)
    assert "text/html" in formatter.format(shown)[0]
    show_cards(formatter, False)
    show_cards(formatter, False)
    assert "text/html" not in formatter.format(shown)[0]


def test_the_extension_is_loaded_and_unloaded_in_ipython(prefix, tmp_path):
    code = (
        "%load_ext beat.backend.python\n"
        "from beat.backend.python.dataformat import DataFormat\n"
        f"one = DataFormat({prefix!r}, {INTEGER!r}).type(value=3)\n"
        "display(one)\n"
        "%unload_ext beat.backend.python\n"
        "display(one)\n"
    )
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", "--no-confirm-exit", "-c", code]
    command.insert(3, "--HistoryManager.enabled=False")
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(p for p in sys.path if p)},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "user/single_integer/1\n  value  3\n" in done.stdout
    assert done.stdout.count("  value  3") == 1
