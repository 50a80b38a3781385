from __future__ import annotations

import collections

import numpy
import pytest
import simplejson

from beat.backend.python import hash as hashing
from beat.backend.python import utils


class TextStorage(utils.Storage):
    asset_type = "text"
    asset_folder = "texts"


class CodeStorage(utils.CodeStorage):
    asset_type = "code"
    asset_folder = "codes"


class TestNames:
    @pytest.mark.parametrize("name", ["user/name/1", "a-b/c_d/20", "ü/name/1", "u/na me/1"])
    def test_parts(self, name):
        assert utils.check_name("algorithm", name, 3) == name.split("/")

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "user",
            "user/name",
            "user/name/1/more",
            "/user/name",
            "user//1",
            "user/name/",
            "../name/1",
            "user/../1",
            "user/name/..",
            "./name/1",
            "us\0er/name/1",
            "user/name/1\n",
            "user/na\tme/1",
            "us\\er/name/1",
            "C:\\user/name/1",
            None,
            3,
            ["user", "name", "1"],
        ],
    )
    def test_refused(self, name):
        with pytest.raises(RuntimeError, match="invalid algorithm name"):
            utils.check_name("algorithm", name, 3)

    def test_the_message_says_what_is_right_and_is_short(self):
        with pytest.raises(RuntimeError, match="expected `name/version'"):
            utils.check_name("database", "only", 2)
        with pytest.raises(RuntimeError) as caught:
            utils.check_name("database", "x" * 10_000, 2)
        assert len(str(caught.value)) < 300


