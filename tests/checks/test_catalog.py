"""What there is in a prefix, and what holds for objects of all kinds."""

from __future__ import annotations

import os

import pytest
from support.declared_prefix import KIND_OF, OBJECTS
from support.objects import write_object

from beat.backend.python.checks import open_catalog
from beat.backend.python.schema import KINDS


def errors(findings):
    return [(f.pointer, f.message) for f in findings if f.is_error]


def test_the_prefix_of_everything_is_clean(folder):
    catalog = open_catalog(str(folder))
    found = [
        f for kind in KINDS for n in catalog.names(kind) for f in catalog.find(kind, n).findings
    ]
    errors = [finding for finding in found if finding.is_error]
    assert errors == []
    assert [f.message for f in found] == [
        "`odd name' is no name of a parameter",
        "the template has no set `odd-name'",
    ]
    assert list(catalog.strays()) == []
    assert sum(len(catalog.names(kind)) for kind in KINDS) == len(OBJECTS)


def test_cycles_are_named(folder):
    write_object(folder, "dataformats", "a/a/1", {"x": "a/b/1"})
    write_object(folder, "dataformats", "a/b/1", {"x": [0, {"y": "a/c/1"}]})
    write_object(folder, "dataformats", "a/c/1", {"#extends": "a/a/1"})
    write_object(folder, "dataformats", "a/d/1", {"x": "a/a/1"})
    write_object(folder, "dataformats", "a/e/1", {"x": "a/e/1"})
    catalog = open_catalog(str(folder))
    found = {
        name: [finding.message for finding in catalog.find("dataformat", name).findings]
        for name in ("a/a/1", "a/b/1", "a/c/1", "a/d/1", "a/e/1")
    }
    assert found == {
        "a/a/1": ["dataformat refers to itself: a/a/1 -> a/b/1 -> a/c/1 -> a/a/1"],
        "a/b/1": ["dataformat refers to itself: a/b/1 -> a/c/1 -> a/a/1 -> a/b/1"],
        "a/c/1": ["dataformat refers to itself: a/c/1 -> a/a/1 -> a/b/1 -> a/c/1"],
        "a/d/1": [],
        "a/e/1": ["dataformat refers to itself: a/e/1 -> a/e/1"],
    }


def test_cycles_of_libraries_are_named(folder):
    library = {"language": "python", "uses": {"next": "user/lib/1"}}
    write_object(folder, "libraries", "user/other/1", library, "")
    entry = open_catalog(str(folder)).find("library", "user/lib/1")
    (finding,) = entry.findings
    assert finding.message == "library refers to itself: user/lib/1 -> user/other/1 -> user/lib/1"
    assert finding.pointer == "/uses/other"


def test_libraries_of_another_language(check, folder):
    write_object(folder, "libraries", "user/r/1", {"language": "r"})
    (folder / "libraries/user/r/1.r").write_text("")
    (finding,) = check("user/block/1", (("uses",), {"lib": "user/r/1"}))
    assert finding.message == "library `user/r/1' is written in r"
    assert finding.expected == "python"
    found = check("user/lib/1", (("uses",), {"lib": "user/r/1"}))
    assert [finding.pointer for finding in found] == ["/uses/lib"]


@pytest.mark.parametrize("folder_name", ["libraries", "algorithms", "databases", "plotters"])
def test_missing_code(folder, folder_name):
    catalog = open_catalog(str(folder))
    kind = KIND_OF[folder_name]
    name = catalog.names(kind)[0]
    os.unlink(folder / folder_name / f"{name}.py")
    entry = open_catalog(str(folder)).find(kind, name)
    assert f"code file not found: {folder_name}/{name}.py" in "\n".join(entry.findings)
    assert next(f for f in entry.findings if f.is_error).line


def test_compiled_code_may_be_elsewhere(check):
    assert errors(check("user/lib/1", (("language",), "cxx"), (("uses",), {}))) == []


def test_names_that_nothing_can_refer_to(folder):
    write_object(folder, "dataformats", "user/with space/1", {})
    write_object(folder, "databases", "ab/1", {"root_folder": "/a", "protocols": []})
    catalog = open_catalog(str(folder))
    for kind, name in (("dataformat", "user/with space/1"), ("database", "ab/1")):
        findings = catalog.find(kind, name).findings
        assert f"`{name}' is a name that nothing can refer to" in [f.message for f in findings]


def test_files_that_are_no_objects_are_told(folder):
    write_object(folder, "dataformats", "stray", {})
    write_object(folder, "databases", "too/deep/1", {})
    write_object(folder, "algorithms", "a/b\x7f/1", {})
    write_object(folder, "algorithms", ".hidden/b/1", {})
    catalog = open_catalog(str(folder))
    found = list(catalog.strays())
    assert [finding.path for finding in found] == [
        "dataformats/stray.json",
        "algorithms/a/b\x7f/1.json",
        "databases/too/deep/1.json",
    ]
    assert all(finding.severity == "warning" for finding in found)
    assert found[0].expected == "a name like user/name/version"
    "\n".join(found).encode()
    assert "a/b\x7f/1" not in catalog.names("algorithm")
