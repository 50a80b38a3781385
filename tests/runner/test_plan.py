from __future__ import annotations

import hashlib
import shutil

import pytest
from support.example_prefix import PREFIX, names, read
from support.objects import algorithm_declaration, write_object

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.experiment import Experiment
from beat.backend.python.runner import Runner, make_plan

DIGITS = "tutorial/tutorial/digits/1/pca"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def place(digest: str, suffix: str = "") -> str:
    return f"{digest[:2]}/{digest[2:4]}/{digest[4:6]}/{digest[6:]}{suffix}"


def plan_of(name):
    return make_plan(Experiment(str(PREFIX), name))


@pytest.fixture
def digits():
    return plan_of(DIGITS)


def test_every_block_comes_after_those_it_depends_on(digits):
    done = set()
    for block in digits.blocks:
        assert block.dependencies <= done
        done.add(block.name)
    assert done == {*read("toolchains", "tutorial/digits/1")["representation"]["blocks"]} - {
        "train",
        "templates",
        "probes",
    }


def test_datasets(digits):
    dataset = {dataset.name: dataset for dataset in digits.datasets}["train"]
    digest = sha('{"database":"digits/1","protocol":"verification","set":"train"}')
    assert dataset.hash == digest
    assert dataset.path == place(digest, ".db")


def test_names_of_outputs_follow_from_everything_that_makes_them(digits):
    blocks = {block.name: block for block in digits.blocks}
    configuration = blocks["subspace"].configuration
    train = sha('{"database":"digits/1","protocol":"verification","set":"train"}')
    algorithm = Algorithm(str(PREFIX), "tutorial/pca/1").hash()
    declared = read("experiments", DIGITS)
    parameters = {
        **declared["globals"].get("tutorial/pca/1", {}),
        **declared["blocks"]["subspace"].get("parameters", {}),
    }
    text = ",".join(f'"{key}":{value}' for key, value in sorted(parameters.items()))
    environment = declared["globals"]["environment"]
    digest = sha(
        f'{{"algorithm":"{algorithm}","parameters":{{{text}}},'
        f'"environment":{{"name":{environment["name"]},"version":{environment["version"]}}},'
        f'"inputs":{{"image":{train}}},"output":"subspace"}}'
    )
    assert configuration["outputs"]["subspace"] == {
        "channel": "train",
        "endpoint": "subspace",
        "hash": digest,
        "path": place(digest),
    }
    assert configuration["inputs"]["image"] == {
        "channel": "train",
        "database": "digits/1",
        "endpoint": "image",
        "hash": train,
        "output": "image",
        "path": place(train, ".db"),
        "protocol": "verification",
        "set": "train",
    }
    assert configuration["nb_slots"] == 1
    assert configuration["queue"] == "queue"


def test_inputs_from_other_blocks_point_at_their_outputs(digits):
    blocks = {block.name: block.configuration for block in digits.blocks}
    made = blocks["subspace"]["outputs"]["subspace"]
    assert blocks["probe_projection"]["inputs"]["subspace"] == {
        "channel": "train",
        "endpoint": "subspace",
        "hash": made["hash"],
        "path": made["path"],
    }


def test_results_of_analyzers(digits):
    analysis = digits.blocks[-1]
    assert analysis.is_analyzer
    assert "outputs" not in analysis.configuration
    assert analysis.paths == [analysis.configuration["result"]["path"]]
    inputs = analysis.configuration["inputs"]
    algorithm = Algorithm(str(PREFIX), analysis.configuration["algorithm"])
    digest = sha(
        f'{{"algorithm_name":"{algorithm.name}","algorithm":"{algorithm.hash()}","parameters":{{}},'
        '"environment":{"name":beat.backend.python,"version":2.0.0},'
        f'"inputs":{{"scores":{inputs["scores"]["hash"]}}}}}'
    )
    assert analysis.configuration["result"] == {"hash": digest, "path": place(digest)}


def test_parameters_come_from_globals_and_then_from_the_block():
    blocks = {b.name: b for b in plan_of("tutorial/tutorial/digits/1/globals").blocks}
    assert blocks["subspace"].configuration["parameters"] == {"number-of-components": 20}
    assert blocks["scoring"].configuration["parameters"] == {"similarity": "cosine"}
    assert blocks["scoring"].configuration["nb_slots"] == 2


@pytest.mark.parametrize("name", [n for n in names("experiments") if "/loop/" in n])
def test_loops_have_two_sides(name):
    (loop,) = [block for block in plan_of(name).blocks if block.evaluator]
    assert len(loop.sides) == 2
    assert loop.evaluator["channel"] == loop.configuration["channel"]
    assert loop.evaluator["queue"] == loop.configuration["queue"]
    assert "nb_slots" not in loop.evaluator
    outputs = [*loop.configuration["outputs"].values(), *loop.evaluator["outputs"].values()]
    assert loop.paths == [output["path"] for output in outputs]
    assert len(set(loop.paths)) == len(loop.paths)


