from __future__ import annotations

import json
import os
import shutil

import pytest
from support.objects import write_object

from beat.backend.python import hash as hashing
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.protocoltemplate import ProtocolTemplate, Storage
from beat.backend.python.utils import Prefix

OUTPUTS = {"out": "user/single_integer/1"}


@pytest.fixture
def writable(prefix, tmp_path):
    """A prefix to write to, with the common formats."""
    shutil.copytree(f"{prefix}/dataformats", tmp_path / "dataformats")
    return tmp_path


def test_load(prefix):
    template = ProtocolTemplate(prefix, "faces/1")
    assert template.valid, template.errors
    assert template.errors == []
    assert template.name == "faces/1"
    assert template.schema_version == 1
    assert template.description == "Images of people, for training and for testing"
    assert template.documentation.startswith("The people in")
    assert [declared["name"] for declared in template.sets()] == ["train", "test"]
    assert template.set("test") == {
        "name": "test",
        "outputs": {"image": "user/single_image/1", "file_id": "user/single_integer/1"},
    }
    assert template.set("validation") is None
    assert json.loads(str(template)) == template.data
    names = {"user/single_image/1", "user/single_integer/1", "user/single_text/1"}
    assert set(template.dataformats) == names
    assert all(dataformat.valid for dataformat in template.dataformats.values())


def test_formats_come_from_the_cache_and_go_into_it(prefix):
    known = DataFormat(prefix, "user/single_integer/1")
    cache = {"user/single_integer/1": known}
    template = ProtocolTemplate(prefix, "faces/1", cache)
    assert template.dataformats["user/single_integer/1"] is known
    assert cache["user/single_text/1"] is template.dataformats["user/single_text/1"]


def test_a_dictionary_is_a_template_without_name(prefix):
    data = {"schema_version": 1, "sets": [{"name": "one", "outputs": OUTPUTS}]}
    template = ProtocolTemplate(prefix, data)
    assert template.valid
    assert template.name is None
    assert template.set("one")["outputs"] == OUTPUTS
    with pytest.raises(RuntimeError, match="no name"):
        template.write()


def test_doubled_sets_are_kept(prefix):
    sets = [{"name": "one", "outputs": OUTPUTS}, {"name": "one", "outputs": {}}]
    template = ProtocolTemplate(prefix, {"sets": sets})
    assert template.valid
    assert template.sets() == sets
    assert template.set("one") is template.sets()[0]


def test_a_missing_format_is_left_to_checking(prefix):
    data = {"sets": [{"name": "one", "outputs": {"out": "user/no_such_format/1"}}]}
    template = ProtocolTemplate(prefix, data)
    assert template.valid
    assert not template.dataformats["user/no_such_format/1"].valid


@pytest.mark.parametrize(
    "name", ["", "faces", "a/b/1", "../1", "faces/..", "/1", "fa\0ces/1", "a\\b/1"]
)
def test_names(prefix, name):
    with pytest.raises(RuntimeError, match="protocol template"):
        ProtocolTemplate(prefix, name)
    with pytest.raises(RuntimeError, match="protocol template"):
        Storage(prefix, name)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "Protocol template declaration file not found"),
        ("{", "Protocol template declaration file invalid"),
        ("[]", "Protocol template declaration file invalid"),
        ('{"sets": [], "sets": []}', "Protocol template declaration file invalid"),
        ("{}", "`sets' must be a list, got nothing"),
        ('{"sets": {}}', "`sets' must be a list, got an object"),
        ('{"sets": [1]}', "sets[0] must be an object, got 1"),
        ('{"sets": [{"outputs": {}}]}', "sets[0]: `name' must be a string, got nothing"),
        (
            '{"sets": [{"name": "a", "outputs": []}]}',
            "sets[0]: `outputs' must be an object, got a list",
        ),
        ('{"sets": [{"name": "a", "outputs": {"o": "x"}}]}', "set `a', output `o': invalid"),
        ('{"sets": [{"name": "a", "outputs": {"o": {"v": "int8"}}}]}', "set `a', output `o'"),
        ('{"sets": [{"name": "a", "outputs": {"o": null}}]}', "set `a', output `o'"),
    ],
)
def test_what_makes_it_unusable(writable, content, expected):
    if content is not None:
        write_object(writable, "protocoltemplates", "odd/1", content)
    template = ProtocolTemplate(str(writable), "odd/1")
    assert not template.valid
    assert expected in template.errors[0]


