"""The contract of an engine, which starts the blocks of experiments somewhere, as a class of tests.

Subclass it in a test module, and give a fixture that makes an engine for a cache folder::

    class TestMyEngine(EngineContract):
        @pytest.fixture
        def make_engine(self):
            return MyEngine

The experiments run through the real runner. What an engine makes must be, byte by byte, what all
others make.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest

from ..runner import Engine, Event, InlineEngine, Limits, Run, RunFailed, Runner
from ..runner.outputs import list_outputs, verify

MakeEngine: TypeAlias = Callable[[str], Engine]
JSON: TypeAlias = dict[str, Any]

NAME = "user/user/contract/1/x"
COUNT = 30
OFFSET = 7

#: the sum over what each block has made of 0, 1, …, 29, with 7 added by each of them
TOTAL = 3 * sum(range(COUNT)) + (1 + 2 + 3) * OFFSET * COUNT

VIEW = """
from collections import namedtuple
import numpy
from beat.backend.python.database import View

class Numbers(View):
    def index(self, root_folder, parameters):
        return [namedtuple("Entry", "value")(i) for i in range(parameters["count"])]

    def get(self, output, index):
        return {"value": numpy.int64(self.objs[index].value)}
"""

SEQUENTIAL = """
class Algorithm:
    def setup(self, parameters):
        self.offset = parameters["offset"]
        return True

    def process(self, inputs, data_loaders, outputs):
        value = inputs["in"].data.value
        HERE
        outputs["out"].write({"value": value + self.offset})
        return True
"""

AUTONOMOUS = """
class Algorithm:
    def process(self, data_loaders, outputs):
        loader = data_loaders.loaderOf("in")
        for i in range(loader.count()):
            data, _, end = loader[i]
            outputs["out"].write({"value": data["in"].value + 7}, end)
        return True
"""

PROCESSOR = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs, loop_channel):
        accepted, answer = loop_channel.validate({"value": inputs["in"].data.value})
        outputs["out"].write({"value": answer.value})
        return accepted
"""

EVALUATOR = """
class Algorithm:
    def read(self, inputs):
        self.value = inputs["in"].data.value

    def validate(self, hypothesis):
        return hypothesis.value == self.value, {"value": hypothesis.value + 7}

    def write(self, outputs, processor_output_name, end_data_index):
        outputs["seen"].write({"value": self.value}, end_data_index)
"""

SUM = """
import numpy

class Algorithm:
    def process(self, data_loaders, output):
        loader = data_loaders[0]
        total = sum(
            int(loader.view(name, i)[0][0][name].value)
            for name in ("first", "second", "third")
            for i in range(loader.count(name))
        )
        output.write({"total": numpy.int32(total)}, loader.data_index_end)
        return True
"""

NUMBER = {"type": "user/number/1"}
ENDS = {"inputs": {"in": NUMBER}, "outputs": {"out": NUMBER}}
LOOP = {"loop": {"request": NUMBER, "answer": NUMBER}}
V2 = {"language": "python", "schema_version": 2, "api_version": 2}
V3 = {**V2, "schema_version": 3}

SUMMED = {
    "first": "first.out",
    "second": "second.out",
    "third": "third.out",
    "seen": "third.seen",
}

ALGORITHMS: list[tuple[str, JSON, str]] = [
    (
        "sequential",
        {
            **V2,
            "type": "sequential",
            "splittable": True,
            "parameters": {"offset": {"type": "int32", "default": OFFSET}},
            "groups": [ENDS],
        },
        SEQUENTIAL,
    ),
    (
        "autonomous",
        {**V2, "type": "autonomous", "splittable": False, "groups": [ENDS]},
        AUTONOMOUS,
    ),
    (
        "processor",
        {
            **V3,
            "type": "sequential_loop_processor",
            "splittable": False,
            "groups": [{**ENDS, **LOOP}],
        },
        PROCESSOR,
    ),
    (
        "evaluator",
        {
            **V3,
            "type": "sequential_loop_evaluator",
            "groups": [{**ENDS, "outputs": {"seen": NUMBER}, **LOOP}],
        },
        EVALUATOR,
    ),
    (
        "sum",
        {
            **V2,
            "type": "autonomous",
            "groups": [{"inputs": dict.fromkeys(SUMMED, NUMBER)}],
            "results": {"total": {"type": "int32", "display": True}},
        },
        SUM,
    ),
]

