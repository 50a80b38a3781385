from __future__ import annotations

import copy
import json
import os
import shutil
import traceback
from pathlib import Path

import pytest
from support.objects import write_object

from beat.backend.python import database, views
from beat.backend.python import hash as hashing
from beat.backend.python.database import Database, Storage
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.utils import Prefix

OUTPUTS = {"out": "user/single_integer/1"}
SET = {"name": "set", "view": "View", "outputs": OUTPUTS}
VERSION_1 = {"root_folder": "/data", "protocols": [{"name": "protocol", "sets": [SET]}]}
VERSION_2 = {
    "schema_version": 2,
    "root_folder": "/data",
    "protocols": [
        {"name": "protocol", "template": "single_output/1", "views": {"numbers": {"view": "View"}}}
    ],
}


def changed(declaration, **changes):
    """Return a declaration with other parts in its (first) protocol."""
    declaration = copy.deepcopy(declaration)
    declaration["protocols"][0].update(changes)
    return declaration


class Wrapped(Exception):
    """What failures are raised as."""


@pytest.fixture
def writable(prefix, tmp_path):
    """A prefix to write to, with the common formats and templates."""
    for folder in ("dataformats", "protocoltemplates"):
        shutil.copytree(f"{prefix}/{folder}", tmp_path / folder)
    return tmp_path


@pytest.fixture
def load(writable):
    """Write a database and load it."""

    def load(declaration, code="", name="odd/1"):
        write_object(writable, "databases", name, declaration, code)
        return Database(str(writable), name)

    return load


def test_names_that_views_import():
    assert database.View is views.View
    assert database.Runner is views.Runner
    assert database.DatabaseTester.__name__ == "DatabaseTester"


def test_load_version_1(prefix):
    db = Database(prefix, "simple/1")
    assert db.valid, db.errors
    assert db.name == "simple/1"
    assert db.schema_version == 1
    assert db.description == "Numbers that tell which index they belong to"
    assert db.documentation == "Numbers\n=======\n"
    assert db.environment == {"name": "tests", "version": "1"}
    assert db.code == Path(prefix, "databases/simple/1.py").read_bytes()
    assert db.protocol_names == ["numbers", "steps"]
    assert list(db.protocols) == ["numbers", "steps"]
    assert db.protocol("steps") is db.data["protocols"][1]
    assert db.set_names("numbers") == ["ten", "some", "none"]
    assert list(db.sets("numbers")) == ["ten", "some", "none"]
    assert db.set("numbers", "some") is db.data["protocols"][0]["sets"][1]
    assert db.view_definition("numbers", "some") is db.set("numbers", "some")
    assert set(db.dataformats) == {"user/single_integer/1"}
    assert json.loads(str(db)) == db.data


def test_load_version_2(prefix):
    db = Database(prefix, "people/1")
    assert db.valid, db.errors
    assert db.schema_version == 2
    assert db.environment is None
    assert db.protocol_names == ["verification", "counting"]
    assert db.set_names("verification") == ["train", "test"]
    assert list(db.sets("verification")) == ["train", "test"]
    assert db.set("counting", "numbers") == {"name": "numbers", "outputs": OUTPUTS}
    assert len(db.dataformats) == 3


def test_view_definitions_of_version_2(prefix):
    db = Database(prefix, "people/1")
    train = db.view_definition("verification", "train")
    assert train["parameters"] == {"clients": 2}
    assert db.view_definition("verification", "test") == {
        "name": "test",
        "outputs": {"image": "user/single_image/1", "file_id": "user/single_integer/1"},
        "view": "Test",
        "parameters": {},
    }
    expected = {"name": "numbers", "outputs": OUTPUTS, "view": "Count"}
    definition = db.view_definition("counting", "numbers")
    assert definition == expected
    assert type(definition) is dict
    definition.pop("name")
    definition["outputs"].pop("out")
    assert db.view_definition("counting", "numbers") == expected


def test_doubled_names_stay_in_the_lists(load):
    one, other = SET, {**SET, "view": "Other"}
    db = load(changed(VERSION_1, sets=[one, other]))
    db.data["protocols"] *= 2
    assert db.protocol_names == ["protocol", "protocol"]
    assert list(db.protocols) == ["protocol"]
    assert db.set_names("protocol") == ["set", "set"]
    assert db.sets("protocol") == {"set": other}


