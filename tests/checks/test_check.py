"""Objects are checked with all that they refer to; some take what is found for their errors."""

from __future__ import annotations

import pytest
from support.declarations import BLOCK, TOOLCHAIN, changed
from support.declared_prefix import KIND_OF
from support.objects import write_object

from beat.backend.python import utils
from beat.backend.python.algorithm import Algorithm
from beat.backend.python.checks import check, errors_in, open_catalog
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.experiment import Experiment
from beat.backend.python.library import Library
from beat.backend.python.runner import Runner
from beat.backend.python.schema import Finding
from beat.backend.python.toolchain import Toolchain


def test_the_classes_of_the_backend_take_what_they_can_use(folder):
    """What only a check finds is none of their errors."""
    write_object(
        folder, "dataformats", "user/derived/1", {"#extends": "user/number/1", "value": "int8"}
    )
    dataformat = DataFormat(str(folder), "user/derived/1")
    assert dataformat.errors == []
    (finding,) = check(dataformat)
    assert finding.message == "field `value' is already in `user/number/1'"
    write_object(folder, "libraries", "user/other/1", {"language": "python", "colour": 1}, "x x")
    library = Library(str(folder), "user/lib/1")
    assert library.errors == []
    assert [f.path for f in check(library)] == [
        "libraries/user/other/1.json",
        "libraries/user/other/1.py",
    ]
    assert [f.severity for f in errors_in(library)] == ["error"]


def test_what_is_needed_is_checked_too_but_nothing_else(folder):
    write_object(folder, "dataformats", "user/number/1", {"value": "int33"})
    write_object(folder, "dataformats", "user/base/1", {"value": "int33"})
    findings = check(Algorithm(str(folder), "user/work/1"))
    assert [finding.path for finding in findings] == ["dataformats/user/number/1.json"]


def test_one_catalog_for_several_checks(folder):
    catalog = open_catalog(str(folder))
    for name in ("user/work/1", "user/block/1"):
        assert errors_in(Algorithm(str(folder), name)) == []
        assert check(Algorithm(str(folder), name), catalog) == []
    assert catalog.find("dataformat", "user/number/1") is catalog.find(
        "dataformat", "user/number/1"
    )


def test_an_object_without_a_file_is_checked_as_it_is(folder):
    toolchain = Toolchain(str(folder), changed(TOOLCHAIN, "connections", 0, "to", to="wrk.in"))
    found = {error.pointer: error for error in toolchain.errors}
    assert set(found) == {"/connections/0/to", "/blocks/0/inputs/0"}
    assert found["/connections/0/to"].suggestion == "work.in"
    assert found["/connections/0/to"].path is None
    assert toolchain.json_dumps().split("\n")[found["/connections/0/to"].line - 1] == (
        '            "to": "wrk.in",'
    )
    assert Toolchain(str(folder), TOOLCHAIN).errors == []
    algorithm = Algorithm(str(folder), changed(BLOCK, "uses", to=...))
    assert algorithm.parameters["plain"]["type"] == "float64"
    assert check(algorithm) == []


def test_an_object_whose_file_is_missing(folder):
    (finding,) = check(Toolchain(str(folder), "user/none/1"))
    assert isinstance(finding, Finding)
    assert "Toolchain declaration file not found" in finding


def test_an_experiment_has_the_errors_of_all_that_it_needs(folder):
    write_object(folder, "dataformats", "user/number/1", {"value": "int33"})
    experiment = Experiment(str(folder), "user/user/chain/1/x")
    assert [error.path for error in experiment.errors] == ["dataformats/user/number/1.json"]
    assert experiment.algorithms == {}
    (folder / "algorithms/user/work/1.py").write_text("class Algorithm: pass")
    experiment = Experiment(str(folder), "user/chain/1/x")
    assert {error.path for error in experiment.errors} == {
        "dataformats/user/number/1.json",
        "algorithms/user/work/1.py",
    }


def test_warnings_are_none_of_the_errors(folder):
    write_object(folder, "dataformats", "user/number/1", {"value": "str"})
    experiment = Experiment(str(folder), "user/user/chain/1/x")
    assert experiment.errors == []
    assert [f.severity for f in check(experiment)].count("warning") == 2
    assert set(experiment.algorithms) == {
        *("user/work/1", "user/processor/1", "user/evaluator/1", "user/report/1")
    }


@pytest.mark.parametrize("where", KIND_OF)
def test_hashed_places(folder, where):
    kind = KIND_OF[where]
    catalog = open_catalog(str(folder))
    name = catalog.names(kind)[0]
    if not name.startswith(("user/", "plot/")):
        return
    user, _, rest = name.partition("/")
    hashed = utils.hashing.toUserPath(user)
    (folder / where / hashed).parent.mkdir(parents=True)
    (folder / where / user).rename(folder / where / hashed)
    catalog = open_catalog(str(folder))
    assert name in catalog.names(kind)
    entry = catalog.find(kind, name)
    assert entry.document.path == f"{where}/{hashed}/{rest}.json"
    assert [finding for finding in entry.findings if finding.is_error] == []
    assert list(catalog.strays()) == []


def test_several_prefixes(folder, tmp_path):
    other = tmp_path / "other"
    write_object(other, "dataformats", "a/b/1", {"x": "user/number/1", "y": "user/numbr/1"})
    catalog = open_catalog(utils.Prefix([str(other), str(folder)]))
    assert {"a/b/1", "user/number/1"} <= set(catalog.names("dataformat"))
    (finding,) = catalog.find("dataformat", "a/b/1").findings
    assert finding.path == "dataformats/a/b/1.json"
    assert finding.suggestion == "user/number/1"
    assert catalog.find("experiment", "user/user/chain/1/x").is_sound


def test_an_experiment_with_errors_is_not_run(folder, tmp_path):
    (folder / "algorithms/user/work/1.py").write_text("class Algorithm:\n    pass\n")
    runner = Runner(str(folder), str(tmp_path / "cache"))
    with pytest.raises(RuntimeError, match=r"algorithms/user/work/1.py:1:7: error: class"):
        runner.run("user/user/chain/1/x")
    assert not list(tmp_path.glob("cache/**/*.d*"))


#: what is broken on purpose in the prefix of test objects
BROKEN = {
    *("user/cycle_a/1", "user/cycle_b/1", "user/cycle_c/1", "user/duplicated_key/1"),
    *("user/extending_cycle_a/1", "user/extending_cycle_b/1", "user/extends_itself/1"),
    *("user/extends_missing/1", "user/malformed/1", "user/refers_to_itself/1"),
    *("user/refers_to_missing/1", "user/renamed_person/1", "user/unknown_type/1"),
    *("faulty/1", "syntax_error/1"),
}


def test_what_is_broken_among_the_test_objects_and_nothing_else_is_found(prefix):
    catalog = open_catalog(prefix)
    entries = [
        catalog.find(kind, name) for kind in KIND_OF.values() for name in catalog.names(kind)
    ]
    assert {entry.name for entry in entries if not entry.is_sound} == BROKEN
