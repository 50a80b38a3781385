"""The types that every store knows: JSON, pickle and text."""

from __future__ import annotations

import difflib
import json
import pickle
from collections.abc import Mapping
from typing import IO, Any

from .base import TypeInfo
from .errors import Address, UnknownType, UntrustedPickle


def save_json(obj: Any, file: IO[str], **kwargs: Any) -> None:
    """Write an object as JSON; the keywords are those of `json.dumps`."""
    file.write(json.dumps(obj, **kwargs))


def save_text(obj: str, file: IO[str]) -> None:
    """Write a text."""
    file.write(obj)


def load_text(file: IO[str]) -> str:
    """Read a text."""
    return file.read()


def refuse_pickle(file: IO[bytes], **kwargs: Any) -> Any:
    """Raise `UntrustedPickle`: what `load` does for pickles in a store that is not trusted."""
    raise UntrustedPickle(
        "loading a pickle runs whatever code is in it, so it is refused; if you trust everybody "
        "who can write to the store, make the store with trusted=True"
    )


def builtin_types(trusted: bool) -> dict[str, TypeInfo]:
    """Return the registry that a new store starts with.

    Parameters
    ----------
    trusted : bool
        Whether pickles may be loaded.
    """
    load_pickle = pickle.load if trusted else refuse_pickle
    return {
        "json": TypeInfo(save_json, json.load, extension="json"),
        "pickle": TypeInfo(pickle.dump, load_pickle, extension="p", is_binary=True),
        "text": TypeInfo(save_text, load_text, extension="txt"),
        "event": TypeInfo(save_text, load_text),
    }


def find_type(registry: Mapping[str, TypeInfo], type_: object, address: Address) -> TypeInfo:
    """Return the type of a name.

    Raises
    ------
    UnknownType
        If the registry has none.
    """
    if isinstance(type_, str) and type_ in registry:
        return registry[type_]
    close = difflib.get_close_matches(str(type_)[:100], registry, n=1)
    hint = f", did you mean {close[0]!r}?" if close else ""
    raise UnknownType(
        f"unknown type {str(type_)[:100]!r} (supported: {', '.join(sorted(registry))}{hint})",
        address,
    )


def open_file(path: str, mode: str, **kwargs: Any) -> IO[Any]:
    """Open a file so that a text comes back as it was written, on every machine."""
    if "b" not in mode:
        kwargs.setdefault("encoding", "utf-8")
        kwargs.setdefault("newline", "")
    return open(path, mode, **kwargs)
