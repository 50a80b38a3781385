"""Objects to start from: small declarations and code that are right, and that run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

JSON = dict[str, Any]

#: types of algorithms that can be made
ALGORITHM_TYPES = (
    "sequential",
    "autonomous",
    "legacy",
    "analyzer",
    "sequential_loop_processor",
    "autonomous_loop_processor",
    "sequential_loop_evaluator",
    "autonomous_loop_evaluator",
)


class Files(NamedTuple):
    """What there is of an object."""

    declaration: JSON
    code: str | None = None


class Group(NamedTuple):
    """End points that are synchronised with each other: their formats by name."""

    inputs: dict[str, str]
    outputs: dict[str, str]


def dataformat() -> Files:
    """Return a format with a single number."""
    return Files({"#description": "A number", "#schema_version": 1, "value": "float64"})


def scatter() -> Files:
    """Return a format that can be plotted."""
    return Files(
        {
            "#description": "Points",
            "#schema_version": 1,
            "x": [0, "float64"],
            "y": [0, "float64"],
        }
    )


def library() -> Files:
    """Return a library with one function."""
    declaration = {"schema_version": 1, "language": "python", "uses": {}}
    code = 'def double(value):\n    """Return twice a value."""\n    return 2 * value\n'
    return Files({**declaration, "description": "What algorithms share"}, code)


def algorithm(kind: str, groups: Sequence[Group], talk: str | None = None) -> Files:
    """Return an algorithm that writes what it reads, or an analyzer that counts it.

    Parameters
    ----------
    kind : str
        One of `ALGORITHM_TYPES`.
    groups : sequence of Group
        The end points; only the first group has outputs, of the format of its first input.
    talk : str, optional
        The format in which the sides of a loop talk; by default that of the first input.
    """
    declared: list[JSON] = []
    for i, group in enumerate(groups):
        declared.append({"inputs": _points(group.inputs)})
        if i == 0 and kind != "analyzer":
            declared[0]["outputs"] = _points(group.outputs)
    declaration: JSON = {"schema_version": 2, "language": "python", "api_version": 2, "type": kind}
    if "_loop_" in kind:
        format_name = talk or next(iter(groups[0].inputs.values()))
        declared[0]["loop"] = _points({"request": format_name, "answer": format_name})
        declaration["schema_version"] = 3
    if kind == "legacy":
        declaration = {"schema_version": 1, "language": "python"}
    declaration["groups"] = declared
    if kind == "analyzer":
        declaration["type"] = "sequential"
        declaration["results"] = {"count": {"type": "int32", "display": True}}
    elif not kind.endswith("_evaluator"):
        declaration["splittable"] = False
    if kind not in ("analyzer", "legacy"):
        declaration["parameters"] = {}
    declaration["description"] = _DESCRIPTIONS[kind.rpartition("_")[2]]
    return Files(declaration, _algorithm_code(kind, groups[0]))


_DESCRIPTIONS = {
    "sequential": "Writes what it reads, unit by unit",
    "autonomous": "Writes what it reads, all at once",
    "legacy": "Writes what it reads, unit by unit (API 1)",
    "analyzer": "Counts what it reads",
    "processor": "Writes what it reads when its evaluator agrees",
    "evaluator": "Agrees with everything",
}


def _points(formats: dict[str, str]) -> JSON:
    return {name: {"type": format_name} for name, format_name in formats.items()}


_BODIES = {
    "sequential": """
    def process(self, inputs, data_loaders, outputs):
        # called for each unit of the inputs in the first group
        data = inputs["{input}"].data.as_dict()
{writes}
        return True
""",
    "legacy": """
    def process(self, inputs, outputs):
        # called for each unit of the inputs in the first group
        data = inputs["{input}"].data.as_dict()
{writes}
        return True
""",
    "autonomous": """
    def process(self, data_loaders, outputs):
        # called once
        loader = data_loaders.loaderOf("{input}")
        for i in range(loader.count()):
            units, _, end = loader[i]
            data = units["{input}"].as_dict()
{writes_to_end}
        return True
""",
    "analyzer": """
    def __init__(self):
        self.count = 0

    def process(self, inputs, data_loaders, output):
        # called for each unit of the inputs in the first group; the result is written at the end
        self.count += 1
        if not inputs.hasMoreData():
            output.write({{"count": np.int32(self.count)}})
        return True
""",
    "sequential_loop_processor": """
    def process(self, inputs, data_loaders, outputs, loop_channel):
        # called for each unit of the inputs in the first group
        data = inputs["{input}"].data.as_dict()
        is_valid, answer = loop_channel.validate(data)
{writes}
        return True
""",
    "autonomous_loop_processor": """
    def process(self, data_loaders, outputs, loop_channel):
        # called once
        loader = data_loaders.loaderOf("{input}")
        for i in range(loader.count()):
            units, _, end = loader[i]
            data = units["{input}"].as_dict()
            is_valid, answer = loop_channel.validate(data)
{writes_to_end}
        return True
