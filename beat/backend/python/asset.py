"""The base of every declaration: how an object of a prefix is loaded, described and written.

A declaration is JSON, with documentation and maybe code beside it. What is wrong with it is
collected in ``errors``; constructors raise for nothing but impossible names.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from . import jsontext, loader
from .utils import AbstractStorage, Prefix, shown_path

if TYPE_CHECKING:
    from .schema import Finding

JSON = dict[str, Any]


class Readable(Protocol):
    """A file object."""

    def read(self) -> str | bytes:
        """Return the whole content."""


def _malformed(path: str, shown: str, kind: str) -> list[Finding]:
    """Return what is wrong with a file that holds no declaration."""
    from .schema import Document  # costly, and seldom needed

    document = Document.read(path, shown)
    problems = document.findings or [
        document.finding((), expected="an object", value=document.data)
    ]
    return [problem.led_by(f"{kind} declaration file invalid: ") for problem in problems]


class Asset:
    """An object declared in a prefix.

    Subclasses set `kind` and `storage_class`, call `_read` and fill their own attributes.

    Attributes
    ----------
    prefix : str
        The folder the object comes from.
    data : dict
        The declaration.
    errors : list of str
        What makes the object unusable.
    storage : utils.AbstractStorage or None
        Its files; None for an object that is in no prefix.
    """

    kind: ClassVar[str]
    storage_class: ClassVar[Any]

    prefix: Any
    data: Any
    errors: list[str]
    storage: Any
    _name: str | None

    def _begin(self, prefix: Any) -> None:
        """Set what any `_load`, that of a stricter subclass too, may rely on."""
        self.prefix = prefix
        self._name = None
        self.storage = None
        self.data = {}
        self.errors = []

    def _read(self, data: str | JSON | None) -> bool:
        """Take the declaration from a dictionary, or from the file of the object so called.

        Returns
        -------
        bool
            Whether there is a declaration in `data`; if not, `errors` says why.

        Raises
        ------
        RuntimeError
            If ``data`` is a name that no object of this kind can have.
        """
        if isinstance(data, dict):
            self.data = data
            return True
        if not isinstance(data, str):
            self.errors.append(f"{self.kind} declaration missing: got {type(data).__name__}")
            return False
        self.storage = self.storage_class(self.prefix, data)
        self._name = data
        path = self.storage.json.path
        if not os.path.isfile(path):
            self.errors.append(f"{self.kind} declaration file not found: {path}")
            return False
        try:
            _, declaration = jsontext.parse(jsontext.read(path))
        except (OSError, jsontext.MalformedJSON):
            declaration = None
        if not isinstance(declaration, dict):
            self.errors += _malformed(path, shown_path(self.prefix, path), self.kind)
            return False
        self.data = declaration
        return True

    @property
    def name(self) -> str | None:
        """The full name; None for an object that is in no prefix. Setting it moves `storage`."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self.storage = self._place(self.prefix, value)
        self._name = value

    @property
    def schema_version(self) -> Any:
        """The version of the form of the declaration."""
        return self.data.get("schema_version", 1)

    @property
    def valid(self) -> bool:
        """Whether the object can be used."""
        return not self.errors

    @property
    def description(self) -> str | None:
        """The short description."""
        return self.data.get("description")  # type: ignore[no-any-return]

    @description.setter
    def description(self, value: str) -> None:
        self.data["description"] = value

    @property
    def documentation(self) -> str | None:
        """The long documentation (the ``.rst`` file), set from a text or from a file object.

        Setting it on an object without name raises `RuntimeError`.
        """
        return self.storage.doc.try_load() if self.storage is not None else None

    @documentation.setter
    def documentation(self, value: str | bytes | Readable) -> None:
        self._named().doc.save(value if isinstance(value, (str, bytes)) else value.read())

    def hash(self) -> str:
        """Return the hash of the stored declaration (and code); `RuntimeError` without a name."""
        return self._named().hash()

    def json_dumps(self, indent: int = 4) -> str:
        """Return the declaration as JSON text."""
        from .numpyjson import dumps

        return dumps(self.data, indent)

    def __str__(self) -> str:
        return self.json_dumps()

    def write(self, storage: AbstractStorage | None = None) -> None:
        """Write declaration, code and documentation.

        Parameters
        ----------
        storage : utils.AbstractStorage, optional
            Where to; by default the object's own place, which it has only with a name
            (`RuntimeError`).
        """
        storage = self._named() if storage is None else storage
        declaration = self._declaration_to_write()
        storage.save(declaration, *self._code_to_write(storage), self._text_to_write())

    def export(self, prefix: str) -> None:
        """Write the object, and everything it needs, into another prefix.

        Raises
        ------
        RuntimeError
            If the object has no name or is not valid, or if it comes from that very prefix.
        """
        self._named()
        self._must_be_valid()
        folders = self.prefix.paths if isinstance(self.prefix, Prefix) else [self.prefix]
        if os.path.realpath(prefix) in map(os.path.realpath, folders):
            raise RuntimeError(f"cannot export `{self._name}' onto its own prefix: {prefix}")
        for asset in self._needs():
            asset.export(prefix)
        storage = self._place(prefix, self._name)
        self.write(storage)
        if not self._text_to_write():
            storage.doc.remove()  # that of an earlier export

    def _place(self, prefix: Any, name: str | None) -> Any:
        """Return the files that the object has under a name in a prefix."""
        return self.storage_class(prefix, name)

    def _needs(self) -> Iterable[Asset]:
        """Return the objects that must travel with this one."""
        return ()

    def _named(self) -> AbstractStorage:
        """Return the files of the object, which it has only with a name."""
        if not self._name or self.storage is None:
            raise RuntimeError(f"{self.kind} has no name")
        storage: AbstractStorage = self.storage
        return storage

    def _must_be_valid(self) -> None:
        if not self.valid:
            raise RuntimeError(
                f"{self.kind} `{self._name}' is not valid:\n" + "\n".join(self.errors)
            )

    def _load_module(self, uses: JSON, exc: Callable[[Any], Exception] | None = None) -> ModuleType:
        """Run the code of the object as a fresh module; ``exc`` is as of `loader.run`."""
        name = str(self._name).replace("/", "_")
        code: str = self.storage.code.path
        module: ModuleType = loader.run(loader.load_module, "__new__", exc, name, code, uses)
        return module

    def _code_to_write(self, storage: AbstractStorage) -> tuple[Any, ...]:
        """Return the arguments of ``save`` between declaration and documentation."""
        return ()

    def _declaration_to_write(self) -> str:
        """Return the declaration; as it was read, if that is still what it means.

        Loading fills in and converts (a ``float32`` default of 0.1 becomes 0.10000000149): that
        must not show, or the copy of an unchanged object would have another hash.
        """
        declared = self.json_dumps()
        if self.storage is None:
            return declared
        try:
            _, stored = jsontext.parse(jsontext.read(self.storage.json.path))
        except (OSError, jsontext.MalformedJSON):
            return declared
        loaded = self._loaded(copy.deepcopy(stored)) if isinstance(stored, dict) else None
        from .numpyjson import dumps

        return dumps(stored) if dumps(loaded) == declared else declared

    def _loaded(self, declaration: JSON) -> JSON:
        """Return what loading makes of a declaration, which may be changed."""
        return declaration

    def _text_to_write(self) -> str | None:
        description = self.description  # only checking cares about its type
        return self.documentation or (description if isinstance(description, str) else None)


