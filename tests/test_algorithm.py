from __future__ import annotations

import numpy
import pytest
import simplejson
from support.objects import algorithm_declaration, write_object

from beat.backend.python.algorithm import Algorithm, Storage
from beat.backend.python.dataformat import DataFormat

LOOP = {
    "inputs": {"in": {"type": "user/single/1"}},
    "outputs": {"out": {"type": "user/single/1"}},
    "loop": {"request": {"type": "user/request/1"}, "answer": {"type": "user/answer/1"}},
}

CODE = """
class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        return True
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("single", "request", "answer"):
        write_object(tmp_path, "dataformats", f"user/{name}/1", {"value": "int32"})
    write_object(tmp_path, "libraries", "user/lib/1", {"language": "python"}, "value = 41")
    return tmp_path


@pytest.fixture
def make(folder):
    """Write an algorithm and load it."""

    def make(code=CODE, name="user/algorithm/1", **changes):
        write_object(folder, "algorithms", name, algorithm_declaration(**changes), code)
        return Algorithm(str(folder), name)

    return make


def test_what_a_declaration_says(make):
    algorithm = make(description="text", uses={"lib": "user/lib/1"}, splittable=True)
    assert algorithm.valid, algorithm.errors
    assert algorithm.name == "user/algorithm/1"
    assert (algorithm.schema_version, algorithm.api_version) == (2, 2)
    assert algorithm.input_map == {"in": "user/single/1"}
    assert algorithm.output_map == {"out": "user/single/1"}
    assert algorithm.loop_map == {}
    assert algorithm.groups == algorithm.data["groups"]
    assert set(algorithm.dataformats) == {"user/single/1"}
    assert isinstance(algorithm.dataformats["user/single/1"], DataFormat)
    assert set(algorithm.libraries) == {"user/lib/1"}
    assert algorithm.language == "python"
    assert algorithm.code == CODE.encode()
    assert algorithm.description == "text"
    assert algorithm.splittable
    assert algorithm.parameters is None
    assert algorithm.results is None
    assert not algorithm.isAnalyzer


@pytest.mark.parametrize(
    ("changes", "kind", "autonomous", "sequential", "evaluator"),
    [
        ({"api_version": None, "type": None}, "legacy", False, False, False),
        ({"api_version": 1, "type": "autonomous"}, "legacy", False, False, False),
        ({"type": None}, "sequential", False, True, False),
        ({}, "sequential", False, True, False),
        ({"type": "autonomous"}, "autonomous", True, False, False),
        ({"type": "sequential_loop_processor"}, "sequential_loop_processor", False, True, False),
        ({"type": "autonomous_loop_processor"}, "autonomous_loop_processor", True, False, False),
        ({"type": "sequential_loop_evaluator"}, "sequential_loop_evaluator", False, True, True),
        ({"type": "autonomous_loop_evaluator"}, "autonomous_loop_evaluator", True, False, True),
        ({"type": "unheard_of"}, "unheard_of", False, False, False),
    ],
)
def test_types(make, changes, kind, autonomous, sequential, evaluator):
    algorithm = make(groups=[LOOP], **changes)
    assert algorithm.valid, algorithm.errors
    assert algorithm.type == kind
    assert algorithm.is_autonomous is autonomous
    assert algorithm.is_sequential is sequential
    assert algorithm.is_loop is evaluator


def test_constants():
    names = [name for name in vars(Algorithm) if name.isupper()]
    assert len(names) == 7
    assert all(getattr(Algorithm, name) == name.lower() for name in names)


def test_loop_end_points(make):
    algorithm = make(type="autonomous_loop_processor", groups=[LOOP])
    assert algorithm.loop_map == {"request": "user/request/1", "answer": "user/answer/1"}
    assert set(algorithm.dataformats) == {"user/single/1", "user/request/1", "user/answer/1"}


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (None, "Algorithm declaration file not found"),
        ('{"a": 1, "a": 2}', "Algorithm declaration file invalid"),
        ("{broken", "Algorithm declaration file invalid"),
        ("[1]", "expected an object, found a list"),
        (algorithm_declaration(groups=None), "`groups' must be a list"),
        (algorithm_declaration(groups={"inputs": {}}), "`groups' must be a list"),
        (algorithm_declaration(groups=["x"]), "groups[0]: `inputs'"),
        (algorithm_declaration(groups=[{"inputs": {"in": {}}}]), "groups[0]: `inputs'"),
        (algorithm_declaration(groups=[{"inputs": ["in"]}]), "groups[0]: `inputs'"),
        (
            algorithm_declaration(groups=[{"inputs": {"i": {"type": "x"}}}]),
            "invalid dataformat name",
        ),
        (algorithm_declaration(groups=[{"inputs": {"i": {"type": [1]}}}]), "unhashable"),
        (
            algorithm_declaration(parameters={"p": {"type": "int8", "default": "x"}}),
            "parameter `p'",
        ),
        (algorithm_declaration(parameters=[]), "`parameters' must be an object"),
        (algorithm_declaration(results=["x"]), "`results' must be an object"),
        (algorithm_declaration(results={"x": {}}), "`results' must be an object"),
        (algorithm_declaration(uses={"x": "user/none/1"}), "library `user/none/1' (as `x')"),
        (algorithm_declaration(uses={"x": "none"}), "uses `x': invalid library name"),
        (algorithm_declaration(uses=[]), "`uses' must be an object"),
    ],
)
def test_what_makes_an_algorithm_unusable_is_reported(folder, declaration, text):
    if declaration is not None:
        write_object(folder, "algorithms", "user/bad/1", declaration, CODE)
    algorithm = Algorithm(str(folder), "user/bad/1")
    assert not algorithm.valid
    assert any(text in error for error in algorithm.errors), algorithm.errors
    with pytest.raises(RuntimeError):
        algorithm.runner()


def test_missing_code(folder, make):
    write_object(folder, "algorithms", "user/codeless/1", algorithm_declaration())
    assert "code file not found" in Algorithm(str(folder), "user/codeless/1").errors[0]


def test_what_is_found_only_when_it_is_used_is_no_error_of_loading(make):
    algorithm = make(
        code="def broken(:",
        groups=[{"inputs": {"in": {"type": "user/missing/1"}}}],
    )
    assert algorithm.valid, algorithm.errors
    with pytest.raises(SyntaxError):
        algorithm.runner()


@pytest.mark.parametrize("name", ["user/algorithm", "a/b/c/d", "../../x", "user/x/1\n"])
def test_impossible_names_raise(folder, name):
    with pytest.raises(RuntimeError, match="invalid algorithm name"):
        Algorithm(str(folder), name)


def test_compiled_algorithms_load_and_are_refused_when_run(folder):
    declaration = algorithm_declaration(language="cxx")
    write_object(folder, "algorithms", "user/compiled/1", declaration)
    algorithm = Algorithm(str(folder), "user/compiled/1")
    assert algorithm.valid, algorithm.errors
    assert algorithm.storage.code.path.endswith("1.so")
    with pytest.raises(RuntimeError, match="written in `cxx': this backend runs python only"):
        algorithm.runner()


class TestParameters:
    def test_types_defaults_and_restrictions(self, make):
        algorithm = make(
            parameters={
                "number": {"type": "int32", "default": 3, "range": [0, 5]},
                "text": {"type": "string", "default": "a", "choice": ["a", "b"]},
            }
        )
        assert algorithm.valid, algorithm.errors
        assert algorithm.parameters is algorithm.data["parameters"]
        assert algorithm.parameters["number"]["type"] == numpy.dtype("int32")
        assert algorithm.parameters["text"]["type"] == numpy.dtype(str)
        assert algorithm.clean_parameter("number", "4") == numpy.int32(4)
        assert type(algorithm.clean_parameter("text", "b")) is str
        with pytest.raises(KeyError):
            algorithm.clean_parameter("other", 1)
        with pytest.raises(ValueError, match="range"):
            algorithm.clean_parameter("number", 6)
        with pytest.raises(ValueError, match="choices"):
            algorithm.clean_parameter("text", "c")

    def test_none_declared(self, make):
        with pytest.raises(KeyError):
            make().clean_parameter("any", 1)

    def test_they_can_be_replaced(self, make):
        algorithm = make()
        algorithm.parameters = {"p": {"type": numpy.dtype("int8")}}
        assert algorithm.clean_parameter("p", 3) == 3
        assert algorithm.data["parameters"] is algorithm.parameters

    def test_properties_can_be_borrowed_by_an_unrelated_class(self, make):
        class Plotter:
            language = Algorithm.language
            valid = Algorithm.valid
            description = Algorithm.description
            uses = Algorithm.uses
            parameters = Algorithm.parameters
            clean_parameter = Algorithm.clean_parameter
            json_dumps = Algorithm.json_dumps
            __str__ = Algorithm.__str__

            def __init__(self, data):
                self.data, self.errors, self.storage = data, [], None

        plotter = Plotter(
            {"language": "python", "parameters": {"p": {"type": numpy.dtype("int8")}}}
        )
        assert plotter.valid
        assert plotter.language == "python"
        assert plotter.uses is None
        assert plotter.clean_parameter("p", 2) == 2
        plotter.description = "text"
        assert plotter.description == "text"
        assert simplejson.loads(str(plotter))["parameters"]["p"]["type"] == "int8"


class TestResults:
    RESULTS = {"eer": {"type": "float32", "display": True}, "curve": {"type": "user/single/1"}}

    def test_format(self, make):
        algorithm = make(groups=[{"inputs": LOOP["inputs"]}], results=self.RESULTS)
        assert algorithm.valid, algorithm.errors
        assert algorithm.isAnalyzer
        assert algorithm.output_map == {}
        dataformat = algorithm.result_dataformat()
        assert dataformat.name == "analysis:user/algorithm/1"
        assert dataformat.valid, dataformat.errors
        value = dataformat.type(eer=0.5, curve={"value": 3})
        assert value.curve.value == 3
        assert value.eer.dtype == numpy.float32

    def test_only_analyzers_have_one(self, make):
        with pytest.raises(TypeError, match="not an analyzer"):
            make().result_dataformat()

    def test_they_can_be_replaced(self, make):
        algorithm = make()
        algorithm.results = self.RESULTS
        assert algorithm.isAnalyzer


class TestExport:
    def test_everything_travels_and_keeps_its_hash(self, make, tmp_path):
        algorithm = make(
            uses={"lib": "user/lib/1"},
            parameters={"p": {"type": "float32", "default": 0.1, "range": [0.1, 0.7]}},
        )
        target = tmp_path / "target"
        algorithm.export(str(target))
        copy = Algorithm(str(target), "user/algorithm/1")
        assert copy.valid, copy.errors
        assert copy.hash() == algorithm.hash()
        assert copy.dataformats["user/single/1"].valid
        assert copy.libraries["user/lib/1"].load().value == 41
        assert copy.code == algorithm.code
        algorithm.export(str(target))
        assert Algorithm(str(target), "user/algorithm/1").hash() == algorithm.hash()

    def test_changes_are_exported(self, make, tmp_path):
        algorithm = make()
        algorithm.splittable = True
        algorithm.export(str(tmp_path / "target"))
        assert Algorithm(str(tmp_path / "target"), "user/algorithm/1").splittable

    def test_what_cannot_be_exported(self, make, folder, tmp_path):
        with pytest.raises(RuntimeError, match="own prefix"):
            make().export(str(folder))
        with pytest.raises(RuntimeError, match="not valid"):
            Algorithm(str(folder), "user/none/1").export(str(tmp_path / "target"))
        with pytest.raises(RuntimeError, match="no name"):
            Algorithm(str(folder), algorithm_declaration()).export(str(tmp_path / "target"))


class TestSubclasses:
    def test_the_class_of_dataformats_can_be_chosen(self, folder, make):
        class Stricter(DataFormat):
            pass

        class Strict(Algorithm):
            dataformat_klass = Stricter

        make()
        cache = {}
        algorithm = Strict(str(folder), "user/algorithm/1", cache)
        assert type(algorithm.dataformats["user/single/1"]) is Stricter
        assert cache["user/single/1"] is algorithm.dataformats["user/single/1"]

    def test_loading_can_be_replaced(self, folder, make):
        class Strict(Algorithm):
            def _load(self, data, dataformat_cache, library_cache):
                self._name = data
                self.storage = Storage(self.prefix, data)
                self.data = simplejson.loads(self.storage.json.load())
                self.code = self.storage.code.load()
                self.groups = self.data["groups"]
                self.input_map = {"in": "user/single/1"}
                self.cached = self._update_dataformat_cache("user/single/1", dataformat_cache)

        make()
        cache = {}
        algorithm = Strict(str(folder), "user/algorithm/1", cache, {})
        assert algorithm.cached is cache["user/single/1"] is algorithm.dataformats["user/single/1"]
        assert algorithm.runner().process([], [], []) is True

    def test_caches_are_shared_and_filled(self, folder, make):
        make(uses={"lib": "user/lib/1"})
        formats, libraries = {}, {}
        one = Algorithm(str(folder), "user/algorithm/1", formats, libraries)
        other = Algorithm(str(folder), "user/algorithm/1", formats, libraries)
        assert set(formats) == {"user/single/1"}
        assert one.dataformats["user/single/1"] is other.dataformats["user/single/1"]
        assert one.libraries["user/lib/1"] is other.libraries["user/lib/1"]


def test_storage(folder, make):
    make()
    storage = Storage(str(folder), "user/algorithm/1")
    assert (storage.username, storage.name, storage.version) == ("user", "algorithm", "1")
    assert (storage.asset_type, storage.asset_folder) == ("algorithm", "algorithms")
    assert storage.exists()
    declaration, code, description = storage.load()
    assert simplejson.loads(declaration) == algorithm_declaration()
    assert code == CODE.encode()
    assert description is None