""",
    "sequential_loop_evaluator": """
    def read(self, inputs):
        # called when the processor has gone on to its next unit
        self.data = inputs["{input}"].data.as_dict()
        return True

    def validate(self, hypothesis):
        # called with each request of the processor
        return True, hypothesis.as_dict()

    def write(self, outputs, processor_output_name, end_data_index):
        # called after each write of the processor
        data, end = self.data, end_data_index
{writes_end}
        return True
""",
    "autonomous_loop_evaluator": """
    def prepare(self, data_loaders):
        # called once, before everything else
        loader = data_loaders.loaderOf("{input}")
        units, _, _ = loader[0]
        self.data = units["{input}"].as_dict()
        return True

    def validate(self, hypothesis):
        # called with each request of the processor
        return True, hypothesis.as_dict()

    def write(self, outputs, processor_output_name, end_data_index):
        # called after each write of the processor
        data, end = self.data, end_data_index
{writes_end}
        return True
""",
}


def _algorithm_code(kind: str, group: Group) -> str:
    start = "import numpy as np\n\n\nclass Algorithm:" if kind == "analyzer" else "class Algorithm:"
    return start + _BODIES[kind].format(
        input=next(iter(group.inputs)),
        writes=_writes(group, "        ", "data"),
        writes_end=_writes(group, "        ", "data, end"),
        writes_to_end=_writes(group, "            ", "data, end"),
    )


def _writes(group: Group, indent: str, arguments: str) -> str:
    lines = [f'{indent}outputs["{name}"].write({arguments})' for name in group.outputs]
    return "\n".join(lines) or f"{indent}pass"


def protocoltemplate(format_name: str) -> Files:
    """Return a template with one set of one output."""
    sets = [{"name": "all", "outputs": {"value": format_name}}]
    return Files({"schema_version": 1, "description": "One set", "sets": sets})


def database(name: str, outputs: dict[str, tuple[str, str]]) -> Files:
    """Return a database of ten units.

    Parameters
    ----------
    name : str
        Its full name.
    outputs : dict
        For each output the name of its format, and the code of a unit of that format.
    """
    declared = {output: format_name for output, (format_name, _) in outputs.items()}
    declaration = {
        "schema_version": 1,
        "description": "Ten units",
        "root_folder": f"/databases/{name}",
        "protocols": [
            {
                "name": "main",
                "template": "main",
                "sets": [{"name": "all", "template": "all", "view": "All", "outputs": declared}],
            }
        ],
    }
    units = "".join(f'            "{output}": {unit},\n' for output, (_, unit) in outputs.items())
    return Files(declaration, _VIEW.format(units=units, fields=repr(list(outputs))))


_VIEW = '''from collections import namedtuple

import numpy as np

from beat.backend.python.database import View


class All(View):
    """All data there is."""

    def index(self, root_folder, parameters):
        # one entry for each unit, with a field for each output: where the data is, not the data
        Entry = namedtuple("Entry", {fields})
        return [Entry(*[i] * len(Entry._fields)) for i in range(10)]

    def get(self, output, index):
        # self.objs[index] is the entry
        return {{
{units}        }}[output]
'''


def toolchain() -> Files:
    """Return a toolchain of a dataset, a block and an analyzer."""
    names = ["data", "step", "report"]
    places = {
        name: {"col": 2 + 16 * i, "row": 4, "width": 10, "height": 4}
        for i, name in enumerate(names)
    }
    ends = [("data.value", "step.value"), ("step.value", "report.value")]
    return Files(
        {
            "schema_version": 2,
            "description": "A dataset, a block and an analyzer",
            "datasets": [{"name": "data", "outputs": ["value"]}],
            "blocks": [
                {
                    "name": "step",
                    "synchronized_channel": "data",
                    "inputs": ["value"],
                    "outputs": ["value"],
                }
            ],
            "loops": [],
            "analyzers": [{"name": "report", "synchronized_channel": "data", "inputs": ["value"]}],
            "connections": [{"from": start, "to": end, "channel": "data"} for start, end in ends],
            "representation": {
                "connections": {f"{start}/{end}": [] for start, end in ends},
                "blocks": places,
                "channel_colors": {"data": "#377eb8"},
            },
        }
    )


def plotter(format_name: str) -> Files:
    """Return a plotter with one parameter."""
    declaration = {
        "schema_version": 1,
        "language": "python",
        "description": "Draws points",
        "dataformat": format_name,
        "parameters": {"title": {"type": "string", "default": ""}},
    }
    code = (
        "class Plotter:\n"
        "    def setup(self, parameters):\n"
        '        self.title = parameters["title"]\n'
        "        return True\n\n"
        "    def process(self, inputs):\n"
        "        # make a picture of the data of the inputs and return its bytes\n"
        '        return b""\n'
    )
    return Files(declaration, code)


def plotterparameter(name: str) -> Files:
    """Return parameters of a plotter that leave all of its defaults."""
    declaration = {"schema_version": 1, "description": "The defaults", "plotter": name, "data": {}}
    return Files(declaration)
