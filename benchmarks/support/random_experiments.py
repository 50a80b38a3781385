"""Random experiments, of which it is known what they come to.

Each block adds a number to what it reads: of the dataset, or of an earlier block. The analyzer sums
up what all of them have made.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "user/user/soak/1/x"

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
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": inputs["in"].data.value + OFFSET})
        return True
"""

AUTONOMOUS = """
class Algorithm:
    def process(self, data_loaders, outputs):
        loader = data_loaders.loaderOf("in")
        for i in range(loader.count()):
            data, _, end = loader[i]
            outputs["out"].write({"value": data["in"].value + OFFSET}, end)
        return True
"""

PROCESSOR = """
class Algorithm:  # of the evaluator that adds OFFSET
    def process(self, inputs, data_loaders, outputs, loop_channel):
        answer = loop_channel.validate({"value": inputs["in"].data.value})[1]
        outputs["out"].write({"value": answer.value})
        return True
"""

EVALUATOR = """
class Algorithm:
    def read(self, inputs):
        self.value = inputs["in"].data.value

    def validate(self, hypothesis):
        return True, {"value": hypothesis.value + OFFSET}

    def write(self, outputs, processor_output_name, end_data_index):
        outputs["seen"].write({"value": self.value}, end_data_index)
"""

SUM = """
import numpy

class Algorithm:
    def process(self, data_loaders, output):
        loader = data_loaders[0]
        values = [
            int(loader.view(name, i)[0][0][name].value)
            for name in loader.input_names()
            for i in range(loader.count(name))
        ]
        output.write({"total": numpy.int32(sum(values))}, loader.data_index_end)
        return True
"""

NUMBER = {"type": "user/number/1"}
COMMON = {"language": "python", "api_version": 2}
CODE = {"sequential": SEQUENTIAL, "autonomous": AUTONOMOUS}


@dataclass(frozen=True)
class Step:
    """A block: what it is, what it reads (-1: the dataset), and what it adds in all."""

    kind: str
    source: int
    offset: int
    added: int
    slots: int

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it makes; the evaluator of a loop has seen what the processor reads."""
        return ("out", "seen") if self.kind == "loop" else ("out",)

    @property
    def end(self) -> str:
        """What it reads, as a toolchain says it."""
        return "data.value" if self.source < 0 else f"block{self.source}.out"


def write_experiment(prefix: Path, chance: random.Random) -> int:
    """Write an experiment and all that it is made of into a prefix; return what it comes to."""
    count = chance.randrange(1, 60)
    steps: list[Step] = []
    for i in range(chance.randrange(1, 5)):
        kind = chance.choice(["sequential", "sequential", "autonomous", "loop"])
        source, offset = chance.randrange(-1, i), chance.randrange(100)
        added = offset + (steps[source].added if source >= 0 else 0)
        steps.append(Step(kind, source, offset, added, chance.randrange(1, 4)))
        _write_algorithms(prefix, steps[-1])
    _write(prefix, "dataformats", "user/number/1", {"value": "int64"})
    view = {"name": "all", "template": "all", "view": "Numbers", "parameters": {"count": count}}
    sets = [{**view, "outputs": {"value": "user/number/1"}}]
    protocol = {"name": "protocol", "template": "protocol", "sets": sets}
    database = {"root_folder": "/nowhere", "protocols": [protocol]}
    # a database never changes under its name: each number of entries has a name of its own
    _write(prefix, "databases", f"numbers/{count}", database, VIEW)
    ends = _ends(steps)
    inputs = dict.fromkeys(ends, NUMBER)
    declared = {**COMMON, "schema_version": 2, "type": "autonomous", "groups": [{"inputs": inputs}]}
    results = {"total": {"type": "int32", "display": True}}
    _write(prefix, "algorithms", f"user/{_sum(steps)}/1", {**declared, "results": results}, SUM)
    _write(prefix, "toolchains", "user/soak/1", _toolchain(steps))
    _write(prefix, "experiments", NAME, _experiment(steps, count))
    seen = [step.added - step.offset for step in steps if step.kind == "loop"]
    return len(ends) * sum(range(count)) + count * sum([step.added for step in steps] + seen)


def _ends(steps: list[Step]) -> dict[str, str]:
    """Return the inputs of the analyzer, and what each of them reads."""
    return {
        f"{output}{i}": f"block{i}.{output}"
        for i, step in enumerate(steps)
        for output in step.outputs
    }


def _sum(steps: list[Step]) -> str:
    """Return the analyzer's name, which tells what it reads."""
    return "_".join(["sum", *_ends(steps)])


