"""Files and folders of a prefix, the names of its objects, and its JSON."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import hash as hashing
from . import jsontext
from .publish import publish

if TYPE_CHECKING:
    from .numpyjson import NumpyJSONEncoder as NumpyJSONEncoder

__all__ = [
    "EXTENSIONS",
    "MAX_NAME",
    "AbstractStorage",
    "CodeDeclaration",
    "CodeStorage",
    "Declaration",
    "File",
    "NumpyJSONEncoder",
    "Prefix",
    "Storage",
    "UserCodeStorage",
    "UserStorage",
    "check_name",
    "error_on_duplicate_key_hook",
    "extension_for_language",
    "has_argument",
    "hashed_or_simple",
    "safe_rmdir",
    "safe_rmfile",
    "shown_path",
    "simple_path",
]

#: the longest part of a name, in bytes: file names can be no longer than 255, with all suffixes
MAX_NAME = 200

EXTENSIONS = {"unknown": "", "cxx": ".so", "matlab": ".m", "python": ".py", "r": ".r"}


def check_name(kind: str, name: str, parts: int) -> list[str]:
    """Split the name of an object into its parts, before any path is made of it.

    Raises
    ------
    RuntimeError
        If the number of parts is wrong, or if the name could lead out of the prefix.
    """
    pieces = name.split("/") if isinstance(name, str) else []
    if len(pieces) != parts or not all(map(_is_plain, pieces)):
        form = (
            "name/version" if parts == 2 else "/".join(["user", *["name"] * (parts - 2), "version"])
        )
        raise RuntimeError(f"invalid {kind} name: `{str(name)[:200]!r}' (expected `{form}')")
    return pieces


def _is_plain(piece: str) -> bool:
    return (
        piece not in ("", ".", "..")
        and piece.isprintable()
        and "\\" not in piece
        and len(piece.encode()) <= MAX_NAME
    )


def hashed_or_simple(prefix: str | Prefix, what: str, path: str, suffix: str = ".json") -> str:
    """Return the path of a file of an object that belongs to a user, suffix included.

    The hashed place, ``<prefix>/<what>/<toUserPath(user)>/<rest><suffix>``, when there is such a
    file, else ``<prefix>/<what>/<path><suffix>``.

    Parameters
    ----------
    prefix : str or Prefix
        The folder of the declarations, or several.
    what : str
        The folder of the kind of objects, such as ``algorithms``.
    path : str
        The name of the object, which begins with a user.
    suffix : str
        The end of the file's name.
    """
    username, _, rest = path.partition("/")
    hashed = simple_path(prefix, what, f"{hashing.toUserPath(username)}/{rest}", suffix)
    return hashed if os.path.exists(hashed) else simple_path(prefix, what, path, suffix)


def simple_path(prefix: str | Prefix, what: str, path: str, suffix: str = ".json") -> str:
    """Return the path of a file of an object: ``<prefix>/<what>/<path><suffix>``."""
    file = os.path.join(what, path + suffix)
    return prefix.path(file) if isinstance(prefix, Prefix) else os.path.join(prefix, file)


def shown_path(prefix: str | Prefix, path: str) -> str:
    """Return how a file of a prefix is called in messages: relative to the prefix."""
    for folder in prefix.paths if isinstance(prefix, Prefix) else [prefix]:
        start = os.path.join(folder, "")
        if path.startswith(start):
            return path.removeprefix(start)
    return path


def safe_rmfile(f: str) -> None:
    """Remove a file if it is there."""
    if os.path.exists(f):
        os.unlink(f)


def safe_rmdir(f: str) -> None:
    """Remove the directory that contains ``f``, if it is there and empty."""
    folder = os.path.dirname(f)
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def extension_for_language(language: str) -> str:
    """Return the extension of code files in a language.

    Raises
    ------
    KeyError
        If the language is not known.
    """
    return EXTENSIONS[language]


class Prefix:
    """A search path of several prefixes.

    Parameters
    ----------
    paths : str or list of str, optional
        The folders, the first is the most important one.
    """

    def __init__(self, paths: str | Iterable[str] | None = None) -> None:
        self.paths: list[str] = []
        if paths is not None:
            self.add(paths)

    def add(self, path: str | Iterable[str]) -> None:
        """Append one folder or several."""
        self.paths.extend([path] if isinstance(path, str) else path)

    def path(self, filename: str) -> str:
        """Return the first existing file of that name, else the candidate in the first folder.

        Raises
        ------
        RuntimeError
            If there are no folders.
        """
        candidates = [os.path.join(path, filename) for path in self.paths]
        if not candidates:
            raise RuntimeError(f"no prefix to look up `{filename}' in")
        return next(filter(os.path.exists, candidates), candidates[0])


class File:
    """A text or binary file that keeps its previous content when it is saved again.

    Parameters
    ----------
    path : str
        Where it is.
    binary : bool
        Whether `load` gives bytes rather than text (UTF-8).
    """

    def __init__(self, path: str, binary: bool = False) -> None:
        self.path = path
        self.binary = binary

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return os.path.exists(self.path)

    def load(self) -> Any:
        """Return the content; `OSError` if it cannot be read."""
        if self.binary:
            with open(self.path, "rb") as f:
                return f.read()
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    def try_load(self) -> Any:
        """Return the content, or None if there is no file."""
        return self.load() if self.exists() else None

    def backup(self) -> None:
        """Copy the file, if it is there, to ``<path>~``."""
        if self.exists():
            import shutil  # brings compression along, which takes longer than the copy

            shutil.copy(self.path, self.path + "~")

    def save(self, contents: str | bytes) -> None:
        """Replace the content, keeping the previous one as ``<path>~``."""
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        self.backup()
        publish(self.path, contents.encode("utf-8") if isinstance(contents, str) else contents)

    def remove(self) -> None:
        """Remove the file, its backup, and the folder when that is empty then."""
        safe_rmfile(self.path)
        safe_rmfile(self.path + "~")
        safe_rmdir(self.path)


class Declaration(NamedTuple):
    """What `Storage.load` gives."""

    declaration: str
    description: str | None


class CodeDeclaration(NamedTuple):
    """What `CodeStorage.load` gives."""

    declaration: str
    code: bytes | None
    description: str | None


class AbstractStorage:
    """The files of one object in a prefix.

    Parameters
    ----------
    path : str
        The path of the files without extension, or that of the declaration.

    Raises
    ------
    TypeError
        If a subclass does not say what it stores and in which folder.
    """

    asset_type: str | None = None
    asset_folder: str | None = None
    _title: str | None = None  # what the object is called in messages, if not as its type

    def __init__(self, path: str) -> None:
        for attribute in ("asset_type", "asset_folder"):
            if not isinstance(getattr(self, attribute), str):
                raise TypeError(f"{type(self).__name__}.{attribute} must be a string")
        self.path = path.removesuffix(".json")
        self.json = File(self.path + ".json")
        self.doc = File(self.path + ".rst")

    def _take_name(self, prefix: str | Prefix, name: str, parts: int) -> str:
        """Set what is known by the name, which has three parts if the object belongs to a user.

        Returns
        -------
        str
            The path of the declaration.
        """
        *users, self.name, self.version = check_name(
            self._title or str(self.asset_type), name, parts
        )
        self.fullname = name
        self.prefix = prefix
        if not users:
            return simple_path(prefix, str(self.asset_folder), name)
        self.username = users[0]
        return hashed_or_simple(prefix, str(self.asset_folder), name)

    def exists(self) -> bool:
        """Tell whether the object is there."""
        return self.json.exists()

    def remove(self) -> None:
        """Remove all files of the object."""
        self.json.remove()
        self.doc.remove()

    def hash(self) -> str:
        """Return the hash of the stored object."""
        raise NotImplementedError

    def load(self) -> Any:
        """Return the contents of the files as a named tuple."""
        raise NotImplementedError

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the files."""
        raise NotImplementedError

    def _save_texts(
        self, declaration: str | Mapping[str, Any], description: str | bytes | None
    ) -> None:
        if description:
            self.doc.save(description)
        if not isinstance(declaration, str):
            from .numpyjson import dumps

            declaration = dumps(declaration)
        self.json.save(declaration)


