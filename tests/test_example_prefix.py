"""The example prefix: declarations that follow the rules and fit together, and the raw data."""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.example_prefix import JSON, KINDS, PREFIX, WITH_CODE, names, read, read_all

from beat.backend.python.schema import validate

FORMATS = read_all("dataformats")
LIBRARIES = read_all("libraries")
ALGORITHMS = read_all("algorithms")
DATABASES = read_all("databases")
TEMPLATES = read_all("protocoltemplates")
TOOLCHAINS = read_all("toolchains")
EXPERIMENTS = read_all("experiments")

OBJECTS = [(kind, name) for kind in KINDS for name in names(kind)]

BASE_TYPES = {
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "complex64", "complex128", "bool", "string"),
}
IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]*")
CODE_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NAME_FORMS = {
    "databases": re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]+[a-zA-Z0-9]+/[0-9]+"),
    "protocoltemplates": re.compile(r"[a-zA-Z0-9_-]+/[0-9]+"),
    "experiments": re.compile(r"[\w-]+/[\w-]+/[\w-]+/[0-9]+/[\w-]+", re.ASCII),
}
REFERENCE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]*/[a-zA-Z0-9_-]+/[0-9]+")

# keys that must be there, keys that may be there
BLOCK_V2 = ("schema_version api_version type language groups splittable", "parameters uses")
ANALYZER_V1 = ("language groups results", "schema_version parameters uses")
ANALYZER_V2 = ("schema_version api_version type language groups results", "uses")
EVALUATOR_V3 = ("schema_version api_version type language groups", "parameters uses")
VARIANTS = {
    ("legacy", True): (1, *ANALYZER_V1),
    ("sequential", True): (2, *ANALYZER_V2),
    ("sequential", False): (2, *BLOCK_V2),
    ("autonomous", False): (2, *BLOCK_V2),
    ("sequential_loop_processor", False): (3, *BLOCK_V2),
    ("autonomous_loop_processor", False): (3, *BLOCK_V2),
    ("sequential_loop_evaluator", False): (3, *EVALUATOR_V3),
    ("autonomous_loop_evaluator", False): (3, *EVALUATOR_V3),
}
KEYS = {
    "libraries": ("schema_version language uses", ""),
    "databases": ("schema_version root_folder protocols", ""),
    "protocoltemplates": ("schema_version sets", ""),
    "toolchains": (
        "schema_version datasets blocks analyzers connections representation",
        "loops",
    ),
    "experiments": ("schema_version datasets blocks analyzers globals", "loops"),
}


def type_of(algorithm: JSON) -> str:
    """Return the type of an algorithm, `legacy` for version 1 of the API."""
    return "legacy" if algorithm.get("api_version", 1) == 1 else algorithm["type"]


def check_keys(document: JSON, required: str, optional: str = "") -> None:
    assert set(required.split()) <= set(document)
    assert set(document) <= {*required.split(), *optional.split(), "description"}


# ------------------------------------------------------------------------------- all declarations


@pytest.mark.parametrize(("kind", "name"), OBJECTS)
def test_files_of_an_object(kind: str, name: str) -> None:
    stem = PREFIX / kind / name
    text = Path(f"{stem}.json").read_text(encoding="utf-8")
    declaration = read(kind, name)
    description = declaration.get("#description", declaration.get("description"))

    assert NAME_FORMS.get(kind, REFERENCE).fullmatch(name)
    assert text == json.dumps(declaration, indent=4) + "\n"
    assert description
    assert len(description) <= 100
    assert f"``{name}``" in Path(f"{stem}.rst").read_text(encoding="utf-8")
    assert Path(f"{stem}.py").exists() == (kind in WITH_CODE)


@pytest.mark.parametrize(("kind", "name"), OBJECTS)
def test_declaration_follows_its_schema(kind: str, name: str) -> None:
    singular = {"libraries": "library"}.get(kind, kind.removesuffix("s"))
    _, findings = validate(singular, PREFIX / kind / f"{name}.json")
    assert findings == []