def _write(prefix: Path, kind: str, name: str, declaration: Any, code: str = "") -> None:
    path = prefix / kind / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declaration))
    if code:
        path.with_suffix(".py").write_text(code)


def _write_algorithms(prefix: Path, step: Step) -> None:
    ends = {"inputs": {"in": NUMBER}, "outputs": {"out": NUMBER}}
    offset = str(step.offset)
    if step.kind != "loop":
        declared = {**COMMON, "schema_version": 2, "type": step.kind, "groups": [ends]}
        declared["splittable"] = step.kind == "sequential"
        code = CODE[step.kind].replace("OFFSET", offset)
        _write(prefix, "algorithms", f"user/{step.kind}/{offset}", declared, code)
        return
    # the evaluator does not enter the names of the processor's outputs: each has one of its own
    loop = {"loop": {"request": NUMBER, "answer": NUMBER}}
    both: dict[str, Any] = {**COMMON, "schema_version": 3}
    kind, groups = "sequential_loop_processor", [{**ends, **loop}]
    processor = {**both, "type": kind, "splittable": False, "groups": groups}
    _write(
        prefix,
        "algorithms",
        f"user/processor/{offset}",
        processor,
        PROCESSOR.replace("OFFSET", offset),
    )
    kind, groups = "sequential_loop_evaluator", [{**ends, "outputs": {"seen": NUMBER}, **loop}]
    code = EVALUATOR.replace("OFFSET", offset)
    evaluator = {**both, "type": kind, "groups": groups}
    _write(prefix, "algorithms", f"user/evaluator/{offset}", evaluator, code)


def _toolchain(steps: list[Step]) -> dict[str, Any]:
    blocks, loops = [], []
    pairs = [(end, f"sum.{name}") for name, end in _ends(steps).items()]
    for i, step in enumerate(steps):
        common = {"name": f"block{i}", "synchronized_channel": "data"}
        pairs.append((step.end, f"block{i}.in"))
        if step.kind == "loop":
            pairs.append((step.end, f"block{i}.known"))
            ends = {"processor_inputs": ["in"], "processor_outputs": ["out"]}
            loops.append(
                {**common, **ends, "evaluator_inputs": ["known"], "evaluator_outputs": ["seen"]}
            )
        else:
            blocks.append({**common, "inputs": ["in"], "outputs": ["out"]})
    inputs = [*_ends(steps)]
    return {
        "schema_version": 2,
        "datasets": [{"name": "data", "outputs": ["value"]}],
        "blocks": blocks,
        "loops": loops,
        "analyzers": [{"name": "sum", "synchronized_channel": "data", "inputs": inputs}],
        "connections": [{"from": end, "to": start, "channel": "data"} for end, start in pairs],
        "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
    }


def _experiment(steps: list[Step], count: int) -> dict[str, Any]:
    ends = {"inputs": {"in": "in"}, "outputs": {"out": "out"}}
    blocks = {
        f"block{i}": {
            "algorithm": f"user/{step.kind}/{step.offset}",
            **ends,
            "nb_slots": step.slots if step.kind == "sequential" else 1,
        }
        for i, step in enumerate(steps)
        if step.kind != "loop"
    }
    loops = {
        f"block{i}": {
            "processor_algorithm": f"user/processor/{step.offset}",
            **{f"processor_{name}": value for name, value in ends.items()},
            "evaluator_algorithm": f"user/evaluator/{step.offset}",
            "evaluator_inputs": {"in": "known"},
            "evaluator_outputs": {"seen": "seen"},
        }
        for i, step in enumerate(steps)
        if step.kind == "loop"
    }
    inputs = {name: name for name in _ends(steps)}
    dataset = {"database": f"numbers/{count}", "protocol": "protocol", "set": "all"}
    return {
        "schema_version": 2,
        "datasets": {"data": dataset},
        "blocks": blocks,
        "loops": loops,
        "analyzers": {"sum": {"algorithm": f"user/{_sum(steps)}/1", "inputs": inputs}},
        "globals": {"queue": "queue", "environment": {"name": "soak", "version": "1"}},
    }
