"""Databases: the declaration of the raw data, and the views that deliver it.

The names of everything that has to do with views are here too, for the code of views imports
them from this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import loader, utils
from .asset import JSON, Asset
from .protocoltemplate import ProtocolTemplate, check_parts, check_sets, load_dataformats
from .views import Runner as Runner
from .views import View as View

if TYPE_CHECKING:
    from .database_tester import DatabaseTester as DatabaseTester


def __getattr__(name: str) -> Any:
    """Load the tester of views when it is asked for: blocks run without it."""
    if name == "DatabaseTester":
        from .database_tester import DatabaseTester

        return DatabaseTester
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Storage(utils.CodeStorage):
    """The files of a database, ``name/version`` (else `RuntimeError`); its code is Python."""

    asset_type = "database"
    asset_folder = "databases"

    def __init__(self, prefix: str, name: str) -> None:
        super().__init__(self._take_name(prefix, name, 2), "python")


class Database(Asset):
    """A database.

    In schema 1, the protocols declare their sets. In schema 2, a protocol refers to a protocol
    template for the sets and their outputs, and says which view delivers each set.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    name : str
        The name, ``name/version``; any other form raises `RuntimeError`.
    dataformat_cache : dict, optional
        Dataformats by name, reused and added to.

    Attributes
    ----------
    code : bytes or None
        The source text of the views.
    dataformats : dict
        The dataformats of all outputs, by name.
    """

    kind = "Database"
    storage_class = Storage

    def __init__(
        self, prefix: str, name: str | JSON, dataformat_cache: dict[str, Any] | None = None
    ) -> None:
        self._begin(prefix)
        self.code: Any = None
        self.dataformats: dict[str, Any] = {}
        self._templates: dict[str, ProtocolTemplate] = {}
        self._load(name, {} if dataformat_cache is None else dataformat_cache)

    def _load(self, data: str | JSON, dataformat_cache: dict[str, Any]) -> None:
        if not self._read(data):
            return
        if self.storage is not None:
            self.code = self.storage.code.try_load()
            if self.code is None:
                self.errors.append(f"Database code file not found: {self.storage.code.path}")
        problems = _problems(self.data)
        if problems:
            self.errors += problems
            return
        for protocol in self.data["protocols"]:
            try:
                sets = self._sets_of(protocol, dataformat_cache)
            except RuntimeError as error:
                self.errors.append(str(error))
            else:
                self.dataformats.update(
                    load_dataformats(self.prefix, sets, dataformat_cache, self.errors)
                )

    def _sets_of(
        self, protocol: JSON, dataformat_cache: dict[str, Any] | None = None
    ) -> list[JSON]:
        """Return the declared sets of a protocol, in order."""
        if self.schema_version == 1:
            return protocol["sets"]  # type: ignore[no-any-return]
        return self._template(protocol, dataformat_cache).sets()

    def _template(
        self, protocol: JSON, dataformat_cache: dict[str, Any] | None = None
    ) -> ProtocolTemplate:
        """Return the template of a protocol (schema 2), which is read once."""
        name = protocol["template"]
        if name not in self._templates:
            cache = dict(self.dataformats) if dataformat_cache is None else dataformat_cache
            template = ProtocolTemplate(self.prefix, name, cache)
            if not template.valid:
                raise RuntimeError(
                    f"protocol `{protocol['name']}' of database `{self._name}': protocol template "
                    f"`{name}' is not valid:\n" + "\n".join(template.errors)
                )
            self._templates[name] = template
        return self._templates[name]

    @property
    def environment(self) -> JSON | None:
        """The name and version of the environment the views need; None when any will do."""
        return self.data.get("environment")  # type: ignore[no-any-return]

    @property
    def protocols(self) -> dict[str, JSON]:
        """The declared protocols by name."""
        return {protocol["name"]: protocol for protocol in self.data.get("protocols", [])}

    @property
    def protocol_names(self) -> list[str]:
        """The names of the protocols in the order of the declaration, doubled ones included."""
        return [protocol["name"] for protocol in self.data.get("protocols", [])]

    def protocol(self, name: str) -> JSON:
        """Return the declared protocol of that name.

        Raises
        ------
        KeyError
            If there is none.
        """
        protocols = self.protocols
        if name not in protocols:
            raise KeyError(
                f"no protocol `{name}' in database `{self._name}', which has {[*protocols]}"
            )
        return protocols[name]

    def sets(self, protocol: str) -> dict[str, JSON]:
        """Return the sets of a protocol by name; in schema 2, those of its template.

        Raises
        ------
        KeyError
            If there is no such protocol.
        RuntimeError
            If its protocol template is missing or not valid.
        """
        return {declared["name"]: declared for declared in self._sets_of(self.protocol(protocol))}

    def set_names(self, protocol: str) -> list[str]:
        """Return the names of the sets in the order of the declaration, doubled ones included.

        Raises what `sets` raises.
        """
        return [declared["name"] for declared in self._sets_of(self.protocol(protocol))]

    def set(self, protocol: str, name: str) -> JSON:
        """Return one set of a protocol; `KeyError` if there is none of that name.

        Raises what `sets` raises.
        """
        sets = self.sets(protocol)
        if name not in sets:
            raise KeyError(
                f"no set `{name}' in protocol `{protocol}' of database `{self._name}', "
                f"which has {[*sets]}"
            )
        return sets[name]

    def view_definition(self, protocol: str, set: str) -> JSON:
        """Return what is needed to make the view of a set.

        Returns
        -------
        dict
            ``name``, ``outputs``, ``view`` and maybe ``parameters``. In schema 1 it is the
            declared set itself; in schema 2 it is made anew, and the caller's own.

        Raises
        ------
        KeyError
            If there is no such protocol or set, or no view for it.
        RuntimeError
            If the protocol template is missing or not valid.
        """
        declared = self.set(protocol, set)
        if self.schema_version == 1:
            return declared
        views = self.protocol(protocol)["views"]
        view = views.get(set)
        if not isinstance(view, dict) or "view" not in view:
            raise KeyError(
                f"no view for set `{set}' in protocol `{protocol}' of database "
                f"`{self._name}', which has views for {[*views]}"
            )
        definition = {"name": set, "outputs": {**declared["outputs"]}, "view": view["view"]}
        if "parameters" in view:
            definition["parameters"] = view["parameters"]
        return definition

    def view(
        self,
        protocol: str,
        name: str,
        exc: Callable[[Any], Exception] | None = None,
        root_folder: str | None = None,
    ) -> Runner:
        """Load the code of the views and make the one of a set.

        Parameters
        ----------
        protocol, name : str
            The protocol, and the set in it.
        exc : class, optional
            What failures of the user's code are raised as, here and later.
        root_folder : str, optional
            Where the raw data is, by default the declared folder. It need not exist.

        Raises
        ------
        KeyError
            If there is no such protocol or set.
        RuntimeError
            If the database has no name or is not valid.
        Exception
            What the user's code raises.
        """
        loader.run(self._must_be_usable, "__new__", exc)
        definition = self.view_definition(protocol, name)
        module = self._load_module({}, exc)
        folder = self.data["root_folder"] if root_folder is None else root_folder
        return Runner(module, definition, self.prefix, folder, exc)

    def _must_be_usable(self) -> None:
        self._named()
        self._must_be_valid()

    def _needs(self) -> Iterable[Asset]:
        if self.schema_version == 1:
            return self.dataformats.values()
        return [self._template(protocol) for protocol in self.protocols.values()]

    def _code_to_write(self, storage: utils.AbstractStorage) -> tuple[Any, ...]:
        return (self.code,)


def _problems(data: JSON) -> list[str]:
    """Tell what makes a declaration unusable; not what only a schema finds wrong."""
    problems = check_parts(data, {"root_folder": str, "protocols": list}, "database")
    version = data.get("schema_version", 1)
    if version not in (1, 2):
        problems.append(f"database: `schema_version' must be 1 or 2, got {str(version)[:100]}")
    if problems:
        return problems
    for i, protocol in enumerate(data["protocols"]):
        where = f"protocols[{i}]"
        if version == 1:
            problems += check_parts(protocol, {"name": str}, where)
            problems += check_sets(protocol, {"name": str, "view": str, "outputs": dict}, where)
        else:
            parts = {"name": str, "template": str, "views": dict}
            problems += check_parts(protocol, parts, where)
    return problems
