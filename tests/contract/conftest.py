"""A prefix as the platform makes them, for clients that write into it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.objects import algorithm_declaration, write_object

ECHO = """
class Algorithm:
    def setup(self, parameters):
        self.parameters = parameters
        return True

    def process(self, inputs, data_loaders, outputs):
        return lib.twice(21)
"""

VIEWS = """
from collections import namedtuple

import numpy
from beat.backend.python.database import View


class Numbers(View):
    def __init__(self):
        self.asked = []  # the base's constructor is not called

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["out", "extra"])
        return [Entry(i // 2, f"{root_folder}/{i}") for i in range(parameters.get("size", 4))]

    def get(self, output, index):
        self.asked.append((output, index))
        if output == "out":
            return {"value": numpy.int32(self.objs[index].out)}
        return f"{output}:{self.objs[index].extra}"
"""

OBJECTS: dict[str, dict[str, object]] = {
    "dataformats": {
        "user/single/1": {"#description": "one number", "value": "int32"},
        "user/base/1": {"name": "string", "value": "int8"},
        "user/middle/1": {"#extends": "user/base/1", "value": "float64", "extra": "bool"},
        "user/leaf-format/1": {"#extends": "user/middle/1", "more": [0, "user/single/1"]},
        "user/cycle_a/1": {"b": [0, "user/cycle_b/1"]},
        "user/cycle_b/1": {"inner": {"a": "user/cycle_a/1"}},
        "plot/scatter/1": {"x": [0, "float32"], "y": [0, "float32"]},
    },
    "protocoltemplates": {
        "twosets/1": {
            "schema_version": 1,
            "sets": [
                {"name": "b", "outputs": {"out": "user/single/1"}},
                {"name": "a", "outputs": {"out": "user/single/1", "extra": "user/base/1"}},
            ],
        },
    },
}


@pytest.fixture
def world(tmp_path: Path) -> str:
    """Return a prefix with an object of each kind, to be written to."""
    root = tmp_path / "world"
    for folder, objects in OBJECTS.items():
        for name, declaration in objects.items():
            write_object(root, folder, name, declaration)
    library = {"language": "python", "uses": {"base": "user/adds/1"}}
    code = "def twice(x):\n    return base.add(x, x)\n"
    write_object(root, "libraries", "user/doubles/1", library, code)
    library = {"language": "python", "uses": {}}
    write_object(root, "libraries", "user/adds/1", library, "def add(x, y):\n    return x + y\n")
    parameters = {
        "number-of-components": {"type": "uint32", "default": 5, "range": [1, 10]},
        "name": {"type": "string", "default": "x", "choice": ["x", "y"]},
    }
    declaration = algorithm_declaration(
        parameters=parameters, uses={"lib": "user/doubles/1"}, description="echoes"
    )
    write_object(root, "algorithms", "user/echo/1", declaration, ECHO)
    declaration = algorithm_declaration(
        groups=[{"inputs": {"in": {"type": "user/single/1"}}}],
        results={"rate": {"type": "float32"}, "roc": {"type": "plot/scatter/1"}},
    )
    write_object(root, "algorithms", "user/analyzer/1", declaration, ECHO)
    plotter = {"language": "python", "dataformat": "plot/scatter/1", "parameters": parameters}
    code = "class Plotter:\n    def setup(self, parameters):\n        self.p = parameters\n"
    code += "        return True\n    def process(self, inputs):\n        return (inputs, self.p)\n"
    write_object(root, "plotters", "user/plot/1", plotter, code)
    numbers = {"name": "b", "template": "t", "view": "Numbers", "outputs": {"out": "user/single/1"}}
    protocols = [{"name": "p", "template": "t", "sets": [numbers, {**numbers, "name": "a"}]}]
    database = {"root_folder": "/databases/one", "protocols": protocols, "description": "one"}
    write_object(root, "databases", "one/1", database, VIEWS)
    views = {"a": {"view": "Numbers", "parameters": {}}, "b": {"view": "Numbers"}}
    protocols = [{"name": "p", "template": "twosets/1", "views": views}]
    database = {"schema_version": 2, "root_folder": "/databases/two", "protocols": protocols}
    write_object(root, "databases", "two/1", database, VIEWS)
    write_object(root, "toolchains", "user/chain/1", {"blocks": []})
    return str(root)