def test_no_file_is_left_over() -> None:
    folders = {path.name for path in PREFIX.iterdir() if path.is_dir()}
    stems = {str((PREFIX / kind / name).relative_to(PREFIX)) for kind, name in OBJECTS}
    found = {
        str(path.relative_to(PREFIX).with_suffix(""))
        for kind in KINDS
        for path in (PREFIX / kind).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert folders - {"cache", "results"} == {*KINDS, "rawdata"}
    assert found == stems


@pytest.mark.parametrize(("kind", "name"), [item for item in OBJECTS if item[0] in KEYS])
def test_keys_of_a_declaration(kind: str, name: str) -> None:
    check_keys(read(kind, name), *KEYS[kind])


@pytest.mark.parametrize(("kind", "name"), OBJECTS)
def test_text_lines_are_short(kind: str, name: str) -> None:
    for suffix in (".rst", ".py"):
        path = Path(f"{PREFIX / kind / name}{suffix}")
        if path.exists():
            assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 110


# ------------------------------------------------------------------------- formats and libraries


def check_field(field: Any) -> None:
    if isinstance(field, list):
        *dimensions, field = field
        assert 1 <= len(dimensions) <= 5
        assert all(type(size) is int for size in dimensions)
        assert not isinstance(field, list)
    if isinstance(field, dict):
        for name, inner in field.items():
            assert IDENTIFIER.fullmatch(name)
            check_field(inner)
    else:
        assert field in BASE_TYPES or field in FORMATS


def ancestors(format_name: str) -> list[str]:
    """Return the names of a format and of those it extends."""
    base = FORMATS[format_name].get("#extends")
    return [format_name, *(ancestors(base) if base else [])]


@pytest.mark.parametrize("name", FORMATS)
def test_dataformat(name: str) -> None:
    fields = {key: value for key, value in FORMATS[name].items() if not key.startswith("#")}
    assert fields
    check_field(fields)
    for base in ancestors(name)[1:]:
        assert not fields.keys() & FORMATS[base].keys()


def test_a_format_extends_another() -> None:
    assert ancestors("tutorial/discriminant/1") == [
        "tutorial/discriminant/1",
        "tutorial/linear_machine/1",
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [item for item in OBJECTS if item[0] in ("libraries", "algorithms")]
)
def test_uses(kind: str, name: str) -> None:
    declaration = read(kind, name)
    code = (PREFIX / kind / f"{name}.py").read_text(encoding="utf-8")
    for alias, library in declaration.get("uses", {}).items():
        assert CODE_IDENTIFIER.fullmatch(alias)
        assert LIBRARIES[library]["language"] == declaration["language"] == "python"
        assert f"{alias}." in code


def test_each_library_is_used() -> None:
    used = {name for d in ALGORITHMS.values() for name in d.get("uses", {}).values()}
    assert used == set(LIBRARIES)


# ------------------------------------------------------------------------------------- algorithms


def endpoints(algorithm: JSON, side: str) -> dict[str, str]:
    """Return the formats of the `inputs` or `outputs` of all groups, by name."""
    return {
        name: endpoint["type"]
        for group in algorithm["groups"]
        for name, endpoint in group.get(side, {}).items()
    }


@pytest.mark.parametrize("name", ALGORITHMS)
def test_keys_of_an_algorithm(name: str) -> None:
    algorithm = ALGORITHMS[name]
    version, required, optional = VARIANTS[type_of(algorithm), "results" in algorithm]
    assert algorithm.get("schema_version", 1) == version
    check_keys(algorithm, required, optional)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_groups_of_an_algorithm(name: str) -> None:
    algorithm = ALGORITHMS[name]
    first, *others = algorithm["groups"]
    loop = "loop" in type_of(algorithm)
    assert {"inputs", "outputs", "loop"} & set(first) == {
        "inputs",
        *(() if "results" in algorithm else ("outputs",)),
        *(("loop",) if loop else ()),
    }
    assert all(set(group) <= {"name", "inputs"} and group["inputs"] for group in others)
    for side in ("inputs", "outputs"):
        ends = [name for group in algorithm["groups"] for name in group.get(side, {})]
        assert len(ends) == len(set(ends))
        # experiments can refer to names without a dash only
        assert all(CODE_IDENTIFIER.fullmatch(end) for end in ends)
        assert set(endpoints(algorithm, side).values()) <= set(FORMATS)
    if loop:
        assert set(first["loop"]) == {"request", "answer"}
        assert {end["type"] for end in first["loop"].values()} <= set(FORMATS)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, p) for name, d in ALGORITHMS.items() for p in d.get("parameters", {})],
)
def test_parameters_of_an_algorithm(name: str, parameter: str) -> None:
    declaration = ALGORITHMS[name]["parameters"][parameter]
    assert IDENTIFIER.fullmatch(parameter)
    assert declaration["type"] in BASE_TYPES
    assert declaration["description"]
    convert = str if declaration["type"] == "string" else np.dtype(declaration["type"]).type
    default = declaration["default"]
    assert convert(default) == default
    if "range" in declaration:
        low, high = declaration["range"]
        assert low <= default <= high
        assert low < high
    if "choice" in declaration:
        assert default in declaration["choice"]
        assert len(set(declaration["choice"])) >= 3


