"""Configurations of flows: YAML files that may include others, each value knowing its place."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Hashable, Iterator
from typing import Any

from ..exceptions import MissingExtra
from .errors import ConfigError, shorten

try:
    import yaml
except ImportError as error:
    raise MissingExtra("flows", "yaml", "hdf5") from error

MOST_BYTES = 16 << 20
_WILDCARDS = re.compile(r"[*?]|\[.+\]")


class Section(dict[Any, Any]):
    """A mapping that knows in which file and line it and its keys are."""

    def __init__(self, file: str, line: int) -> None:
        super().__init__()
        self.file = file
        self.line = line
        self.lines: dict[Any, int] = {}


class Items(list[Any]):
    """A list that knows in which file and line it and its items are."""

    def __init__(self, file: str, line: int) -> None:
        super().__init__()
        self.file = file
        self.line = line
        self.lines: dict[Any, int] = {}


def where(node: Any, key: Any = None) -> str:
    """Return ``file:line: `` of a value, or of an item in it; nothing if it has no place."""
    value = node[key] if key is not None and _has(node, key) else None
    if not isinstance(node, (Section, Items)):
        return ""
    if isinstance(value, (Section, Items)) and value.file != node.file:  # it was included
        node, key = value, None
    return f"{node.file}:{node.lines.get(key, node.line)}: "


def _has(node: Any, key: Any) -> bool:
    if isinstance(node, dict):
        return key in node
    return isinstance(node, list) and isinstance(key, int) and key < len(node)


def folder_of(config: Any) -> list[str]:
    """Return the folder a configuration was read from; nothing if it was not read."""
    return [os.path.dirname(os.path.abspath(config.file))] if isinstance(config, Section) else []


def plain(value: Any, known: dict[int, Any] | None = None) -> Any:
    """Return a value as dictionaries and lists without places; what is shared stays shared."""
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, dict):
        copy: Any = known.setdefault(id(value), {})
        copy.update((key, plain(item, known)) for key, item in value.items())
        return copy
    if isinstance(value, list):
        copy = known.setdefault(id(value), [])
        copy.extend(plain(item, known) for item in value)
        return copy
    return value


def load_config(path: str) -> Any:
    """Read a configuration.

    ``!include FILE`` stands for the content of another file, looked for beside the file it is in
    and then in the working folder. With wildcards in the name, it stands for a list of contents.
    ``!include [FILE, true]`` and ``!include {pathname: FILE, recursive: true}`` let ``**`` mean
    any folders.

    Returns
    -------
    Section
        The parsed content.

    Raises
    ------
    ConfigError
        With file and line, if a file cannot be read, is no YAML, has a key twice or includes
        itself. Tags that would make Python objects are errors as well.
    """
    return _read(path, ())


def _read(path: str, including: tuple[str, ...]) -> Any:
    real = os.path.realpath(path)
    if real in including:
        raise ConfigError(f"{path}: the file includes itself")
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise ConfigError(f"{path}: larger than {MOST_BYTES} bytes")
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        loader = _Loader(text, path, (*including, real))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: {shorten(error.problem)}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {shorten(error)}") from error
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


class _Loader(yaml.SafeLoader):
    """Makes sections and items, and follows includes."""

    def __init__(self, text: str, path: str, including: tuple[str, ...]) -> None:
        super().__init__(text)
        self.path = path
        self.including = including

    def section(self, node: Any) -> Iterator[Section]:
        """Make a mapping; its keys must differ, but for those that are merged into it."""
        section = Section(self.path, node.start_mark.line + 1)
        yield section
        own: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be plain text or a number", key_node.start_mark
                )
            if key in own:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key}' stands here a second time", key_node.start_mark
                )
            own.add(key)
        self.flatten_mapping(node)
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            section.lines[key] = key_node.start_mark.line + 1
            section[key] = self.construct_object(value_node)

    def items(self, node: Any) -> Iterator[Items]:
        """Make a list."""
        items = Items(self.path, node.start_mark.line + 1)
        yield items
        for number, item_node in enumerate(node.value):
            items.lines[number] = item_node.start_mark.line + 1
            items.append(self.construct_object(item_node))

    def include(self, node: Any) -> Any:
        """Read what is to stand in the place of an include."""
        pathname, recursive = self._include_arguments(node)
        place = f"{self.path}:{node.start_mark.line + 1}"
        folders = dict.fromkeys([os.path.dirname(os.path.abspath(self.path)), os.getcwd()])
        candidates = [os.path.join(folder, pathname) for folder in folders]
        if _WILDCARDS.search(pathname):
            found = (sorted(glob.glob(name, recursive=recursive)) for name in candidates)
            items = Items(self.path, node.start_mark.line + 1)
            items.extend(_read(name, self.including) for name in next(filter(None, found), []))
            return items
        path = next(filter(os.path.exists, candidates), None)
        if path is None:
            raise ConfigError(
                f"{place}: no file `{pathname}' to include, in {' or '.join(folders)}"
            )
        try:
            return _read(_shortest(path), self.including)
        except ConfigError as error:
            raise ConfigError(*error.problems, f"  included at {place}") from error

    def _include_arguments(self, node: Any) -> tuple[str, bool]:
        if isinstance(node, yaml.ScalarNode):
            arguments: list[Any] = [self.construct_scalar(node)]
        elif isinstance(node, yaml.SequenceNode):
            arguments = self.construct_sequence(node)
        else:
            mapping = self.construct_mapping(node)
            arguments = [mapping.get("pathname"), mapping.get("recursive", False)]
        if not arguments or not isinstance(arguments[0], str) or not arguments[0]:
            raise yaml.constructor.ConstructorError(
                None, None, "an include needs the name of a file", node.start_mark
            )
        return arguments[0], bool(arguments[1]) if len(arguments) > 1 else False


def _shortest(path: str) -> str:
    """Return a path relative to the working folder if that is where it is."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.section)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.items)
_Loader.add_constructor("!include", _Loader.include)