class Storage(AbstractStorage):
    """The files of an object without code."""

    def hash(self, description: str = "description") -> str:
        """Return the hash of the declaration, in which the key ``description`` does not count."""
        return hashing.hashJSONFile(self.json.path, description)

    def load(self) -> Declaration:
        """Return (declaration, description); the latter is None when there is no such file."""
        return Declaration(self.json.load(), self.doc.try_load())

    def save(
        self, declaration: str | Mapping[str, Any], description: str | bytes | None = None
    ) -> None:
        """Write the declaration (text or dictionary) and the documentation."""
        self._save_texts(declaration, description)


class CodeStorage(AbstractStorage):
    """The files of an object with code.

    Parameters
    ----------
    path : str
        The path of the files without extension, or that of the declaration.
    language : str, optional
        The language of the code; by default what the declaration says, else ``unknown``.

    Raises
    ------
    KeyError
        If the language is not known.
    """

    def __init__(self, path: str, language: str | None = None) -> None:
        super().__init__(path)
        self.language = language or self._stored_language()

    @property
    def language(self) -> str:
        """The language of the code, which decides on the extension of its file."""
        return self._language

    @language.setter
    def language(self, value: str) -> None:
        self.code = File(self.path + extension_for_language(value), binary=True)
        self._language = value

    def _stored_language(self) -> str:
        try:
            return _declared_language(jsontext.read(self.json.path))
        except (OSError, jsontext.MalformedJSON):  # not there, not readable, or not acceptable
            return "unknown"

    def exists(self) -> bool:
        """Tell whether declaration and code are there."""
        return super().exists() and self.code.exists()

    def remove(self) -> None:
        """Remove all files of the object."""
        super().remove()
        self.code.remove()

    def hash(self) -> str:
        """Return the hash of declaration and code."""
        declaration = hashing.hashJSONFile(self.json.path, "description")
        if not os.path.isfile(self.code.path):
            return declaration
        code = hashing.hashFileContents(self.code.path)
        return hashing.hash({"declaration": declaration, "code": code})

    def load(self) -> CodeDeclaration:
        """Return (declaration, code, description); the latter two are None when not there."""
        return CodeDeclaration(self.json.load(), self.code.try_load(), self.doc.try_load())

    def save(
        self,
        declaration: str | Mapping[str, Any],
        code: str | bytes | None = None,
        description: str | bytes | None = None,
    ) -> None:
        """Write the declaration (text or dictionary), the code and the documentation."""
        if self.language == "unknown":
            self.language = _declared_language(declaration)
        if code:
            self.code.save(code)
        self._save_texts(declaration, description)