class TestPlaces:
    def test_the_hashed_place_is_used_only_when_something_is_there(self, tmp_path):
        prefix = str(tmp_path)
        simple = f"{prefix}/algorithms/user/name/1.json"
        assert utils.hashed_or_simple(prefix, "algorithms", "user/name/1") == simple
        hashed = tmp_path / "algorithms" / hashing.toUserPath("user") / "name"
        hashed.mkdir(parents=True)
        (hashed / "1.json").write_text("{}")
        assert utils.hashed_or_simple(prefix, "algorithms", "user/name/1") == f"{hashed}/1.json"
        code = utils.hashed_or_simple(prefix, "algorithms", "user/name/1", ".py")
        assert code == f"{prefix}/algorithms/user/name/1.py"

    def test_a_search_path_of_prefixes(self, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        (tmp_path / "two" / "file").write_text("")
        search = utils.Prefix(str(tmp_path / "one"))
        search.add([str(tmp_path / "two")])
        assert search.path("file") == str(tmp_path / "two" / "file")
        assert search.path("none") == str(tmp_path / "one" / "none")
        (tmp_path / "two" / "texts" / "user" / "name").mkdir(parents=True)
        (tmp_path / "two" / "texts" / "user" / "name" / "1.json").write_text("{}")
        found = utils.hashed_or_simple(search, "texts", "user/name/1")
        assert found == str(tmp_path / "two" / "texts" / "user" / "name" / "1.json")

    def test_an_empty_search_path(self):
        with pytest.raises(RuntimeError, match="no prefix"):
            utils.Prefix().path("file")

    def test_removing_files_and_folders(self, tmp_path):
        path = tmp_path / "folder" / "file"
        utils.safe_rmfile(str(path))
        utils.safe_rmdir(str(path))
        path.parent.mkdir()
        path.write_text("")
        utils.safe_rmdir(str(path))
        assert path.exists()
        utils.safe_rmfile(str(path))
        utils.safe_rmdir(str(path))
        assert not path.parent.exists()


@pytest.mark.parametrize(
    ("language", "extension"),
    [("unknown", ""), ("cxx", ".so"), ("matlab", ".m"), ("python", ".py"), ("r", ".r")],
)
def test_extensions(language, extension):
    assert utils.extension_for_language(language) == extension


def test_an_unknown_language():
    with pytest.raises(KeyError):
        utils.extension_for_language("cobol")


class TestFile:
    def test_text(self, tmp_path):
        file = utils.File(str(tmp_path / "deep" / "er" / "file"))
        assert not file.exists()
        assert file.try_load() is None
        with pytest.raises(FileNotFoundError):
            file.load()
        file.save("é")
        assert file.load() == file.try_load() == "é"
        file.save(b"plain")
        assert file.load() == "plain"

    def test_binary(self, tmp_path):
        file = utils.File(str(tmp_path / "file"), binary=True)
        file.save("é")
        assert file.load() == "é".encode()
        file.save(b"\0\xff")
        assert file.load() == b"\0\xff"

    def test_the_previous_content_is_kept(self, tmp_path):
        file = utils.File(str(tmp_path / "file"))
        file.save("one")
        assert not (tmp_path / "file~").exists()
        file.save("two")
        assert (tmp_path / "file~").read_text() == "one"
        file.save("three")
        assert (tmp_path / "file~").read_text() == "two"

    def test_removal_takes_the_backup_and_the_empty_folder(self, tmp_path):
        file = utils.File(str(tmp_path / "folder" / "file"))
        file.save("one")
        file.save("two")
        file.remove()
        assert not (tmp_path / "folder").exists()
        file.remove()

    def test_removal_keeps_a_folder_with_other_files(self, tmp_path):
        file = utils.File(str(tmp_path / "folder" / "file"))
        file.save("one")
        (tmp_path / "folder" / "other").write_text("")
        file.remove()
        assert (tmp_path / "folder" / "other").exists()


class TestAbstractStorage:
    @pytest.mark.parametrize("attribute", ["asset_type", "asset_folder"])
    @pytest.mark.parametrize("value", [None, 3])
    def test_incomplete_subclasses_are_refused(self, attribute, value, tmp_path):
        attributes = {"asset_type": "x", "asset_folder": "x", attribute: value}
        incomplete = type("Incomplete", (utils.AbstractStorage,), attributes)
        with pytest.raises(TypeError, match=attribute):
            incomplete(str(tmp_path / "x"))

    @pytest.mark.parametrize("method", ["hash", "load", "save"])
    def test_abstract_methods(self, method, tmp_path):
        attributes = {"asset_type": "x", "asset_folder": "x"}
        storage = type("Bare", (utils.AbstractStorage,), attributes)(str(tmp_path / "x"))
        with pytest.raises(NotImplementedError):
            getattr(storage, method)()


class TestStorage:
    def test_round_trip(self, tmp_path):
        storage = TextStorage(str(tmp_path / "a" / "1"))
        assert not storage.exists()
        storage.save({"b": 1, "a": numpy.int32(2)}, "text")
        assert storage.exists()
        declaration, description = storage.load()
        assert declaration == '{\n    "b": 1,\n    "a": 2\n}'
        assert description == "text"
        assert storage.hash() == hashing.hashJSON({"a": 2, "b": 1}, "description")
        storage.remove()
        assert not storage.exists()
        assert not (tmp_path / "a").exists()

    def test_text_is_saved_as_it_is_and_documentation_is_optional(self, tmp_path):
        storage = TextStorage(str(tmp_path / "1"))
        storage.save('{"a":1}')
        assert storage.load() == ('{"a":1}', None)

    def test_the_key_that_does_not_count(self, tmp_path):
        storage = TextStorage(str(tmp_path / "1"))
        storage.save({"#description": "x", "a": "int8"})
        assert storage.hash("#description") == hashing.hashJSON({"a": "int8"}, "")

    def test_attributes_may_be_set_before_the_constructor_is_called(self, tmp_path):
        class Labelled(utils.Storage):
            asset_type = "labelled"
            asset_folder = "labelled"

            def __init__(self, path):
                self.username = "user"
                self.label = "label"
                super().__init__(path)

        storage = Labelled(str(tmp_path / "1"))
        assert (storage.username, storage.label) == ("user", "label")
        assert storage.json.path == str(tmp_path / "1.json")


class TestCodeStorage:
    def test_language_from_the_argument(self, tmp_path):
        assert CodeStorage(str(tmp_path / "1"), "cxx").code.path.endswith("1.so")
        with pytest.raises(KeyError):
            CodeStorage(str(tmp_path / "1"), "cobol")

    @pytest.mark.parametrize(
        ("content", "language"),
        [
            (b'{"language": "python"}', "python"),
            (b'{"language": "cobol"}', "unknown"),
            (b'{"language": ["python"]}', "unknown"),
            (b"{}", "unknown"),
            (b"[]", "unknown"),
            (b"{broken", "unknown"),
            (b"\xff\xfe", "unknown"),
            (b"[" * 100_000, "unknown"),
        ],
    )
    def test_language_from_the_declaration(self, tmp_path, content, language):
        (tmp_path / "1.json").write_bytes(content)
        assert CodeStorage(str(tmp_path / "1")).language == language

    def test_no_declaration(self, tmp_path):
        storage = CodeStorage(str(tmp_path / "1"))
        assert storage.language == "unknown"
        assert storage.code.path == str(tmp_path / "1")

    def test_setting_the_language_moves_the_code(self, tmp_path):
        storage = CodeStorage(str(tmp_path / "1"))
        storage.language = "r"
        assert storage.code.path == str(tmp_path / "1.r")

    @pytest.mark.parametrize("declaration", [{"language": "python"}, '{"language": "python"}'])
    def test_saving_takes_the_language_from_the_declaration(self, tmp_path, declaration):
        storage = CodeStorage(str(tmp_path / "1"))
        storage.save(declaration, "code", "text")
        assert (tmp_path / "1.py").read_text() == "code"
        loaded = storage.load()
        assert simplejson.loads(loaded.declaration) == {"language": "python"}
        assert loaded.code == b"code"
        assert loaded.description == "text"

    def test_hash_with_and_without_code(self, tmp_path):
        storage = CodeStorage(str(tmp_path / "1"), "python")
        storage.save({"language": "python", "description": "x"})
        declaration = hashing.hashJSON({"language": "python"}, "")
        assert storage.hash() == declaration
        assert not storage.exists()
        storage.code.save(b"pass")
        code = hashing.hash("pass")
        assert storage.hash() == hashing.hash({"declaration": declaration, "code": code})
        assert storage.exists()

    def test_removal(self, tmp_path):
        storage = CodeStorage(str(tmp_path / "a" / "1"), "python")
        storage.save({}, "code", "text")
        storage.remove()
        assert not (tmp_path / "a").exists()


class TestJSON:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (numpy.arange(4).reshape(2, 2), "[[0, 1], [2, 3]]"),
            (numpy.float32(1.5), "1.5"),
            (numpy.bool_(True), "true"),
            (numpy.dtype("uint8"), '"uint8"'),
            (numpy.dtype(str), '"string"'),
            (numpy.float64, '"float64"'),
            (str, '"string"'),
        ],
    )
    def test_numpy_objects(self, value, text):
        assert simplejson.dumps(value, cls=utils.NumpyJSONEncoder) == text

    @pytest.mark.parametrize("value", [object(), int, {1, 2}])
    def test_other_objects(self, value):
        with pytest.raises(TypeError):
            simplejson.dumps(value, cls=utils.NumpyJSONEncoder)

    def test_duplicate_keys(self):
        hook = utils.error_on_duplicate_key_hook
        parsed = simplejson.loads('{"b": 1, "a": {"b": 2}}', object_pairs_hook=hook)
        assert isinstance(parsed, collections.OrderedDict)
        assert list(parsed) == ["b", "a"]
        with pytest.raises(RuntimeError, match="Invalid file content\\nb found several times"):
            simplejson.loads('{"x": {"b": 1, "b": 2}}', object_pairs_hook=hook)


def test_has_argument():
    class User:
        def process(self, inputs, *, loop_channel=None):
            """Do nothing."""

    assert utils.has_argument(User().process, "loop_channel")
    assert utils.has_argument(User().process, "inputs")
    assert not utils.has_argument(User().process, "outputs")
