from __future__ import annotations

import copy

import pytest
from support.objects import write_object

from beat.backend.python.toolchain import Connection, EndPoint, Storage, Toolchain

DECLARATION = {
    "schema_version": 2,
    "description": "two blocks, a loop, an analyzer",
    "datasets": [
        {"name": "train", "outputs": ["image", "label"]},
        {"name": "test", "outputs": ["image"]},
    ],
    "blocks": [
        {
            "name": "score",
            "synchronized_channel": "test",
            "inputs": ["model", "image"],
            "outputs": ["score"],
        },
        {
            "name": "model",
            "synchronized_channel": "train",
            "inputs": ["image"],
            "outputs": ["model"],
        },
    ],
    "loops": [
        {
            "name": "loop",
            "synchronized_channel": "train",
            "processor_inputs": ["a"],
            "processor_outputs": ["b"],
            "evaluator_inputs": ["c"],
            "evaluator_outputs": ["d"],
        }
    ],
    "analyzers": [{"name": "result", "synchronized_channel": "test", "inputs": ["score", "d"]}],
    "connections": [
        {"from": "train.image", "to": "model.image", "channel": "train"},
        {"from": "train.image", "to": "loop.a", "channel": "train"},
        {"from": "train.label", "to": "loop.c", "channel": "train"},
        {"from": "model.model", "to": "score.model", "channel": "train"},
        {"from": "test.image", "to": "score.image", "channel": "test"},
        {"from": "score.score", "to": "result.score", "channel": "test"},
        {"from": "loop.d", "to": "result.d", "channel": "train"},
    ],
    "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
}


@pytest.fixture
def load(tmp_path):
    """Load the declaration after a function has changed it."""

    def load(change=lambda declaration: None):
        declaration = copy.deepcopy(DECLARATION)
        change(declaration)
        write_object(tmp_path, "toolchains", "user/two/1", declaration)
        return Toolchain(str(tmp_path), "user/two/1")

    return load


def test_parts(load):
    toolchain = load()
    assert toolchain.valid, toolchain.errors
    assert toolchain.name == "user/two/1"
    assert list(toolchain.datasets) == ["train", "test"]
    assert list(toolchain.steps) == ["score", "model", "loop", "result"]
    assert toolchain.connections[0] == Connection(
        EndPoint("train", "image"), EndPoint("model", "image"), "train"
    )
    assert str(toolchain.connections[0].target) == "model.image"


def test_order(load):
    toolchain = load()
    assert toolchain.dependencies() == {
        "score": {"model"},
        "model": set(),
        "loop": set(),
        "result": {"score", "loop"},
    }
    assert toolchain.execution_order() == ["model", "loop", "score", "result"]


def test_order_of_a_cycle_ends(load):
    def change(declaration):
        declaration["connections"][0]["from"] = "score.score"

    toolchain = load(change)
    assert any("cycle: " in error and "model -> score" in error for error in toolchain.errors)
    with pytest.raises(RuntimeError, match="has a cycle"):
        toolchain.execution_order()


def change(part, index, **values):
    return lambda declaration: declaration[part][index].update(values)


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (change("blocks", 0, name="model"), "the name `model' stands for something else already"),
        (change("analyzers", 0, name="train"), "the name `train' stands for something else"),
        (change("blocks", 0, synchronized_channel="x"), "error: no dataset `x'"),
        (change("connections", 0, channel="x"), "error: no dataset `x'"),
        (change("connections", 0, **{"from": "train.x"}), "no output `train.x'"),
        (change("connections", 0, to="model.x"), "no input `model.x'"),
        (
            change("connections", 0, to="score.image"),
            "another connection ends at input `score.image'",
        ),
        (lambda d: d["connections"].pop(), "input `result.d' is not connected"),
        (change("connections", 0, **{"from": "model.model"}), "cycle: model -> model"),
        (lambda d: d.pop("datasets"), "missing key `datasets'"),
        (lambda d: d.pop("loops"), "missing key `loops'"),
        (lambda d: d.pop("schema_version"), "they need schema_version 2"),
        (lambda d: d.update(blocks={}), "expected a list of blocks, none twice, found an empty"),
        (lambda d: d.update(blocks=3), "expected a list of blocks, none twice, found 3"),
        (lambda d: d.update(blocks=["x"]), "expected a block: name, synchronized_channel"),
        (change("connections", 0, **{"from": 3}), "expected an end point like block.name, found 3"),
        (change("connections", 0, **{"from": "train"}), "no output `train'"),
    ],
)
def test_mistakes_are_reported(load, mistake, text):
    toolchain = load(mistake)
    assert not toolchain.valid
    assert text in "\n".join(toolchain.errors)


def test_loops_are_optional(load):
    def without_loop(declaration):
        del declaration["loops"], declaration["schema_version"]
        declaration["connections"] = [
            c for c in declaration["connections"] if "loop" not in c["from"] + c["to"]
        ]
        declaration["analyzers"][0]["inputs"] = ["score"]

    assert load(without_loop).valid


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "file not found"), ("{", "file invalid"), ('{"a": 1, "a": 2}', "several times")],
)
def test_files_that_cannot_be_read(tmp_path, content, text):
    if content is not None:
        write_object(tmp_path, "toolchains", "user/bad/1", content)
    assert text in Toolchain(str(tmp_path), "user/bad/1").errors[0]


@pytest.mark.parametrize("name", ["two/1", "a/b/c/1", "../two/1"])
def test_impossible_names_raise(tmp_path, name):
    with pytest.raises(RuntimeError, match="invalid toolchain name"):
        Toolchain(str(tmp_path), name)


def test_export_and_storage(load, tmp_path):
    toolchain = load()
    toolchain.export(str(tmp_path / "target"))
    copy = Toolchain(str(tmp_path / "target"), "user/two/1")
    assert copy.hash() == toolchain.hash()
    storage = Storage(str(tmp_path), "user/two/1")
    assert (storage.username, storage.name, storage.version) == ("user", "two", "1")
    assert storage.fullname == "user/two/1"
