"""An experiment on a database of numbers: a chain of blocks that copy, and an analyzer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .kinds import INTEGER

NAME = "user/user/chain/1/x"

VIEW = """
from collections import namedtuple
import numpy
from beat.backend.python.database import View

Entry = namedtuple("Entry", ["name", "value"])

class Numbers(View):
    def index(self, root_folder, parameters):
        for i in range(parameters["count"]):
            yield Entry(f"number {i}", i)

    def get(self, output, index):
        return {"value": numpy.int64(self.objs[index].value)}
"""

COPY = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": inputs["in"].data.value})
        return True
"""

COUNT = """
import numpy

class Algorithm:
    def process(self, data_loaders, output):
        loader = data_loaders.loaderOf("in")
        total = sum(int(loader[i][0]["in"].value) for i in range(loader.count()))
        output.write({"mean": numpy.float32(total / loader.count())}, loader.data_index_end)
        return True
"""


def write_experiment(prefix: Path, blocks: int, samples: int) -> str:
    """Write an experiment with so many blocks and samples into a prefix; return its name."""
    INTEGER.write_format(prefix)
    number = {"type": INTEGER.name}
    view: dict[str, Any] = {"name": "all", "template": "all", "view": "Numbers"}
    view |= {"parameters": {"count": samples}, "outputs": {"value": INTEGER.name}}
    protocols = [{"name": "p", "template": "p", "sets": [view]}]
    _write(prefix, "databases/numbers/1", {"root_folder": "/nowhere", "protocols": protocols}, VIEW)
    common: dict[str, Any] = {"language": "python", "schema_version": 2, "api_version": 2}
    groups = [{"inputs": {"in": number}, "outputs": {"out": number}}]
    copy = {**common, "type": "sequential", "splittable": True, "groups": groups}
    _write(prefix, "algorithms/user/copy/1", copy, COPY)
    results = {"mean": {"type": "float32", "display": True}}
    count = {**common, "type": "autonomous", "results": results}
    count["groups"] = [{"inputs": {"in": number}}]
    _write(prefix, "algorithms/user/count/1", count, COUNT)
    names = [f"block{i}" for i in range(blocks)]
    _write(prefix, "toolchains/user/chain/1", _toolchain(names))
    copies = {"algorithm": "user/copy/1", "inputs": {"in": "in"}, "outputs": {"out": "out"}}
    experiment = {
        "datasets": {"data": {"database": "numbers/1", "protocol": "p", "set": "all"}},
        "blocks": dict.fromkeys(names, copies),
        "analyzers": {"count": {"algorithm": "user/count/1", "inputs": {"in": "in"}}},
        "globals": {"queue": "queue", "environment": {"name": "chain", "version": "1"}},
    }
    _write(prefix, f"experiments/{NAME}", experiment)
    return NAME


def _toolchain(names: list[str]) -> dict[str, Any]:
    ends = ["data.value", *(f"{name}.out" for name in names)]
    starts = [*(f"{name}.in" for name in names), "count.in"]
    one = {"synchronized_channel": "data", "inputs": ["in"]}
    return {
        "datasets": [{"name": "data", "outputs": ["value"]}],
        "blocks": [{"name": name, **one, "outputs": ["out"]} for name in names],
        "analyzers": [{"name": "count", **one}],
        "connections": [
            {"from": end, "to": start, "channel": "data"}
            for end, start in zip(ends, starts, strict=True)
        ],
        "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
    }


def _write(prefix: Path, name: str, declaration: Any, code: str = "") -> None:
    path = prefix / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declaration), encoding="utf-8")
    if code:
        path.with_suffix(".py").write_text(code, encoding="utf-8")
