from __future__ import annotations

import pytest
from support.objects import write_object

from beat.backend.python import hash as hashing
from beat.backend.python.library import Library, Storage


@pytest.fixture
def prefix(tmp_path):
    """A prefix with libraries: ``base``, ``user`` (which uses it), and what goes wrong."""
    declared = {
        "user/base/1": {"language": "python", "uses": {}},
        "user/plain/1": {"language": "python", "description": "no uses"},
        "user/user/1": {"language": "python", "uses": {"base": "user/base/1"}},
        "user/itself/1": {"language": "python", "uses": {"me": "user/itself/1"}},
        "user/ping/1": {"language": "python", "uses": {"pong": "user/pong/1"}},
        "user/pong/1": {"language": "python", "uses": {"ping": "user/ping/1"}},
        "user/orphan/1": {"language": "python", "uses": {"x": "user/missing/1"}},
        "user/odd/1": {"language": "python", "uses": {"x": "../../etc"}},
        "user/list/1": {"language": "python", "uses": ["user/base/1"]},
        "user/compiled/1": {"language": "cxx"},
    }
    for name, declaration in declared.items():
        code = None if name == "user/compiled/1" else "value = 1\n"
        write_object(tmp_path, "libraries", name, declaration, code)
    write_object(
        tmp_path, "libraries", "user/user/1", declared["user/user/1"], "value = base.value + 1"
    )
    write_object(tmp_path, "libraries", "user/codeless/1", {"language": "python"})
    write_object(tmp_path, "libraries", "user/broken/1", '{"language": "python", oops', "")
    write_object(tmp_path, "libraries", "user/double/1", '{"uses": {}, "uses": {}}', "")
    write_object(tmp_path, "libraries", "user/syntax/1", {"language": "python"}, "def broken(:")
    return str(tmp_path)


def test_load_and_use(prefix):
    library = Library(prefix, "user/user/1")
    assert library.valid, library.errors
    assert library.name == "user/user/1"
    assert library.uses == {"base": "user/base/1"}
    assert set(library.libraries) == {"user/user/1", "user/base/1"}
    assert library.libraries["user/user/1"] is library
    path = f"{prefix}/libraries/user/base/1.py"
    assert library.uses_dict() == {"base": {"path": path, "uses": {}}}
    assert library.load().value == 2
    assert library.load() is not library.load()


def test_the_part_uses_is_optional(prefix):
    library = Library(prefix, "user/plain/1")
    assert library.valid
    assert library.uses is None
    assert library.schema_version == 1
    assert library.language == "python"
    assert library.description == "no uses"
    assert library.load().value == 1


def test_code_is_never_compiled_before_it_is_needed(prefix):
    library = Library(prefix, "user/syntax/1")
    assert library.valid
    with pytest.raises(SyntaxError):
        library.load()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("user/none/1", "Library declaration file not found"),
        ("user/broken/1", "Library declaration file invalid"),
        ("user/double/1", "found several times"),
        ("user/codeless/1", "code file not found"),
        ("user/itself/1", "recursion"),
        ("user/ping/1", "recursion"),
        ("user/pong/1", "recursion"),
        ("user/orphan/1", "file not found"),
        ("user/odd/1", "invalid library name"),
        ("user/list/1", "`uses' must be an object"),
    ],
)
def test_errors_are_collected(prefix, name, text):
    cache = {}
    library = Library(prefix, name, cache)
    assert not library.valid
    assert text in "\n".join(library.errors)
    assert cache[name] is library


def test_errors_name_the_file(prefix):
    error = Library(prefix, "user/double/1").errors[0]
    assert error.startswith("Library declaration file invalid")
    assert "libraries/user/double/1.json:1:" in error


@pytest.mark.parametrize("name", ["user/base", "user/base/1/2", "../x/1", ""])
def test_impossible_names_raise(prefix, name):
    with pytest.raises(RuntimeError, match="invalid library name"):
        Library(prefix, name)


