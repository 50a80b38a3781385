"""Everything that is wrong with a configuration, at once, before anything is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from typing import Any

from .aliases import own_name
from .config import folder_of, where
from .errors import ClassNotFound, ConfigError, shorten, suggest
from .lookup import class_names, locate_class
from .requirements import KEYS, format_requirements

#: the keyword arguments that components get besides their parameters
ARGUMENTS = {
    "resource": {"classname", "data_manager", "input_filename", "start_position", "end_position"},
    "stage": {"name", "classname", "data_manager", "requires"},
}
FLOW_KEYS = ("source", "stages", "drop")
SECTION_KEYS = ("classname", "dset_name", "path", "params", "requires")
ARGUMENTS["generator"] = ARGUMENTS["resource"] | {"dset_name"}


def check_config(config: Any) -> list[str]:
    """Return what is wrong with the form of a configuration, each with file and line if known."""
    if not isinstance(config, dict):
        return [f"a configuration must be a mapping with the key `flow', got {_kind(config)}"]
    flow = config.get("flow")
    if "flow" not in config:
        return [f"{where(config)}the key `flow' is missing{suggest('flow', _texts(config))}"]
    if not isinstance(flow, dict):
        return [f"{where(config, 'flow')}`flow' must be a mapping, got {_kind(flow)}"]
    problems = [
        *_check_source(config, flow),
        *_check_stages(config, flow),
        *_check_texts(flow, "drop", "paths of datasets"),
        *_check_resources(config),
    ]
    return list(dict.fromkeys(problems))  # a stage may be there twice


def check_classes(config: Any) -> list[str]:
    """Return which classes of a configuration cannot be found; no code is run to tell."""
    problems = []
    for section in components(config):
        try:
            _find(section["classname"], section.get("path"), folder_of(config))
        except (ClassNotFound, SyntaxError) as error:
            problems.append(f"{where(section, 'classname')}{error}")
    return problems


def find_unused(config: Any) -> list[str]:
    """Return what a valid configuration says without effect, such as misspelt optional keys."""
    flow = config["flow"]
    names = {"flow", "resources", flow["source"], *(flow.get("stages") or [])}
    unused = [
        f"{where(config, key)}the section `{key}' is not used" for key in config if key not in names
    ]
    unused += _unknown(flow, FLOW_KEYS, "flow")
    for section in components(config):
        unused += _unknown(section, SECTION_KEYS, f"`{section['classname']}'")
        for item in section.get("requires") or []:
            if isinstance(item, dict):
                unused += _unknown(item, KEYS, f"requirement `{item['name']}'")
    return list(dict.fromkeys(unused))


def _unknown(section: Any, known: Iterable[str], what: str) -> list[str]:
    return [
        f"{where(section, key)}the key `{key}' of {what} is not used{suggest(str(key), known)}"
        for key in section
        if key not in known
    ]


def components(config: Any) -> list[Any]:
    """Return the sections of a valid configuration that name classes, in order of their making."""
    flow = config["flow"]
    names = [flow["source"], *(flow.get("stages") or [])]
    return [*(config.get("resources") or []), *(config[name] for name in names if name in config)]


def _check_source(config: Any, flow: Any) -> Iterator[str]:
    source = flow.get("source")
    if not isinstance(source, str) or not source:
        yield (
            f"{where(flow, 'source')}flow.source must be the name of a generator or of a dataset, "
            f"got {_kind(source) if 'source' in flow else 'nothing'}"
        )
    elif source in config:
        yield from _check_component(config, source, source, "generator")


def _check_stages(config: Any, flow: Any) -> Iterator[str]:
    problems = list(_check_texts(flow, "stages", "names of stages"))
    yield from problems
    if problems:
        return
    sections = [key for key in _texts(config) if key not in ("flow", "resources")]
    for number, name in enumerate(flow.get("stages") or []):
        if name in config:
            yield from _check_component(config, name, name, "stage")
        else:
            yield (
                f"{where(flow['stages'], number)}flow.stages: there is no section `{name}'"
                f"{suggest(name, sections)}"
            )


def _check_resources(config: Any) -> Iterator[str]:
    resources = config.get("resources")
    if resources is None:
        return
    if not isinstance(resources, list):
        yield f"{where(config, 'resources')}resources must be a list, got {_kind(resources)}"
        return
    for number in range(len(resources)):
        yield from _check_component(resources, number, f"resources[{number}]", "resource")


def _check_component(parent: Any, key: Any, name: str, role: str) -> Iterator[str]:
    section = parent[key]
    if not isinstance(section, dict):
        yield f"{where(parent, key)}{role} `{name}' must be a mapping, got {_kind(section)}"
        return
    needed = ["classname", "dset_name"] if role == "generator" else ["classname"]
    for item in needed:
        if not isinstance(section.get(item), str):
            yield (
                f"{where(section, item)}{role} `{name}' must have a `{item}', text, "
                f"got {_kind(section[item]) if item in section else 'nothing'}"
            )
    if not isinstance(section.get("path"), (str, type(None))):
        yield f"{where(section, 'path')}{role} `{name}': path must be a module, as text"
    yield from _check_params(section, name, role)
    if role == "stage":
        yield from _check_requires(section, name)


def _check_params(section: Any, name: str, role: str) -> Iterator[str]:
    params = section.get("params")
    if params is None:
        return
    if not isinstance(params, dict):
        yield f"{where(section, 'params')}{role} `{name}': params must be a mapping"
        return
    for key in params:
        if not isinstance(key, str):
            yield f"{where(params, key)}{role} `{name}': a parameter's name must be text: {key!r}"
        elif key in ARGUMENTS[role]:
            yield f"{where(params, key)}{role} `{name}': no parameter can be called `{key}'"


def _check_requires(section: Any, name: str) -> Iterator[str]:
    requires = section.get("requires")
    if requires is None:
        return
    if not isinstance(requires, list):
        yield f"{where(section, 'requires')}stage `{name}': requires must be a list"
        return
    for number, item in enumerate(requires):
        try:
            format_requirements([item])
        except ConfigError as error:
            yield f"{where(requires, number)}stage `{name}': {error}"


def _check_texts(flow: Any, key: str, what: str) -> Iterator[str]:
    texts = flow.get(key)
    if texts is None:
        return
    if not isinstance(texts, list):
        yield f"{where(flow, key)}flow.{key} must be a list of {what}, got {_kind(texts)}"
        return
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip("/"):
            yield f"{where(texts, number)}flow.{key}: expected text, got {shorten(repr(text))}"


def _find(classname: str, path: str | None, folders: Iterable[str]) -> None:
    """Look for a class as `get_class` does, but without running anything."""
    if path is None:
        locate_class(classname, folders)
        return
    spec = _find_module(own_name(path))
    if spec is None:
        raise ClassNotFound(f"no module `{path}'")
    names = class_names(spec.origin) if spec.origin else None
    if names is not None and classname not in names:
        raise ClassNotFound(f"no class `{classname}' in module `{path}'{suggest(classname, names)}")


def _find_module(path: str) -> ModuleSpec | None:
    top, *below = path.split(".")
    try:
        spec = find_spec(top)
    except ValueError:
        return None
    name = top
    for part in below:
        name = f"{name}.{part}"
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def _texts(config: Any) -> list[str]:
    return [key for key in config if isinstance(key, str)]


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kind = "mapping" if isinstance(value, dict) else type(value).__name__.lower()
    return f"{'list' if isinstance(value, list) else kind} {shorten(repr(value))}"
