"""What is in the folder of a run, and what is known of each object in it.

An object is a file, or a folder, named by the object and the extension of its type. How it was
saved stands beside it in a load info, a small JSON file. Stores of earlier packages keep that as a
pickle; such a file is read without running what is in it.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from ..publish import publish
from .base import Names, TypeInfo
from .configuration import MAXIMUM_FILE_NAME, check_plain, parse
from .errors import (
    READ_ERRORS,
    Address,
    InvalidName,
    StoreError,
    UnreadableObject,
    UnserialisableObject,
    UntrustedPickle,
)
from .registry import find_type
from .staging import Stage, make_folders

OLD_INFOS = (Names.FLUIDML_DIR.value, ".load_info")  # where earlier packages keep theirs
_SUFFIX = "_load_info"
_PLAIN = {("builtins", name) for name in ("set", "frozenset", "bytearray", "complex")} | {
    ("collections", "OrderedDict")
}


@dataclass(frozen=True)
class LoadInfo:
    """How an object was saved.

    Attributes
    ----------
    type_ : str
        The name of its type.
    obj_dir : str
        The folder in the run's folder; empty for that itself.
    open_kwargs, load_kwargs : dict
        Keywords to open and load it with.
    """

    type_: str
    obj_dir: str = ""
    open_kwargs: Mapping[str, Any] = field(default_factory=dict)
    load_kwargs: Mapping[str, Any] = field(default_factory=dict)


def make_info(
    type_: str,
    sub_dir: str | os.PathLike[str] | None,
    open_kwargs: Mapping[str, Any] | None,
    load_kwargs: Mapping[str, Any] | None,
    address: Address,
) -> LoadInfo:
    """Return the load info of an object that is to be saved.

    Raises
    ------
    InvalidName
        If ``sub_dir`` could lead out of the run's folder.
    UnserialisableObject
        If the keywords have no JSON form, in which they are kept.
    """
    folder = _plain_folder(os.fspath(sub_dir or ""), address)
    info = LoadInfo(type_, folder, dict(open_kwargs or {}), dict(load_kwargs or {}))
    try:
        _encode(info)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnserialisableObject(
            f"open_kwargs and load_kwargs must have a JSON form: {str(error)[:200]}", address
        ) from error
    return info


def _encode(info: LoadInfo) -> bytes:
    return json.dumps(asdict(info)).encode()


def _plain_folder(sub_dir: str, address: Address) -> str:
    """Return a relative folder without detours."""
    if os.path.isabs(sub_dir):
        raise InvalidName(f"sub_dir must be relative, not {sub_dir[:200]!r}", address)
    pieces = [piece for piece in sub_dir.split("/") if piece not in ("", ".")]
    for piece in pieces:
        check_plain("sub_dir", piece, address)
    return "/".join(pieces)


def object_place(
    name: str, info: LoadInfo, registry: Mapping[str, TypeInfo], address: Address
) -> str:
    """Return where an object is, seen from the run's folder.

    Raises
    ------
    UnknownType
        If there is no such type in the registry.
    InvalidName
        If it is no file name, or that of something of the store's own.
    """
    extension = find_type(registry, info.type_, address).extension
    filename = f"{name}.{extension}" if extension else name
    check_plain("file name", filename, address, MAXIMUM_FILE_NAME)
    is_info = info.obj_dir in OLD_INFOS and os.path.splitext(filename)[0].endswith(_SUFFIX)
    if is_info or (not info.obj_dir and filename == Names.CONFIG):
        raise InvalidName(f"the file {filename!r} is the store's own", address)
    return os.path.join(info.obj_dir, filename)


class _PlainUnpickler(pickle.Unpickler):
    """Reads containers, numbers and strings; everything that could run code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of a few harmless classes."""
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise UntrustedPickle(
            f"holds {module}.{name}; if you trust everybody who can write to the store, make the "
            "store with trusted=True"
        )


class RunFolder:
    """The objects of one run.

    Whoever calls this holds the lock of the task.

    Parameters
    ----------
    path : str
        The folder.
    staging : str
        The folder for what is on its way in or out.
    registry : dict
        The types of the store.
    trusted : bool
        Whether pickled load infos may hold anything.
    """

    def __init__(
        self, path: str, staging: str, registry: Mapping[str, TypeInfo], trusted: bool
    ) -> None:
        self.path = path
        self._staging = staging
        self._registry = registry
        self._trusted = trusted

    def info(self, name: str, address: Address) -> LoadInfo | None:
        """Return how an object was saved; None if there is no such object.

        Raises
        ------
        UnreadableObject, UntrustedPickle
            If its load info is damaged or not to be trusted.
        """
        path = self._info_path(name)
        try:
            with open(path, "rb") as f:
                return self._checked(parse(f.read().decode()), path, address)
        except FileNotFoundError:
            return self._old_info(name, address)
        except READ_ERRORS as error:
            raise _damaged(path, error, address) from error

    def _info_path(self, name: str) -> str:
        return os.path.join(self.path, Names.FLUIDML_DIR, f".{name}{_SUFFIX}.json")

    def _old_info_paths(self, name: str) -> list[str]:
        filename = f".{name.lstrip('.')}{_SUFFIX}.p"
        return [os.path.join(self.path, folder, filename) for folder in OLD_INFOS]

    def _old_info(self, name: str, address: Address) -> LoadInfo | None:
        for path in self._old_info_paths(name):
            with suppress(FileNotFoundError), open(path, "rb") as f:
                return self._unpickled(f, path, address)
        return None

    def _unpickled(self, file: IO[bytes], path: str, address: Address) -> LoadInfo:
        reader = pickle.Unpickler if self._trusted else _PlainUnpickler
        try:
            return self._checked(reader(file).load(), path, address)
        except UntrustedPickle as error:
            raise UntrustedPickle(f"its load info {path!r} {error}", address) from None
        except (*READ_ERRORS, AttributeError, ImportError, IndexError, KeyError) as error:
            raise _damaged(path, error, address) from error

    def _checked(self, content: Any, path: str, address: Address) -> LoadInfo:
        """Return a load info of which nothing leads out of the folder."""
        if not isinstance(content, Mapping) or not isinstance(content.get("type_"), str):
            raise ValueError("it names no type")
        folder: Any = content.get("obj_dir") or ""
        opening: Any = content.get("open_kwargs") or {}
        loading: Any = content.get("load_kwargs") or {}
        if not isinstance(opening, Mapping) or not isinstance(loading, Mapping):
            raise ValueError("the keywords are no dictionaries")
        if not isinstance(folder, str):
            raise ValueError("its folder is no text")
        folder = _plain_folder(folder, address)
        return LoadInfo(content["type_"], folder, dict(opening), dict(loading))

    def object_path(self, name: str, info: LoadInfo, address: Address) -> str:
        """Return where an object is.

        Raises
        ------
        UnknownType
            If the store does not know its type.
        InvalidName
            If it would be outside of the folder, or in the place of something else.
        """
        place = object_place(name, info, self._registry, address)
        path = os.path.join(self.path, place)
        if info.obj_dir:
            folder, home = os.path.realpath(os.path.dirname(path)), os.path.realpath(self.path)
            if os.path.commonpath([folder, home]) != home:
                raise InvalidName(f"{info.obj_dir!r} leads out of the run's folder", address)
        return path

    def put(self, stage: Stage, name: str, info: LoadInfo, address: Address) -> None:
        """Publish new content of an object, and how to load it.

        A load info without object is no object, so for a new one the info comes first: whoever
        is killed in between leaves nothing that would be in anybody's way.
        """
        path = self.object_path(name, info, address)
        old = self._current_path(name, address)
        exists = os.path.lexists(path)
        if exists:
            self._refuse_stranger(path, name, old, address)
        for folder in (os.path.dirname(path), os.path.dirname(self._info_path(name))):
            make_folders(folder)
        if old is None and not exists:
            self._put_info(name, info)
        stage.put(path)
        self._put_info(name, info)
        if old is not None and old != path:
            self._drop(old)

    def _put_info(self, name: str, info: LoadInfo) -> None:
        path, content = self._info_path(name), _encode(info)
        if _content(path) != content:
            publish(path, content)

    def _current_path(self, name: str, address: Address) -> str | None:
        """Return where the object is now; None if that cannot be told."""
        try:
            info = self.info(name, address)
            return None if info is None else self.object_path(name, info, address)
        except StoreError:  # damaged, or of a type this store does not know: it is replaced
            return None

    def _refuse_stranger(self, path: str, name: str, old: str | None, address: Address) -> None:
        """Raise `InvalidName` if what is at a path is, or holds, something else than the object."""
        is_folder = os.path.isdir(path)
        if old == path and not is_folder:
            return
        for other in self.names():
            place = self._current_path(other, address) if other != name else None
            if place is not None and (place == path or place.startswith(path + os.sep)):
                raise InvalidName(f"{path!r} is, or holds, the object {other!r}", address)
        if old != path and is_folder:
            raise InvalidName(f"there is another folder in its place, {path!r}", address)

    def names(self) -> list[str]:
        """Return the names of the objects; those of earlier packages without leading dots."""
        names = []
        with suppress(FileNotFoundError):
            for file in sorted(os.listdir(os.path.join(self.path, Names.FLUIDML_DIR))):
                stem, extension = os.path.splitext(file)
                if stem[0] == "." and stem.endswith(_SUFFIX) and extension in (".json", ".p"):
                    names.append(stem[1 : -len(_SUFFIX)])
        return names

    def _drop(self, path: str) -> None:
        """Remove a file or a folder, if it is there, from its place in one step."""
        with suppress(FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(path) or os.path.islink(path):
                os.unlink(path)
                return
            stage = Stage(self._staging, os.path.basename(path))
            try:
                stage.take(path)
            finally:
                stage.discard()

    def remove(self, name: str, address: Address) -> bool:
        """Remove an object and its load info; False if its file was not there."""
        path = self._current_path(name, address)
        there = path is not None and os.path.lexists(path)
        if path is not None:
            self._drop(path)
        for info in (self._info_path(name), *self._old_info_paths(name)):
            with suppress(FileNotFoundError):
                os.unlink(info)
        return there


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def _damaged(path: str, error: Exception, address: Address) -> UnreadableObject:
    return UnreadableObject(f"its load info {path!r} is damaged: {str(error)[:200]}", address)