def test_invalid_or_foreign_libraries_are_not_run(prefix):
    with pytest.raises(RuntimeError, match="not valid"):
        Library(prefix, "user/ping/1").load()
    with pytest.raises(RuntimeError, match="written in `cxx'"):
        Library(prefix, "user/compiled/1").load()


def test_libraries_are_loaded_once(prefix):
    cache = {}
    one = Library(prefix, "user/user/1", cache)
    assert set(cache) == {"user/user/1", "user/base/1"}
    assert one.libraries["user/base/1"] is cache["user/base/1"]


def test_export_takes_everything_along(prefix, tmp_path):
    target = tmp_path / "target"
    library = Library(prefix, "user/user/1")
    library.export(str(target))
    copy = Library(str(target), "user/user/1")
    assert copy.valid
    assert copy.hash() == library.hash()
    assert copy.load().value == 2
    library.export(str(target))
    with pytest.raises(RuntimeError, match="own prefix"):
        library.export(prefix)
    with pytest.raises(RuntimeError, match="not valid"):
        Library(prefix, "user/ping/1").export(str(target))


def test_hash_and_description(prefix):
    library = Library(prefix, "user/plain/1")
    declaration = hashing.hashJSON({"language": "python"}, "description")
    code = hashing.hash("value = 1\n")
    assert library.hash() == hashing.hash({"declaration": declaration, "code": code})
    before = library.hash()
    library.description = "another"
    library.write()
    assert Library(prefix, "user/plain/1").description == "another"
    assert Library(prefix, "user/plain/1").hash() == before


def test_documentation_from_text_and_file(prefix, tmp_path):
    library = Library(prefix, "user/plain/1")
    assert library.documentation is None
    library.documentation = "text"
    assert library.documentation == "text"
    (tmp_path / "doc").write_text("from a file")
    with (tmp_path / "doc").open() as f:
        library.documentation = f
    assert library.documentation == "from a file"


def test_uses_is_live_and_checked(prefix):
    library = Library(prefix, "user/user/1")
    library.uses["more"] = "user/plain/1"
    assert library.data["uses"]["more"] == "user/plain/1"
    with pytest.raises(RuntimeError, match="must be a dictionary"):
        library.uses = ["user/base/1"]


def test_setting_the_language_runs_the_check_of_stricter_subclasses(prefix):
    class Strict(Library):
        checked = 0

        def _check_language_consistence(self):
            self.checked += 1

    library = Strict(prefix, "user/base/1")
    library.language = "cxx"
    assert library.checked == 1
    assert library.data["language"] == library.storage.language == "cxx"


def test_a_subclass_may_replace_loading(prefix):
    class Stricter(Library):
        def _load(self, data, library_cache):
            assert (self.errors, self.libraries, self.prefix) == ([], {}, prefix)
            self._name = data
            self.storage = Storage(self.prefix, data)
            self.data = {"language": "python", "uses": {}}
            self.code = self.storage.code.load()
            self.libraries = {data: self}
            if data == "user/itself/1":
                raise ValueError("even then")

    cache = {}
    library = Stricter(prefix, "user/base/1", cache)
    assert cache["user/base/1"] is library
    assert library.load().value == 1
    with pytest.raises(ValueError, match="even then"):
        Stricter(prefix, "user/itself/1", cache)
    assert isinstance(cache["user/itself/1"], Stricter)


def test_storage(prefix):
    storage = Storage(prefix, "user/base/1")
    assert (storage.username, storage.name, storage.version) == ("user", "base", "1")
    assert storage.fullname == "user/base/1"
    assert storage.prefix == prefix
    assert storage.language == "python"
    assert (storage.asset_type, storage.asset_folder) == ("library", "libraries")
    assert storage.exists()


def test_hashed_user_folders(prefix, tmp_path):
    folder = tmp_path / "libraries" / hashing.toUserPath("hidden") / "name"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text('{"language": "python"}')
    (folder / "1.py").write_text("value = 5")
    assert Library(prefix, "hidden/name/1").load().value == 5
