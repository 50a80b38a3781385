"""A declaration of each kind and version that uses every field, and changes to declarations."""

from __future__ import annotations

import json
from typing import Any

JSON = dict[str, Any]

ENVIRONMENT = {"name": "python", "version": "1.0"}
POINT = {"type": "user/number/1"}
HASH = "0123456789abcdef" * 4
CACHE_PATH = f"ab/cd/ef/{'0' * 58}"

DATAFORMAT = {
    "#description": "everything",
    "#schema_version": 1,
    "#extends": "user/base/1",
    "integer": "int32",
    "text": "string",
    "other": "user/number/1",
    "inner": {"x": "float64", "y": {"z": "bool"}, "empty": {}},
    "array": [0, "int8"],
    "deep": [1, 2, 3, 4, 5, "complex64"],
    "objects": [0, {"x": "int8", "#extends": "user/base/1"}],
    "others": [2, 0, "user/number/1"],
}

PARAMETERS = {
    "plain": {"type": "float64", "default": 1.5, "description": "a number"},
    "from-to": {"type": "uint32", "default": 5, "range": [0, 10]},
    "one_of": {"type": "string", "default": "a", "choice": ["a", "b", "c"]},
    "given": {"type": "bool"},
}

BLOCK = {
    "schema_version": 2,
    "language": "python",
    "api_version": 2,
    "type": "sequential",
    "splittable": True,
    "description": "a block",
    "groups": [
        {"name": "main", "inputs": {"in-1": POINT}, "outputs": {"out": POINT}},
        {"inputs": {"in2": {**POINT, "description": "another"}}},
    ],
    "parameters": PARAMETERS,
    "uses": {"lib": "user/lib/1"},
}
ANALYZER = {
    "schema_version": 2,
    "language": "python",
    "api_version": 2,
    "type": "autonomous",
    "groups": [{"inputs": {"in": POINT}}, {"name": "b", "inputs": {"in2": POINT}}],
    "results": {
        "rate": {"type": "float32", "display": True, "description": "a rate"},
        "curve": {"type": "plot/scatter/1"},
        "other": {"type": "system/thing/1"},
    },
}
PROCESSOR = {
    **{key: BLOCK[key] for key in ("language", "api_version", "splittable", "parameters", "uses")},
    "schema_version": 3,
    "type": "sequential_loop_processor",
    "groups": [
        {
            "name": "main",
            "inputs": {"in": POINT},
            "outputs": {"out": POINT},
            "loop": {"request": POINT, "answer": POINT},
        },
        {"inputs": {"in2": POINT}},
    ],
}
EVALUATOR = {
    **{key: value for key, value in PROCESSOR.items() if key != "splittable"},
    "type": "autonomous_loop_evaluator",
}

DATABASE_1 = {
    "schema_version": 1,
    "description": "a database",
    "root_folder": "/some/where",
    "environment": ENVIRONMENT,
    "direct_rawdata_access": False,
    "protocols": [
        {
            "name": "p.1",
            "template": "simple",
            "sets": [
                {
                    "name": "train",
                    "template": "train",
                    "view": "All",
                    "outputs": {"value": "user/number/1"},
                    "parameters": {"a-b": 1, "b": "x", "c": True, "odd name": [1]},
                }
            ],
        }
    ],
}
DATABASE_2 = {
    "schema_version": 2,
    "description": "a database",
    "root_folder": "nfs://host.name:/some/where",
    "environment": ENVIRONMENT,
    "direct_rawdata_access": True,
    "protocols": [
        {
            "name": "_p",
            "template": "simple/1",
            "views": {"train": {"view": "All", "parameters": {"a": 1}}, "odd-name": 3},
        }
    ],
}
PROTOCOL_TEMPLATE = {
    "schema_version": 1,
    "description": "a template",
    "sets": [{"name": "train", "outputs": {"value": "user/number/1"}}],
}
LIBRARY = {"language": "python", "uses": {}, "description": "x", "schema_version": 1}

TOOLCHAIN = {
    "schema_version": 2,
    "description": "a toolchain",
    "datasets": [{"name": "data", "outputs": ["value", "label"]}],
    "blocks": [
        {"name": "work", "synchronized_channel": "data", "inputs": ["in"], "outputs": ["out"]}
    ],
    "loops": [
        {
            "name": "loop",
            "synchronized_channel": "data",
            "processor_inputs": ["a"],
            "processor_outputs": ["b"],
            "evaluator_inputs": ["c"],
            "evaluator_outputs": ["d"],
        }
    ],
    "analyzers": [{"name": "report", "synchronized_channel": "data", "inputs": ["in", "d"]}],
    "connections": [
        {"from": "data.value", "to": "work.in", "channel": "data"},
        {"from": "work.out", "to": "loop.a", "channel": "data"},
        {"from": "data.label", "to": "loop.c", "channel": "data"},
        {"from": "loop.b", "to": "report.in", "channel": "data"},
        {"from": "loop.d", "to": "report.d", "channel": "data"},
    ],
    "representation": {
        "connections": {"data.value/work.in": [{"col": 1, "row": -2}]},
        "blocks": {"work": {"col": 1, "row": 2, "width": 3, "height": 4}},
        "channel_colors": {"data": "#12abEF"},
    },
}
TOOLCHAIN_1 = {key: value for key, value in TOOLCHAIN.items() if key != "loops"}
TOOLCHAIN_1["schema_version"] = 1