def test_formats_come_from_the_cache_and_go_into_it(prefix):
    known = DataFormat(prefix, "user/single_integer/1")
    for name in ("simple/1", "people/1"):
        cache = {"user/single_integer/1": known}
        db = Database(prefix, name, cache)
        assert db.dataformats["user/single_integer/1"] is known
        assert db.dataformats == cache


def test_a_missing_format_is_left_to_checking(load):
    db = load(changed(VERSION_1, sets=[{**SET, "outputs": {"out": "user/no_such_format/1"}}]))
    assert db.valid
    assert not db.dataformats["user/no_such_format/1"].valid


def test_the_code_is_not_run_before_it_is_needed(prefix):
    db = Database(prefix, "syntax_error/1")
    assert db.valid
    with pytest.raises(SyntaxError) as caught:
        db.view("protocol", "set")
    assert caught.value.filename.endswith("databases/syntax_error/1.py")
    with pytest.raises(Wrapped) as wrapped:
        db.view("protocol", "set", exc=Wrapped)
    assert isinstance(wrapped.value.args[0], SyntaxError)


@pytest.mark.parametrize(
    ("protocol", "name", "text"),
    [
        ("no_such", "ten", "no protocol `no_such' in database `simple/1'"),
        ("numbers", "no_such", "no set `no_such' in protocol `numbers' of database `simple/1'"),
    ],
)
def test_unknown_protocols_and_sets(prefix, protocol, name, text):
    db = Database(prefix, "simple/1")
    for ask in (db.set, db.view_definition, db.view, lambda *names: db.view(*names, Wrapped)):
        with pytest.raises(KeyError, match=text):
            ask(protocol, name)


def test_an_unknown_protocol_has_no_sets(prefix):
    db = Database(prefix, "simple/1")
    for ask in (db.protocol, db.sets, db.set_names):
        with pytest.raises(KeyError, match="no_such"):
            ask("no_such")


@pytest.mark.parametrize(
    "views", [{}, {"numbers": {}}, {"numbers": None}, {"other": {"view": "View"}}]
)
def test_a_set_without_view(load, views):
    db = load(changed(VERSION_2, views=views))
    assert db.valid
    assert db.set_names("protocol") == ["numbers"]
    for ask in (db.view_definition, db.view):
        with pytest.raises(KeyError, match="no view for set `numbers' in protocol `protocol'"):
            ask("protocol", "numbers")


def test_an_extra_view_is_accepted(load):
    views = {"numbers": {"view": "View"}, "more": {"view": "More"}}
    db = load(changed(VERSION_2, views=views))
    assert db.valid
    with pytest.raises(KeyError, match="no set `more'"):
        db.view_definition("protocol", "more")


@pytest.mark.parametrize("name", ["simple", "user/simple/1", "../1", "simple/..", "/1", "a\n/1"])
def test_names(prefix, name):
    for klass in (Database, Storage):
        with pytest.raises(RuntimeError, match="invalid database name"):
            klass(prefix, name)


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("{", "Database declaration file invalid"),
        ("[1]", "Database declaration file invalid"),
        ('{"root_folder": "/a", "root_folder": "/b"}', "Database declaration file invalid"),
        ({"protocols": []}, "database: `root_folder' must be a string, got nothing"),
        ({"root_folder": "/data"}, "database: `protocols' must be a list, got nothing"),
        ({"root_folder": "/data", "protocols": {}}, "`protocols' must be a list, got an object"),
        ({**VERSION_1, "schema_version": 3}, "`schema_version' must be 1 or 2, got 3"),
        ({**VERSION_1, "schema_version": "1"}, "`schema_version' must be 1 or 2, got 1"),
        ({**VERSION_1, "schema_version": [1]}, "`schema_version' must be 1 or 2"),
        (
            {"root_folder": "/data", "protocols": ["x"]},
            "protocols[0] must be an object, got a string",
        ),
        (changed(VERSION_1, name=1), "protocols[0]: `name' must be a string, got 1"),
        (changed(VERSION_1, sets="x"), "protocols[0]: `sets' must be a list, got a string"),
        (changed(VERSION_1, sets=[1]), "protocols[0], sets[0] must be an object, got 1"),
        (changed(VERSION_1, sets=[{**SET, "name": 1}]), "sets[0]: `name' must be a string, got 1"),
        (changed(VERSION_1, sets=[{**SET, "view": 1}]), "sets[0]: `view' must be a string, got 1"),
        (changed(VERSION_1, sets=[{**SET, "outputs": []}]), "sets[0]: `outputs' must be an object"),
        (changed(VERSION_1, sets=[{**SET, "outputs": {"o": "x"}}]), "set `set', output `o'"),
        (changed(VERSION_2, name=1), "protocols[0]: `name' must be a string, got 1"),
        (changed(VERSION_2, views=[]), "protocols[0]: `views' must be an object, got a list"),
        (changed(VERSION_2, template=1), "protocols[0]: `template' must be a string, got 1"),
        (changed(VERSION_2, template="single_output"), "invalid protocol template name"),
        (changed(VERSION_2, template="../1"), "invalid protocol template name"),
        (changed(VERSION_2, template="no_such/1"), "protocol template `no_such/1' is not valid"),
    ],
)
def test_what_makes_it_unusable(load, declaration, expected):
    db = load(declaration)
    assert not db.valid
    assert expected in "\n".join(db.errors)
    for exc, raised in ((None, RuntimeError), (Wrapped, Wrapped)):
        with pytest.raises(raised, match="not valid"):
            db.view("protocol", "set", exc)


