"""Data formats: loading, references and cycles, inheritance, the class made of them, exporting."""

from __future__ import annotations

import copy
import io
import json
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.formats import class_of
from support.objects import write_object

from beat.backend.python.baseformat import baseformat
from beat.backend.python.dataformat import DataFormat, Storage
from beat.backend.python.hash import hashJSON


def load(prefix: str, name: str, **options: Any) -> DataFormat:
    """Return a format of the test prefix."""
    return DataFormat(prefix, f"user/{name}/1", **options)


def test_a_format_of_each_basic_type(prefix: str) -> None:
    dataformat = load(prefix, "every_type")
    assert dataformat.valid
    assert dataformat.errors == []
    assert dataformat.name == "user/every_type/1"
    assert dataformat.description == "A field of each basic type"
    assert dataformat.documentation is None
    assert dataformat.schema_version == 1
    assert dataformat.extends is None
    assert dataformat.referenced == {}
    assert dataformat.parent is None
    klass: Any = dataformat.type
    assert klass.__name__ == "user_every_type_1"
    assert klass._name == "user/every_type/1"
    assert klass._format is dataformat.resolved
    for field in dataformat.resolved or {}:
        expected = str if field in ("string", "text") else numpy.dtype(field)
        assert getattr(klass, field) == expected
    assert set(dataformat.resolved or {}) == set(dataformat.data) - {
        "#description",
        "#schema_version",
    }


def test_references_and_inner_formats(prefix: str) -> None:
    cache: dict[str, Any] = {}
    dataformat = load(prefix, "album", dataformat_cache=cache)
    assert dataformat.valid
    resolved: Any = dataformat.resolved
    assert resolved["people"] == [0, cache["user/person/1"]]
    assert isinstance(resolved["cover"], DataFormat)
    assert resolved["cover"].parent == (dataformat, "cover")
    assert resolved["cover"].name == "user/album/1.cover_type"
    assert resolved["cover"].storage is None
    assert set(dataformat.referenced) == {"user/person/1", "user/single_image/1"}
    assert set(cache) == {"user/album/1", "user/person/1", "user/single_image/1"}
    assert cache["user/album/1"] is dataformat
    birth = cache["user/person/1"].resolved["birth"]
    assert birth.name == "user/person/1.birth_type"
    klass: Any = dataformat.type
    assert klass.people == [0, cache["user/person/1"].type]
    assert klass.cover is resolved["cover"].type
    assert klass.cover.image is cache["user/single_image/1"].type
    assert klass.cover.__name__ == "user_album_1.cover_type"


def test_formats_are_read_once_for_all_who_refer_to_them(prefix: str) -> None:
    cache: dict[str, Any] = {}
    person = load(prefix, "person", dataformat_cache=cache)
    album = load(prefix, "album", dataformat_cache=cache)
    assert album.referenced["user/person/1"] is person
    assert load(prefix, "identified_person", dataformat_cache=cache).valid
    assert cache["user/person/1"] is person


