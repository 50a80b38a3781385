from __future__ import annotations

import numpy
import pytest
from support.example_prefix import PREFIX
from support.objects import algorithm_declaration, write_object

from beat.backend.python.dataformat import DataFormat
from beat.backend.python.exceptions import UserError
from beat.backend.python.testing import Unit, run_algorithm

NUMBER = {"type": "user/number/1"}
PAIR = {"type": "user/pair/1"}


@pytest.fixture
def prefix(tmp_path):
    write_object(tmp_path, "dataformats", "user/number/1", {"value": "int32"})
    write_object(tmp_path, "dataformats", "user/pair/1", {"a": "int32", "b": "string"})
    return tmp_path


@pytest.fixture
def make(prefix):
    """Write an algorithm whose process has the given body; return what runs it."""

    def make(body, arguments="inputs, data_loaders, outputs", **changes):
        lines = "".join(f"        {line}\n" for line in body.splitlines())
        code = f"import numpy\n\nclass Algorithm:\n    def process(self, {arguments}):\n{lines}"
        group = {"inputs": {"in": NUMBER}, "outputs": {"out": NUMBER}}
        declaration = algorithm_declaration(**{"groups": [group], **changes})
        write_object(prefix, "algorithms", "user/a/1", declaration, code)
        return lambda inputs, **more: run_algorithm(
            "user/a/1", inputs, **{"prefix": str(prefix), **more}
        )

    return make


DOUBLE = "outputs['out'].write({'value': inputs['in'].data.value * numpy.int32(2)})\nreturn True"


@pytest.mark.parametrize("via", ["inline", "execute"])
def test_a_sequential_algorithm(make, via):
    ran = make(DOUBLE)({"in": [1, 2, 3]}, via=via)
    assert [(u.data.value, u.start, u.end) for u in ran.outputs["out"]] == [
        (2, 0, 0),
        (4, 1, 1),
        (6, 2, 2),
    ]
    assert ran.results is None
    assert ran.statistics["blocks"] == {"read": 3, "write": 3}


def test_units_may_be_objects_and_what_another_run_gave(make, prefix):
    double = make(DOUBLE)
    ran = double({"in": double({"in": [1, 2]}).outputs["out"]})
    assert [u.data.value for u in ran.outputs["out"]] == [4, 8]
    pair = DataFormat(str(prefix), "user/pair/1").type(a=1, b="x")
    with pytest.raises(TypeError, match=r"user/number/1.*user/pair/1"):
        double({"in": [pair]})


def test_units_may_cover_several_indices_and_be_empty(make):
    body = (
        "value = inputs['in'].data\n"
        "outputs['out'].write(None if value is None else {'value': value.value})\nreturn True"
    )
    ran = make(body)({"in": [(1, 0, 2), None, ({"value": 3}, 4, 6)]})
    found = [(u.data and int(u.data.value), u.start, u.end) for u in ran.outputs["out"]]
    assert found == [(1, 0, 2), (None, 3, 3), (3, 4, 6)]


@pytest.mark.parametrize("api_version", [1, 2])
def test_analyzers(make, api_version):
    body = (
        "self.total = getattr(self, 'total', 0) + int(inputs['in'].data.value)\n"
        "if not inputs.hasMoreData():\n"
        "    output.write({'total': numpy.int32(self.total)})\n"
        "return True"
    )
    arguments = "inputs, output" if api_version == 1 else "inputs, data_loaders, output"
    run = make(
        body,
        arguments,
        api_version=api_version,
        groups=[{"inputs": {"in": NUMBER}}],
        results={"total": {"type": "int32"}},
    )
    assert run({"in": [1, 2, 3]}).results.total == 6


def test_other_groups_are_for_data_loaders(make):
    body = (
        "loader = data_loaders.loaderOf('other')\n"
        "outputs['out'].write({'value': numpy.int32(loader.count())})\nreturn True"
    )
    groups = [
        {"inputs": {"in": NUMBER}, "outputs": {"out": NUMBER}},
        {"name": "second", "inputs": {"other": PAIR}},
    ]
    pairs = [{"a": 1, "b": "x"}] * 5
    ran = make(body, groups=groups)({"in": [0], "other": pairs})
    assert ran.outputs["out"][0].data.value == 5


def test_parameters(make, prefix):
    run = make("pass", parameters={"n": {"type": "int32", "default": 3}})
    code = (
        "class Algorithm:\n"
        "    def setup(self, parameters):\n"
        "        self.n = parameters['n']\n"
        "        return True\n"
        "    def process(self, inputs, data_loaders, outputs):\n"
        "        outputs['out'].write({'value': self.n})\n"
        "        return True\n"
    )
    (prefix / "algorithms" / "user" / "a" / "1.py").write_text(code)
    assert run({"in": [0]}).outputs["out"][0].data.value == 3
    assert run({"in": [0]}, parameters={"n": 7}).outputs["out"][0].data.value == 7


@pytest.mark.parametrize("via", ["inline", "execute"])
def test_loops(via):
    flowers = {
        "measurements": [numpy.array([float(i), 0.0]) for i in range(6)],
        "species": ["a", "b", "a", "b", "a", "b"],
    }
    from beat.backend.python.algorithm import Algorithm

    processor = Algorithm(str(PREFIX), "tutorial/nearest_mean/1")
    evaluator = Algorithm(str(PREFIX), "tutorial/supervisor/1")
    ran = run_algorithm(
        "tutorial/nearest_mean/1",
        {name: flowers[name] for name in processor.input_map},
        loop=("tutorial/supervisor/1", {name: flowers[name] for name in evaluator.input_map}),
        prefix=str(PREFIX),
        via=via,
    )
    assert set(ran.outputs) == {*processor.output_map, *evaluator.output_map}
    assert all(units[-1].end == 5 for units in ran.outputs.values())


def test_failures_leave_unchanged_inline(make):
    with pytest.raises(ZeroDivisionError):
        make("1 / 0")({"in": [1]})
    with pytest.raises(UserError, match="returned False"):
        make("return False")({"in": [1]})


def test_failures_are_told_via_execute(make):
    with pytest.raises(UserError, match="ZeroDivisionError"):
        make("1 / 0")({"in": [1]}, via="execute")


@pytest.mark.parametrize(
    ("inputs", "options", "error", "text"),
    [
        ({}, {}, RuntimeError, r"inputs missing: \['in'\]"),
        ({"in": [1], "x": [1]}, {}, RuntimeError, r"unknown: \['x'\]"),
        ({"in": [{"x": 1}]}, {}, AttributeError, "x"),
        ({"in": ["text"]}, {}, ValueError, "text"),
        ({"in": [1]}, {"via": "magic"}, ValueError, "inline"),
        ({"in": [1]}, {"prefix": "/nowhere"}, RuntimeError, "file not found"),
    ],
)
def test_mistakes(make, inputs, options, error, text):
    with pytest.raises(error, match=text):
        make(DOUBLE)(inputs, **options)


def test_a_format_of_several_fields_needs_a_dictionary(make):
    groups = [{"inputs": {"in": PAIR}, "outputs": {"out": NUMBER}}]
    with pytest.raises(TypeError, match=r"as a dictionary of \['a', 'b'\], got int"):
        make(DOUBLE, groups=groups)({"in": [1]})


def test_units_are_tuples():
    assert Unit(None, 0, 1) == (None, 0, 1)
