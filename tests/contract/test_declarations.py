"""What all kinds of declared objects have in common, as long as nobody checks them further."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from support.objects import algorithm_declaration, write_object

from beat.backend.python import algorithm, database, dataformat, library, protocoltemplate

KINDS: dict[str, tuple[Any, str, str]] = {
    "Dataformat": (dataformat.DataFormat, "dataformats", "user/new/1"),
    "Algorithm": (algorithm.Algorithm, "algorithms", "user/new/1"),
    "Library": (library.Library, "libraries", "user/new/1"),
    "Database": (database.Database, "databases", "new/1"),
    "Protocol template": (protocoltemplate.ProtocolTemplate, "protocoltemplates", "new/1"),
}

DECLARATIONS: dict[str, dict[str, Any]] = {
    "Dataformat": {
        "#description": "a format",
        "#schema_version": 1,
        "#extends": "user/single/1",
        "number": "int32",
        "matrix": [0, 1, "string"],
        "inner": {"deep": "user/single/1"},
        "objects": [0, {"flag": "bool"}],
    },
    "Algorithm": algorithm_declaration(
        parameters={"p": {"type": "int32", "default": 1, "range": [1, 2], "choice": [1, 2]}},
        results={"r": {"type": "int32"}},
        uses={"lib": "user/adds/1"},
        description="an algorithm",
    ),
    "Library": {"language": "python", "uses": {"a": "user/adds/1"}, "description": "a library"},
    "Database": {
        "description": "a database",
        "root_folder": "/databases/new",
        "environment": {"name": "e", "version": "1"},
        "protocols": [
            {
                "name": "p",
                "template": "twosets/1",
                "sets": [{"name": "s", "view": "V", "outputs": {"out": "user/single/1"}}],
                "views": {"a": {"view": "V", "parameters": {}}},
            }
        ],
    },
    "Protocol template": {
        "description": "a template",
        "schema_version": 1,
        "sets": [{"name": "s", "outputs": {"out": "user/single/1"}}],
    },
}

each_kind = pytest.mark.parametrize("kind", KINDS)


def put(world: str, kind: str, declaration: Any, code: str | None = "x = (\n") -> Any:
    """Write an object, with code that does not compile where there is code; load it."""
    klass, folder, name = KINDS[kind]
    has_code = kind in ("Algorithm", "Library", "Database")
    write_object(Path(world), folder, name, declaration, code if has_code else None)
    return klass(world, name)


@each_kind
def test_valid(world, kind):
    one = put(world, kind, DECLARATIONS[kind])
    assert (one.valid, one.errors) == (True, [])
    assert one.name == KINDS[kind][2]
    assert one.prefix == world
    key = "#" * (kind == "Dataformat")
    assert one.schema_version == DECLARATIONS[kind].get(key + "schema_version", 1)
    assert one.description == DECLARATIONS[kind][key + "description"]
    del one.data[key + "description"]
    one.data.pop(key + "schema_version", None)
    assert (one.description, one.schema_version) == (None, 1)
    one.data = copy.deepcopy(DECLARATIONS[kind])
    assert one.documentation is None
    assert json.loads(str(one)) == json.loads(one.json_dumps()) == DECLARATIONS[kind]
    assert one.json_dumps(2).startswith("{\n  ")
    assert str(one).startswith("{\n    ")
    assert one.storage.exists()
    assert one.hash() == one.storage.hash()


@each_kind
def test_missing_file(world, kind):
    klass, _, name = KINDS[kind]
    one = klass(world, name)
    assert not one.valid
    assert "file not found" in one.errors[0]
    assert one.name == name


@each_kind
@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"x": {"a": 1, "a": 2}}', "{", "", "[]", "3", '{"a": NaN', "["]
)
def test_malformed(world, kind, text):
    one = put(world, kind, text)
    assert not one.valid
    assert isinstance(one.errors[0], str)
    assert one.errors[0].startswith(f"{kind} declaration file invalid")
    if text.count('"a"') == 2:
        assert "Invalid file content" in one.errors[0]
        assert "found several times" in one.errors[0]


@each_kind
@pytest.mark.parametrize(
    "name",
    ["", "1", "a", "a/b/c/d", "../a/1", "a/../1", "/a/1", "//1", "a/b\x00/1", "a\\b/c/1", "./a/1"],
)
def test_impossible_names(world, kind, name):
    klass, _, right = KINDS[kind]
    with pytest.raises(RuntimeError):
        klass(world, name)
    with pytest.raises(RuntimeError):
        klass(world, right + "/1")
    with pytest.raises(RuntimeError):
        klass(world, right.removesuffix("/1"))


@each_kind
def test_unnamed(tmp_path, kind):
    klass, _, _ = KINDS[kind]
    one = klass(str(tmp_path), copy.deepcopy(DECLARATIONS[kind]))
    for call in (
        one.write,
        one.hash,
        lambda: one.export(str(tmp_path / "other")),
        lambda: setattr(one, "documentation", "words"),
    ):
        with pytest.raises(RuntimeError):
            call()
    assert one.storage is None
    assert one.documentation is None


@each_kind
def test_export_of_what_is_not_valid_or_stays_where_it_is(world, tmp_path, kind):
    one = put(world, kind, DECLARATIONS[kind])
    for own in (world, world + "/", f"{world}/../world"):
        with pytest.raises(RuntimeError):
            one.export(own)
    one.errors.append("wrong")
    with pytest.raises(RuntimeError):
        one.export(str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


@each_kind
def test_descriptions_and_documentation(world, kind):
    one = put(world, kind, DECLARATIONS[kind])
    before = one.hash()
    one.description = "other words"
    one.documentation = io.StringIO("from a file\n")
    assert one.documentation == "from a file\n"
    one.documentation = io.BytesIO("ünï".encode())
    assert one.documentation == "ünï"
    one.documentation = "from a text\n"
    one.write()
    again = type(one)(world, one.name)
    assert (again.description, again.documentation) == ("other words", "from a text\n")
    assert again.hash() == before
    key = "#description" if kind == "Dataformat" else "description"
    assert again.data[key] == "other words"


@each_kind
def test_an_export_is_the_same_object(world, tmp_path, kind):
    one = put(world, kind, DECLARATIONS[kind])
    for _ in range(2):  # the second one replaces the first
        one.export(str(tmp_path / "other"))
        again = type(one)(str(tmp_path / "other"), one.name)
        assert again.valid
        assert again.hash() == one.hash()
        assert json.loads(str(again)) == json.loads(str(one))
    formats = tmp_path / "other" / "dataformats" / "user" / "single" / "1.json"
    assert formats.exists() == (kind != "Library")


@each_kind
def test_write_into_another_storage(world, tmp_path, kind):
    one = put(world, kind, DECLARATIONS[kind])
    storage = type(one.storage)(str(tmp_path / "other"), one.name)
    one.write(storage)
    assert storage.exists()
    assert storage.hash() == one.hash()


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "a/b",
    "/etc/x/1",
    "../x/1",
    "\x00",
    "user/none/1",
]
ODD += [[], [1], ["x"], [[]], {}, {"a": 1}, {"type": None}, {"type": []}, [{}], [None], {"": {}}]


def places(declaration: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values of a declaration."""
    if not isinstance(declaration, (dict, list)):
        return [path]
    keys = declaration if isinstance(declaration, dict) else range(len(declaration))
    return [path] + [found for key in keys for found in places(declaration[key], (*path, key))]