class UserStorage(Storage):
    """The files of a user's object without code.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    name : str
        ``user/name/version``; anything else raises `RuntimeError`.
    """

    def __init__(self, prefix: str, name: str) -> None:
        super().__init__(self._take_name(prefix, name, 3))


class UserCodeStorage(CodeStorage):
    """The files of a user's object with code.

    Parameters
    ----------
    prefix : str
        The prefix folder.
    name : str
        ``user/name/version``; anything else raises `RuntimeError`.
    language : str, optional
        The language of the code, by default the declared one.
    """

    def __init__(self, prefix: str, name: str, language: str | None = None) -> None:
        super().__init__(self._take_name(prefix, name, 3), language)


def _declared_language(declaration: str | bytes | Mapping[str, Any]) -> str:
    """Return the language a declaration names, ``unknown`` when it names none that is known."""
    if isinstance(declaration, (str, bytes)):
        try:
            _, declaration = jsontext.parse(declaration)
        except jsontext.MalformedJSON:
            return "unknown"
    language = declaration.get("language") if isinstance(declaration, Mapping) else None
    return language if isinstance(language, str) and language in EXTENSIONS else "unknown"


def __getattr__(name: str) -> Any:
    """Load the encoder of JSON when it is asked for: blocks run without it."""
    if name == "NumpyJSONEncoder":
        from .numpyjson import NumpyJSONEncoder

        return NumpyJSONEncoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def error_on_duplicate_key_hook(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Make an ordered dictionary of the pairs of a JSON object.

    Raises
    ------
    RuntimeError
        If a key stands twice.
    """
    items: dict[str, Any] = collections.OrderedDict()
    for key, value in pairs:
        if key in items:
            raise RuntimeError(f"Invalid file content\n{key} found several times")
        items[key] = value
    return items


def has_argument(method: Callable[..., Any], argument: str) -> bool:
    """Tell whether a callable declares an argument of that name."""
    from inspect import signature

    return argument in signature(method).parameters
