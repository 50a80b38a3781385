"""Data formats: the declared types of what flows between blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy

from . import utils
from .asset import JSON, Asset
from .baseformat import baseformat, make_class
from .codec import CODES

#: What stands for a single value, by its name in declarations
BASIC_TYPES = {"string": str, "str": str, **{name: numpy.dtype(name) for name in CODES}}

Class = type[baseformat]

#: The name of a format that is neither in a prefix nor part of another one
UNNAMED = "analysis:result"


class Storage(utils.UserStorage):
    """The files of a dataformat."""

    asset_type = "dataformat"
    asset_folder = "dataformats"

    def hash(self, description: str = "#description") -> str:
        """Return the hash of the declaration, in which the description does not count."""
        return super().hash(description)


class DataFormat(Asset):
    """A data format.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    data : str or dict
        The name, ``user/name/version`` (any other form raises `RuntimeError`), or the declaration
        of a format without a file.
    parent : tuple, optional
        For a format declared within another one: that object, and the name of the field.
    dataformat_cache : dict, optional
        Formats by full name, reused and added to; one that is being loaded is there as None.

    Attributes
    ----------
    resolved : dict or None
        The fields, inherited ones too: names of basic types, `DataFormat` objects, and lists
        ``[dim, …, type]``. None if the declaration, or the format it extends, is unusable.
    referenced : dict
        The formats that this one refers to, by name.
    parent : tuple or None
        As given.
    """

    kind = "Dataformat"
    storage_class = Storage

    def __init__(
        self,
        prefix: str,
        data: str | JSON,
        parent: tuple[DataFormat, str] | None = None,
        dataformat_cache: dict[str, Any] | None = None,
    ) -> None:
        self._begin(prefix)
        self.parent = parent
        self.resolved: JSON | None = None
        self.referenced: dict[str, Any] = {}
        self._endless: list[str] = []  # errors that whoever refers to this format has as well
        self._types: dict[tuple[int, str], tuple[JSON, Class]] = {}
        cache = {} if dataformat_cache is None else dataformat_cache
        try:
            self._load(data, cache)
        finally:
            if self._name:
                cache[self._name] = self

    def _load(self, data: str | JSON, dataformat_cache: dict[str, Any]) -> None:
        if not self._read(data):
            return
        if self._name:  # the formats being loaded are the last ones, in the order of loading
            dataformat_cache.pop(self._name, None)
            dataformat_cache[self._name] = None
        inherited = self._inherited(dataformat_cache)
        own = {
            field: self._resolve(field, declared, dataformat_cache)
            for field, declared in self.data.items()
            if not _is_reserved(field)
        }
        self.errors = list(dict.fromkeys(self.errors))
        if not self.errors and inherited is not None:
            self.resolved = {**inherited, **own}

    def _inherited(self, cache: dict[str, Any]) -> JSON | None:
        """Return the fields of the format that this one extends, None if it is unusable."""
        if "#extends" not in self.data:
            return {}
        base = self._referred("#extends", self.data["#extends"], cache)
        return None if base is None else base.resolved

    def _resolve(self, field: str, declared: Any, cache: dict[str, Any]) -> Any:
        """Replace references and inner declarations by formats."""
        if isinstance(declared, str) and declared in BASIC_TYPES:
            return declared
        if isinstance(declared, str) and "/" in declared:
            return self._referred(field, declared, cache)
        if isinstance(declared, dict):
            return self._inner(field, declared, cache)
        if isinstance(declared, list) and len(declared) > 1 and not isinstance(declared[-1], list):
            *sizes, items = declared
            if all(type(size) is int and size >= 0 for size in sizes):
                return [*sizes, self._resolve(field, items, cache)]
        self.errors.append(
            f"field `{field}': expected the name of a type or of a dataformat, an object, or an "
            f"array `[size, ..., type]', got {str(declared)[:200]!r}"
        )
        return None

    def _referred(self, field: str, name: Any, cache: dict[str, Any]) -> DataFormat | None:
        try:
            utils.check_name("dataformat", name, 3)
        except RuntimeError as error:
            self.errors.append(f"field `{field}': {error}")
            return None
        if name in cache and cache[name] is None:
            loading = [known for known, format in cache.items() if format is None]
            cycle = [*loading[loading.index(name) :], name]
            self._fail_endless([f"recursion of dataformats: {' -> '.join(cycle)}"])
            return None
        format = cache.get(name) or self._make(field, name, None, cache)
        if format is not None:
            self.referenced[name] = format
            self._fail_endless(format._endless)
        return format

    def _inner(self, field: str, declared: JSON, cache: dict[str, Any]) -> DataFormat | None:
        format = self._make(field, declared, (self, field), cache)
        if format is not None:
            self.referenced.update(format.referenced)
            self._fail_endless(format._endless)
            self.errors += format.errors
        return format

    def _make(self, field: str, data: Any, parent: Any, cache: dict[str, Any]) -> DataFormat | None:
        try:
            return type(self)(self.prefix, data, parent, cache)
        except RecursionError:
            self._fail_endless([f"field `{field}': dataformats nested too deeply"])
            return None

    def _fail_endless(self, errors: list[str]) -> None:
        fresh = [error for error in errors if error not in self._endless]
        self._endless += fresh
        self.errors += fresh

    @property
    def name(self) -> str:
        """The full name, ``<parent>.<field>_type`` within another format."""
        if self._name:
            return self._name
        if self.parent:
            return f"{self.parent[0].name}.{self.parent[1]}_type"
        return UNNAMED

    @name.setter
    def name(self, value: str) -> None:
        self.storage = self.storage_class(self.prefix, value)
        self._name = value

    @property
    def schema_version(self) -> Any:
        """The version of the form of the declaration."""
        return self.data.get("#schema_version", 1)

    @property
    def description(self) -> str | None:
        """The short description."""
        return self.data.get("#description")  # type: ignore[no-any-return]

    @description.setter
    def description(self, value: str) -> None:
        self.data["#description"] = value

    @property
    def extends(self) -> str | None:
        """The name of the format that this one extends, if it does."""
        return self.data.get("#extends")  # type: ignore[no-any-return]

    def isparent(self, other: DataFormat) -> bool:
        """Tell whether ``other`` extends this format, directly or not."""
        seen: set[str] = set()
        heir: DataFormat | None = other
        while heir is not None and heir.extends and heir.extends not in seen:
            if heir.extends == self.name:
                return True
            seen.add(heir.extends)
            heir = heir.referenced.get(heir.extends)
        return False

    @property
    def type(self) -> Class:
        """The class of the objects of this format; always the same, for the same `resolved`.

        Raises
        ------
        RuntimeError
            If `resolved` is None, or a format that this one refers to is unusable.
        """
        return self._type(())

    def _type(self, within: tuple[DataFormat, ...]) -> Class:
        if self.resolved is None:
            causes = "\n".join(self.errors[:20]) or f"what it extends, `{self.extends}', is so"
            raise RuntimeError(f"dataformat `{self.name}' is unusable:\n{causes}")
        key = (id(self.resolved), self.name)
        if key not in self._types:
            if any(self is format for format in within):
                cycle = " -> ".join(format.name for format in [*within, self])
                raise RuntimeError(f"recursion of dataformats: {cycle}")
            fields = {
                field: self._field_type(field, declared, (*within, self))
                for field, declared in self.resolved.items()
                if not _is_reserved(field)
            }
            made = make_class(self.name, fields, self.resolved)
            self._types.setdefault(key, (self.resolved, made))  # another thread may be first
        return self._types[key][1]

    def _field_type(self, field: str, declared: Any, within: tuple[DataFormat, ...]) -> Any:
        if isinstance(declared, list):
            return [*declared[:-1], self._field_type(field, declared[-1], within)]
        if isinstance(declared, DataFormat):
            return declared._type(within)
        if declared in BASIC_TYPES:
            return BASIC_TYPES[declared]
        raise RuntimeError(f"field `{field}' of dataformat `{self.name}' has no type: {declared}")

    def validate(self, data: Any) -> baseformat:
        """Check that data is of this format.

        Parameters
        ----------
        data : dict, bytes or file object
            The values, cast safely and complete, or the packed object, or where to read it from.

        Returns
        -------
        baseformat
            The object made of the data.

        Raises
        ------
        TypeError, AttributeError, ValueError, OverflowError
            If it is not.
        """
        made: baseformat = object.__new__(self.type)
        if isinstance(data, Mapping):
            return baseformat.from_dict(made, data)
        if isinstance(data, (bytes, bytearray, memoryview)):
            return baseformat.unpack(made, data)
        if hasattr(data, "read"):
            return baseformat.unpack_from(made, data)
        raise TypeError(
            f"data of dataformat `{self.name}' is a dictionary, bytes or a file object, "
            f"not {type(data).__name__}"
        )

    def _needs(self) -> Iterable[Asset]:
        needed: dict[str, Any] = dict(self.referenced)
        for declared in (self.resolved or {}).values():
            items = declared[-1] if isinstance(declared, list) else declared
            if isinstance(items, DataFormat) and items.parent:
                needed.update({str(format.name): format for format in items._needs()})
        return needed.values()

    def __getstate__(self) -> JSON:
        return {**self.__dict__, "_types": {}}  # classes stay in their process


def _is_reserved(field: str) -> bool:
    """Tell whether a key of a declaration is not the name of a field."""
    return field.startswith("#") or (field.startswith("__") and field.endswith("__"))
