from __future__ import annotations

import json
import os
import traceback
import tracemalloc
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

from beat.backend.python import views
from beat.backend.python.data import load_data_index_db
from beat.backend.python.database import Database, Runner, View

Entry = namedtuple("Entry", ["out"])


class Wrapped(Exception):
    """What failures are raised as."""


@pytest.fixture(autouse=True, params=[0, views.MOST_LISTED], ids=["from the file", "as a list"])
def most_listed(request, monkeypatch):
    monkeypatch.setattr(views, "MOST_LISTED", request.param)


@pytest.fixture
def path(cache):
    return os.path.join(cache, "aa", "bb", "cc", "index.db")


@pytest.fixture
def make(prefix, path):
    """Index a view and return its runner, not set up."""

    def make(name, protocol, set_name, exc=None):
        runner = Database(prefix, name).view(protocol, set_name, exc)
        runner.index(path)
        return runner

    return make


def run_class(klass, prefix, exc=None, outputs=None, **parameters):
    """Return the runner of a class that is in no database."""
    definition = {
        "name": "set",
        "view": klass.__name__,
        "outputs": {"out": "user/single_integer/1"} if outputs is None else outputs,
        "parameters": parameters,
    }
    return Runner(SimpleNamespace(**{klass.__name__: klass}), definition, prefix, "/root", exc)


def units(source):
    """Return (start, end, value) of all units."""
    return [(start, end, data.value) for data, start, end in source]


def test_the_view_of_the_documentation(make, path):
    runner = make("people/1", "verification", "train")
    first = json.loads(Path(path).read_text())[0]
    image = "/databases/people/1/1.pgm"
    assert first == {"client_id": "client_1", "file_id": 1, "image": image}
    assert not runner.ready
    runner.setup(path, pack=False)
    assert runner.ready
    assert runner.obj.objs[0]._fields == ("client_id", "file_id", "image")
    assert runner.objects() == runner.obj.objs
    assert list(runner.data_sources) == ["image", "file_id", "client_id"]
    assert units(runner.data_sources["client_id"]) == [(0, 2, "client_1"), (3, 5, "client_2")]
    assert units(runner.data_sources["file_id"]) == [(i, i, i + 1) for i in range(6)]
    data, start, end = runner.data_sources["image"][4]
    assert (start, end) == (4, 4)
    assert data.value.dtype == numpy.uint8
    assert data.value.tolist() == [[5] * 3] * 2
    assert runner.get_output_mapping("image") == "image"


def test_an_index_tells_where_units_end(make, cache, path):
    make("people/1", "verification", "train")
    columns = load_data_index_db(cache, os.path.relpath(path, cache))
    assert columns == [[0, 3, 6], [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]]


def test_units_are_packed_on_demand(make, path):
    runner = make("simple/1", "numbers", "some")
    runner.setup(path)
    packed = [data for data, _, _ in runner.data_sources["out"]]
    assert packed == [numpy.int32(i).tobytes() for i in range(100, 104)]


def test_parameters_are_the_views_own(prefix, path):
    db = Database(prefix, "simple/1")
    runner = db.view("numbers", "some")
    runner.parameters.clear()
    assert db.set("numbers", "some")["parameters"] == {"first": 100, "size": 4}
    assert db.view("numbers", "ten").parameters == {}


RANGES = [
    (None, None, [(0, 2, 0), (3, 5, 1), (6, 8, 2)]),
    (3, None, [(3, 5, 1), (6, 8, 2)]),
    (None, 5, [(0, 2, 0), (3, 5, 1)]),
    (3, 5, [(3, 5, 1)]),
    (4, 7, [(4, 5, 1), (6, 7, 2)]),
    (4, 4, [(4, 4, 1)]),
    (7, 100, [(7, 8, 2)]),
    (9, 12, []),
]


