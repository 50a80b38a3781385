from __future__ import annotations

import os
import re
import tempfile
import traceback
from collections import namedtuple

import numpy
import pytest

from beat.backend.python.database import DatabaseTester, View
from beat.backend.python.database_tester import draw, index_problem
from beat.backend.python.exceptions import OutputError
from beat.backend.python.loader import load_module

Entry = namedtuple("Entry", ["client_id", "file_id", "image"])
OUTPUTS = {
    "client_id": "user/single_text/1",
    "file_id": "user/single_integer/1",
    "image": "user/single_image/1",
}


class Train(View):
    """Two clients with three images each."""

    def index(self, root_folder, parameters):
        files = range(parameters["files"])
        return [Entry(f"client_{i // 3}", i, f"{root_folder}/{i}.pgm") for i in files]

    def get(self, output, index):
        obj = self.objs[index]
        return {
            "client_id": {"value": obj.client_id},
            "file_id": {"value": numpy.int32(obj.file_id)},
            "image": {"value": numpy.zeros((2, 2), dtype=numpy.uint8)},
        }[output]


def check(view_class=Train, outputs=OUTPUTS, parameters=None, **options):
    parameters = {"files": 6} if parameters is None else parameters
    return DatabaseTester("tested", view_class, outputs, parameters, **options)


def test_a_good_view():
    tester = check()
    assert tester.units == {
        "client_id": [(0, 2), (3, 5)],
        "file_id": [(i, i) for i in range(6)],
        "image": [(i, i) for i in range(6)],
    }


def test_the_positional_form():
    tester = DatabaseTester("tested", Train, OUTPUTS, {"files": 1}, [], False)
    assert tester.units == {output: [(0, 0)] for output in OUTPUTS}


def test_the_formats_are_checked_where_they_are_known(prefix):
    class Float(Train):
        def get(self, output, index):
            data = super().get(output, index)
            return {"value": 0.5} if (output, index) == ("file_id", 4) else data

    assert check(prefix=prefix).units == check().units
    check(Float)
    with pytest.raises(OutputError, match=r"after index 3: .*single_integer") as caught:
        check(Float, prefix=prefix)
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("module", ["simple", "people", "oldstyle", "keywords"])
def test_views_of_databases(prefix, module):
    views = load_module(module, f"{prefix}/databases/{module}/1.py", {})
    integer = "user/single_integer/1"
    cases = {
        "simple": [("Numbers", {"out": integer}), ("Steps", {"fine": integer, "coarse": integer})],
        "people": [("Train", OUTPUTS), ("Count", {"out": integer})],
        "oldstyle": [(name, {"out": integer}) for name in ("Extending", "Keeping", "Duck")],
        "keywords": [("Declared", {"class": "user/single_text/1", "sample-id": integer})],
    }[module]
    for name, outputs in cases:
        parameters = {"width": 3, "clients": 2}
        tester = DatabaseTester(name, getattr(views, name), outputs, parameters, prefix=prefix)
        assert set(tester.units) == set(outputs)


@pytest.mark.parametrize(
    ("all_combinations", "expected"),
    [
        (True, [{"a", "b", "c"}, {"a", "b"}, {"a", "c"}, {"b", "c"}, {"a"}, {"b"}, {"c"}]),
        (False, [{"a", "b", "c"}]),
    ],
)
def test_which_outputs_are_connected(all_combinations, expected):
    read = []

    class Recorder(View):
        def setup(self, *args, **kwargs):
            super().setup(*args, **kwargs)
            self.asked = set()
            read.append(self.asked)

        def index(self, root_folder, parameters):
            return [namedtuple("Letters", ["a", "b", "c"])(1, 2, 3)]

        def get(self, output, index):
            self.asked.add(output)
            return {}

    check(Recorder, dict.fromkeys("abc", "user/empty/1"), all_combinations=all_combinations)
    assert read == expected


def test_the_root_folder_and_parameters_reach_the_view():
    class Told(Train):
        def index(self, root_folder, parameters):
            assert (root_folder, parameters) == ("/data", {"files": 2})
            return super().index(root_folder, parameters)

        def get(self, output, index):
            assert (self.root_folder, self.parameters) == ("/data", {"files": 2})
            return super().get(output, index)

    check(Told, parameters={"files": 2}, root_folder="/data")


class NotAList(Train):
    def index(self, root_folder, parameters):
        return iter(super().index(root_folder, parameters))


class NoField(Train):
    def index(self, root_folder, parameters):
        return [namedtuple("Short", ["client_id", "image"])(1, 2)]


class NotADictionary(Train):
    def get(self, output, index):
        return 3 if (output, index) == ("image", 1) else super().get(output, index)


class NoData(Train):
    def get(self, output, index):
        return None if (output, index) == ("client_id", 3) else super().get(output, index)


class Short(Train):
    """Delivers fewer entries than its index has."""

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.objs = self.objs[:4]


class Long(Train):
    """Delivers more entries than its index has."""

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.objs = self.objs + self.objs[-1:]


class Stateful(Train):
    """Gives another client another file every time it is indexed."""

    calls = 0

    def index(self, root_folder, parameters):
        type(self).calls += 1
        entries = super().index(root_folder, parameters)
        return entries if self.calls == 1 else [e._replace(client_id=e.file_id) for e in entries]


