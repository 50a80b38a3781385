"""Libraries: code shared by algorithms and by other libraries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from . import utils
from .asset import JSON, Asset, CodeAsset


class Storage(utils.UserCodeStorage):
    """The files of a library."""

    asset_type = "library"
    asset_folder = "libraries"


def load_libraries(
    prefix: str, uses: Mapping[str, str], cache: dict[str, Any], errors: list[str]
) -> dict[str, Library]:
    """Load what a piece of code uses.

    Parameters
    ----------
    uses : dict
        Full names of libraries by alias.
    cache : dict
        Libraries by full name; one that is being loaded is there as None.
    errors : list
        Gets a line for each library that cannot be used.

    Returns
    -------
    dict
        The libraries by full name.
    """
    libraries: dict[str, Library] = {}
    for alias, name in uses.items():
        if name in cache and cache[name] is None:
            errors.append(f"recursion: library `{name}' (as `{alias}') is being loaded already")
            continue
        library = cache.get(name) or Library(prefix, name, cache)
        libraries[name] = library
        if not library.valid:
            causes = "\n".join(library.errors)
            errors.append(f"library `{name}' (as `{alias}') is not valid:\n{causes}")
    return libraries


def names_in(uses: Any, errors: list[str]) -> dict[str, str]:
    """Return the part ``uses`` of a declaration; what is no name of a library is an error."""
    if uses is None:
        return {}
    if not isinstance(uses, dict):
        errors.append(f"`uses' must be an object, got {type(uses).__name__}")
        return {}
    names = {}
    for alias, name in uses.items():
        try:
            utils.check_name("library", name, 3)
        except RuntimeError as error:
            errors.append(f"uses `{alias}': {error}")
        else:
            names[alias] = name
    return names


def loader_uses(uses: Mapping[str, str] | None, libraries: Mapping[str, Library]) -> JSON:
    """Return the mapping `loader.load_module` wants: ``{alias: {path, uses}}``."""
    return {
        alias: {"path": libraries[name].storage.code.path, "uses": libraries[name].uses_dict()}
        for alias, name in (uses or {}).items()
    }


class Library(CodeAsset):
    """A library.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    name : str
        The name, ``user/name/version``; any other form raises `RuntimeError`.
    library_cache : dict, optional
        Libraries by full name, reused and added to.

    Attributes
    ----------
    libraries : dict
        The libraries in use and this one, by full name.
    """

    kind = "Library"
    storage_class = Storage

    def __init__(
        self, prefix: str, name: str | JSON, library_cache: dict[str, Any] | None = None
    ) -> None:
        self._begin(prefix)
        self.libraries: dict[str, Library] = {}
        cache = {} if library_cache is None else library_cache
        try:
            self._load(name, cache)
        finally:
            if self._name:
                cache[self._name] = self

    def _load(self, data: str | JSON, library_cache: dict[str, Any]) -> None:
        if not self._read(data):
            return
        self._read_code()
        if self._name:
            library_cache[self._name] = None  # being loaded: met again, it is a recursion
            self.libraries[self._name] = self
        uses = names_in(self.uses, self.errors)
        self.libraries.update(load_libraries(self.prefix, uses, library_cache, self.errors))

    def uses_dict(self) -> JSON:
        """Return what `loader.load_module` needs to load the libraries in use.

        Raises
        ------
        RuntimeError
            If the library is not valid.
        """
        self._must_be_valid()
        return loader_uses(self.uses, self.libraries)

    def load(self) -> ModuleType:
        """Run the code of the library as a fresh module.

        Raises
        ------
        RuntimeError
            If the library has no name, is not valid, or is not written in Python.
        """
        self._named()
        self._must_be_python()
        return self._load_module(self.uses_dict())

    def _needs(self) -> Iterable[Asset]:
        return [library for library in self.libraries.values() if library is not self]