@pytest.mark.parametrize(("start", "end", "expected"), RANGES)
def test_a_range_is_applied_once(make, path, start, end, expected):
    runner = make("simple/1", "steps", "threes")
    runner.setup(path, start_index=start, end_index=end, pack=False)
    assert units(runner.data_sources["coarse"]) == expected
    low, high = start or 0, 8 if end is None else min(end, 8)
    assert units(runner.data_sources["fine"]) == [(i, i, i) for i in range(low, high + 1)]
    assert len(runner.obj.objs) == len(runner.objects()) == max(0, high - low + 1)
    assert runner.start_index == low


def test_get_counts_from_the_start_of_the_range(make, path):
    runner = make("simple/1", "steps", "threes")
    runner.setup(path, 4, 7)
    assert runner.get("fine", 0) == {"value": 4}
    assert runner.get("fine", 3) == {"value": 7}
    with pytest.raises(IndexError):
        runner.get("fine", 4)


@pytest.mark.parametrize("style", ["extending", "keeping", "slicing", "private", "duck"])
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [(2 * i, 2 * i + 1, i) for i in range(10)]),
        (5, 8, [(5, 5, 2), (6, 7, 3), (8, 8, 4)]),
        (18, None, [(18, 19, 9)]),
        (None, 1, [(0, 1, 0)]),
    ],
)
def test_all_styles_of_views(make, path, style, start, end, expected):
    runner = make("oldstyle/1", "styles", style)
    runner.setup(path, start_index=start, end_index=end, pack=False)
    source = runner.data_sources["out"]
    assert units(source) == expected
    assert source.getAtDataIndex(expected[-1][1])[0].value == expected[-1][2]


@pytest.mark.parametrize("set_name", ["assigned", "declared"])
def test_outputs_named_like_no_field(make, path, set_name):
    runner = make("keywords/1", "names", set_name)
    runner.setup(path, pack=False)
    assert runner.get_output_mapping("class") == "cls"
    assert units(runner.data_sources["class"]) == [(0, 1, "cat"), (2, 2, "dog")]
    assert units(runner.data_sources["sample-id"]) == [(i, i, i + 1) for i in range(3)]


@pytest.mark.parametrize(("exc", "raised"), [(None, RuntimeError), (Wrapped, Wrapped)])
def test_an_output_without_field(make, path, exc, raised):
    runner = make("keywords/1", "names", "unmapped", exc)
    with pytest.raises(raised, match="output `class' belongs to the field `class'"):
        runner.setup(path)


def test_a_map_of_a_class_without_the_base_methods(prefix, path):
    class Duck:
        output_member_map = {"out": "value"}

        def index(self, root_folder, parameters):
            return [namedtuple("Pair", ["value", "other"])(1, 2)]

        def setup(self, root_folder, parameters, objs, **_range):
            self.value = objs[0].value

        def get(self, output, index):
            return {"value": numpy.int32(self.value)}

    runner = run_class(Duck, prefix)
    runner.index(path)
    runner.setup(path, pack=False)
    assert runner.get_output_mapping("out") == "value"
    assert units(runner.data_sources["out"]) == [(0, 0, 1)]


def test_a_view_may_keep_something_else_than_a_list(prefix, path):
    class Keyed(View):
        def index(self, root_folder, parameters):
            return [Entry(i) for i in range(4)]

        def setup(self, root_folder, parameters, objs, start_index=None, end_index=None):
            self.objs = {i: obj.out for i, obj in enumerate(objs[start_index : end_index + 1])}

        def get(self, output, index):
            return {"value": numpy.int32(self.objs[index])}

    runner = run_class(Keyed, prefix)
    runner.index(path)
    for start, end in ((0, 3), (1, 2)):
        runner.setup(path, start, end, pack=False)
        expected = [(i, i, i) for i in range(start, end + 1)]
        assert units(runner.data_sources["out"]) == expected
        assert [entry.out for entry in runner.objects()] == [i for i, _, _ in expected]


def test_a_map_in_a_class_is_not_shared_by_its_views():
    class Mapped(View):
        output_member_map = {"class": "cls"}

    one, other = Mapped(), Mapped()
    one.output_member_map["new"] = "field"
    assert other.output_member_map == Mapped.output_member_map == {"class": "cls"}