def spoilt(declaration: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return value
    declaration = copy.deepcopy(declaration)
    inner = declaration
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return declaration


def use(one: Any) -> None:
    """Ask an object everything it may be asked before it has been checked."""
    assert all(isinstance(error, str) for error in one.errors)
    assert one.valid == (not one.errors)
    assert isinstance(str(one), str)
    _ = one.description, one.documentation, one.schema_version, one.name, one.hash()
    if isinstance(one, algorithm.Algorithm):
        _ = one.is_autonomous, one.is_sequential, one.is_loop, one.isAnalyzer, one.type
        if one.valid and one.isAnalyzer:
            one.result_dataformat()
    if isinstance(one, database.Database) and one.valid:
        for protocol in one.protocol_names:
            _ = one.sets(protocol), one.set_names(protocol)


@each_kind
def test_constructors_never_raise_for_bad_content(world, kind):
    declaration = DECLARATIONS[kind]
    versions = [1, 2] if kind == "Database" else [1]
    put(world, kind, declaration)
    count = 0
    for version in versions:
        key = "#schema_version" if kind == "Dataformat" else "schema_version"
        base = {**declaration, key: version}
        for path in places(base):
            for value in ODD:
                wrong = spoilt(base, path, value)
                use(put(world, kind, wrong, None))
                if isinstance(wrong, dict):
                    KINDS[kind][0](world, wrong)
                count += 1
    assert count > 100


@pytest.mark.parametrize("code", ["def broken(:\n", "raise RuntimeError('run')\n", "\x00"])
def test_loading_never_runs_or_compiles_user_code(world, code):
    for kind in ("Algorithm", "Library", "Database"):
        one = put(world, kind, DECLARATIONS[kind], code)
        assert one.valid
        assert one.code == code.encode()


def test_what_is_missing_is_found_by_checking_and_not_by_loading(world):
    declared = {"x": "user/none/1", "y": [0, "user/none/2"], "#extends": "user/none/3"}
    assert put(world, "Dataformat", declared).valid
    declared = algorithm_declaration(groups=[{"inputs": {"i": {"type": "user/none/1"}}}])
    assert put(world, "Algorithm", declared).valid
    declared = copy.deepcopy(DECLARATIONS["Database"])
    declared["protocols"][0]["sets"][0]["outputs"] = {"out": "user/none/1"}
    assert put(world, "Database", declared).valid
    declared = {"schema_version": 1, "sets": [{"name": "s", "outputs": {"out": "user/none/1"}}]}
    assert put(world, "Protocol template", declared).valid
    extra = {**DECLARATIONS["Library"], "anything": [1], "description": "x" * 200}
    assert put(world, "Library", extra).valid


@each_kind
def test_an_object_made_from_a_dictionary_gets_a_name_and_files(world, kind):
    klass, folder, name = KINDS[kind]
    one = klass(world, copy.deepcopy(DECLARATIONS[kind]))
    assert one.valid
    if hasattr(one, "code"):
        one.code = "x = 1\n"
    one.name = name
    one.documentation = "words"
    one.write()
    assert Path(world, folder, f"{name}.json").exists()
    again = klass(world, name)
    assert again.valid
    assert (again.name, again.documentation) == (name, "words")
    assert again.data == klass(world, copy.deepcopy(DECLARATIONS[kind])).data
    if hasattr(one, "code"):
        assert again.code == b"x = 1\n"
        assert again.storage.code.path == str(Path(world, folder, f"{name}.py"))


@each_kind
def test_caches_may_be_none(world, kind):
    klass, _, name = KINDS[kind]
    put(world, kind, DECLARATIONS[kind])
    extra = {"Algorithm": 2, "Dataformat": 2}.get(kind, 1)
    assert klass(world, name, *[None] * extra).valid
