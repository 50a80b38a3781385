"""The names, and the arguments of what is called by name, that existing clients rely on."""

from __future__ import annotations

import importlib
import inspect

import pytest

MODULES = {
    "algorithm": "Algorithm Runner Storage",
    "baseformat": "baseformat setup_scalar setup_array pack_array pack_scalar read_some "
    "read_string unpack_array unpack_scalar",
    "data": "CachedDataSink CachedDataSource DatabaseOutputDataSource DataSink DataSource "
    "RemoteDataSource StdoutDataSink foundSplitRanges getAllFilenames load_data_index "
    "load_data_index_db mixDataIndices RemoteException FileInfos",
    "data_loaders": "DataLoader DataLoaderList DataView",
    "database": "Database DatabaseTester Runner Storage View",
    "dataformat": "DataFormat Storage",
    "exceptions": "OutputError RemoteException UserError",
    "execution": "AlgorithmExecutor DBExecutor LoopChannel LoopExecutor LoopMessageHandler "
    "MessageHandler",
    "hash": "_compact _sha256 _stringify hash hashDataset hashFileContents hashJSON hashJSONFile "
    "toPath toUserPath",
    "helpers": "AccessMode convert_experiment_configuration_to_container "
    "convert_loop_to_container create_inputs_from_configuration "
    "create_outputs_from_configuration parse_inputs parse_outputs",
    "inputs": "Input InputGroup InputList first",
    "library": "Library Storage",
    "loader": "load_module run",
    "outputs": "Output OutputList RemotelySyncedOutput SynchronizationListener",
    "protocoltemplate": "ProtocolTemplate Storage",
    "stats": "io_statistics update",
    "utils": "AbstractStorage CodeStorage File NumpyJSONEncoder Prefix Storage "
    "error_on_duplicate_key_hook extension_for_language has_argument hashed_or_simple safe_rmdir "
    "safe_rmfile",
}