DATABASE = {
    "root_folder": "/nowhere",
    "protocols": [
        {
            "name": "protocol",
            "template": "protocol",
            "sets": [
                {
                    "name": "all",
                    "template": "all",
                    "view": "Numbers",
                    "parameters": {"count": COUNT},
                    "outputs": {"value": "user/number/1"},
                }
            ],
        }
    ],
}

CONNECTIONS = {
    "first.in": "data.value",
    "second.in": "first.out",
    "third.in": "second.out",
    "third.known": "second.out",
    **{f"sum.{name}": end for name, end in SUMMED.items()},
}

ON_DATA = {"synchronized_channel": "data"}
TOOLCHAIN = {
    "schema_version": 2,
    "datasets": [{"name": "data", "outputs": ["value"]}],
    "blocks": [
        {"name": name, **ON_DATA, "inputs": ["in"], "outputs": ["out"]}
        for name in ("first", "second")
    ],
    "loops": [
        {
            "name": "third",
            **ON_DATA,
            "processor_inputs": ["in"],
            "processor_outputs": ["out"],
            "evaluator_inputs": ["known"],
            "evaluator_outputs": ["seen"],
        }
    ],
    "analyzers": [{"name": "sum", **ON_DATA, "inputs": [*SUMMED]}],
    "connections": [
        {"from": end, "to": start, "channel": "data"} for start, end in CONNECTIONS.items()
    ],
    "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
}

INS_AND_OUTS = {"inputs": {"in": "in"}, "outputs": {"out": "out"}}
EXPERIMENT = {
    "schema_version": 2,
    "datasets": {"data": {"database": "numbers/1", "protocol": "protocol", "set": "all"}},
    "blocks": {
        "first": {"algorithm": "user/sequential/1", **INS_AND_OUTS},
        "second": {"algorithm": "user/autonomous/1", **INS_AND_OUTS},
    },
    "loops": {
        "third": {
            "processor_algorithm": "user/processor/1",
            "processor_inputs": {"in": "in"},
            "processor_outputs": {"out": "out"},
            "evaluator_algorithm": "user/evaluator/1",
            "evaluator_inputs": {"in": "known"},
            "evaluator_outputs": {"seen": "seen"},
        }
    },
    "analyzers": {"sum": {"algorithm": "user/sum/1", "inputs": {name: name for name in SUMMED}}},
    "globals": {"queue": "queue", "environment": {"name": "contract", "version": "1"}},
}


def write_prefix(prefix: Path, here: str = "pass", slots: int = 1) -> None:
    """Write the experiment; its first block does something ``here``, in that many slots."""
    experiment = json.loads(json.dumps(EXPERIMENT))
    experiment["blocks"]["first"]["nb_slots"] = slots
    _write(prefix, "dataformats/user/number/1", {"value": "int64"})
    _write(prefix, "databases/numbers/1", DATABASE, VIEW)
    for name, declaration, code in ALGORITHMS:
        _write(prefix, f"algorithms/user/{name}/1", declaration, code.replace("HERE", here))
    _write(prefix, "toolchains/user/contract/1", TOOLCHAIN)
    _write(prefix, f"experiments/{NAME}", experiment)


def _write(prefix: Path, name: str, declaration: JSON, code: str = "") -> None:
    path = prefix / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declaration), encoding="utf-8")
    if code:
        path.with_suffix(".py").write_text(code, encoding="utf-8")


def digests(cache: str) -> dict[str, str]:
    """Return the digest of each file of the outputs in a cache, by its path in there."""
    names = [name for output in list_outputs(cache) for name in output.files]
    return {
        str(Path(name).relative_to(cache)): hashlib.sha256(Path(name).read_bytes()).hexdigest()
        for name in names
    }