@pytest.mark.parametrize("name", [name for name, d in ALGORITHMS.items() if "results" in d])
def test_results_of_an_analyzer(name: str) -> None:
    for result, declaration in ALGORITHMS[name]["results"].items():
        assert IDENTIFIER.fullmatch(result)
        kind = declaration["type"]
        basic = kind in ("int32", "float32", "bool", "string")
        assert basic or (kind in FORMATS and kind.split("/")[0] in ("system", "plot"))
        assert type(declaration["display"]) is bool


@pytest.mark.parametrize("name", ALGORITHMS)
def test_code_of_an_algorithm(name: str) -> None:
    tree = ast.parse((PREFIX / "algorithms" / f"{name}.py").read_text(encoding="utf-8"))
    (algorithm,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Algorithm"
    )
    methods = {
        node.name: [argument.arg for argument in node.args.args[1:]]
        for node in algorithm.body
        if isinstance(node, ast.FunctionDef)
    }
    sink = "output" if "results" in ALGORITHMS[name] else "outputs"
    arguments = {
        "legacy": ["inputs", sink],
        "sequential": ["inputs", "data_loaders", sink],
        "autonomous": ["data_loaders", sink],
        "sequential_loop_processor": ["inputs", "data_loaders", sink, "loop_channel"],
        "autonomous_loop_processor": ["data_loaders", sink, "loop_channel"],
    }
    kind = type_of(ALGORITHMS[name])
    if kind in arguments:
        assert methods["process"] == arguments[kind]
    else:
        assert methods["validate"] == ["hypothesis"]
        assert methods["write"] == ["outputs", "processor_output_name", "end_data_index"]
        assert ("read" in methods) == kind.startswith("sequential")
    assert ("setup" in methods) == bool(ALGORITHMS[name].get("parameters"))


def test_every_type_of_algorithm_has_an_example() -> None:
    assert {type_of(algorithm) for algorithm in ALGORITHMS.values()} == {
        kind for kind, _ in VARIANTS
    }


def test_declarations_of_the_user_documentation() -> None:
    pca = ALGORITHMS["tutorial/pca/1"]
    assert pca["groups"] == [
        {
            "inputs": {"image": {"type": "system/array_2d_uint8/1"}},
            "outputs": {"subspace": {"type": "tutorial/linear_machine/1"}},
        }
    ]
    parameter = pca["parameters"]["number-of-components"]
    assert (parameter["default"], parameter["type"]) == (5, "uint32")
    for name in ("tutorial/roc/1", "tutorial/roc/2"):
        roc = ALGORITHMS[name]
        assert endpoints(roc, "inputs") == {"scores": "tutorial/probe_scores/1"}
        results = {key: (d["type"], d["display"]) for key, d in roc["results"].items()}
        assert results == {
            "far": ("float32", True),
            "frr": ("float32", True),
            "eer": ("float32", True),
            "threshold": ("float32", False),
            "number_of_positives": ("int32", False),
            "number_of_negatives": ("int32", False),
            "roc": ("plot/scatter/1", False),
        }


