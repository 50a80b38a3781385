"""A prefix with objects of every kind that fit together, for tests that break one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.declarations import (
    ANALYZER,
    BLOCK,
    DATABASE_1,
    DATABASE_2,
    DATAFORMAT,
    EVALUATOR,
    EXPERIMENT,
    LIBRARY,
    PARAMETERS,
    PLOTTER,
    PLOTTER_PARAMETER,
    POINT,
    PROCESSOR,
    PROTOCOL_TEMPLATE,
    TOOLCHAIN,
    changed,
)
from support.objects import write_object

VIEW = """\
from beat.backend.python.database import View


class All(View):
    def index(self, root_folder, parameters):
        return []

    def get(self, output, index):
        return {"value": 0}
"""

SEQUENTIAL = """\
class Algorithm:
    def setup(self, parameters):
        return True

    def prepare(self, data_loaders):
        return True

    def process(self, inputs, data_loaders, outputs):
        return True
"""
PROCESS = "class Algorithm:\n    def process(self, {}):\n        return True\n"
EVALUATE = """\
class Algorithm:
    def validate(self, hypothesis):
        return True, {}

    def write(self, outputs, processor_output_name, end_data_index):
        return True
"""

ONE_IN = {"inputs": {"in": POINT}}
IN_OUT = {**ONE_IN, "outputs": {"out": POINT}}
TALK = {"loop": {"request": POINT, "answer": POINT}}

WORK = {
    **{key: value for key, value in BLOCK.items() if key != "uses"},
    "groups": [IN_OUT],
    "parameters": PARAMETERS,
}
OUTPUTS = {"value": "user/number/1", "label": "user/number/1"}

#: folder, name, declaration, code
OBJECTS: list[tuple[str, str, Any, str | None]] = [
    ("dataformats", "user/number/1", {"value": "float64"}, None),
    ("dataformats", "user/derived/1", {"#extends": "user/number/1", "more": "int8"}, None),
    ("dataformats", "user/base/1", {"base": "int8"}, None),
    ("dataformats", "user/everything/1", DATAFORMAT, None),
    ("dataformats", "plot/scatter/1", {"x": [0, "float64"], "y": [0, "float64"]}, None),
    ("dataformats", "system/thing/1", {"value": "string"}, None),
    ("libraries", "user/lib/1", {**LIBRARY, "uses": {"other": "user/other/1"}}, "x = 1\n"),
    ("libraries", "user/other/1", LIBRARY, "y = 1\n"),
    ("algorithms", "user/block/1", BLOCK, SEQUENTIAL),
    ("algorithms", "user/work/1", WORK, SEQUENTIAL),
    (
        *("algorithms", "user/report/1"),
        {**ANALYZER, "groups": [{"inputs": {"in": POINT, "in2": POINT}}]},
        PROCESS.format("data_loaders, output"),
    ),
    (
        *("algorithms", "user/processor/1"),
        {**PROCESSOR, "groups": [{**IN_OUT, **TALK}], "parameters": {}, "uses": {}},
        PROCESS.format("inputs, data_loaders, outputs, loop_channel"),
    ),
    (
        *("algorithms", "user/evaluator/1"),
        {**EVALUATOR, "groups": [{**IN_OUT, **TALK}], "parameters": {}, "uses": {}},
        EVALUATE,
    ),
    ("protocoltemplates", "simple/1", PROTOCOL_TEMPLATE, None),
    (
        "databases",
        "numbers/1",
        changed(DATABASE_1, "protocols", 0, "sets", 0, "outputs", to=OUTPUTS),
        VIEW,
    ),
    ("databases", "templated/1", DATABASE_2, VIEW),
    ("toolchains", "user/chain/1", TOOLCHAIN, None),
    ("experiments", "user/user/chain/1/x", EXPERIMENT, None),
    ("plotters", "user/plotter/1", PLOTTER, "class Plotter:\n    pass\n"),
    ("plotterparameters", "user/values/1", PLOTTER_PARAMETER, None),
]

KIND_OF = {
    "dataformats": "dataformat",
    "libraries": "library",
    "algorithms": "algorithm",
    "protocoltemplates": "protocoltemplate",
    "databases": "database",
    "toolchains": "toolchain",
    "experiments": "experiment",
    "plotters": "plotter",
    "plotterparameters": "plotterparameter",
}


def write_everything(prefix: Path) -> None:
    """Write all objects into a prefix."""
    for folder, name, declaration, code in OBJECTS:
        write_object(prefix, folder, name, declaration, code)


def declaration_of(name: str) -> tuple[str, Any]:
    """Return the folder and the declaration of an object."""
    return next((folder, declared) for folder, known, declared, _ in OBJECTS if known == name)