def test_a_doubled_key_is_named(writable):
    write_object(writable, "protocoltemplates", "odd/1", '{"sets": [], "sets": []}')
    error = ProtocolTemplate(str(writable), "odd/1").errors[0]
    assert "Invalid file content" in error
    assert "sets found several times" in error


def test_a_subclass_that_loads_by_itself(prefix):
    class Client(ProtocolTemplate):
        def _load(self, data, dataformat_cache):
            self.errors.append("first finding")
            self._name = "faces/1"
            self.storage = Storage(self.prefix, self._name)
            self.data = {"sets": [{"name": "mine", "outputs": {}}]}
            self.cache = dataformat_cache

    template = Client(prefix, "anything")
    assert template.errors == ["first finding"]
    assert not template.valid
    assert template.set("mine") == {"name": "mine", "outputs": {}}
    assert template.cache == {}
    assert template.hash() == Storage(prefix, "faces/1").hash()


def test_storage(prefix):
    storage = Storage(prefix, "faces/1")
    assert (storage.asset_type, storage.asset_folder) == ("protocoltemplate", "protocoltemplates")
    assert (storage.name, storage.version, storage.fullname) == ("faces", "1", "faces/1")
    assert storage.prefix == prefix
    assert storage.path == os.path.join(prefix, "protocoltemplates", "faces", "1")
    assert storage.exists()
    declaration, description = storage.load()
    assert json.loads(declaration)["sets"]
    assert description.startswith("The people in")
    assert storage.hash() == hashing.hashJSONFile(storage.json.path, "description")


def test_storage_in_a_search_path(prefix, tmp_path):
    assert Storage(Prefix([str(tmp_path), prefix]), "faces/1").exists()
    first = Storage(Prefix([str(tmp_path), prefix]), "other/1")
    assert first.path == str(tmp_path / "protocoltemplates" / "other" / "1")


def test_never_in_a_hashed_folder(tmp_path):
    hashed = hashing.toUserPath("faces")
    write_object(tmp_path, f"protocoltemplates/{hashed}", "1", {"sets": []})
    assert not ProtocolTemplate(str(tmp_path), "faces/1").valid


def test_the_description_does_not_count_for_the_hash(writable):
    write_object(writable, "protocoltemplates", "one/1", {"sets": [], "description": "one"})
    write_object(writable, "protocoltemplates", "two/1", {"sets": [], "description": "two"})
    one, two = (ProtocolTemplate(str(writable), name) for name in ("one/1", "two/1"))
    assert one.hash() == two.hash()


def test_export(prefix, tmp_path):
    target = str(tmp_path)
    template = ProtocolTemplate(prefix, "faces/1")
    for _ in range(2):  # the second replaces the first
        template.export(target)
        exported = ProtocolTemplate(target, "faces/1")
        assert exported.valid, exported.errors
        assert exported.hash() == template.hash()
        assert exported.documentation == template.documentation
        assert all(dataformat.valid for dataformat in exported.dataformats.values())
    with pytest.raises(RuntimeError, match="own prefix"):
        template.export(prefix)


@pytest.mark.parametrize("data", ["no_such/1", {"sets": []}])
def test_what_cannot_be_exported(prefix, tmp_path, data):
    with pytest.raises(RuntimeError):
        ProtocolTemplate(prefix, data).export(str(tmp_path))
    assert os.listdir(tmp_path) == []
