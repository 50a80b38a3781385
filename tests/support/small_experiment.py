"""An experiment of a database, one block and an analyzer, whose code is up to the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.objects import algorithm_declaration, write_object

NAME = "user/user/small/1/x"

VIEW = """
from collections import namedtuple
import numpy
from beat.backend.python.database import View

class Numbers(View):
    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["value"])
        return [Entry(i) for i in range(parameters["count"])]

    def get(self, output, index):
        return {"value": numpy.int64(self.objs[index].value)}
"""

COPY = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": inputs["in"].data.value})
        return True
"""

SUM = """
import numpy

class Algorithm:
    def process(self, data_loaders, output):
        loader = data_loaders.loaderOf("in")
        total = sum(int(loader[i][0]["in"].value) for i in range(loader.count()))
        result = {"total": numpy.int32(total), "count": numpy.int32(loader.count())}
        output.write(result, loader.data_index_end)
        return True
"""

ENDPOINT = {"type": "user/number/1"}


def write_small_experiment(prefix: Path, code: str = COPY, count: int = 20, **changes: Any) -> str:
    """Write everything into a prefix and return the name of the experiment.

    ``changes`` are those to the declaration of the block in the experiment; ``splittable`` and
    ``declared_parameters`` are for its algorithm.
    """
    write_object(prefix, "dataformats", "user/number/1", {"value": "int64"})
    view = {"name": "all", "template": "all", "view": "Numbers", "parameters": {"count": count}}
    protocol = {
        "name": "protocol",
        "template": "protocol",
        "sets": [{**view, "outputs": {"value": "user/number/1"}}],
    }
    database = {"root_folder": "/nowhere", "protocols": [protocol]}
    write_object(prefix, "databases", "numbers/1", database, VIEW)
    write_object(
        prefix,
        "algorithms",
        "user/work/1",
        algorithm_declaration(
            groups=[{"inputs": {"in": ENDPOINT}, "outputs": {"out": ENDPOINT}}],
            splittable=changes.pop("splittable", False),
            parameters=changes.pop("declared_parameters", None),
        ),
        code,
    )
    write_object(
        prefix,
        "algorithms",
        "user/sum/1",
        algorithm_declaration(
            type="autonomous",
            splittable=None,
            groups=[{"inputs": {"in": ENDPOINT}}],
            results={"total": {"type": "int32", "display": True}, "count": {"type": "int32"}},
        ),
        SUM,
    )
    write_object(prefix, "toolchains", "user/small/1", _toolchain())
    write_object(prefix, "experiments", NAME, _experiment(changes))
    return NAME


def _toolchain() -> dict[str, Any]:
    return {
        "datasets": [{"name": "data", "outputs": ["value"]}],
        "blocks": [
            {
                "name": "work",
                "synchronized_channel": "data",
                "inputs": ["in"],
                "outputs": ["out"],
            }
        ],
        "analyzers": [{"name": "sum", "synchronized_channel": "data", "inputs": ["in"]}],
        "connections": [
            {"from": "data.value", "to": "work.in", "channel": "data"},
            {"from": "work.out", "to": "sum.in", "channel": "data"},
        ],
        "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
    }


def _experiment(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "datasets": {"data": {"database": "numbers/1", "protocol": "protocol", "set": "all"}},
        "blocks": {
            "work": {
                "algorithm": "user/work/1",
                "inputs": {"in": "in"},
                "outputs": {"out": "out"},
                **changes,
            }
        },
        "analyzers": {"sum": {"algorithm": "user/sum/1", "inputs": {"in": "in"}}},
        "globals": {"queue": "queue", "environment": {"name": "test", "version": "1"}},
    }