class CodeAsset(Asset):
    """An object with code in some language, which may use libraries.

    Attributes
    ----------
    code : bytes or None
        The source text, or the binary for compiled languages.
    """

    code: Any = None

    @property
    def language(self) -> str:
        """The language of the code."""
        return self.data.get("language", "unknown")  # type: ignore[no-any-return]

    @language.setter
    def language(self, value: str) -> None:
        if self.storage is not None:
            self.storage.language = value
        self.data["language"] = value
        check = getattr(self, "_check_language_consistence", None)
        if check is not None:  # only stricter subclasses define it
            check()

    @property
    def uses(self) -> dict[str, str] | None:
        """The libraries in use, full names by alias; None when the declaration has no such part.

        Setting it to anything but a dictionary raises `RuntimeError`.
        """
        return self.data.get("uses")  # type: ignore[no-any-return]

    @uses.setter
    def uses(self, value: dict[str, str]) -> None:
        if not isinstance(value, dict):
            raise RuntimeError(f"`uses' must be a dictionary, got {type(value).__name__}")
        self.data["uses"] = value

    def _read_code(self) -> None:
        """Take the code from its file, which must be there unless the code is compiled."""
        if self.storage is None:
            return
        self.code = self.storage.code.try_load() if self.language != "unknown" else None
        if self.code is None and self.language != "cxx":
            self.errors.append(f"{self.kind} code file not found: {self.storage.code.path}")

    def _place(self, prefix: Any, name: str | None) -> Any:
        return self.storage_class(prefix, name, self.language)

    def _must_be_python(self) -> None:
        if self.language != "python":
            raise RuntimeError(
                f"{self.kind} `{self._name}' is written in `{self.language}': "
                "this backend runs python only"
            )

    def _code_to_write(self, storage: AbstractStorage) -> tuple[Any, ...]:
        return (self.code,)