# -------------------------------------------------------------------------------------- databases


def sets_of(database: str, protocol: str) -> dict[str, JSON]:
    """Return the sets of a protocol with their `view`, `parameters` and `outputs`."""
    (declared,) = (p for p in DATABASES[database]["protocols"] if p["name"] == protocol)
    if DATABASES[database]["schema_version"] == 1:
        return {item["name"]: item for item in declared["sets"]}
    template = {item["name"]: item for item in TEMPLATES[declared["template"]]["sets"]}
    assert template.keys() == declared["views"].keys()
    return {
        name: {**view, "outputs": template[name]["outputs"]}
        for name, view in declared["views"].items()
    }


@pytest.mark.parametrize("name", DATABASES)
def test_database(name: str) -> None:
    database = DATABASES[name]
    code = (PREFIX / "databases" / f"{name}.py").read_text(encoding="utf-8")
    views = {node.name: node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)}
    assert database["root_folder"] == f"/databases/{name}"
    protocols = [protocol["name"] for protocol in database["protocols"]]
    assert len(protocols) == len(set(protocols))
    for protocol in protocols:
        for item in sets_of(name, protocol).values():
            assert item["outputs"].keys()
            assert set(item["outputs"].values()) <= set(FORMATS)
            # the text of a view lists its outputs and draws how they are synchronised
            drawing = ast.get_docstring(views[item["view"]]) or ""
            for output, format_name in item["outputs"].items():
                assert f'- {output}: "{format_name}"' in drawing
                assert re.search(rf"\|\s*{output}\s*\|", drawing)


@pytest.mark.parametrize("name", TEMPLATES)
def test_protocol_template(name: str) -> None:
    sets = TEMPLATES[name]["sets"]
    assert all(set(item) == {"name", "outputs"} for item in sets)
    assert len({item["name"] for item in sets}) == len(sets)
    assert all(item["outputs"].keys() for item in sets)
    assert all(set(item["outputs"].values()) <= set(FORMATS) for item in sets)


def test_both_schema_versions_of_databases_are_shown() -> None:
    assert {d["schema_version"] for d in DATABASES.values()} == {1, 2}


# ------------------------------------------------------------------------------------- toolchains


def stations(toolchain: JSON) -> dict[str, tuple[str, list[str], list[str]]]:
    """Return channel, inputs and outputs of all datasets, blocks, loops and analyzers."""
    found: dict[str, tuple[str, list[str], list[str]]] = {
        d["name"]: (d["name"], [], d["outputs"]) for d in toolchain["datasets"]
    }
    for block in toolchain["blocks"]:
        found[block["name"]] = (block["synchronized_channel"], block["inputs"], block["outputs"])
    for loop in toolchain.get("loops", []):
        found[loop["name"]] = (
            loop["synchronized_channel"],
            loop["processor_inputs"] + loop["evaluator_inputs"],
            loop["processor_outputs"] + loop["evaluator_outputs"],
        )
    for analyzer in toolchain["analyzers"]:
        found[analyzer["name"]] = (analyzer["synchronized_channel"], analyzer["inputs"], [])
    return found


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_names_of_a_toolchain(name: str) -> None:
    toolchain = TOOLCHAINS[name]
    parts = [
        part["name"]
        for kind in ("datasets", "blocks", "loops", "analyzers")
        for part in toolchain.get(kind, [])
    ]
    assert len(parts) == len(set(parts))
    assert (toolchain["schema_version"] == 2) == ("loops" in toolchain)
    datasets = {d["name"] for d in toolchain["datasets"]}
    for station, (channel, inputs, outputs) in stations(toolchain).items():
        assert channel in datasets
        assert all(map(IDENTIFIER.fullmatch, [station, *inputs, *outputs]))
        assert len(set(inputs)) == len(inputs)
        assert len(set(outputs)) == len(outputs)


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_connections_of_a_toolchain(name: str) -> None:
    toolchain = TOOLCHAINS[name]
    parts = stations(toolchain)
    starts: set[str] = set()
    ends: list[str] = []
    channels_in: dict[str, set[str]] = {part: set() for part in parts}
    for connection in toolchain["connections"]:
        source, output = connection["from"].split(".")
        target, end = connection["to"].split(".")
        assert output in parts[source][2]
        assert end in parts[target][1]
        assert connection["channel"] == parts[source][0]
        starts.add(connection["from"])
        ends.append(connection["to"])
        channels_in[target].add(connection["channel"])
    assert sorted(ends) == sorted(f"{p}.{i}" for p, (_, inputs, _) in parts.items() for i in inputs)
    assert starts == {f"{p}.{o}" for p, (_, _, outputs) in parts.items() for o in outputs}
    for part, (channel, inputs, _) in parts.items():
        assert not inputs or channel in channels_in[part]


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_toolchain_has_no_cycle(name: str) -> None:
    edges = [
        (connection["from"].split(".")[0], connection["to"].split(".")[0])
        for connection in TOOLCHAINS[name]["connections"]
    ]
    left = set(stations(TOOLCHAINS[name]))
    while left:
        free = {part for part in left if not any(t == part and s in left for s, t in edges)}
        assert free, f"a cycle among {left}"
        left -= free