def test_missing_files(writable):
    db = Database(str(writable), "odd/1")
    assert "Database declaration file not found" in db.errors[0]
    assert db.protocol_names == []
    write_object(writable, "databases", "odd/1", VERSION_1)
    db = Database(str(writable), "odd/1")
    assert "Database code file not found" in db.errors[0]
    assert db.set_names("protocol") == ["set"]


def test_a_doubled_key_is_named(load):
    error = load('{"root_folder": "/a", "protocols": [{"name": "a", "name": "b"}]}').errors[0]
    assert "Invalid file content" in error
    assert "name found several times" in error


def test_one_bad_template_of_two(load, writable):
    db = load(VERSION_2)
    db.data["protocols"].append({"name": "bad", "template": "bad/1", "views": {}})
    write_object(writable, "protocoltemplates", "bad/1", {"sets": 1})
    assert db.set_names("protocol") == ["numbers"]
    for ask in (db.sets, db.set_names):
        with pytest.raises(RuntimeError, match="protocol template `bad/1' is not valid"):
            ask("bad")


def test_a_template_is_read_once(load, writable):
    db = load(VERSION_2)
    (writable / "protocoltemplates" / "single_output" / "1.json").unlink()
    assert db.set_names("protocol") == ["numbers"]


def test_a_dictionary_is_a_database_without_code(prefix):
    db = Database(prefix, VERSION_1)
    assert db.valid
    assert db.name is None
    assert db.code is None
    assert db.view_definition("protocol", "set") is db.data["protocols"][0]["sets"][0]
    with pytest.raises(RuntimeError, match="no name"):
        db.view("protocol", "set")
    with pytest.raises(Wrapped):
        db.view("protocol", "set", Wrapped)


def test_a_subclass_that_loads_by_itself(prefix):
    class Client(Database):
        def _load(self, data, dataformat_cache):
            assert self.errors == []
            self.errors.append("a finding")
            self._name = data
            self.storage = Storage(self.prefix, data)
            self.data = json.loads(self.storage.json.load())
            self.code = self.storage.code.load()
            self.cache = dataformat_cache

    db = Client(prefix, "people/1")
    assert db.cache == {}
    assert db.errors == ["a finding"]
    assert not db.valid
    assert db.set_names("verification") == ["train", "test"]
    assert db.dataformats == {}
    del db.errors[:]
    db.data["root_folder"] = "/elsewhere"
    assert db.view("verification", "train").root_folder == "/elsewhere"
    assert db.hash() == Database(prefix, "people/1").hash()


def test_where_the_raw_data_is(prefix):
    db = Database(prefix, "simple/1")
    assert db.view("numbers", "ten").root_folder == "/databases/simple/1"
    assert db.view("numbers", "ten", root_folder="/other").root_folder == "/other"
    assert db.view("numbers", "ten", None, "").root_folder == ""
    db.data["root_folder"] = "/changed"
    assert db.view("numbers", "ten").root_folder == "/changed"


def test_every_view_has_a_module_of_its_own(prefix):
    db = Database(prefix, "simple/1")
    one, other = db.view("numbers", "ten"), db.view("numbers", "ten")
    assert type(one.obj).__name__ == type(other.obj).__name__ == "Numbers"
    assert type(one.obj).__module__ == "simple_1"
    assert one.obj is not other.obj