EXPERIMENT = {
    "schema_version": 2,
    "description": "an experiment",
    "datasets": {"data": {"database": "numbers/1", "protocol": "p.1", "set": "train"}},
    "blocks": {
        "work": {
            "algorithm": "user/work/1",
            "inputs": {"in": "in"},
            "outputs": {"out": "out"},
            "parameters": {"plain": 2, "one_of": "b", "given": True},
            "queue": "long",
            "environment": ENVIRONMENT,
            "nb_slots": 2,
        }
    },
    "loops": {
        "loop": {
            "processor_algorithm": "user/processor/1",
            "processor_inputs": {"in": "a"},
            "processor_outputs": {"out": "b"},
            "processor_parameters": {},
            "processor_environment": ENVIRONMENT,
            "evaluator_algorithm": "user/evaluator/1",
            "evaluator_inputs": {"in": "c"},
            "evaluator_outputs": {"out": "d"},
            "evaluator_parameters": {},
            "evaluator_environment": ENVIRONMENT,
            "queue": "long",
            "nb_slots": 1,
        }
    },
    "analyzers": {
        "report": {
            "algorithm": "user/report/1",
            "inputs": {"in": "in", "in2": "d"},
            "parameters": {},
            "queue": "long",
            "environment": ENVIRONMENT,
            "nb_slots": 1,
        }
    },
    "globals": {"queue": "short", "environment": ENVIRONMENT, "user/work/1": {"plain": 1}},
}
EXPERIMENT_1 = {key: value for key, value in EXPERIMENT.items() if key != "loops"}
EXPERIMENT_1["schema_version"] = 1

PLOTTER = {
    "schema_version": 1,
    "description": "a plotter",
    "language": "python",
    "dataformat": "plot/scatter/1",
    "parameters": PARAMETERS,
    "uses": {"lib": "user/lib/1"},
}
PLOTTER_PARAMETER = {
    "schema_version": 1,
    "description": "values",
    "plotter": "user/plotter/1",
    "data": {"plain": 1, "one_of": "c", "given": False},
}
EXECUTION = {
    "schema_version": 1,
    "algorithm": "user/work/1",
    "parameters": {"plain": 1},
    "queue": "queue",
    "environment": ENVIRONMENT,
    "channel": "data",
    "nb_slots": 2,
    "inputs": {
        "a": {"path": CACHE_PATH, "hash": HASH, "channel": "data", "endpoint": "in"},
        "b": {
            **{"database": "numbers/1", "protocol": "p", "set": "s", "output": "o"},
            **{"path": CACHE_PATH + ".db", "hash": HASH, "channel": "data", "endpoint": "in"},
        },
    },
    "outputs": {
        "out": {"path": CACHE_PATH, "hash": HASH, "channel": "data", "endpoint": "out"},
    },
    "range": [0, None],
    "network_name": "anything goes here",
}
EXECUTION_OF_ANALYZER = {
    **{key: v for key, v in EXECUTION.items() if key not in ("outputs", "nb_slots")},
    "result": {"path": CACHE_PATH, "hash": HASH},
}
COUNTS = {"read": 1, "write": 2.0}
STATISTICS = {
    "schema_version": 1,
    "cpu": {
        **{"user": 1.5, "system": 0, "total": 10},
        "context_switches": {"voluntary": 3, "involuntary": 4},
    },
    "memory": {"rss": 1000},
    "data": {
        **{"volume": COUNTS, "blocks": COUNTS, "time": {"read": 0.5, "write": 1}},
        "network": {"wait_time": 0.1},
        "files": [{"hash": HASH, "size": 10, "blocks": 2}],
    },
}

#: what is right, by a label whose first word is the kind
RIGHT: dict[str, JSON] = {
    "dataformat": DATAFORMAT,
    "library": LIBRARY,
    "algorithm 2 block": BLOCK,
    "algorithm 2 analyzer": ANALYZER,
    "algorithm 3 block": {**BLOCK, "schema_version": 3},
    "algorithm 3 analyzer": {**ANALYZER, "schema_version": 3},
    "algorithm 3 processor": PROCESSOR,
    "algorithm 3 evaluator": EVALUATOR,
    "algorithm 1 block": {
        **{key: value for key, value in BLOCK.items() if key not in ("api_version", "type")},
        "schema_version": 1,
    },
    "algorithm 1 analyzer": {
        **{key: ANALYZER[key] for key in ("language", "groups", "results")},
        "parameters": PARAMETERS,
    },
    "protocoltemplate": PROTOCOL_TEMPLATE,
    "database 1": DATABASE_1,
    "database 2": DATABASE_2,
    "toolchain 1": TOOLCHAIN_1,
    "toolchain 2": TOOLCHAIN,
    "experiment 1": EXPERIMENT_1,
    "experiment 2": EXPERIMENT,
    "plotter": PLOTTER,
    "plotterparameter": PLOTTER_PARAMETER,
    "execution": EXECUTION,
    "execution analyzer": EXECUTION_OF_ANALYZER,
    "statistics": STATISTICS,
}


def changed(declaration: JSON, *path: str | int, to: Any) -> JSON:
    """Return a declaration with one part changed, added, or (with ``...``) taken away."""
    made: JSON = json.loads(json.dumps(declaration))  # no part of it is there twice
    part: Any = made
    for token in path[:-1]:
        part = part[token]
    if to is ...:
        del part[path[-1]]
    elif isinstance(part, list) and path[-1] == len(part):
        part.append(to)
    else:
        part[path[-1]] = to
    return made
