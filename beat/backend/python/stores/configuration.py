"""Configurations: what makes two of them the same, and which stored one answers a query.

A run is found by the configuration that made it. Two configurations are the same if their
canonical JSON texts are: keys sorted, tuples as lists, integer keys as texts, NaN the same as NaN,
and 1, 1.0 and true three different things.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from ..hash import hash as digest_of
from .errors import Address, AmbiguousRun, ConfigurationError, InvalidName

Shape = tuple[str, ...]
Found = TypeVar("Found")

MAXIMUM_NAME = 200  # bytes; file systems take 255, and load infos and temporary names add to it
MAXIMUM_FILE_NAME = 240


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return items


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

parse = json.JSONDecoder(object_pairs_hook=_unique_keys).decode
"""Read JSON in which no key may stand twice; `ValueError` if it is none."""


class Configuration:
    """The configuration of a run in its JSON form.

    Parameters
    ----------
    config : dict
        What the caller gives; it is copied.

    Attributes
    ----------
    content : dict
        The same after a round trip through JSON.
    digest : str
        The SHA-256 of the canonical text.
    shape : tuple of str
        The top-level keys, sorted.

    Raises
    ------
    TypeError, ValueError, RecursionError
        If it is not a dictionary or has no JSON form.
    """

    def __init__(self, config: Mapping[Any, Any]) -> None:
        if not isinstance(config, Mapping):
            raise TypeError(f"expected a dictionary, got {type(config).__name__}")
        self.content: dict[str, Any] = parse(json.dumps(dict(config)))
        self._text = _canonical(self.content)
        self.digest = digest_of(self._text)
        self.shape: Shape = tuple(sorted(self.content))

    def __str__(self) -> str:
        """Return the canonical text."""
        return self._text

    @cached_property
    def _items(self) -> dict[str, str]:
        """The canonical texts of the single items."""
        return {
            key: f"{_canonical(key)}:{_canonical(value)}" for key, value in self.content.items()
        }

    def part(self, shape: Shape) -> str | None:
        """Return the digest of these keys alone; None unless they are some but not all of ours."""
        if len(shape) >= len(self.shape) or not all(key in self.content for key in shape):
            return None
        return digest_of("{" + ",".join(self._items[key] for key in shape) + "}")


def shorten(text: str, length: int = 300) -> str:
    """Cut a text in its middle."""
    if len(text) <= length:
        return text
    return f"{text[: length - 60]} ... {text[-50:]}"


class Target:
    """What a call of a store is about: checked before anything is done.

    Parameters
    ----------
    task_name : str
        The task.
    config : dict
        The configuration of the run.
    name : str, optional
        The object.

    Attributes
    ----------
    configuration : Configuration
        The configuration.
    address : Address
        How errors call it.

    Raises
    ------
    InvalidName
        If a name could lead out of its folder.
    ConfigurationError
        If the configuration has no JSON form.
    """

    def __init__(self, task_name: str, config: Mapping[Any, Any], name: str | None = None) -> None:
        try:
            self.configuration = Configuration(config)
        except (TypeError, ValueError, RecursionError) as error:
            address = Address(str(task_name)[:200], shorten(_repr(config)), _cut(name))
            raise ConfigurationError(
                f"the configuration has no JSON form: {str(error)[:300]}", address
            ) from error
        text = shorten(str(self.configuration))
        self.address = Address(str(task_name)[:200], text, _cut(name))
        check_plain("task name", task_name, self.address)
        if name is not None:
            check_plain("object name", name, self.address)
        self.task_name = task_name
        self.name = name or ""


def _cut(name: object) -> str | None:
    return None if name is None else str(name)[:200]


def _repr(config: object) -> str:
    """Return a text for any object, of whatever depth and however broken."""
    try:
        return repr(config)
    except Exception:  # noqa: BLE001 - a caller's own repr; it must not hide the real error
        return f"<{type(config).__name__}>"


def check_plain(what: str, name: object, address: Address, maximum: int = MAXIMUM_NAME) -> None:
    """Refuse a name that is not that of a single file or folder.

    Raises
    ------
    InvalidName
        If it is empty, ``.`` or ``..``, too long, or holds a slash or an unprintable character.
    """
    if (
        not isinstance(name, str)
        or name in ("", ".", "..")
        or not name.isprintable()
        or "/" in name
        or "\\" in name
        or len(name.encode()) > maximum
    ):
        raise InvalidName(
            f"invalid {what} {str(name)[:200]!r} (expected printable text of at most "
            f"{maximum} bytes without slashes)",
            address,
        )


def largest_part(
    target: Target, shapes: Iterable[Shape], find: Callable[[str], Found | None]
) -> Found | None:
    """Return the run of the largest stored configuration that is part of the wanted one.

    A stored configuration is part of the wanted one if each of its top-level keys is there with
    an equal value: so a task finds the runs of the tasks before it by its own configuration.
    The cost depends on how many different sets of keys are stored, not on how many runs.

    Parameters
    ----------
    target : Target
        The query.
    shapes : iterable of tuples of str
        The sets of keys that stored configurations have, each sorted.
    find : callable
        Gives the run of a digest, or None.

    Raises
    ------
    AmbiguousRun
        If two of the same size fit.
    """
    hits: list[tuple[Shape, Found]] = []
    for shape in sorted(set(shapes), key=lambda shape: (-len(shape), shape)):
        if hits and len(shape) < len(hits[0][0]):
            break
        digest = target.configuration.part(shape)
        found = None if digest is None else find(digest)
        if found is not None:
            hits.append((shape, found))
    if len(hits) > 1:
        listed = "; ".join(f"{found} with {list(shape)}" for shape, found in hits)
        raise AmbiguousRun(
            f"several stored runs fit equally well: {shorten(listed, 600)}", target.address
        )
    return hits[0][1] if hits else None
