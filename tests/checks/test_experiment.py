"""Datasets, algorithms and toolchains must fit together."""

from __future__ import annotations

from support.declarations import POINT
from support.declared_prefix import PROCESS
from support.objects import write_object

from beat.backend.python.checks import open_catalog

WORK, DB, DBT, TC = "user/work/1", "numbers/1", "templated/1", "user/chain/1"
X = "user/user/chain/1/x"
SET, VIEWS = ("protocols", 0, "sets"), ("protocols", 0, "views")
BLOCK, LOOP = ("blocks", "work"), ("loops", "loop")


def errors(findings):
    return [(f.pointer, f.message) for f in findings if f.is_error]


def test_formats_must_be_equal_or_inherited(check, folder):
    def write(algorithm_format, database_format):
        group = {"inputs": {"in": {"type": algorithm_format}}, "outputs": {"out": POINT}}
        check(WORK, (("groups",), [group]))
        check(DB, ((*SET, 0, "outputs", "value"), database_format))
        return errors(check(X))

    assert write("user/number/1", "user/number/1") == []
    assert write("user/number/1", "user/derived/1") == []
    assert write("user/derived/1", "user/number/1") == [
        (
            "/blocks/work/inputs/in",
            "`data.value' gives `user/number/1', but input `in' of algorithm `user/work/1' "
            "takes `user/derived/1'",
        )
    ]


def test_formats_between_blocks_are_compared(check, folder):
    check(WORK, (("groups", 0, "outputs", "out", "type"), "user/base/1"))
    assert errors(check(X)) == [
        (
            "/loops/loop/processor_inputs/in",
            "`work.out' gives `user/base/1', but input `in' of algorithm `user/processor/1' "
            "takes `user/number/1'",
        )
    ]


def test_groups_must_fit_the_channels(check):
    groups = [{"inputs": {"in": POINT}, "outputs": {"out": POINT}}, {"inputs": {"in2": POINT}}]
    check(WORK, (("groups",), groups))
    check(
        TC,
        (("blocks", 0, "inputs"), ["in", "in2"]),
        (("connections", 5), {"from": "data.label", "to": "work.in2", "channel": "data"}),
    )
    ((pointer, message),) = errors(check(X, ((*BLOCK, "inputs"), {"in": "in", "in2": "in2"})))
    assert pointer == "/blocks/work/algorithm"
    assert message.endswith(
        "1 in / 0 out and 1 in / 1 out in the algorithm, 2 in / 1 out in the toolchain"
    )


def test_groups_of_analyzers_and_loops_must_fit_too(check):
    check("user/report/1", (("groups",), [{"inputs": {"in": POINT}}, {"inputs": {"in2": POINT}}]))
    ((pointer, message),) = errors(check(X))
    assert pointer == "/analyzers/report/algorithm"
    assert "1 in / 0 out and 1 in / 0 out in the algorithm, 2 in / 0 out" in message
    check("user/report/1", (("groups",), [{"inputs": {"in": POINT, "in2": POINT}}]))
    talk = {"loop": {"request": POINT, "answer": POINT}}
    split = [
        {"inputs": {"in": POINT}, "outputs": {"out": POINT}, **talk},
        {"inputs": {"in2": POINT}},
    ]
    check("user/evaluator/1", (("groups",), split))
    check(
        TC,
        (("loops", 0, "evaluator_inputs"), ["c", "e"]),
        (("connections", 5), {"from": "data.label", "to": "loop.e", "channel": "data"}),
    )
    found = errors(check(X, ((*LOOP, "evaluator_inputs"), {"in": "c", "in2": "e"})))
    assert [pointer for pointer, _ in found] == ["/loops/loop/processor_algorithm"]
    assert "1 in / 0 out and 2 in / 2 out in the algorithm, 3 in / 2 out" in found[0][1]


def test_the_sides_of_a_loop_must_understand_each_other(check):
    other = {"type": "user/base/1"}
    check("user/evaluator/1", (("groups", 0, "loop"), {"request": POINT, "answer": other}))
    assert errors(check(X)) == [
        (
            "/loops/loop/evaluator_algorithm",
            "the answer of the evaluator is `user/base/1', that of the processor `user/number/1'",
        )
    ]


def test_an_autonomous_processor_needs_an_autonomous_evaluator(check, folder):
    check("user/processor/1", (("type",), "autonomous_loop_processor"))
    code = PROCESS.format("data_loaders, outputs, loop_channel")
    (folder / "algorithms/user/processor/1.py").write_text(code)
    assert errors(check(X)) == []
    check("user/evaluator/1", (("type",), "sequential_loop_evaluator"))
    code = (folder / "algorithms/user/evaluator/1.py").read_text()
    (folder / "algorithms/user/evaluator/1.py").write_text(
        code + "    def read(self, inputs):\n        pass\n"
    )
    ((pointer, message),) = errors(check(X))
    assert pointer == "/loops/loop/evaluator_algorithm"
    assert "a sequential evaluator cannot follow an autonomous processor" in message


def test_a_set_must_have_what_the_toolchain_uses(check):
    check(DB, ((*SET, 0, "outputs"), {"value": "user/number/1"}))
    assert errors(check(X)) == [
        ("/datasets/data/set", "set `train' has no output `label', which the toolchain uses")
    ]


def test_a_set_without_a_view_cannot_be_used(check, folder):
    write_object(
        folder,
        "protocoltemplates",
        "simple/1",
        {
            "schema_version": 1,
            "sets": [
                {"name": "train", "outputs": {"value": "user/number/1", "label": "user/number/1"}}
            ],
        },
    )
    dataset = {"database": "templated/1", "protocol": "_p", "set": "train"}
    assert errors(check(X, (("datasets", "data"), dataset))) == []
    check(DBT, ((*VIEWS, "train"), {}))
    assert errors(check(X, (("datasets", "data"), dataset))) == [
        ("/datasets/data/set", "database `templated/1' has no view for set `train'")
    ]


def test_what_a_template_lacks_shows_where_it_is_used(check):
    check("simple/1", (("sets", 0, "outputs", "value"), "user/none/1"))
    assert errors(check(DBT)) == [
        ("/protocols/0/template", "an output of the template has no dataformat: `user/none/1'")
    ]
    twice = {"name": "train", "outputs": {"value": "user/number/1", "x": "user/number/1"}}
    once = {"name": "train", "outputs": {"value": "user/number/1"}}
    check("simple/1", (("sets",), [once, twice]))
    assert errors(check(DBT)) == [
        ("/protocols/0/template", "set `train' stands twice in the template")
    ]
    check("simple/1", (("sets",), 3))
    assert errors(check(DBT))[0] == (
        "/protocols/0/template",
        "protocol template `simple/1' is not valid",
    )


def test_a_missing_toolchain(folder):
    write_object(folder, "experiments", "user/user/chian/1/x", {"schema_version": 2})
    entry = open_catalog(str(folder)).find("experiment", "user/user/chian/1/x")
    found = {finding.message: finding for finding in entry.findings}
    assert found["no toolchain `user/chian/1'"].suggestion == "user/chain/1"
    assert "missing key `datasets'" in found
