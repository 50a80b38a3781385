"""How an object was saved: what stands beside it in a small file, to load it by.

The file is JSON. Stores of earlier packages have pickles instead; these are read without running
what is in them.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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

INFO_FOLDERS = (Names.FLUIDML_DIR.value, ".load_info")  # the second one is of earlier packages
SUFFIX = "_load_info"
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
    previous : LoadInfo or None
        What holds until the object is in its place: it is on its way there from another one.
    """

    type_: str
    obj_dir: str = ""
    open_kwargs: Mapping[str, Any] = field(default_factory=dict)
    load_kwargs: Mapping[str, Any] = field(default_factory=dict)
    previous: LoadInfo | None = None

    def content(self) -> dict[str, Any]:
        """Return what the file holds."""
        content: dict[str, Any] = {
            "type_": self.type_,
            "obj_dir": self.obj_dir,
            "open_kwargs": self.open_kwargs,
            "load_kwargs": self.load_kwargs,
        }
        if self.previous is not None:
            content["previous"] = self.previous.content()
        return content


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
        json.dumps(info.content())
    except (TypeError, ValueError, RecursionError) as error:
        raise UnserialisableObject(
            f"open_kwargs and load_kwargs must have a JSON form: {str(error)[:200]}", address
        ) from error
    return info


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
    is_info = info.obj_dir in INFO_FOLDERS and os.path.splitext(filename)[0].endswith(SUFFIX)
    if is_info or (not info.obj_dir and filename == Names.CONFIG):
        raise InvalidName(f"the file {filename!r} is the store's own", address)
    return os.path.join(info.obj_dir, filename)


def read_info(path: str, address: Address) -> LoadInfo:
    """Read a load info.

    Raises
    ------
    FileNotFoundError
        If there is none.
    UnreadableObject, InvalidName
        If it is damaged, or leads out of the run's folder.
    """
    with open(path, "rb") as f:
        content = f.read()
    try:
        return _checked(parse(content.decode()), address)
    except StoreError:
        raise
    except READ_ERRORS as error:
        raise _damaged(path, error, address) from error


def read_pickled_info(path: str, trusted: bool, address: Address) -> LoadInfo:
    """Read a load info of an earlier package.

    Parameters
    ----------
    path : str
        The file.
    trusted : bool
        Whether it may hold anything, or containers, numbers, strings and bytes only.
    address : Address
        The object.

    Raises
    ------
    UntrustedPickle
        If it holds something else.
    FileNotFoundError, UnreadableObject, InvalidName
        As for `read_info`.
    """
    with open(path, "rb") as f:
        reader = pickle.Unpickler(f) if trusted else _PlainUnpickler(f)
        try:
            return _checked(reader.load(), address)
        except UntrustedPickle as error:
            raise UntrustedPickle(f"its load info {path!r} {error}", address) from None
        except StoreError:
            raise
        except (*READ_ERRORS, AttributeError, ImportError, IndexError, KeyError) as error:
            raise _damaged(path, error, address) from error


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


def _checked(content: Any, address: Address) -> LoadInfo:
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
    previous = content.get("previous")
    return LoadInfo(
        content["type_"],
        _plain_folder(folder, address),
        dict(opening),
        dict(loading),
        None if previous is None else _checked(previous, address),
    )


def _damaged(path: str, error: Exception, address: Address) -> UnreadableObject:
    return UnreadableObject(f"its load info {path!r} is damaged: {str(error)[:200]}", address)
