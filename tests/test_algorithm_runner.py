from __future__ import annotations

import builtins
import logging
import traceback

import numpy
import pytest
from support.objects import algorithm_declaration, write_object

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.exceptions import UserError
from beat.backend.python.inputs import InputGroup

ENDPOINT = {"type": "user/single/1"}
GROUP = {"inputs": {"in": ENDPOINT}, "outputs": {"out": ENDPOINT}}
LOOP = {**GROUP, "loop": {"request": ENDPOINT, "answer": ENDPOINT}}
PARAMETERS = {
    "number": {"type": "int32", "default": 3, "range": [0, 5]},
    "needed": {"type": "float32"},
}


class Loaders:
    """Stands for a list of data loaders, which only says which part of it was asked for."""

    def secondaries(self):
        return "secondaries"


@pytest.fixture
def make(tmp_path):
    """Write an algorithm whose class has the given body, and return its runner."""
    write_object(tmp_path, "dataformats", "user/single/1", {"value": "int32"})

    def make(body, exc=None, klass="Algorithm", **changes):
        lines = "\n".join("    " + line for line in body.strip("\n").splitlines())
        code = f"class Algorithm:\n{lines}\n"
        declaration = algorithm_declaration(**{"groups": [GROUP], **changes})
        write_object(tmp_path, "algorithms", "user/a/1", declaration, code)
        algorithm = Algorithm(str(tmp_path), "user/a/1")
        assert algorithm.valid, algorithm.errors
        return algorithm.runner(klass, exc)

    return make


ECHO = "def process(self, *args, **kwargs):\n    return args"


class TestLoading:
    def test_missing_class(self, make):
        with pytest.raises(AttributeError, match="Other"):
            make("pass", klass="Other")
        with pytest.raises(UserError, match="Other"):
            make("pass", klass="Other", exc=UserError)

    def test_failing_constructor(self, make):
        body = "def __init__(self):\n    1 / 0"
        with pytest.raises(ZeroDivisionError):
            make(body)
        with pytest.raises(UserError) as caught:
            make(body, exc=UserError)
        assert isinstance(caught.value.value, ZeroDivisionError)
        assert traceback.extract_tb(caught.value.__traceback__)[-1].line == "1 / 0"

    def test_code_that_does_not_compile_is_wrapped(self, make):
        with pytest.raises(UserError) as caught:
            make("def broken(:", exc=UserError)
        assert isinstance(caught.value.value, SyntaxError)

    def test_code_is_compiled_once(self, make, monkeypatch):
        algorithm = make(ECHO).algorithm
        compiled = []
        original = builtins.compile
        monkeypatch.setattr(
            builtins, "compile", lambda *a, **k: compiled.append(a[1]) or original(*a, **k)
        )
        runners = [algorithm.runner() for _ in range(3)]
        assert algorithm.storage.code.path not in compiled
        assert len({id(runner.obj) for runner in runners}) == 3

    def test_attributes_are_those_of_the_user_object(self, make):
        runner = make("value = 3\n" + ECHO)
        assert runner.value == 3
        assert runner.name == "user_a_1"
        with pytest.raises(AttributeError, match="nothing"):
            _ = runner.nothing


class TestSetup:
    BODY = (
        "def setup(self, parameters):\n    self.parameters = parameters\n    return True\n" + ECHO
    )

    def test_values_and_defaults(self, make):
        runner = make(self.BODY, parameters=PARAMETERS)
        assert not runner.ready
        assert runner.setup({"needed": 0.5}) is True
        assert runner.ready
        assert runner.obj.parameters == {"number": 3, "needed": 0.5}
        assert runner.obj.parameters["number"].dtype == numpy.int32

    def test_only_the_first_successful_call_counts(self, make):
        runner = make(self.BODY, parameters=PARAMETERS)
        runner.setup({"needed": 1})
        assert runner.setup({"needed": 2, "undeclared": 1}) is True
        assert runner.obj.parameters["needed"] == 1

    def test_not_needed_at_all(self, make):
        runner = make(ECHO, parameters=PARAMETERS)
        assert runner.ready
        assert runner.setup({"undeclared": 1}) is True

    @pytest.mark.parametrize(
        ("given", "error", "text"),
        [
            ({"other": 1}, KeyError, "undeclared parameter `other'"),
            ({}, KeyError, "parameter `needed' has neither value nor default"),
            ({"needed": "x"}, ValueError, "cannot convert 'x' to float32"),
            ({"needed": 1, "number": 6}, ValueError, "not in the range"),
        ],
    )
    def test_wrong_parameters(self, make, given, error, text):
        with pytest.raises(error, match=text):
            make(self.BODY, parameters=PARAMETERS).setup(given)
        with pytest.raises(UserError, match=text.split("'")[0]):
            make(self.BODY, exc=UserError, parameters=PARAMETERS).setup(given)

    def test_parameters_given_where_none_is_declared(self, make):
        with pytest.raises(KeyError):
            make(self.BODY).setup({"p": 1})

    @pytest.mark.parametrize("returned", ["False", "None", "0"])
    def test_an_algorithm_that_refuses(self, make, returned):
        runner = make(f"def setup(self, parameters):\n    return {returned}\n" + ECHO)
        assert runner.setup({}) is False
        assert not runner.ready
        with pytest.raises(RuntimeError, match="not set up"):
            runner.process([], [], [])

    def test_an_algorithm_that_fails(self, make):
        body = "def setup(self, parameters):\n    return parameters['none']\n"
        with pytest.raises(KeyError, match="none"):
            make(body).setup({})
        with pytest.raises(UserError):
            make(body, exc=UserError).setup({})