@pytest.mark.parametrize(
    ("name", "error", "line"),
    [
        ("new", ValueError, 'raise ValueError("raised in new")  # new fails'),
        ("absent", AttributeError, None),
    ],
)
def test_views_that_cannot_be_made(prefix, name, error, line):
    db = Database(prefix, "faulty/1")
    with pytest.raises(error) as caught:
        db.view("faults", name)
    with pytest.raises(Wrapped) as wrapped:
        db.view("faults", name, Wrapped)
    assert isinstance(wrapped.value.args[0], error)
    if line is not None:
        for failure in (caught.value, wrapped.value):
            assert traceback.extract_tb(failure.__traceback__)[-1].line == line


def test_storage(prefix):
    storage = Storage(prefix, "simple/1")
    assert (storage.asset_type, storage.asset_folder) == ("database", "databases")
    assert (storage.name, storage.version, storage.fullname) == ("simple", "1", "simple/1")
    assert storage.prefix == prefix
    assert storage.path == os.path.join(prefix, "databases", "simple", "1")
    assert storage.language == "python"
    assert storage.code.path == storage.path + ".py"
    assert storage.exists()
    declaration, code, description = storage.load()
    assert json.loads(declaration)["protocols"]
    assert isinstance(code, bytes)
    assert description == "Numbers\n=======\n"


def test_code_is_python_even_if_the_declaration_says_otherwise(tmp_path):
    storage = Storage(str(tmp_path), "odd/1")
    storage.save({**VERSION_1, "language": "cxx"}, "class View: pass", "documentation")
    assert storage.code.path.endswith("1.py")
    assert Storage(str(tmp_path), "odd/1").load().code == b"class View: pass"


def test_storage_in_a_search_path(prefix, tmp_path):
    assert Storage(Prefix([str(tmp_path), prefix]), "simple/1").exists()


def test_never_in_a_hashed_folder(tmp_path):
    hashed = hashing.toUserPath("simple")
    write_object(tmp_path, f"databases/{hashed}", "1", VERSION_1, "")
    assert not Database(str(tmp_path), "simple/1").valid


def test_hash(load, writable):
    db = load({**VERSION_1, "description": "one"}, "code")
    assert db.hash() == load({**VERSION_1, "description": "two"}, "code").hash()
    assert db.hash() != load(VERSION_1, "other code").hash()
    declaration = hashing.hashJSON(VERSION_1, "description")
    code = hashing.hash("other code")
    expected = hashing.hash({"declaration": declaration, "code": code})
    assert Storage(str(writable), "odd/1").hash() == expected
    Storage(str(writable), "odd/1").code.remove()
    assert Storage(str(writable), "odd/1").hash() == declaration


@pytest.mark.parametrize("name", ["simple/1", "people/1"])
def test_export(prefix, tmp_path, name):
    db = Database(prefix, name)
    for _ in range(2):  # the second replaces the first
        db.export(str(tmp_path))
        exported = Database(str(tmp_path), name)
        assert exported.valid, exported.errors
        assert exported.hash() == db.hash()
        assert exported.data == db.data
        assert exported.code == db.code
        assert set(exported.dataformats) == set(db.dataformats)
        assert all(dataformat.valid for dataformat in exported.dataformats.values())
    protocol = exported.protocol_names[-1]
    set_name = exported.set_names(protocol)[0]
    exported.view(protocol, set_name).index(str(tmp_path / "index.db"))
    with pytest.raises(RuntimeError, match="own prefix"):
        db.export(prefix)


def test_export_and_write_take_what_has_been_changed(prefix, tmp_path):
    db = Database(prefix, "simple/1")
    db.data["root_folder"] = "/mounted"
    db.description = "changed"
    db.export(str(tmp_path))
    exported = Database(str(tmp_path), "simple/1")
    assert exported.data["root_folder"] == "/mounted"
    exported.code = b"# nothing"
    exported.write()
    again = Database(str(tmp_path), "simple/1")
    assert again.description == "changed"
    assert again.code == b"# nothing"


def test_what_cannot_be_exported(load, writable, tmp_path):
    target = str(tmp_path / "target")
    for db in (Database(str(writable), VERSION_1), Database(str(writable), "no_such/1")):
        with pytest.raises(RuntimeError):
            db.export(target)
    assert not os.path.exists(target)