class EngineContract:
    """Tests of an engine.

    Attributes
    ----------
    ends_blocks : bool
        Whether the engine can end a block: when it is told to, and at its limits.
    """

    ends_blocks: ClassVar[bool] = True

    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        """Give a function that makes an engine for a cache folder."""
        raise NotImplementedError("a subclass gives the fixture `make_engine`")

    def run(self, folder: Path, make_engine: MakeEngine, **options: Any) -> Run:
        """Run the experiment of the prefix in a folder."""
        cache = str(folder / "cache")
        return Runner(str(folder / "prefix"), cache).run(NAME, engine=make_engine(cache), **options)

    def fail(self, folder: Path, make_engine: MakeEngine, **options: Any) -> str:
        """Run the experiment, of which the first block fails; return why."""
        with pytest.raises(RunFailed) as caught:
            self.run(folder, make_engine, **options)
        run = caught.value.run
        assert [failure.name for failure in run.failures] == ["first"]
        assert run.states == {
            "first": "failed", "second": "skipped", "third": "skipped", "sum": "skipped"
        }  # fmt: skip
        cache = str(folder / "cache")
        assert list(list_outputs(cache)) == []
        assert list(Path(cache).rglob(".*.tmp")) == []
        return str(run.failures[0])

    @pytest.mark.parametrize("slots", [1, 3])
    def test_results_and_outputs(self, tmp_path: Path, make_engine: MakeEngine, slots: int) -> None:
        """All types of blocks, in one piece and in ranges, make what they make anywhere."""
        write_prefix(tmp_path / "prefix", slots=slots)
        run = self.run(tmp_path, make_engine, jobs=2)
        assert set(run.states.values()) == {"done"}
        assert run.results["sum"]["total"].value == TOTAL
        reference, cache = str(tmp_path / "reference"), str(tmp_path / "cache")
        Runner(str(tmp_path / "prefix"), reference).run(NAME, engine=InlineEngine(reference))
        assert digests(cache) == digests(reference)
        for output in list_outputs(cache):
            assert verify(cache, str(tmp_path / "prefix"), output) is None

    def test_parameters(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """Parameters arrive."""
        write_prefix(tmp_path / "prefix")
        run = self.run(tmp_path, make_engine, parameters={("first", "offset"): OFFSET + 1})
        assert run.results["sum"]["total"].value == TOTAL + 3 * COUNT

    def test_what_was_made_is_not_made_again(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """A second run starts nothing."""
        write_prefix(tmp_path / "prefix")
        first = self.run(tmp_path, make_engine)
        again = self.run(tmp_path, make_engine)
        assert set(again.states.values()) == {"cached"}
        assert again.results == first.results

    def test_statistics(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """What was read, written and used is told."""
        write_prefix(tmp_path / "prefix")
        used = self.run(tmp_path, make_engine).statistics
        for name in ("first", "second"):
            assert used[name]["data"]["blocks"] == {"read": COUNT, "write": COUNT}
        assert used["first"]["cpu"]["total"] > 0
        assert used["first"]["memory"]["rss"] > 1 << 20

    def test_an_exception(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """What user code raises is told with the line that raised it; nothing is left of it."""
        write_prefix(tmp_path / "prefix", here="1 / 0 if value == 5 else None")
        text = self.fail(tmp_path, make_engine)
        assert "ZeroDivisionError" in text
        assert "1 / 0 if value == 5" in text
        assert "algorithms/user/sequential/1.py" in text

    def test_a_refusal(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """An algorithm may say that it cannot go on."""
        write_prefix(tmp_path / "prefix", here="if value == 5: return False")
        assert "Could not process" in self.fail(tmp_path, make_engine)

    def test_a_failure_is_mended(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """After a failure, a run goes on as if nothing had been."""
        write_prefix(tmp_path / "prefix", here="1 / 0")
        self.fail(tmp_path, make_engine)
        write_prefix(tmp_path / "prefix")
        assert self.run(tmp_path, make_engine).results["sum"]["total"].value == TOTAL

    def test_a_block_is_stopped(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """When it is told to, the engine ends a block that would go on for long."""
        self._skip_unless_it_ends_blocks()
        write_prefix(tmp_path / "prefix", here="import time; time.sleep(600)")
        stop = threading.Event()

        def on_event(event: Event) -> None:
            if (event.name, event.state) == ("first", "running"):
                stop.set()

        assert "it was stopped" in self.fail(tmp_path, make_engine, stop=stop, on_event=on_event)

    def test_the_limit_of_time(self, tmp_path: Path, make_engine: MakeEngine) -> None:
        """A block that takes too long is ended."""
        self._skip_unless_it_ends_blocks()
        write_prefix(tmp_path / "prefix", here="import time; time.sleep(600)")
        text = self.fail(tmp_path, make_engine, limits=Limits(seconds=1))
        assert "it took longer than 1 s" in text

    def _skip_unless_it_ends_blocks(self) -> None:
        if not self.ends_blocks:
            pytest.skip("this engine does not end blocks")