class TestPrepare:
    BODY = (
        "def prepare(self, data_loaders):\n    self.seen = data_loaders\n    return True\n" + ECHO
    )

    def test_not_needed_at_all(self, make):
        runner = make(ECHO)
        assert runner.prepared
        assert runner.prepare(None) is True

    @pytest.mark.parametrize(
        ("kind", "everything"),
        [
            ("sequential", True),
            ("autonomous", False),
            ("sequential_loop_processor", True),
            ("autonomous_loop_processor", False),
            ("sequential_loop_evaluator", True),
            ("autonomous_loop_evaluator", True),
        ],
    )
    def test_which_loaders_it_gets(self, make, kind, everything):
        runner = make(self.BODY, type=kind, groups=[LOOP])
        loaders = Loaders()
        assert not runner.prepared
        assert runner.prepare(loaders) is True
        assert runner.obj.seen == (loaders if everything else "secondaries")

    def test_only_once(self, make):
        runner = make(self.BODY)
        runner.prepare("first")
        assert runner.prepare("second") is True
        assert runner.obj.seen == "first"

    def test_after_setup_only(self, make):
        body = "def setup(self, parameters):\n    return True\n" + self.BODY
        with pytest.raises(RuntimeError, match="not set up"):
            make(body).prepare(Loaders())
        with pytest.raises(UserError, match="not set up"):
            make(body, exc=UserError).prepare(Loaders())
        runner = make(body.replace("prepare", "other"))  # even where there is nothing to prepare
        assert runner.prepared
        with pytest.raises(RuntimeError, match="not set up"):
            runner.prepare(Loaders())

    def test_an_algorithm_that_refuses(self, make):
        runner = make("def prepare(self, data_loaders):\n    return False\n" + ECHO)
        assert runner.prepare(Loaders()) is False
        with pytest.raises(RuntimeError, match="not prepared"):
            runner.process([], [], [])

    def test_the_name_is_reserved_in_api_1(self, make, caplog):
        with caplog.at_level(logging.WARNING):
            runner = make(self.BODY, api_version=1)
        assert runner.prepared
        warnings = [r for r in caplog.records if r.name.startswith("beat.backend.python")]
        assert len(warnings) == 1
        assert "reserved" in warnings[0].getMessage()
        runner.prepare(Loaders())
        assert not hasattr(runner.obj, "seen")


GIVEN = {"inputs": "I", "data_loaders": "D", "outputs": "O", "output": "o", "loop_channel": "L"}
RESULTS = {"results": {"x": {"type": "float32"}}}
WITH_LOOP = "def process(self, *args, loop_channel):\n    return (*args, loop_channel)"