@pytest.mark.parametrize("name", TOOLCHAINS)
def test_drawing_of_a_toolchain(name: str) -> None:
    toolchain = TOOLCHAINS[name]
    drawing = toolchain["representation"]
    assert set(drawing["connections"]) == {
        f"{connection['from']}/{connection['to']}" for connection in toolchain["connections"]
    }
    assert set(drawing["blocks"]) == set(stations(toolchain))
    assert set(drawing["channel_colors"]) == {d["name"] for d in toolchain["datasets"]}
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in drawing["channel_colors"].values())
    for box in drawing["blocks"].values():
        assert set(box) == {"col", "row", "width", "height"}
    boxes = list(drawing["blocks"].values())
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = (
                a["col"] + a["width"] <= b["col"]
                or b["col"] + b["width"] <= a["col"]
                or a["row"] + a["height"] <= b["row"]
                or b["row"] + b["height"] <= a["row"]
            )
            assert apart, "boxes overlap"


# ------------------------------------------------------------------------------------ experiments


def toolchain_of(experiment: str) -> JSON:
    return TOOLCHAINS["/".join(experiment.split("/")[1:4])]


def runs_of(experiment: JSON) -> list[tuple[str, JSON, str]]:
    """Return name, section and prefix of keys for each algorithm that an experiment runs."""
    runs = [(name, block, "") for name, block in experiment["blocks"].items()]
    runs += [(name, analyzer, "") for name, analyzer in experiment["analyzers"].items()]
    for name, loop in experiment.get("loops", {}).items():
        runs += [(name, loop, "processor_"), (name, loop, "evaluator_")]
    return runs


def check_parameters(algorithm: str, values: JSON) -> None:
    for name, value in values.items():
        declaration = ALGORITHMS[algorithm]["parameters"][name]
        if "choice" in declaration:
            assert value in declaration["choice"]
        if "range" in declaration:
            assert declaration["range"][0] <= value <= declaration["range"][1]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_names_of_an_experiment(name: str) -> None:
    experiment, toolchain = EXPERIMENTS[name], toolchain_of(name)
    assert (experiment["schema_version"] == 2) == ("loops" in experiment)
    for kind in ("datasets", "blocks", "loops", "analyzers"):
        assert set(experiment.get(kind, {})) == {part["name"] for part in toolchain.get(kind, [])}
    for dataset in toolchain["datasets"]:
        chosen = experiment["datasets"][dataset["name"]]
        assert set(chosen) == {"database", "protocol", "set"}
        outputs = sets_of(chosen["database"], chosen["protocol"])[chosen["set"]]["outputs"]
        assert set(dataset["outputs"]) <= set(outputs)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_maps_of_an_experiment(name: str) -> None:
    experiment, toolchain = EXPERIMENTS[name], toolchain_of(name)
    declared = {
        part["name"]: part
        for kind in ("blocks", "loops", "analyzers")
        for part in toolchain.get(kind, [])
    }
    for station, section, side in runs_of(experiment):
        algorithm = ALGORITHMS[section[f"{side}algorithm"]]
        assert ("results" in algorithm) == (station in experiment["analyzers"])
        for ends in (f"{side}inputs", f"{side}outputs"):
            connection_map = section.get(ends, {})
            assert set(connection_map) == set(endpoints(algorithm, ends.removeprefix(side)))
            assert sorted(connection_map.values()) == sorted(declared[station].get(ends, []))
        assert section.get("nb_slots", 1) == 1 or algorithm["splittable"]
        check_parameters(section[f"{side}algorithm"], section.get(f"{side}parameters", {}))