def test_an_undeclared_output_is_the_views_business(prefix, path):
    class Talkative(View):
        def index(self, root_folder, parameters):
            return [Entry(1)]

        def get(self, output, index):
            return (output, index)

    runner = run_class(Talkative, prefix)
    runner.index(path)
    runner.setup(path)
    assert runner.get("surprise", 0) == ("surprise", 0)


def test_an_empty_index(make, path):
    runner = make("simple/1", "numbers", "none")
    assert json.loads(Path(path).read_text()) == []
    runner.setup(path)
    assert runner.objects() == []
    assert len(runner.data_sources["out"]) == 0
    assert runner.data_sources["out"][0] == (None, None, None)


def test_a_second_setup_replaces_the_first(make, path):
    runner = make("simple/1", "numbers", "ten")
    runner.setup(path, 0, 4, pack=False)
    runner.setup(path, 5, 6, pack=False)
    assert units(runner.data_sources["out"]) == [(5, 5, 5), (6, 6, 6)]


def test_equal_entries_are_legal(prefix, path):
    class Doubled(View):
        def index(self, root_folder, parameters):
            return [Entry(1), Entry(1), Entry(2), Entry(1)]

        def get(self, output, index):
            return {"value": numpy.int32(self.objs[index].out)}

    runner = run_class(Doubled, prefix)
    runner.index(path)
    runner.setup(path, pack=False)
    assert units(runner.data_sources["out"]) == [(0, 1, 1), (2, 2, 2), (3, 3, 1)]


@pytest.mark.parametrize(("exc", "raised"), [(None, RuntimeError), (Wrapped, Wrapped)])
def test_nothing_is_delivered_before_the_setup(make, exc, raised):
    runner = make("simple/1", "numbers", "ten", exc)
    assert runner.data_sources == {}
    for ask in (lambda: runner.get("out", 0), runner.objects):
        with pytest.raises(raised, match="view `Numbers': is not set up"):
            ask()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda runner, path: runner.outputs.update(out="user/no_such_format/1"), RuntimeError),
        (lambda runner, path: setattr(runner.obj, "setup", None), TypeError),
        (lambda runner, path: os.unlink(path), FileNotFoundError),
    ],
)
def test_after_a_failed_setup_nothing_is_delivered(make, path, spoil, error):
    runner = make("simple/1", "numbers", "ten")
    runner.setup(path)
    assert runner.ready
    spoil(runner, path)
    with pytest.raises(error):
        runner.setup(path)
    assert not runner.ready
    assert runner.data_sources == {}
    with pytest.raises(RuntimeError, match="not set up"):
        runner.get("out", 0)


@pytest.mark.parametrize("method", ["index", "setup", "get"])
def test_failures_of_user_code(prefix, path, method):
    def fail(exc):
        runner = Database(prefix, "faulty/1").view("faults", method, exc)
        runner.index(path)
        runner.setup(path)
        runner.get("out", 0)

    Database(prefix, "faulty/1").view("faults", "get").index(path)
    with pytest.raises(ValueError, match=f"raised in {method}") as caught:
        fail(None)
    with pytest.raises(Wrapped) as wrapped:
        fail(Wrapped)
    assert isinstance(wrapped.value.args[0], ValueError)
    for error in (caught.value, wrapped.value):
        deepest = traceback.extract_tb(error.__traceback__)[-1]
        assert deepest.filename.endswith("databases/faulty/1.py")
        assert deepest.line.endswith(f"# {method} fails")