class TestProcess:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"api_version": 1}, "IO"),
            ({"api_version": 1, **RESULTS}, "Io"),
            ({"type": "sequential"}, "IDO"),
            ({"type": "sequential", **RESULTS}, "IDo"),
            ({"type": "autonomous"}, "DO"),
            ({"type": "autonomous", **RESULTS}, "Do"),
        ],
    )
    def test_arguments_and_missing_ones(self, make, changes, expected):
        runner = make(ECHO, **changes)
        names = {short: name for name, short in GIVEN.items()}
        given = {names[short]: short for short in expected}
        assert runner.process(**given) == tuple(expected)
        for name in given:
            with pytest.raises(RuntimeError, match=f"needs the argument `{name}'"):
                runner.process(**{**given, name: None})

    @pytest.mark.parametrize(
        ("kind", "body", "expected"),
        [
            (
                "sequential_loop_processor",
                "def process(self, inputs, data_loaders, outputs, loop_channel):\n"
                "    return inputs + data_loaders + outputs + loop_channel",
                "IDOL",
            ),
            (
                "autonomous_loop_processor",
                "def process(self, data_loaders, outputs, loop_channel):\n"
                "    return data_loaders + outputs + loop_channel",
                "DOL",
            ),
        ],
    )
    def test_loop_processors(self, make, kind, body, expected):
        runner = make(body, type=kind, groups=[LOOP])
        assert runner.process(**GIVEN) == expected
        with pytest.raises(RuntimeError, match="loop_channel"):
            runner.process(**{**GIVEN, "loop_channel": None})
        runner = make("def process(self, inputs, data_loaders, outputs):\n    pass", type=kind)
        with pytest.raises(RuntimeError, match="must declare the argument `loop_channel'"):
            runner.process(**GIVEN)

    def test_empty_lists_and_groups_are_arguments(self, make):
        runner = make(ECHO)
        group = InputGroup("channel")
        assert runner.process(group, [], []) == (group, [], [])

    def test_errors_of_the_user(self, make):
        body = "def process(self, inputs, data_loaders, outputs):\n    a = b"
        with pytest.raises(NameError, match="'b'"):
            make(body).process([], [], [])
        with pytest.raises(UserError) as caught:
            make(body, exc=UserError).process([], [], [])
        assert traceback.extract_tb(caught.value.__traceback__)[-1].line == "a = b"

    def test_a_class_without_process(self, make):
        with pytest.raises(AttributeError, match="process"):
            make("pass").process([], [], [])

    def test_the_bound_form_is_checked_once_and_called_often(self, make):
        body = "count = 0\ndef process(self, *args):\n    self.count += 1\n    return self.count"
        process = make(body).bound_process([], [], [])
        assert [process(), process(), process()] == [1, 2, 3]


class TestEvaluators:
    BODY = """
def validate(self, hypothesis):
    return {"good": (True, {"value": 1}), "bad": [False, None]}[hypothesis]

def write(self, outputs, processor_output_name, end_data_index):
    self.written = (outputs, processor_output_name, end_data_index)

def read(self, inputs):
    self.inputs = inputs
    return False
"""

    @pytest.mark.parametrize("kind", ["sequential_loop_evaluator", "autonomous_loop_evaluator"])
    def test_methods(self, make, kind):
        runner = make(self.BODY, type=kind, groups=[LOOP])
        assert runner.validate("good") == (True, {"value": 1})
        runner.write("outputs", "out", 3)
        assert runner.obj.written == ("outputs", "out", 3)
        runner.read("inputs")
        assert runner.obj.inputs == "inputs"
        with pytest.raises(RuntimeError, match="must return a tuple, got list"):
            runner.validate("bad")
        with pytest.raises(KeyError):
            runner.validate("none")

    @pytest.mark.parametrize(
        "kind", ["sequential", "autonomous", "sequential_loop_processor", "unheard_of"]
    )
    def test_only_evaluators_have_them(self, make, kind):
        runner = make(self.BODY, type=kind, groups=[LOOP])
        for call in (
            lambda: runner.validate("good"),
            lambda: runner.write(None, "out", None),
            lambda: runner.read(None),
        ):
            with pytest.raises(RuntimeError, match="evaluators only"):
                call()

    def test_set_up_first(self, make):
        body = "def setup(self, parameters):\n    return True\n" + self.BODY
        runner = make(body, type="sequential_loop_evaluator", groups=[LOOP])
        with pytest.raises(RuntimeError, match="not set up"):
            runner.validate("good")


def test_another_owner_needs_little(tmp_path):
    from types import ModuleType

    from beat.backend.python.algorithm import Runner

    class Plotter:
        api_version = 1
        parameters = {"p": {"type": numpy.dtype("int8"), "default": numpy.int8(1)}}

        def clean_parameter(self, name, value):
            return numpy.int8(value)

    module = ModuleType("plotter")
    exec(
        "class Plot:\n    def setup(self, parameters):\n        return parameters['p'] == 2\n",
        vars(module),
    )
    assert Runner(module, "Plot", Plotter(), None).setup({"p": 2}) is True
    assert Runner(module, "Plot", Plotter(), None).setup({}) is False
