"""Plotters: code that draws what analyzers found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import utils
from .asset import JSON, Asset
from .checks import errors_in
from .dataformat import DataFormat
from .library import Library, load_libraries, loader_uses
from .parameters import Parametrized, check_declarations


class Storage(utils.UserCodeStorage):
    """The files of a plotter."""

    asset_type = "plotter"
    asset_folder = "plotters"


class Plotter(Parametrized):
    """A plotter.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    data : str or dict
        The name, ``user/name/version`` (any other form raises `RuntimeError`), or the declaration.
    dataformat_cache, library_cache : dict, optional
        Objects by full name, reused and added to.

    Attributes
    ----------
    dataformat : DataFormat or None
        The format of what is plotted; None if the declaration is not valid.
    libraries : dict
        The libraries in use, by full name.
    errors : list of str
        Everything that is wrong, as `checks.check` finds it.
    """

    kind = "Plotter"
    storage_class = Storage

    def __init__(
        self,
        prefix: str,
        data: str | JSON,
        dataformat_cache: dict[str, Any] | None = None,
        library_cache: dict[str, Any] | None = None,
    ) -> None:
        self._begin(prefix)
        self.dataformat: DataFormat | None = None
        self.libraries: dict[str, Library] = {}
        if not self._read(data):
            return
        self.errors += errors_in(self)
        if not self.valid:
            return
        self._read_code()
        check_declarations(self.parameters, self.errors)
        formats = {} if dataformat_cache is None else dataformat_cache
        name = self.data["dataformat"]
        self.dataformat = formats.get(name) or DataFormat(prefix, name, dataformat_cache=formats)
        libraries = {} if library_cache is None else library_cache
        self.libraries = load_libraries(prefix, self.uses or {}, libraries, self.errors)

    def uses_dict(self) -> JSON:
        """Return what `loader.load_module` needs to load the libraries in use."""
        return loader_uses(self.uses, self.libraries)

    def _needs(self) -> Iterable[Asset]:
        return [*([self.dataformat] if self.dataformat else []), *self.libraries.values()]