def formats_of(experiment: str) -> dict[str, str]:
    """Return the formats of all end points of the toolchain, as the experiment fills them."""
    document, found = EXPERIMENTS[experiment], {}
    for name, chosen in document["datasets"].items():
        outputs = sets_of(chosen["database"], chosen["protocol"])[chosen["set"]]["outputs"]
        found.update({f"from {name}.{output}": kind for output, kind in outputs.items()})
    for name, section, side in runs_of(document):
        algorithm = ALGORITHMS[section[f"{side}algorithm"]]
        for word, ends in (("to", "inputs"), ("from", "outputs")):
            types = endpoints(algorithm, ends)
            for end, place in section.get(f"{side}{ends}", {}).items():
                found[f"{word} {name}.{place}"] = types[end]
    return found


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_formats_at_both_ends_of_connections(name: str) -> None:
    formats = formats_of(name)
    for connection in toolchain_of(name)["connections"]:
        start, end = formats[f"from {connection['from']}"], formats[f"to {connection['to']}"]
        assert start == end, connection


def grouping(experiment: str, station: str) -> Counter[tuple[int, int]]:
    """Count inputs and outputs of a station, channel by channel."""
    ins: Counter[str] = Counter()
    outs: set[tuple[str, str]] = set()
    for connection in toolchain_of(experiment)["connections"]:
        if connection["to"].split(".")[0] == station:
            ins[connection["channel"]] += 1
        if connection["from"].split(".")[0] == station:
            outs.add((connection["from"], connection["channel"]))
    outputs = Counter(channel for _, channel in outs)
    return Counter((count, outputs[channel]) for channel, count in ins.items())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_channels_fit_the_groups_of_algorithms(name: str) -> None:
    experiment = EXPERIMENTS[name]
    wanted: dict[str, list[list[int]]] = {}
    for station, section, side in runs_of(experiment):
        groups = [
            [len(group["inputs"]), len(group.get("outputs", {}))]
            for group in ALGORITHMS[section[f"{side}algorithm"]]["groups"]
        ]
        if station in wanted:  # the evaluator of a loop: adds to the groups of the processor
            groups = [
                [a + b for a, b in zip(*pair, strict=True)]
                for pair in zip(wanted[station], groups, strict=True)
            ]
        wanted[station] = groups
    for station, groups in wanted.items():
        assert grouping(name, station) == Counter((i, o) for i, o in groups)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_globals_of_an_experiment(name: str) -> None:
    experiment = EXPERIMENTS[name]
    used = {section[f"{side}algorithm"] for _, section, side in runs_of(experiment)}
    sections = {k: v for k, v in experiment["globals"].items() if "/" in k}
    assert experiment["globals"]["queue"] == "queue"
    assert experiment["globals"]["environment"] == {
        "name": "beat.backend.python",
        "version": "2.0.0",
    }
    assert set(sections) <= used
    for algorithm, values in sections.items():
        check_parameters(algorithm, values)


