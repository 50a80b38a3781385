"""The platform's core package, as far as it drives this one: kept in its own style.

Its declarations are stricter ones of the same names. They replace the loading completely and rely
on what the constructors, properties and methods of the bases do. Its plotters are no algorithms,
and borrow the properties and functions of one.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import numpy
import simplejson

from beat.backend.python import algorithm, database, dataformat, library, loader, utils
from beat.backend.python import protocoltemplate as templates
from beat.backend.python.utils import error_on_duplicate_key_hook


def load_json(path):
    with open(path) as f:
        return simplejson.load(f, object_pairs_hook=error_on_duplicate_key_hook)


class DataFormat(dataformat.DataFormat):
    def __init__(self, prefix, data, parent=None, dataformat_cache=None):
        super().__init__(prefix, data, parent, dataformat_cache)

    def _load(self, data, dataformat_cache):
        self._name = None
        self.storage = None
        self.resolved = None
        self.referenced = {}
        self.errors = []
        if isinstance(data, dict):
            self.data = data
        else:
            self._name = data
            self.storage = dataformat.Storage(self.prefix, data)
            if not self.storage.exists():
                self.errors.append(f"Dataformat declaration file not found: {data}")
                return
            try:
                self.data = load_json(self.storage.json.path)
            except RuntimeError as error:
                self.errors.append(str(error))
                return
        if self._name is not None:
            dataformat_cache[self._name] = None  # recursion is seen by this
        self.resolved = {}
        for field, value in self.data.items():
            if field not in ("#description", "#schema_version"):
                self.resolved[field] = self._maybe_load(field, value, dataformat_cache)
        if "#extends" in self.resolved:
            base = self.referenced[self.data["#extends"]]
            inherited = dict(base.resolved or {})
            inherited.update(self.resolved)
            del inherited["#extends"]
            self.resolved = inherited

    def _maybe_load(self, field, value, cache):
        if isinstance(value, str) and "/" in value:
            if value in cache:
                if cache[value] is None:
                    self.errors.append(f"recursion for dataformat `{value}'")
                    return self
                self.referenced[value] = cache[value]
            else:
                self.referenced[value] = DataFormat(self.prefix, value, (self, field), cache)
            return self.referenced[value]
        if isinstance(value, dict):
            return DataFormat(self.prefix, value, (self, field), cache)
        if isinstance(value, list):
            return [*value[:-1], self._maybe_load(field, value[-1], cache)]
        return value


class Library(library.Library):
    def __init__(self, prefix, data, library_cache=None):
        super().__init__(prefix, data, library_cache)

    def _load(self, data, library_cache):
        self._name = data
        self.storage = library.Storage(self.prefix, data)
        self.data = load_json(self.storage.json.path)
        self.storage.language = self.data["language"]
        self.code = self.storage.code.load()
        self.data.setdefault("uses", {})
        self.libraries[self._name] = self
        for name in self.uses.values():
            self.libraries[name] = library_cache.setdefault(name, None) or Library(
                self.prefix, name, library_cache
            )
        self._check_language_consistence()

    def _check_language_consistence(self):
        for name, used in self.libraries.items():
            if used.data.get("language") != self.language:
                self.errors.append(f"`{name}' is not written in {self.language}")


class Algorithm(algorithm.Algorithm):
    dataformat_klass = DataFormat

    def __init__(self, prefix, data, dataformat_cache=None, library_cache=None):
        super().__init__(prefix, data, dataformat_cache, library_cache)

    def _load(self, data, dataformat_cache, library_cache):
        self.errors = []
        self.data = None
        self.code = None
        self._name = None
        self.storage = None
        self.dataformats = {}
        self.libraries = {}
        self.groups = []
        if isinstance(data, dict):
            self.data = data
        else:
            self._name = data
            self.storage = algorithm.Storage(self.prefix, data)
            self.data = load_json(self.storage.json.path)
            self.code = self.storage.code.load()
        self.groups = self.data["groups"]
        ends = [group.get("inputs", {}) for group in self.groups]
        self.input_map = {name: end["type"] for part in ends for name, end in part.items()}
        ends = [group.get("outputs", {}) for group in self.groups]
        self.output_map = {name: end["type"] for part in ends for name, end in part.items()}
        self.loop_map = {}
        for name in [*self.input_map.values(), *self.output_map.values()]:
            if self._update_dataformat_cache(name, dataformat_cache).errors:
                self.errors.append(f"found error validating data format `{name}'")
        for declared in (self.parameters or {}).values():
            kind = declared["type"]
            declared["type"] = numpy.dtype(str if kind == "string" else kind)
            if "default" in declared:
                declared["default"] = declared["type"].type(declared["default"])
        for name in (self.uses or {}).values():
            self.libraries[name] = library_cache.get(name) or Library(
                self.prefix, name, library_cache
            )

    def _check_language_consistence(self):
        self.checked_language = self.language


class ProtocolTemplate(templates.ProtocolTemplate):
    def __init__(self, prefix, data, dataformat_cache=None):
        super().__init__(prefix, data, dataformat_cache)

    def _load(self, data, dataformat_cache):
        self._name = data
        self.storage = templates.Storage(self.prefix, data)
        if not self.storage.exists():
            self.errors.append(f"Protocol template declaration file not found: {data}")
            return
        self.data = load_json(self.storage.json.path)
        self.dataformats = {}
        for declared in self.sets():
            for name in declared["outputs"].values():
                if name not in dataformat_cache:
                    dataformat_cache[name] = DataFormat(self.prefix, name)
                self.dataformats[name] = dataformat_cache[name]


class Database(database.Database):
    def __init__(self, prefix, data, dataformat_cache=None):
        super().__init__(prefix, data, dataformat_cache)

    def _load(self, data, dataformat_cache):
        self._name = data
        self.storage = database.Storage(self.prefix, data)
        self.data = load_json(self.storage.json.path)
        self.code = self.storage.code.load()
        self.dataformats = {}
        self._doubled("protocol", self.protocol_names)
        for protocol in self.protocols:
            self._doubled("set", self.set_names(protocol))
            for declared in self.sets(protocol).values():
                for name in declared["outputs"].values():
                    if name not in dataformat_cache:
                        dataformat_cache[name] = DataFormat(self.prefix, name)
                    self.dataformats[name] = dataformat_cache[name]

    def _doubled(self, what, names):
        for name, count in Counter(names).items():
            if count > 1:
                self.errors.append(f"found {count} {what}s called `{name}'")


class ToolchainStorage(utils.Storage):
    """As the core's other storages: attributes first, then the base's constructor."""

    asset_type = "toolchain"
    asset_folder = "toolchains"

    def __init__(self, prefix, name):
        self.username, self.name, self.version = name.split("/")
        self.fullname = name
        self.prefix = prefix
        self.label = "a label"
        path = utils.hashed_or_simple(self.prefix, self.asset_folder, name, suffix=".json")
        super().__init__(os.path.splitext(path)[0])


class PlotterStorage(utils.CodeStorage):
    asset_type = "plotter"
    asset_folder = "plotters"

    def __init__(self, prefix, name, language=None):
        self.username, self.name, self.version = name.split("/")
        self.fullname = name
        self.prefix = prefix
        path = utils.hashed_or_simple(self.prefix, self.asset_folder, name, suffix=".json")
        super().__init__(path[: -len(".json")], language)


class PlotterRunner(algorithm.Runner):
    def process(self, inputs):
        exc = self.exc or RuntimeError
        if not self.ready:
            raise exc(f"plotter `{self.name}' is not yet set up")
        if inputs is None:
            raise exc("missing argument: inputs")
        return loader.run(self.obj, "process", self.exc, inputs)


class Plotter:
    """No algorithm: it has the api version and the parameters that a runner needs."""

    def __init__(self, prefix, data):
        self.prefix = prefix
        self._name = data
        self.errors: list[str] = []
        self.storage = PlotterStorage(prefix, data)
        self.data: dict[str, Any] = load_json(self.storage.json.path)
        self.data.setdefault("uses", {})
        for declared in (self.parameters or {}).values():
            kind = declared["type"]
            declared["type"] = numpy.dtype(str if kind == "string" else kind)

    language = algorithm.Algorithm.language
    valid = algorithm.Algorithm.valid
    description = algorithm.Algorithm.description
    uses = algorithm.Algorithm.uses
    parameters = algorithm.Algorithm.parameters
    clean_parameter = algorithm.Algorithm.clean_parameter
    json_dumps = algorithm.Algorithm.json_dumps
    __str__ = algorithm.Algorithm.__str__

    @property
    def api_version(self):
        return self.data.get("api_version", 1)

    def _check_language_consistence(self):
        self.checked_language = self.language

    def runner(self, klass="Plotter", exc=None):
        name = self._name.replace(os.sep, "_")
        module = loader.load_module(name, self.storage.code.path, {})
        return PlotterRunner(module, klass, self, exc)