@pytest.mark.parametrize("module", MODULES)
def test_names_are_there(module):
    loaded = importlib.import_module(f"beat.backend.python.{module}")
    assert [name for name in MODULES[module].split() if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", ["baseformat", "hash", "loader", "utils"])
def test_star_imports_bring_all_public_names(module):
    names: dict[str, object] = {}
    exec(f"from beat.backend.python.{module} import *", names)
    public = {name for name in MODULES[module].split() if not name.startswith("_")}
    assert public - names.keys() == set()


def test_other_distributions_can_live_in_the_same_packages(tmp_path, monkeypatch):
    for package in ("beat", "beat/backend"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(
            "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
        )
    (tmp_path / "beat" / "neighbour.py").write_text("here = 1\n")
    (tmp_path / "beat" / "backend" / "neighbour.py").write_text("here = 2\n")
    import subprocess
    import sys

    import beat.backend.python

    ours = str(next(iter(beat.backend.python.__path__)).removesuffix("/beat/backend/python"))
    code = (
        "import beat.neighbour, beat.backend.neighbour, beat.backend.python.hash;"
        "print(beat.neighbour.here, beat.backend.neighbour.here)"
    )
    for first, second in ((ours, str(tmp_path)), (str(tmp_path), ours)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": f"{first}:{second}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("1 2\n", "")


#: What is called: its arguments, with defaults as they are written
SIGNATURES = {
    "algorithm:Algorithm": "prefix, name, dataformat_cache=None, library_cache=None",
    "algorithm:Algorithm._update_dataformat_cache": "self, type_name, dataformat_cache",
    "algorithm:Algorithm.clean_parameter": "self, name, value",
    "algorithm:Algorithm.export": "self, prefix",
    "algorithm:Algorithm.hash": "self",
    "algorithm:Algorithm.json_dumps": "self, indent=4",
    "algorithm:Algorithm.result_dataformat": "self",
    "algorithm:Algorithm.runner": "self, klass='Algorithm', exc=None",
    "algorithm:Algorithm.uses_dict": "self",
    "algorithm:Algorithm.write": "self, storage=None",
    "algorithm:Runner": "module, obj_name, algorithm, exc=None",
    "algorithm:Runner.prepare": "self, data_loaders",
    "algorithm:Runner.process": "self, inputs=None, data_loaders=None, outputs=None, output=None, "
    "loop_channel=None",
    "algorithm:Runner.read": "self, inputs",
    "algorithm:Runner.setup": "self, parameters",
    "algorithm:Runner.validate": "self, result",
    "algorithm:Runner.write": "self, outputs, processor_output_name, end_data_index",
    "algorithm:Storage": "prefix, name, language=None",
    "baseformat:baseformat.as_dict": "self",
    "baseformat:baseformat.copy": "self",
    "baseformat:baseformat.from_dict": "self, data, casting='safe', add_defaults=False",
    "baseformat:baseformat.pack": "self",
    "baseformat:baseformat.pack_into": "self, fd",
    "baseformat:baseformat.unpack": "self, data",
    "baseformat:baseformat.unpack_from": "self, fd",
    "baseformat:pack_array": "dtype, value, fd",
    "baseformat:pack_scalar": "dtype, value, fd",
    "baseformat:read_some": "format, fd",
    "baseformat:read_string": "fd",
    "baseformat:setup_array": "formatname, attrname, shape, dtype, value, casting, add_defaults",
    "baseformat:setup_scalar": "formatname, attrname, dtype, value, casting, add_defaults",
    "baseformat:unpack_array": "shape, dtype, fd",
    "baseformat:unpack_scalar": "dtype, fd",
    "database:Database": "prefix, name, dataformat_cache=None",
    "database:Database.protocol": "self, name",
    "database:Database.set": "self, protocol, name",
    "database:Database.set_names": "self, protocol",
    "database:Database.sets": "self, protocol",
    "database:Database.view": "self, protocol, name, exc=None, root_folder=None",
    "database:Database.view_definition": "self, protocol, set",
    "database:DatabaseTester": "name, view_class, outputs_declaration, parameters",
    "database:Runner": "module, definition, prefix, root_folder, exc=None",
    "database:Runner.get": "self, output, index",
    "database:Runner.get_output_mapping": "self, output",
    "database:Runner.index": "self, filename",
    "database:Runner.objects": "self",
    "database:Runner.setup": "self, filename, start_index=None, end_index=None, pack=True",
    "database:Storage": "prefix, name",
    "database:View": "",
    "database:View.get": "self, output, index",
    "database:View.get_output_mapping": "self, output",
    "database:View.index": "self, root_folder, parameters",
    "database:View.setup": "self, root_folder, parameters, objs, start_index=None, end_index=None",
    "dataformat:DataFormat": "prefix, data, parent=None, dataformat_cache=None",
    "dataformat:DataFormat.isparent": "self, other",
    "dataformat:DataFormat.validate": "self, data",
    "dataformat:Storage": "prefix, name",
    "exceptions:RemoteException": "kind, message",
    "exceptions:UserError": "value",
    "hash:hashAnalyzer": "analyzer_name, algorithm_name, algorithm_hash, parameters, environment, "
    "input_hashes",
    "hash:hashBlockOutput": "block_name, algorithm_name, algorithm_hash, parameters, environment, "
    "input_hashes, output_name",
    "hash:hashDataset": "database, protocol, set",
    "hash:hashFileContents": "path",
    "hash:hashJSON": "contents, description_key",
    "hash:hashJSONFile": "path, key",
    "hash:toPath": "hash, suffix='.data'",
    "hash:toUserPath": "username",
    "library:Library": "prefix, name, library_cache=None",
    "library:Library.load": "self",
    "library:Library.uses_dict": "self",
    "library:Storage": "prefix, name, language=None",
    "loader:load_module": "name, path, uses",
    "loader:run": "obj, method, exc=None, *args, **kwargs",
    "protocoltemplate:ProtocolTemplate": "prefix, name, dataformat_cache=None",
    "protocoltemplate:ProtocolTemplate.set": "self, name",
    "protocoltemplate:ProtocolTemplate.sets": "self",
    "protocoltemplate:Storage": "prefix, name",
    "utils:CodeStorage": "path, language=None",
    "utils:CodeStorage.save": "self, declaration, code=None, description=None",
    "utils:File": "path, binary=False",
    "utils:File.save": "self, contents",
    "utils:Prefix.add": "self, path",
    "utils:Prefix.path": "self, filename",
    "utils:Storage": "path",
    "utils:Storage.save": "self, declaration, description=None",
    "utils:has_argument": "method, argument",
    "utils:hashed_or_simple": "prefix, what, path, suffix='.json'",
}


@pytest.mark.parametrize("what", SIGNATURES)
def test_arguments(what):
    module, _, path = what.partition(":")
    called = importlib.import_module(f"beat.backend.python.{module}")
    for name in path.split("."):
        called = getattr(called, name)
    signature = inspect.signature(called)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    wanted = SIGNATURES[what].split(", ") if SIGNATURES[what] else []
    assert [str(parameter) for parameter in plain][: len(wanted)] == wanted
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for parameter in plain[len(wanted) :]:  # more are fine at the end, as long as nobody needs them
        assert parameter.default is not parameter.empty or parameter.kind in optional


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        (
            "algorithm:Algorithm",
            "LEGACY SEQUENTIAL AUTONOMOUS SEQUENTIAL_LOOP_EVALUATOR AUTONOMOUS_LOOP_EVALUATOR "
            "SEQUENTIAL_LOOP_PROCESSOR AUTONOMOUS_LOOP_PROCESSOR dataformat_klass name language "
            "api_version schema_version type is_autonomous is_sequential is_loop isAnalyzer valid "
            "uses parameters results splittable description documentation",
        ),
        (
            "dataformat:DataFormat",
            "name schema_version extends type valid description documentation",
        ),
        ("library:Library", "name schema_version language valid uses description documentation"),
        (
            "database:Database",
            "name schema_version valid description documentation environment protocols "
            "protocol_names view_definition",
        ),
        (
            "protocoltemplate:ProtocolTemplate",
            "name schema_version valid description documentation",
        ),
    ],
)
def test_members_of_declarations(name, attributes):
    module, _, klass = name.partition(":")
    klass = getattr(importlib.import_module(f"beat.backend.python.{module}"), klass)
    common = "hash json_dumps write export __str__"
    missing = [name for name in f"{attributes} {common}".split() if not hasattr(klass, name)]
    assert missing == []


ASSIGNED = (
    "_name storage data errors code dataformats libraries referenced resolved groups input_map "
    "output_map loop_map prefix parent"
)


@pytest.mark.parametrize("attribute", ASSIGNED.split())
def test_instance_attributes_can_be_assigned(attribute, prefix):
    from beat.backend.python import algorithm, database, dataformat, library, protocoltemplate

    objects = [
        algorithm.Algorithm(prefix, {}),
        dataformat.DataFormat(prefix, {}),
        library.Library(prefix, {}),
        database.Database(prefix, {}),
        protocoltemplate.ProtocolTemplate(prefix, {}),
    ]
    for one in objects:
        value = object()
        setattr(one, attribute, value)
        assert getattr(one, attribute) is value