def test_the_block_name_does_not_count(digits):
    blocks = {block.name: block.configuration for block in digits.blocks}
    one, other = blocks["template_projection"], blocks["probe_projection"]
    assert one["algorithm"] == other["algorithm"]
    assert one["outputs"]["projection"]["hash"] != other["outputs"]["projection"]["hash"]


def test_the_running_environment_is_the_default():
    experiment = Experiment(str(PREFIX), DIGITS)
    del experiment.data["globals"]["environment"], experiment.data["globals"]["queue"]
    configuration = make_plan(experiment).blocks[0].configuration
    assert set(configuration["environment"]) == {"name", "version"}
    assert configuration["queue"] == "queue"


def test_an_invalid_experiment_is_refused_with_all_its_errors():
    experiment = Experiment(str(PREFIX), DIGITS)
    experiment.errors += ["first mistake", "second mistake"]
    with pytest.raises(RuntimeError, match=r"(?s)digits/1/pca.*first mistake.*second mistake"):
        make_plan(experiment)


# Blocks that would write the same outputs

ENDPOINT = {"type": "user/single_integer/1"}
EXPERIMENT = "user/user/two_loops/1/x"
SUM = "class Algorithm:\n    def process(self, data_loaders, output):\n        return True\n"


def two_loops(folder, prefix, evaluators):
    """Write an experiment with two loops of one processor into a copy of a prefix."""
    copy = shutil.copytree(prefix, folder / "prefix")
    source = copy / "algorithms" / "user" / "guess_evaluator_sequential"
    for name, code in zip(("one", "other"), evaluators, strict=True):
        target = shutil.copytree(source, source.with_name(name))
        (target / "1.py").write_text((target / "1.py").read_text() + code)
    loops, names = {}, ["first", "second"]
    for name, evaluator in zip(names, ("one", "other"), strict=True):
        loops[name] = {
            "processor_algorithm": "user/guess_processor_sequential/1",
            "processor_inputs": {"in": "in"},
            "processor_outputs": {"out": "out"},
            "evaluator_algorithm": f"user/{evaluator}/1",
            "evaluator_inputs": {"in": "known"},
            "evaluator_outputs": {"out": "seen"},
        }
    ends = {
        "synchronized_channel": "data",
        "processor_inputs": ["in"],
        "processor_outputs": ["out"],
        "evaluator_inputs": ["known"],
        "evaluator_outputs": ["seen"],
    }
    pairs = [("data.out", f"{name}.{end}") for name in names for end in ("in", "known")]
    pairs += [(f"{name}.{end}", f"sum.{end}{name}") for name in names for end in ("out", "seen")]
    inputs = [end.partition(".")[2] for _, end in pairs[4:]]
    toolchain = {
        "schema_version": 2,
        "datasets": [{"name": "data", "outputs": ["out"]}],
        "blocks": [],
        "loops": [{"name": name, **ends} for name in names],
        "analyzers": [{"name": "sum", "synchronized_channel": "data", "inputs": inputs}],
        "connections": [{"from": end, "to": start, "channel": "data"} for end, start in pairs],
        "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
    }
    write_object(copy, "toolchains", "user/two_loops/1", toolchain)
    group = {"inputs": dict.fromkeys(inputs, ENDPOINT)}
    results = {"n": {"type": "int32", "display": True}}
    declared = algorithm_declaration(
        type="autonomous", splittable=None, groups=[group], results=results
    )
    write_object(copy, "algorithms", "user/sum_up/1", declared, SUM)
    experiment = {
        "schema_version": 2,
        "datasets": {"data": {"database": "simple/1", "protocol": "numbers", "set": "some"}},
        "blocks": {},
        "loops": loops,
        "analyzers": {
            "sum": {"algorithm": "user/sum_up/1", "inputs": dict(zip(inputs, inputs, strict=True))}
        },
        "globals": {"queue": "queue", "environment": {"name": "test", "version": "1"}},
    }
    write_object(copy, "experiments", EXPERIMENT, experiment)
    return Runner(str(copy), str(folder / "cache"))


def test_loops_whose_outputs_differ_by_their_evaluators_alone_are_refused(prefix, tmp_path):
    """The one would take what the other has made."""
    runner = two_loops(tmp_path, prefix, ["", "# another\n"])
    with pytest.raises(RuntimeError, match="blocks `first' and `second' would make different"):
        runner.plan(EXPERIMENT)


def test_equal_loops_of_other_names_are_not_refused(prefix, tmp_path):
    first, second = two_loops(tmp_path, prefix, ["", ""]).plan(EXPERIMENT)[1].blocks[:2]
    assert first.paths == second.paths
