from __future__ import annotations

import shutil

import pytest
from support.example_prefix import PREFIX, names, read
from support.objects import write_object

from beat.backend.python.experiment import Experiment, Storage, complete_label

DIGITS = "tutorial/tutorial/digits/1/pca"
LOOP = "tutorial/tutorial/loop/1/sequential"


@pytest.fixture
def prefix(tmp_path):
    """A copy of the example prefix."""
    copy = tmp_path / "prefix"
    shutil.copytree(PREFIX, copy, ignore=shutil.ignore_patterns("cache", "rawdata"))
    return copy


@pytest.fixture
def load(prefix):
    """Load an experiment after a function has changed its declaration."""

    def load(change, name=DIGITS):
        declaration = read("experiments", name)
        change(declaration)
        write_object(prefix, "experiments", name, declaration)
        return Experiment(str(prefix), name)

    return load


@pytest.mark.parametrize("name", names("experiments"))
def test_the_examples_are_valid(name):
    experiment = Experiment(str(PREFIX), name)
    assert experiment.valid, experiment.errors


def test_parts():
    experiment = Experiment(str(PREFIX), DIGITS)
    assert experiment.name == DIGITS
    assert experiment.toolchain.name == "tutorial/digits/1"
    assert set(experiment.datasets) == {"train", "templates", "probes"}
    assert set(experiment.databases) == {"digits/1"}
    assert "tutorial/pca/1" in experiment.algorithms
    assert experiment.loops == {}


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("user/other/tc/1/x", "user/other/tc/1/x"),
        ("user/tc/1/x", "user/user/tc/1/x"),
    ],
)
def test_labels(name, full):
    assert complete_label(name) == full


@pytest.mark.parametrize("name", ["x", "u/tc/x", "a/b/c/1/x/y", "u/../tc/1/x", "u/u/tc/1/\n", None])
def test_impossible_labels_raise(name):
    with pytest.raises(RuntimeError, match="invalid experiment name"):
        complete_label(name)


def test_the_short_label_finds_the_same_experiment():
    assert Experiment(str(PREFIX), "tutorial/digits/1/pca").name == DIGITS


def test_storage(tmp_path):
    storage = Storage(str(tmp_path), "user/other/tc/1/label")
    assert (storage.username, storage.toolchain, storage.name) == ("user", "other/tc/1", "label")
    assert storage.fullname == "user/other/tc/1/label"
    assert storage.json.path.endswith("experiments/user/other/tc/1/label.json")


def at(path, value):
    """Return a function that sets (or with ``...`` removes) an entry of a declaration."""

    def change(declaration):
        *parents, last = path.split(".")
        for key in parents:
            declaration = declaration[key]
        if value is ...:
            del declaration[last]
        else:
            declaration[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (at("datasets.train", ...), "dataset `train' of the toolchain is missing"),
        (
            at("blocks.extra", {"algorithm": "tutorial/pca/1"}),
            "the toolchain has no block `extra'",
        ),
        (at("datasets.train.database", "digits/9"), "no database `digits/9'"),
        (at("datasets.train.protocol", "x"), "database `digits/1' has no protocol `x'"),
        (at("datasets.train.set", "x"), "protocol `verification' has no set `x'"),
        (at("blocks.subspace.algorithm", "tutorial/none/1"), "no algorithm `tutorial/none/1'"),
        (at("blocks.subspace.algorithm", "none"), "no algorithm `none'"),
        (
            at("blocks.subspace.inputs", {"picture": "image"}),
            "algorithm `tutorial/pca/1' has no input `picture'",
        ),
        (
            at("blocks.subspace.inputs", {}),
            "input `image' of algorithm `tutorial/pca/1' is not mapped",
        ),
        (
            at("blocks.subspace.inputs.image", "picture"),
            "`subspace' has no input `picture' in the toolchain",
        ),
        (at("blocks.subspace.outputs", {}), "output `subspace' of the toolchain is not mapped"),
        (
            at("blocks.subspace.parameters", {"x": 1}),
            "algorithm `tutorial/pca/1' has no parameter `x'",
        ),
        (
            at("blocks.subspace.parameters", {"number-of-components": "many"}),
            "parameter `number-of-components': cannot convert",
        ),
        (
            at("analyzers.analysis.algorithm", "tutorial/enrolment/1"),
            "algorithm `tutorial/enrolment/1' is for a block",
        ),
        (at("datasets", ...), "missing key `datasets'"),
        (at("blocks", []), "expected an object of blocks by name, found an empty list"),
        (at("blocks.subspace.algorithm", ...), "missing key `algorithm'"),
    ],
)
def test_mistakes_are_reported(load, change, text):
    experiment = load(change)
    assert not experiment.valid
    assert text in "\n".join(experiment.errors)


def test_mistakes_in_loops_are_reported(load):
    name = next(iter(Experiment(str(PREFIX), LOOP).loops))
    experiment = load(at(f"loops.{name}.evaluator_inputs", {}), LOOP)
    assert "evaluator_inputs" in "\n".join(experiment.errors)
    experiment = load(at(f"loops.{name}.processor_parameters", {"x": 1}), LOOP)
    assert "has no parameter `x'" in "\n".join(experiment.errors)


def test_a_missing_toolchain(prefix):
    write_object(prefix, "experiments", "a/b/none/1/x", read("experiments", DIGITS))
    experiment = Experiment(str(prefix), "a/b/none/1/x")
    assert "no toolchain `b/none/1'" in experiment.errors[0]


def test_a_missing_experiment():
    experiment = Experiment(str(PREFIX), "a/b/c/1/none")
    assert "file not found" in experiment.errors[0]


def test_export_takes_everything_along(tmp_path):
    experiment = Experiment(str(PREFIX), DIGITS)
    experiment.export(str(tmp_path))
    copy = Experiment(str(tmp_path), DIGITS)
    assert copy.valid, copy.errors
    assert copy.hash() == experiment.hash()
    assert {n: a.hash() for n, a in copy.algorithms.items()} == {
        n: a.hash() for n, a in experiment.algorithms.items()
    }