@pytest.mark.parametrize(
    "loop",
    [loop for experiment in EXPERIMENTS.values() for loop in experiment.get("loops", {}).values()],
)
def test_processor_and_evaluator_speak_the_same_language(loop: JSON) -> None:
    processor, evaluator = (
        ALGORITHMS[loop[f"{side}_algorithm"]]["groups"][0]["loop"]
        for side in ("processor", "evaluator")
    )
    for end in ("request", "answer"):
        assert processor[end]["type"] == evaluator[end]["type"]


def test_what_the_experiments_show() -> None:
    runs = [(e, *run) for e, document in EXPERIMENTS.items() for run in runs_of(document)]
    used = {section[f"{side}algorithm"] for _, _, section, side in runs}
    assert used == set(ALGORITHMS)
    assert {"/".join(e.split("/")[1:4]) for e in EXPERIMENTS} == set(TOOLCHAINS)
    assert any("/" in key for document in EXPERIMENTS.values() for key in document["globals"])
    assert any(section.get("nb_slots", 1) > 1 for _, _, section, _ in runs)
    assert any(section.get(f"{side}parameters") for _, _, section, side in runs)
    parameters = [p for d in ALGORITHMS.values() for p in d.get("parameters", {}).values()]
    assert any("range" in parameter for parameter in parameters)
    assert any("choice" in parameter for parameter in parameters)
    loops = [loop for d in EXPERIMENTS.values() for loop in d.get("loops", {}).values()]
    kinds = {
        tuple(
            type_of(ALGORITHMS[loop[f"{side}_algorithm"]]).split("_")[0]
            for side in ("processor", "evaluator")
        )
        for loop in loops
    }
    assert kinds == {
        ("sequential", "sequential"),
        ("autonomous", "autonomous"),
        ("sequential", "autonomous"),
    }


# --------------------------------------------------------------------------------------- raw data


@pytest.mark.parametrize(
    ("database", "file", "citation"),
    [
        ("iris/1", "iris.csv", "10.24432/C56C76"),
        ("digits/1", "digits.npz", "10.24432/C50P49"),
    ],
)
def test_source_and_licence_of_raw_data(database: str, file: str, citation: str) -> None:
    folder = PREFIX / "rawdata" / database
    readme = (folder / "README.rst").read_text(encoding="utf-8")
    content = (folder / file).read_bytes()
    assert {path.name for path in folder.iterdir()} == {file, "README.rst"}
    assert hashlib.sha256(content).hexdigest() in readme
    assert "CC BY 4.0" in readme
    assert "UCI Machine Learning Repository" in readme
    assert citation in readme
    assert len(content) < 300_000


def test_iris_flowers() -> None:
    with (PREFIX / "rawdata/iris/1/iris.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    assert Counter(row[4] for row in rows) == {"setosa": 50, "versicolor": 50, "virginica": 50}
    measurements = np.array([row[:4] for row in rows], dtype=float)
    assert measurements.shape == (150, 4)
    # the means that Fisher's article gives for the species, in centimetres
    assert np.allclose(measurements[:50].mean(axis=0), [5.006, 3.428, 1.462, 0.246])
    assert np.allclose(measurements[50:100].mean(axis=0), [5.936, 2.770, 4.260, 1.326])
    assert np.allclose(measurements[100:].mean(axis=0), [6.588, 2.974, 5.552, 2.026])
    # the two flowers that are wrong in the file of the repository
    assert measurements[34].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert measurements[37].tolist() == [4.9, 3.6, 1.4, 0.1]


def test_handwritten_digits() -> None:
    with np.load(PREFIX / "rawdata/digits/1/digits.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"images", "labels"}
        images, labels = archive["images"], archive["labels"]
    assert (images.dtype, images.shape) == (np.uint8, (1797, 8, 8))
    assert (labels.dtype, labels.shape) == (np.uint8, (1797,))
    assert (images.min(), images.max()) == (0, 16)
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(labels).tolist() == counts
    # the first image is a zero: a ring around an empty middle
    assert labels[0] == 0
    assert images[0, 1].tolist() == [0, 0, 13, 15, 10, 15, 5, 0]
    assert images[0, 3:5, 3:5].sum() == 0
