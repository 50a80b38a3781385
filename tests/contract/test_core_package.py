"""What the platform's core package does with the classes it derives from ours."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy
import pytest
import simplejson
from support import platform_core as core
from support.objects import write_object

from beat.backend.python import (
    algorithm,
    database,
    dataformat,
    hash,
    library,
    protocoltemplate,
    utils,
)
from beat.backend.python.baseformat import baseformat


class TestDataFormats:
    def test_names_classes_and_references(self, world):
        cache: dict[str, object] = {}
        leaf = core.DataFormat(world, "user/leaf-format/1", None, cache)
        assert leaf.valid
        assert leaf.name == "user/leaf-format/1"
        assert set(cache) == {
            "user/leaf-format/1",
            "user/middle/1",
            "user/base/1",
            "user/single/1",
        }
        assert cache["user/leaf-format/1"] is leaf
        assert all(isinstance(one, core.DataFormat) for one in cache.values())
        klass = leaf.type
        assert klass.__name__ == "user_leaf_format_1"
        assert klass._name == "user/leaf-format/1"
        assert klass._format is leaf.resolved
        assert klass is leaf.type
        assert set(leaf.resolved) == {"name", "value", "extra", "more"}
        assert numpy.issubdtype(klass.value, numpy.float64)
        assert klass.name is str
        assert klass.more == [0, cache["user/single/1"].type]
        assert numpy.issubdtype(klass.more[1].value, numpy.int32)
        assert issubclass(klass, baseformat)

    def test_classes_turn_back_into_names(self, world):
        name = core.DataFormat(world, "plot/scatter/1").type.__name__
        assert name.replace("_", "/") == "plot/scatter/1"

    def test_extending_does_not_change_the_base(self, world):
        cache: dict[str, object] = {}
        base = core.DataFormat(world, "user/base/1", None, cache)
        middle = core.DataFormat(world, "user/middle/1", None, cache)
        leaf = core.DataFormat(world, "user/leaf-format/1", None, cache)
        assert set(base.resolved) == {"name", "value"}
        assert base.resolved["value"] == "int8"
        assert middle.resolved["value"] == "float64"
        assert base.isparent(middle)
        assert base.isparent(leaf)
        assert not leaf.isparent(base)
        assert not base.isparent(base)

    def test_the_parent_is_there_when_loading_starts(self, world):
        seen = []

        class Curious(core.DataFormat):
            def _load(self, data, dataformat_cache):
                seen.append((self.prefix, self.parent, dataformat_cache))
                super()._load(data, dataformat_cache)

        outer = Curious(world, {"inner": {"x": "int8"}})
        assert seen[0] == (world, None, {})
        inner = outer.resolved["inner"]
        assert inner.parent == (outer, "inner")
        assert outer.name == "analysis:result"
        assert inner.name == "analysis:result.inner_type"
        outer.name = "user/outer/1"
        assert inner.name == "user/outer/1.inner_type"

    def test_cycles_end(self, world):
        cache: dict[str, object] = {}
        one = core.DataFormat(world, "user/cycle_a/1", None, cache)
        with pytest.raises(RuntimeError):
            _ = one.type

    def test_whatever_happens_a_named_object_is_in_the_cache(self, world):
        class Failing(core.DataFormat):
            def _load(self, data, dataformat_cache):
                self._name = data
                raise ValueError("no")

        cache: dict[str, object] = {}
        with pytest.raises(ValueError, match="no"):
            Failing(world, "user/single/1", None, cache)
        assert isinstance(cache["user/single/1"], Failing)
        cache.clear()
        core.DataFormat(world, {"x": "int8"}, None, cache)
        assert cache == {}

    def test_types_need_a_resolved_declaration(self, world):
        missing = core.DataFormat(world, "user/none/1")
        assert not missing.valid
        assert "file not found" in missing.errors[0]
        with pytest.raises(RuntimeError):
            _ = missing.type

    def test_doubled_keys(self, world):
        write_object(Path(world), "dataformats", "user/doubled/1", '{"a": "int8", "a": "int8"}')
        for klass in (core.DataFormat, dataformat.DataFormat):
            (error,) = klass(world, "user/doubled/1").errors
            assert isinstance(error, str)
            assert "Invalid file content" in error
            assert "found several times" in error

    def test_export_write_and_change(self, world, tmp_path):
        leaf = core.DataFormat(world, "user/leaf-format/1")
        other = str(tmp_path / "other")
        leaf.export(other)
        again = core.DataFormat(other, "user/leaf-format/1")
        assert again.valid
        assert again.hash() == leaf.hash()
        again.description = "now with words"
        again.documentation = "Long words"
        again.write()
        assert core.DataFormat(other, "user/leaf-format/1").description == "now with words"
        assert core.DataFormat(other, "user/leaf-format/1").documentation == "Long words"
        assert again.hash() == leaf.hash()  # descriptions do not count
        again.data["own"] = "int8"
        again.write()
        assert again.hash() != leaf.hash()

    def test_storage_hash_with_another_key(self, world):
        storage = dataformat.Storage(world, "user/single/1")
        without = hash._sha256(simplejson.dumps({"value": "int32"}, sort_keys=True))
        assert storage.hash() == storage.hash("#description") == without
        assert storage.hash("description") != without


class TestLibraries:
    def test_loading_and_running(self, world):
        cache: dict[str, object] = {}
        one = core.Library(world, "user/doubles/1", cache)
        assert one.valid
        assert set(cache) == {"user/doubles/1", "user/adds/1"}
        assert set(one.libraries) == {"user/doubles/1", "user/adds/1"}
        assert one.load().twice(4) == 8
        assert one.uses_dict() == {
            "base": {"path": f"{world}/libraries/user/adds/1.py", "uses": {}},
        }

    def test_uses_is_changed_in_place_and_written(self, world):
        one = core.Library(world, "user/adds/1")
        assert one.uses is one.data["uses"]
        one.uses["other"] = "user/doubles/1"
        one.write()
        assert core.library.Library(world, "user/adds/1").uses == {"other": "user/doubles/1"}
        with pytest.raises(RuntimeError):
            one.uses = ["user/doubles/1"]

    def test_the_language_is_checked_against_that_of_others(self, world):
        one = core.Library(world, "user/doubles/1")
        one.language = "matlab"
        assert one.errors
        assert one.data["language"] == one.storage.language == "matlab"
        assert one.storage.code.path.endswith("1.m")
        plain = library.Library(world, "user/doubles/1")
        plain.language = "r"  # the base has nothing to check
        assert plain.valid

    def test_caches_keep_failed_ones(self, world):
        class Failing(core.Library):
            def _load(self, data, library_cache):
                assert (self.prefix, self.errors, self.libraries) == (world, [], {})
                self._name = data
                raise KeyError(data)

        cache: dict[str, object] = {}
        with pytest.raises(KeyError):
            Failing(world, "user/none/1", cache)
        assert isinstance(cache["user/none/1"], Failing)


class TestAlgorithms:
    def test_loading(self, world):
        formats: dict[str, object] = {}
        libraries: dict[str, object] = {}
        one = core.Algorithm(world, "user/echo/1", formats, libraries)
        assert one.valid
        assert one.name == "user/echo/1"
        assert set(formats) == {"user/single/1"}
        assert type(formats["user/single/1"]) is core.DataFormat
        assert one.dataformats["user/single/1"] is formats["user/single/1"]
        assert set(libraries) == {"user/doubles/1", "user/adds/1"}
        assert one.description == "echoes"
        assert not one.isAnalyzer
        assert one.results is None
        runner = one.runner()
        assert runner.setup({"name": "y"})
        assert runner.obj.parameters == {"name": "y", "number-of-components": 5}
        assert runner.process([], [], []) == 42

    def test_formats_go_into_the_cache_passed_in(self, world):
        one = core.Algorithm(world, "user/echo/1")
        cache: dict[str, object] = {}
        assert one._update_dataformat_cache("user/single/1", cache) is cache["user/single/1"]
        known = core.DataFormat(world, "user/base/1")
        assert one._update_dataformat_cache("user/base/1", {"user/base/1": known}) is known
        assert one.dataformats["user/base/1"] is known

    def test_parameters_are_live(self, world):
        one = core.Algorithm(world, "user/echo/1")
        assert one.parameters is one.data["parameters"]
        cleaned = one.clean_parameter("number-of-components", "7")
        assert (cleaned, type(cleaned)) == (7, numpy.uint32)
        assert one.clean_parameter("name", "y") == "y"
        with pytest.raises(ValueError, match="choices"):
            one.clean_parameter("name", "z")
        with pytest.raises(ValueError, match="range"):
            one.clean_parameter("number-of-components", 11)
        with pytest.raises(KeyError):
            one.clean_parameter("none", 1)
        one.parameters["new"] = {"type": numpy.dtype("float64"), "default": 0.5}
        one.write()
        assert algorithm.Algorithm(world, "user/echo/1").clean_parameter("new", "1.5") == 1.5

    def test_setters(self, world):
        one = core.Algorithm(world, "user/echo/1")
        one.splittable = True
        one.description = "else"
        one.documentation = "much"
        one.language = "python"
        assert one.checked_language == "python"
        one.results = {"rate": {"type": "float32"}}
        assert one.isAnalyzer
        del one.data["results"]
        one.uses = {}
        one.parameters = {"p": {"type": "int8"}}
        with pytest.raises(RuntimeError):
            one.uses = None
        one.write()
        again = algorithm.Algorithm(world, "user/echo/1")
        assert again.splittable is True
        assert (again.description, again.documentation) == ("else", "much")
        assert again.uses == {}
        assert again.libraries == {}

    def test_a_new_name_is_a_copy(self, world):
        one = core.Algorithm(world, "user/echo/1")
        one.name = "user/other/2"
        assert one.name == one.storage.fullname == "user/other/2"
        assert one.storage.language == "python"
        assert one.storage.code.path == f"{world}/algorithms/user/other/2.py"
        one.write()
        assert Path(world, "algorithms/user/other/2.py").read_bytes() == one.code
        copy = core.Algorithm(world, "user/other/2")
        assert copy.valid
        assert copy.hash() == core.Algorithm(world, "user/echo/1").hash()

    def test_results_have_a_format_of_the_core(self, world):
        one = core.Algorithm(world, "user/analyzer/1")
        one._update_dataformat_cache("plot/scatter/1", {})
        results = one.result_dataformat()
        assert type(results) is core.DataFormat
        assert results.name == "analysis:user/analyzer/1"
        assert results.type._name == "analysis:user/analyzer/1"
        assert results.valid
        roc = results.type(rate=1.5, roc={"x": [1], "y": [2]}).roc
        assert roc.x.dtype == numpy.float32
        with pytest.raises(TypeError):
            core.Algorithm(world, "user/echo/1").result_dataformat()

    @pytest.mark.parametrize("spoilt", ["1.json", "1.py"])
    def test_what_is_in_memory_can_be_written_whatever_has_become_of_the_files(self, world, spoilt):
        path = Path(world, "algorithms/user/echo", spoilt)
        one = core.Algorithm(world, "user/echo/1")
        before = one.hash()
        path.write_text("{")
        one.write()
        assert core.Algorithm(world, "user/echo/1").hash() == before
        path.unlink()
        one.write()
        assert core.Algorithm(world, "user/echo/1").hash() == before

    def test_export(self, world, tmp_path):
        one = core.Algorithm(world, "user/echo/1")
        other = str(tmp_path / "other")
        one.export(other)
        files = sorted(
            os.path.relpath(os.path.join(folder, name), other)
            for folder, _, names in os.walk(other)
            for name in names
            if not name.endswith((".rst", "~"))
        )
        assert files == [
            "algorithms/user/echo/1.json",
            "algorithms/user/echo/1.py",
            "dataformats/user/single/1.json",
            "libraries/user/adds/1.json",
            "libraries/user/adds/1.py",
            "libraries/user/doubles/1.json",
            "libraries/user/doubles/1.py",
        ]
        assert algorithm.Algorithm(other, "user/echo/1").runner().obj is not None
        one.errors.append("wrong")
        with pytest.raises(RuntimeError):
            one.export(str(tmp_path / "third"))
        with pytest.raises(RuntimeError):
            core.Algorithm(world, "user/echo/1").export(world)

    def test_an_export_in_another_language_than_before(self, world, tmp_path):
        other = str(tmp_path / "other")
        one = core.Library(world, "user/adds/1")
        one.export(other)
        one.language = "matlab"
        one.export(other)
        assert library.Library(other, "user/adds/1").valid
        assert Path(other, "libraries/user/adds/1.m").read_bytes() == one.code

    def test_objects_of_a_search_path(self, world, tmp_path):
        prefixes = utils.Prefix([str(tmp_path / "first"), world])
        one = algorithm.Algorithm(prefixes, "user/echo/1")
        assert one.valid
        assert one.runner().process is not None
        for own in prefixes.paths:
            with pytest.raises(RuntimeError, match="own prefix"):
                one.export(own)
        one.export(str(tmp_path / "other"))
        assert algorithm.Algorithm(str(tmp_path / "other"), "user/echo/1").hash() == one.hash()

    def test_what_is_exported_again_replaces_all_files(self, world, tmp_path):
        other = str(tmp_path / "other")
        one = core.Algorithm(world, "user/echo/1")
        one.documentation = "old words"
        one.export(other)
        shutil.copy(f"{world}/algorithms/user/analyzer/1.py", f"{world}/algorithms/user/echo/1.py")
        Path(world, "algorithms/user/echo/1.json").write_text(
            Path(world, "algorithms/user/analyzer/1.json").read_text()
        )
        Path(world, "algorithms/user/echo/1.rst").unlink()
        core.Algorithm(world, "user/echo/1").export(other)
        assert not Path(other, "algorithms/user/echo/1.rst").exists()
        again = algorithm.Algorithm(other, "user/echo/1")
        assert again.isAnalyzer
        assert again.hash() == algorithm.Algorithm(world, "user/echo/1").hash()
        assert again.documentation is None


class TestPlotters:
    def test_borrowed_members(self, world):
        plotter = core.Plotter(world, "user/plot/1")
        assert plotter.valid
        plotter.errors.append("wrong")
        assert not plotter.valid
        assert plotter.language == "python"
        plotter.language = "r"
        assert plotter.checked_language == plotter.data["language"] == "r"
        assert plotter.uses == {}
        plotter.uses = {"lib": "user/adds/1"}
        with pytest.raises(RuntimeError):
            plotter.uses = "lib"
        plotter.description = "lines"
        shown = json.loads(str(plotter))
        assert shown == json.loads(plotter.json_dumps(2))
        assert (shown["description"], shown["uses"]) == ("lines", {"lib": "user/adds/1"})
        assert shown["parameters"]["name"]["type"] == "string"
        assert plotter.clean_parameter("number-of-components", 3) == 3
        with pytest.raises(KeyError):
            plotter.clean_parameter("none", 3)
        plotter.parameters = {}
        assert plotter.data["parameters"] == {}

    def test_runner(self, world):
        runner = core.Plotter(world, "user/plot/1").runner(exc=OSError)
        assert (runner.name, runner.exc, runner.ready) == ("user_plot_1", OSError, False)
        with pytest.raises(OSError, match="not yet set up"):
            runner.process([])
        with pytest.raises(OSError, match="none"):
            runner.setup({"none": 1})
        assert runner.setup({"number-of-components": "2"}) is True
        assert runner.process([1]) == ([1], {"number-of-components": 2, "name": "x"})
        assert runner.p["name"] == "x"  # what the runner lacks is the plotter's

    def test_an_owner_with_only_what_is_promised(self):
        class Owner:
            api_version = 2
            parameters = {"p": {"type": numpy.dtype("int8"), "default": numpy.int8(1)}}

            def clean_parameter(self, name, value):
                return value + 1

        class Module:
            __name__ = "module"

            class Plotter:
                def setup(self, parameters):
                    self.p = parameters
                    return True

        runner = core.PlotterRunner(Module(), "Plotter", Owner(), None)
        assert runner.prepared
        assert runner.setup({"p": 4})
        assert runner.p == {"p": 5}


class TestDatabases:
    def test_version_1(self, world):
        cache: dict[str, object] = {}
        one = core.Database(world, "one/1", cache)
        assert one.valid
        assert one.schema_version == 1
        assert set(one.dataformats) == set(cache) == {"user/single/1"}
        assert one.protocol_names == ["p"]
        assert one.set_names("p") == ["b", "a"]
        assert isinstance(one.sets("p"), dict)
        assert isinstance(one.protocols, dict)
        assert one.view_definition("p", "a") is one.data["protocols"][0]["sets"][1]

    def test_version_2(self, world):
        two = core.Database(world, "two/1")
        assert two.valid
        assert two.schema_version == 2
        assert two.set_names("p") == ["b", "a"]
        definition = two.view_definition("p", "a")
        outputs = {"out": "user/single/1", "extra": "user/base/1"}
        assert definition == {
            "name": "a",
            "outputs": outputs,
            "view": "Numbers",
            "parameters": {},
        }
        definition.pop("outputs").pop("out")
        definition.pop("view")
        assert two.view_definition("p", "a")["outputs"] == outputs
        assert two.view_definition("p", "b") == {
            "name": "b",
            "outputs": {"out": "user/single/1"},
            "view": "Numbers",
        }

    def test_doubled_names_are_counted_while_loading(self, world):
        path = Path(world, "databases/one/1.json")
        data = json.loads(path.read_text())
        data["protocols"][0]["sets"].append({**data["protocols"][0]["sets"][0]})
        data["protocols"].append({**data["protocols"][0], "sets": []})
        path.write_text(json.dumps(data))
        one = core.Database(world, "one/1")
        assert one.errors[0] == "found 2 protocols called `p'"
        path.write_text(json.dumps({**data, "protocols": data["protocols"][:1]}))
        assert core.Database(world, "one/1").errors == ["found 2 sets called `b'"]

    @pytest.mark.parametrize("name", ["one/1", "two/1"])
    def test_views(self, world, tmp_path, name):
        one = core.Database(world, name)
        one.data["root_folder"] = "/elsewhere"  # as for a container
        runner = one.view("p", "b", exc=RuntimeError)
        index = str(tmp_path / "cache" / "a" / "index.db")
        runner.index(index)
        entries = json.loads(Path(index).read_text())
        assert entries[0] == {"out": 0, "extra": "/elsewhere/0"}
        runner = one.view("p", "b")
        runner.setup(index, 1, 2, False)
        (source,) = runner.data_sources.values()
        assert [(start, end) for _, start, end in source] == [(1, 1), (2, 2)]
        assert [data.value for data, _, _ in source] == [0, 1]
        assert runner.get("free", 1) == "free:/elsewhere/2"
        assert [entry.out for entry in runner.objects()] == [0, 1]
        assert runner.objects()[0]._fields == ("extra", "out")
        assert runner.get_output_mapping("out") == "out"
        other = one.view("p", "b", None, "/other")
        other.index(index)
        assert json.loads(Path(index).read_text())[0]["extra"] == "/other/0"

    def test_unknown_protocols_and_sets_and_broken_code(self, world):
        one = core.Database(world, "one/1")
        for arguments in (("none", "b"), ("p", "none")):
            with pytest.raises(KeyError):
                one.view(*arguments)
        Path(world, "databases/one/1.py").write_text("class Numbers(:\n")
        again = core.Database(world, "one/1")
        assert again.valid
        with pytest.raises(SyntaxError):
            again.view("p", "b")
        with pytest.raises(OSError, match=r"1\.py"):
            again.view("p", "b", OSError)

    def test_errors_is_there_before_loading_and_is_not_reset(self, world):
        seen = []

        class Careful(core.Database):
            def _load(self, data, dataformat_cache):
                seen.append((self.prefix, self.errors, self.data, dataformat_cache))
                self.errors.append("first")
                super()._load(data, dataformat_cache)

        assert Careful(world, "one/1").errors == ["first"]
        ((_, errors, _, cache),) = seen
        assert errors == ["first"]
        assert isinstance(cache, dict)

    def test_an_invalid_template_is_an_error_for_sets(self, world):
        two = core.Database(world, "two/1")
        Path(world, "protocoltemplates/twosets/1.json").unlink()
        with pytest.raises(RuntimeError):
            core.Database(world, "two/1")
        assert two.set_names("p") == ["b", "a"]

    def test_write_and_export(self, world, tmp_path):
        two = core.Database(world, "two/1")
        two.description = "words"
        two.write()
        other = str(tmp_path / "other")
        two.export(other)
        again = database.Database(other, "two/1")
        assert again.valid
        assert again.description == "words"
        assert again.hash() == two.hash()
        assert set(protocoltemplate.ProtocolTemplate(other, "twosets/1").dataformats) == {
            "user/single/1",
            "user/base/1",
        }


class TestProtocolTemplates:
    def test_loading(self, world):
        cache: dict[str, object] = {}
        one = core.ProtocolTemplate(world, "twosets/1", cache)
        assert one.valid
        assert set(one.dataformats) == set(cache) == {"user/single/1", "user/base/1"}
        assert [declared["name"] for declared in one.sets()] == ["b", "a"]
        assert one.set("a")["outputs"]["extra"] == "user/base/1"
        assert one.set("none") is None

    def test_errors_before_loading(self, world):
        one = core.ProtocolTemplate(world, "none/1")
        assert one.errors == ["Protocol template declaration file not found: none/1"]
        assert one.prefix == world


class TestStorages:
    def test_own_storages(self, world):
        storage = core.ToolchainStorage(world, "user/chain/1")
        assert (storage.label, storage.username, storage.path) == (
            "a label",
            "user",
            f"{world}/toolchains/user/chain/1",
        )
        assert storage.exists()
        declaration, description = storage.load()
        assert json.loads(declaration) == {"blocks": []}
        assert description is None
        storage.save({"blocks": [], "type": numpy.dtype("int8")}, "words")
        assert storage.doc.load() == "words"
        assert json.loads(storage.load().declaration)["type"] == "int8"
        storage.remove()
        assert not storage.exists()
        assert not Path(world, "toolchains/user/chain").exists()

    def test_own_storages_of_code(self, world):
        storage = core.PlotterStorage(world, "user/plot/1")
        assert storage.language == "python"
        declaration, code, description = storage.load()
        assert isinstance(declaration, str)
        assert isinstance(code, bytes)
        assert description is None
        expected = {
            "declaration": hash.hashJSON(json.loads(declaration), "description"),
            "code": hash._sha256(code),
        }
        assert storage.hash() == hash.hash(expected)
        storage.save(declaration, code.decode() + "# more\n", "words")
        assert storage.code.load() == code + b"# more\n"
        assert storage.load().description == "words"
        other = core.PlotterStorage(world, "user/new/1", "cxx")
        assert other.code.path.endswith("1.so")

    def test_hashed_users(self, world):
        place = Path(world, "plotters", hash.toUserPath("user"))
        place.parent.mkdir(parents=True)
        Path(world, "plotters", "user").rename(place)
        storage = core.PlotterStorage(world, "user/plot/1")
        assert storage.path == str(place / "plot" / "1")
        assert storage.exists()
        assert core.Plotter(world, "user/plot/1").runner() is not None

    @pytest.mark.parametrize("base", [utils.Storage, utils.CodeStorage])
    def test_the_path_of_the_declaration_does_as_well(self, world, base):
        class Storage(base):
            asset_type = "toolchain"
            asset_folder = "toolchains"

        path = utils.hashed_or_simple(world, "toolchains", "user/chain/1")
        assert path == f"{world}/toolchains/user/chain/1.json"
        assert Storage(path).json.path == Storage(path.removesuffix(".json")).json.path == path