def test_the_class_is_made_once(prefix: str) -> None:
    dataformat = load(prefix, "album")
    klass = dataformat.type
    assert dataformat.type is klass
    resolved: Any = dataformat.resolved
    assert resolved["cover"].type is klass.__dict__["cover"]
    made: list[Any] = []
    fresh = load(prefix, "every_type")
    threads = [threading.Thread(target=lambda: made.append(fresh.type)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(made) == {fresh.type}


def test_the_class_follows_what_was_resolved_anew(prefix: str) -> None:
    dataformat = load(prefix, "person")
    klass: Any = dataformat.type
    dataformat.resolved = {"x": "int8"}
    assert dataformat.type is not klass
    assert dataformat.type().as_dict() == {"x": 0}
    dataformat._name = "user/renamed/1"
    assert dataformat.type._name == "user/renamed/1"


def test_extending(prefix: str) -> None:
    cache: dict[str, Any] = {}
    person = load(prefix, "person", dataformat_cache=cache)
    before = copy.copy(person.resolved)
    photo = load(prefix, "person_with_photo", dataformat_cache=cache)
    number = load(prefix, "identified_person", dataformat_cache=cache)
    assert person.resolved == before
    assert photo.extends == "user/person/1"
    assert list(photo.resolved or {}) == ["name", "birth", "photo", "landmarks"]
    assert list(number.resolved or {}) == ["name", "birth", "photo", "landmarks", "number"]
    assert set(number.referenced) == {"user/person_with_photo/1"}
    made: Any = number.type(number=5, landmarks=[{"x": 1}])
    assert made.birth.year == 0
    assert made.landmarks[0].label == ""
    relations = [(person, photo), (person, number), (photo, number)]
    for parent in (person, photo, number):
        for child in (person, photo, number):
            assert parent.isparent(child) is ((parent, child) in relations)


def test_own_fields_win_over_inherited_ones(prefix: str) -> None:
    dataformat = load(prefix, "renamed_person")
    assert dataformat.valid
    assert (dataformat.resolved or {})["name"] == [2, "string"]
    assert dataformat.type().as_dict()["name"] == ["", ""]


def test_odd_and_reserved_names(prefix: str) -> None:
    dataformat = load(prefix, "odd_names")
    assert dataformat.valid
    made: Any = dataformat.type(**{"class": 5, "with-dash": [1.5]})
    assert sorted(made.as_dict()) == ["class", "from", "pack", "with-dash"]
    assert getattr(made, "with-dash").tolist() == [1.5]
    packed = baseformat.pack(made)
    assert baseformat.isclose(dataformat.type().unpack(packed), made)


@pytest.mark.parametrize(
    "name, start, text",
    [
        ("not_there", "Dataformat declaration file not found", "not_there"),
        ("malformed", "Dataformat declaration file invalid", "JSON"),
        ("duplicated_key", "Dataformat declaration file invalid", "value found several times"),
        ("unknown_type", "field `value'", "int7"),
        ("refers_to_itself", "recursion", "user/refers_to_itself/1 -> user/refers_to_itself/1"),
        ("extends_itself", "recursion", "user/extends_itself/1 -> user/extends_itself/1"),
    ],
)
def test_what_makes_a_format_unusable(prefix: str, name: str, start: str, text: str) -> None:
    cache: dict[str, Any] = {}
    dataformat = load(prefix, name, dataformat_cache=cache)
    assert not dataformat.valid
    assert dataformat.errors[0].startswith(start)
    assert text in dataformat.errors[0]
    assert len(dataformat.errors) == 1
    assert cache == {f"user/{name}/1": dataformat}
    assert dataformat.resolved is None
    with pytest.raises(RuntimeError, match=f"user/{name}/1"):
        dataformat.type  # noqa: B018
    with pytest.raises(RuntimeError, match=f"user/{name}/1"):
        dataformat.export("/nonexistent/prefix")


CYCLES = [
    (["cycle_a", "cycle_b", "cycle_c"], "refers_to_cycle"),
    (["extending_cycle_a", "extending_cycle_b"], None),
]


@pytest.mark.parametrize("members, outsider", CYCLES)
def test_cycles_are_named_by_every_member(
    prefix: str, members: list[str], outsider: str | None
) -> None:
    for first in members:
        turned = members[members.index(first) :] + members[: members.index(first)]
        cycle = " -> ".join(f"user/{name}/1" for name in [*turned, first])
        cache: dict[str, Any] = {}
        load(prefix, first, dataformat_cache=cache)
        assert set(cache) == {f"user/{name}/1" for name in members}
        for dataformat in cache.values():
            assert f"recursion of dataformats: {cycle}" in dataformat.errors
            assert len(dataformat.errors) == 1
            assert dataformat.resolved is None
            assert isinstance(dataformat.isparent(dataformat), bool)
    if outsider:
        dataformat = load(prefix, outsider)
        cycle = " -> ".join(f"user/{name}/1" for name in [*members, members[0]])
        assert dataformat.errors == [f"recursion of dataformats: {cycle}"]


def test_a_missing_format_is_found_by_checking_and_by_use_not_by_loading(prefix: str) -> None:
    for name in ("refers_to_missing", "extends_missing"):
        dataformat = load(prefix, name)
        assert dataformat.valid
        assert not dataformat.referenced["user/not_there/1"].valid
        with pytest.raises(RuntimeError, match="user/not_there/1"):
            dataformat.type  # noqa: B018


@pytest.mark.parametrize("name", ["user/person", "person/1", "user/../1", "a/b/c/d", "/a/b", ""])
def test_impossible_names_are_refused(prefix: str, name: str) -> None:
    with pytest.raises(RuntimeError, match="invalid dataformat name"):
        DataFormat(prefix, name)
    with pytest.raises(RuntimeError, match="invalid dataformat name"):
        Storage(prefix, name)


@pytest.mark.parametrize(
    "declared",
    [
        "int7",
        "",
        "a/b",
        "../../etc",
        5,
        None,
        True,
        [],
        ["int32"],
        [0],
        [-1, "int32"],
        [True, "int32"],
        [1.5, "int32"],
        ["0", "int32"],
        [0, [0, "int32"]],
        [0, "int7"],
        [0, None],
        {"inner": "int7"},
        [0, {"inner": [0]}],
        {"#extends": "a/b"},
        {"#extends": 5},
    ],
)
def test_fields_of_the_wrong_kind_are_errors(declared: Any) -> None:
    dataformat = DataFormat("/nonexistent", {"field": declared, "fine": "int32"})
    assert len(dataformat.errors) == 1
    assert dataformat.errors[0].startswith("field `")
    assert len(dataformat.errors[0]) < 500
    with pytest.raises(RuntimeError, match="unusable"):
        dataformat.type  # noqa: B018


def test_errors_are_bounded() -> None:
    dataformat = DataFormat("/nonexistent", {"field": ["x" * 10**6]})
    assert len(dataformat.errors[0]) < 500


@pytest.mark.parametrize("data", [None, 5, ["user/person/1"]])
def test_declarations_of_the_wrong_kind_are_errors(data: Any) -> None:
    dataformat = DataFormat("/nonexistent", data)
    assert not dataformat.valid
    assert "Dataformat" in dataformat.errors[0]


def test_formats_without_a_file() -> None:
    dataformat = DataFormat("/nonexistent", {"a": "int8", "b": {"c": {"d": "bool"}}})
    assert dataformat.valid
    assert dataformat.name == "analysis:result"
    assert dataformat.storage is None
    assert dataformat.type.__name__ == "analysis:result"
    resolved: Any = dataformat.resolved
    assert resolved["b"].name == "analysis:result.b_type"
    assert resolved["b"].resolved["c"].name == "analysis:result.b_type.c_type"
    for refused in (dataformat.hash, dataformat.write, lambda: dataformat.export("/nonexistent")):
        with pytest.raises(RuntimeError, match="no name"):
            refused()


def test_names_of_inner_formats_follow_that_of_their_parent() -> None:
    dataformat = DataFormat("/nonexistent", {"b": {"c": "int8"}})
    dataformat._name = "analysis:user/analyzer/1"
    klass: Any = dataformat.type
    assert klass._name == "analysis:user/analyzer/1"
    assert klass.b._name == "analysis:user/analyzer/1.b_type"


def test_setting_the_name_moves_the_files(prefix: str) -> None:
    dataformat = DataFormat(prefix, {"value": "int8"})
    dataformat.name = "user/person/1"
    assert dataformat.storage.json.path.endswith("dataformats/user/person/1.json")
    assert dataformat.documentation == "A person, by name and birth.\n"
    with pytest.raises(RuntimeError):
        dataformat.name = "person"


def test_describing(prefix: str) -> None:
    dataformat = load(prefix, "person")
    assert dataformat.documentation == "A person, by name and birth.\n"
    dataformat.description = "Somebody"
    assert dataformat.data["#description"] == "Somebody"
    assert json.loads(str(dataformat)) == dataformat.data
    assert json.loads(dataformat.json_dumps(2))["#description"] == "Somebody"


def test_the_description_does_not_count_for_the_hash(prefix: str, tmp_path: Path) -> None:
    dataformat = load(prefix, "person")
    assert dataformat.hash() == hashJSON(dataformat.data, "#description")
    storage = Storage(str(tmp_path), "user/person/1")
    for description, same in [({"#description": "x"}, True), ({"description": "string"}, False)]:
        storage.save({**dataformat.data, **description})
        assert (storage.hash() == dataformat.hash()) is same


def test_storage(prefix: str) -> None:
    storage = Storage(prefix, "user/person/1")
    assert (storage.username, storage.name, storage.version) == ("user", "person", "1")
    assert (storage.fullname, storage.prefix) == ("user/person/1", prefix)
    assert (storage.asset_type, storage.asset_folder) == ("dataformat", "dataformats")
    assert storage.exists()
    declaration, description = storage.load()
    assert json.loads(declaration)["name"] == "string"
    assert description == "A person, by name and birth.\n"


def test_exporting_takes_along_what_is_referred_to(prefix: str, tmp_path: Path) -> None:
    album = load(prefix, "album")
    album.export(str(tmp_path))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")} == {
        f"dataformats/user/{name}/1.json" for name in ("album", "person", "single_image")
    }
    exported = DataFormat(str(tmp_path), "user/album/1")
    assert exported.valid
    assert exported.hash() == album.hash()
    assert exported.type(people=[{"name": "x"}]).people[0].name == "x"
    load(prefix, "identified_person").export(str(tmp_path))
    assert DataFormat(str(tmp_path), "user/identified_person/1").type()
    with pytest.raises(RuntimeError, match="own prefix"):
        album.export(prefix)
    with pytest.raises(RuntimeError, match="not_there"):
        load(prefix, "refers_to_missing").export(str(tmp_path))


def test_writing(prefix: str, tmp_path: Path) -> None:
    copied = tmp_path / "prefix"
    shutil.copytree(prefix, copied)
    dataformat = DataFormat(str(copied), "user/person/1")
    dataformat.description = "Changed"
    dataformat.write()
    assert DataFormat(str(copied), "user/person/1").description == "Changed"
    dataformat.write(Storage(str(copied), "user/elsewhere/1"))
    assert DataFormat(str(copied), "user/elsewhere/1").data == dataformat.data


def test_validating_data(prefix: str) -> None:
    dataformat = load(prefix, "measurement")
    values = {"label": "x", "values": [1.0, 2.0]}
    made = dataformat.validate(values)
    packed = made.pack()
    assert type(made) is dataformat.type
    for data in (packed, bytearray(packed), memoryview(packed), io.BytesIO(packed)):
        assert dataformat.validate(data).isclose(made)
    for wrong, error in [
        ({"label": "x"}, AttributeError),
        ({**values, "other": 1}, AttributeError),
        ({**values, "values": 5}, TypeError),
        ({}, AttributeError),
        (packed[:-1], ValueError),
        (packed + packed, ValueError),
        (io.BytesIO(packed[:-1]), ValueError),
        (None, TypeError),
        ("text", TypeError),
        (5, TypeError),
    ]:
        with pytest.raises(error):
            dataformat.validate(wrong)
    with pytest.raises(TypeError, match="int64 to int32"):
        load(prefix, "single_integer").validate({"value": 42})
    with pytest.raises(RuntimeError):
        load(prefix, "malformed").validate({})


def test_formats_can_be_pickled_after_use(prefix: str) -> None:
    dataformat = load(prefix, "album")
    klass = dataformat.type
    back = pickle.loads(pickle.dumps(dataformat))
    assert back.name == dataformat.name
    assert back.data == dataformat.data
    assert back.type().pack() == klass().pack()
    assert back.resolved["cover"].parent[0] is back


class Strict(DataFormat):
    """A client's class: it loads by itself, and only later says what was resolved."""

    def _load(self, data: Any, dataformat_cache: dict[str, Any]) -> None:
        assert self.prefix == "/nonexistent"
        assert self.errors == []
        assert dataformat_cache is not None
        self._name = None
        self.storage = None
        self.resolved = None
        self.referenced = {}
        self.errors = []
        if not isinstance(data, dict):
            self._name = data
            dataformat_cache[data] = None
            data = {"value": "int8"}
        self.data = data
        self.resolved = {
            name: self._one(name, part, dataformat_cache)
            for name, part in data.items()
            if not name.startswith("#")
        }

    def _one(self, name: str, part: Any, cache: dict[str, Any]) -> Any:
        if isinstance(part, dict):
            return self.__class__(self.prefix, part, (self, name), cache)
        if isinstance(part, list):
            return [*part[:-1], self._one(name, part[-1], cache)]
        if "/" in part:
            self.referenced[part] = cache.get(part) or self.__class__(
                self.prefix, part, None, cache
            )
            return self.referenced[part]
        return part


def test_clients_load_by_themselves() -> None:
    cache: dict[str, Any] = {}
    declared = {"#description": "x", "a": [0, {"b": "user/inner/1"}], "c": "string"}
    dataformat = Strict("/nonexistent", declared, None, cache)
    assert dataformat.valid
    assert type(cache["user/inner/1"]) is Strict
    klass: Any = dataformat.type
    assert klass is dataformat.type
    assert klass.c is str
    assert klass.a[-1]._name == "analysis:result.a_type"
    assert klass.a[-1].b is cache["user/inner/1"].type
    made = klass(a=[{"b": {"value": 3}}])
    assert made.a[0].b.value == 3
    resolved, dataformat.resolved = dataformat.resolved, None
    with pytest.raises(RuntimeError, match="analysis:result"):
        dataformat.type  # noqa: B018
    dataformat.resolved = resolved
    assert dataformat.type is klass


def test_objects_register_themselves_even_when_loading_fails() -> None:
    class Failing(DataFormat):
        def _load(self, data: Any, dataformat_cache: dict[str, Any]) -> None:
            self._name = data
            raise KeyError("broken")

    cache: dict[str, Any] = {}
    with pytest.raises(KeyError, match="broken"):
        Failing("/nonexistent", "user/any/1", None, cache)
    assert type(cache["user/any/1"]) is Failing


def test_cycles_among_resolved_formats_are_named_instead_of_followed() -> None:
    one = DataFormat("/nonexistent", {"x": "int8"})
    other = DataFormat("/nonexistent", {"x": "int8"})
    one._name, other._name = "user/one/1", "user/other/1"
    one.resolved, other.resolved = {"o": other}, {"o": [0, one]}
    with pytest.raises(RuntimeError, match="user/one/1 -> user/other/1 -> user/one/1"):
        one.type  # noqa: B018
    one.resolved = {"o": None}
    with pytest.raises(RuntimeError, match="field `o' of dataformat `user/one/1'"):
        one.type  # noqa: B018


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    declared: Any = "int8"
    for _ in range(2000):
        declared = {"a": declared}
    dataformat = DataFormat("/nonexistent", declared)
    assert any("nested too deeply" in error for error in dataformat.errors)
    assert len(dataformat.errors) < 5


def test_long_chains_of_references_are_an_error_not_a_crash(tmp_path: Path) -> None:
    for n in range(600):
        target = f"user/f{n + 1}/1" if n < 599 else "int8"
        Storage(str(tmp_path), f"user/f{n}/1").save({"value": target})
    dataformat = DataFormat(str(tmp_path), "user/f0/1")
    assert any("nested too deeply" in error for error in dataformat.errors)


def test_exponential_aliases_are_loaded_and_compiled_once(tmp_path: Path) -> None:
    for n in range(40):
        target = f"user/f{n + 1}/1" if n < 39 else "int8"
        Storage(str(tmp_path), f"user/f{n}/1").save({"a": target, "b": [0, target]})
    cache: dict[str, Any] = {}
    dataformat = DataFormat(str(tmp_path), "user/f0/1", dataformat_cache=cache)
    assert dataformat.valid
    assert len(cache) == 40
    made: Any = dataformat.type()
    assert dataformat.type().unpack(made.pack()).isclose(made)
    doubled = DataFormat(
        "/nonexistent",
        {"a": "user/f0/1", "b": "user/f0/1"},
        dataformat_cache={"user/f0/1": dataformat},
    )
    assert doubled.type._codec.least == 2 * dataformat.type._codec.least


def test_formats_of_equal_fields_have_classes_of_their_own() -> None:
    one, other = class_of({"x": "int8"}), class_of({"x": "int8"})
    assert one is not other


def test_a_recursion_met_on_many_ways_is_told_once(tmp_path):
    for i in range(40):
        inner = {"x": f"a/f{i + 1}/1", "y": f"a/f{i + 1}/1"}
        write_object(tmp_path, "dataformats", f"a/f{i}/1", inner)
    write_object(tmp_path, "dataformats", "a/f40/1", {"x": "a/f40/1"})
    assert DataFormat(str(tmp_path), "a/f0/1").errors == [
        "recursion of dataformats: a/f40/1 -> a/f40/1"
    ]