def test_a_failing_unit_does_not_spoil_the_others(make, path):
    runner = make("faulty/1", "faults", "get_once")
    runner.setup(path, pack=False)
    source = runner.data_sources["out"]
    with pytest.raises(ValueError, match="raised once"):
        source[1]
    assert units(source) == [(0, 0, 0), (1, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize(("exc", "raised"), [(None, RuntimeError), (Wrapped, Wrapped)])
@pytest.mark.parametrize("result", [None, (Entry(1),), [1], [Entry(1), Entry(object())]])
def test_an_index_that_cannot_be(prefix, path, exc, raised, result):
    class Odd(View):
        def index(self, root_folder, parameters):
            return result

    with pytest.raises(raised, match=r"view `Odd': index\(\)"):
        run_class(Odd, prefix, exc).index(path)
    assert not os.path.exists(path)


@pytest.mark.parametrize(("exc", "raised"), [(None, RuntimeError), (Wrapped, Wrapped)])
def test_a_broken_index(make, path, exc, raised):
    runner = make("simple/1", "numbers", "ten", exc)
    Path(path).write_text('[{"out": 1}, {"other": 1}]')
    with pytest.raises(raised, match=r"index\.db' is invalid: entry 1 has the fields"):
        runner.setup(path)


def test_a_format_that_is_not_there(prefix, path):
    class Numbers(View):
        def index(self, root_folder, parameters):
            return [Entry(1)]

    runner = run_class(Numbers, prefix, outputs={"out": "user/no_such_format/1"})
    runner.index(path)
    with pytest.raises(RuntimeError, match="user/no_such_format/1"):
        runner.setup(path)


def test_the_base_implements_no_data():
    view = View()
    with pytest.raises(NotImplementedError, match=r"View.index\(\)"):
        view.index("/root", {})
    with pytest.raises(NotImplementedError, match=r"View.get\(\)"):
        view.get("out", 0)


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [(None, None, [0, 1, 2, 3]), (1, None, [1, 2, 3]), (None, 1, [0, 1]), (1, 2, [1, 2])],
)
def test_the_setup_of_the_base(start, end, kept):
    view = View()
    view.setup("/root", {"a": 1}, [0, 1, 2, 3], start_index=start, end_index=end)
    assert (view.root_folder, view.parameters, view.objs) == ("/root", {"a": 1}, kept)
    assert (view.start_index, view.end_index) == (kept[0], kept[-1])


def test_memory_of_a_long_index(prefix, path):
    class Many(View):
        def index(self, root_folder, parameters):
            fields = namedtuple("Fields", ["client_id", "file_id", "out"])
            return [fields(i // 10, i, f"/folder/of/images/{i}.png") for i in range(100_000)]

    runner = run_class(Many, prefix)
    runner.index(path)
    tracemalloc.start()
    try:
        runner.setup(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 450 * 100_000
    assert len(runner.data_sources["out"]) == 100_000


def test_a_view_without_the_constructor_of_the_base_has_a_map_of_its_own():
    class Odd(View):
        def __init__(self, word):
            self.output_member_map[word] = "field"

    assert Odd("class").get_output_mapping("class") == "field"
    assert View().get_output_mapping("class") == "class"


def test_views_get_a_list(prefix, path, monkeypatch):
    monkeypatch.setattr(views, "MOST_LISTED", 3)

    class Numbers(View):
        def index(self, root_folder, parameters):
            return [Entry(i) for i in range(parameters["size"])]

        def setup(self, root_folder, parameters, objs, **limits):
            self.is_list = isinstance(objs, list)
            super().setup(root_folder, parameters, objs, **limits)

        def get(self, output, index):
            return {"value": numpy.int32(self.objs[index].out)}

    def is_list(size):
        runner = run_class(Numbers, prefix, size=size)
        runner.index(path)
        runner.setup(path, 1, pack=False)
        assert units(runner.data_sources["out"]) == [(i, i, i) for i in range(1, size)]
        return runner.obj.is_list

    assert is_list(3)
    assert not is_list(4)


def test_a_runner_may_have_a_get_of_its_own(prefix, path):
    class Numbers(View):
        def index(self, root_folder, parameters):
            return [Entry(1), Entry(2)]

        def get(self, output, index):
            return {"value": self.objs[index].out}

    class Doubled(Runner):
        def get(self, output, index):
            return {"value": numpy.int32(2 * super().get(output, index)["value"])}

    definition = {"view": "Numbers", "outputs": {"out": "user/single_integer/1"}}
    runner = Doubled(SimpleNamespace(Numbers=Numbers), definition, prefix, "/root")
    runner.index(path)
    runner.setup(path, pack=False)
    assert units(runner.data_sources["out"]) == [(0, 0, 2), (1, 1, 4)]