class Exhausted(Train):
    """Gives less and less every time it is indexed."""

    calls = 0

    def index(self, root_folder, parameters):
        type(self).calls += 1
        return super().index(root_folder, parameters)[: 7 - self.calls]


class Failing(Train):
    def get(self, output, index):
        raise ZeroDivisionError("no such file")  # deepest


@pytest.mark.parametrize(
    ("view_class", "expected"),
    [
        (NotAList, r"view `tested': index\(\) must return a list"),
        (NoField, "output `file_id' belongs to the field `file_id'"),
        (NotADictionary, r"output `image', unit \(1, 1\): expected a dictionary, got int"),
        (NoData, r"output `client_id', unit \(3, 5\): expected a dictionary, got NoneType"),
        (Short, "output `client_id' ends at index 3, the index of the view at 5"),
        (Long, "output `client_id' ends at index 6, the index of the view at 5"),
        (
            Stateful,
            r"with client_id, file_id connected: the units of output `client_id' are not those "
            r"it has with all connected: unit 0 is \(0, 0\) rather than \(0, 2\)",
        ),
        (Exhausted, r"unit 1 is \(3, 4\) rather than \(3, 5\)"),
        (Failing, "no such file"),
    ],
)
def test_what_is_wrong_is_said(view_class, expected):
    with pytest.raises(OutputError, match=expected):
        check(view_class)


def test_an_output_that_ends_early():
    class Early(Exhausted):
        calls = 0

    with pytest.raises(OutputError, match="there are 5 rather than 6"):
        check(Early, {"file_id": "user/single_integer/1", "image": "user/single_image/1"})


@pytest.mark.parametrize(
    ("units", "problem"),
    [
        ([(0, 0), (1, 3)], None),
        ([(1, 3)], r"unit 0 is \(1, 3\), expected to start at 0"),
        ([(0, 0), (2, 3)], r"unit 1 is \(2, 3\), expected to start at 1"),
        ([(0, 1), (1, 3)], r"unit 1 is \(1, 3\), expected to start at 2"),
        ([(0, 1), (2, 1), (2, 3)], r"unit 1 is \(2, 1\)"),
        ([(0, 2)], "ends at index 2, the index of the view at 3"),
        ([], "ends at index -1"),
    ],
)
def test_indices(units, problem):
    found = index_problem(units, 3)
    assert found == problem or re.search(problem, found)


def test_the_line_at_fault_is_the_deepest():
    with pytest.raises(OutputError) as caught:
        check(Failing)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].line.endswith("# deepest")


def test_an_empty_index():
    with pytest.raises(OutputError, match=r"tested: with .* connected: the view provides no data"):
        check(parameters={"files": 0})


@pytest.mark.parametrize(
    ("outputs", "irregular", "expected"),
    [
        ({}, [], "tested: no outputs are declared"),
        (OUTPUTS, ["label"], "irregular output `label' is not declared"),
    ],
)
def test_declarations_that_make_no_sense(outputs, irregular, expected):
    with pytest.raises(OutputError, match=expected):
        check(outputs=outputs, irregular_outputs=irregular)


def test_irregular_outputs_may_lack_data():
    tester = check(NoData, irregular_outputs=["client_id"])
    assert tester.units["client_id"] == [(0, 2)]
    assert len(tester.units["file_id"]) == 6


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check()
    with pytest.raises(OutputError):
        check(Failing)
    assert os.listdir(tmp_path) == []


DIAGRAM = """\
----------- ----------- ----------- ----------- ----------- -----------
| file_id | | file_id | | file_id | | file_id | | file_id | | file_id |
----------- ----------- ----------- ----------- ----------- -----------
----------- ----------- ----------- ----------- ----------- -----------
|  image  | |  image  | |  image  | |  image  | |  image  | |  image  |
----------- ----------- ----------- ----------- ----------- -----------
----------------------------------- -----------------------------------
|            client_id            | |            client_id            |
----------------------------------- -----------------------------------"""


def test_the_diagram(tmp_path):
    tester = check()
    assert tester.diagram() == DIAGRAM
    path = tmp_path / "diagram.txt"
    tester.write_diagram(str(path))
    assert path.read_text() == DIAGRAM + "\n"
    assert tester.diagram(40).splitlines()[1] == "| file_id | | file_id | | file_id | ..."


@pytest.mark.parametrize(
    ("units", "columns", "expected"),
    [
        ({"a": [(0, 0)]}, 80, ["-----", "| a |", "-----"]),
        ({"a": []}, 80, ["", "", ""]),
        (
            {"a": [(0, 0), (2, 2)]},
            80,
            ["-----       -----", "| a |       | a |", "-----       -----"],
        ),
        ({"long_name": [(0, 3)]}, 80, ["---------------", "|  long_name  |", "---------------"]),
        ({"x": [(0, 9)]}, 20, ["-" * 19, "|        x          ...", "-" * 19]),
        ({"a": [(0, 0), (1, 1)]}, 1, ["-----", "| a | ...", "-----"]),
        (
            {"name": [(0, 0), (1, 9)], "wider_name": [(0, 9)]},
            8,
            ["--------", "| name | ...", "--------", "--------", "|wider_  ...", "--------"],
        ),
    ],
)
def test_drawing(units, columns, expected):
    assert draw(units, columns).split("\n") == expected
