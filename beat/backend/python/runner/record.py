"""Records of everything that went into an output, and what changed since an earlier one.

The hash in the name of a cache file covers algorithm, parameters, environment and inputs, and has
to stay as it is. Libraries, dataformats, the contents of databases and the other side of a loop do
not enter it. So a record stands in a tree of its own, ``.beat/records`` under the cache, for every
output made here: an output whose record differs from what it would be made of now is stale.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import simplejson

from ..algorithm import Algorithm
from ..asset import JSON, Asset
from ..database import Database
from ..experiment import Experiment
from ..hash import hash as hash_text
from ..hash import hashFileContents
from ..publish import publish
from .plan import Block, Plan

VERSION = 1
DIGEST = "sha256"


def read_json(path: str) -> JSON | None:
    """Return what a file of ours holds; None if it is not there or damaged."""
    try:
        with open(path, encoding="utf-8") as f:
            content = simplejson.load(f)
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    expected = content.pop(DIGEST, None)
    return content if expected in (None, _digest(content)) else None


def write_json(path: str, content: JSON) -> None:
    """Write a file of ours with the digest of its content, making its folder."""
    plain = simplejson.loads(simplejson.dumps(content))
    text = simplejson.dumps({**plain, DIGEST: _digest(plain)}, indent=1, sort_keys=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    publish(path, text.encode("utf-8"))


def _digest(content: JSON) -> str:
    return hash_text(simplejson.dumps(content, sort_keys=True))


def make_records(cache: str, experiment: Experiment, plan: Plan) -> dict[str, JSON]:
    """Return what each block is to be made of, by its name.

    Raises
    ------
    RuntimeError
        If two blocks would make different outputs of the same name.
    """
    made: dict[str, str] = {}
    records: dict[str, JSON] = {}
    makers: dict[str, str] = {}
    hash_of = lru_cache(maxsize=None)(lambda asset: asset.hash())  # files are read once
    for block in plan.blocks:
        record = _record(cache, experiment, block, made, hash_of)
        for path in block.paths:
            other = makers.setdefault(path, block.name)
            if other != block.name and _contents(records[other]) != _contents(record):
                raise RuntimeError(_conflict(other, block.name))
        made.update(dict.fromkeys(block.paths, _digest(record)))
        records[block.name] = record
    return records


def _contents(record: JSON) -> JSON:
    """Return a record without the names of algorithms, which change nothing that they make."""
    algorithms = [sorted(v.values()) for k, v in record.items() if k.endswith("algorithm")]
    return {k: v for k, v in record.items() if not k.endswith("algorithm")} | {"code": algorithms}


def _conflict(one: str, other: str) -> str:
    return (
        f"blocks `{one}' and `{other}' would make different outputs of the same name: the other "
        "side of a loop, and the content of libraries, do not enter the names of outputs. Let the "
        "algorithms or their parameters differ too"
    )


def _record(
    cache: str,
    experiment: Experiment,
    block: Block,
    made: dict[str, str],
    hash_of: Callable[[Asset], str],
) -> JSON:
    record: JSON = {"version": VERSION, "channel": block.configuration["channel"]}
    for prefix, side in zip(("", "evaluator "), block.sides, strict=False):
        algorithm = experiment.algorithms[side["algorithm"]]
        record[prefix + "algorithm"] = {str(algorithm.name): hash_of(algorithm)}
        record[prefix + "parameters"] = {**_defaults(algorithm), **side["parameters"]}
        record[prefix + "environment"] = side["environment"]
        record[prefix + "libraries"] = {
            name: hash_of(library) for name, library in _all_libraries(algorithm.libraries)
        }
        record[prefix + "dataformats"] = {
            name: hash_of(dataformat)
            for name, dataformat in algorithm.dataformats.items()
            if dataformat.valid
        }
        record[prefix + "inputs"] = {
            name: _input_record(cache, experiment, item, made, hash_of)
            for name, item in side["inputs"].items()
        }
    return record


def _defaults(algorithm: Algorithm) -> JSON:
    """Return the defaults of an algorithm's parameters, as plain values."""
    declared = (algorithm.parameters or {}).items()
    found = {name: item["default"] for name, item in declared if "default" in item}
    return {name: getattr(value, "tolist", lambda v=value: v)() for name, value in found.items()}


def _all_libraries(libraries: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield libraries and what they use in turn."""
    seen: dict[str, Any] = {}
    waiting = dict(libraries)
    while waiting:
        name, library = waiting.popitem()
        if name not in seen:
            seen[name] = library
            waiting.update(library.libraries)
    yield from seen.items()


def _input_record(
    cache: str,
    experiment: Experiment,
    item: JSON,
    made: dict[str, str],
    hash_of: Callable[[Asset], str],
) -> Any:
    if "database" not in item:
        return made[item["path"]]
    database: Database = experiment.databases[item["database"]]
    index = os.path.join(cache, item["path"])
    return {
        "set": f"{item['database']}/{item['protocol']}/{item['set']}/{item['output']}",
        "database": hash_of(database),
        "index": hashFileContents(index) if os.path.isfile(index) else None,
    }


def differences(old: JSON, new: JSON) -> list[str]:
    """Say in words what of ``new`` is not as in ``old``."""
    found = []
    for part in sorted({*old, *new}):
        before, after = old.get(part), new.get(part)
        if before == after:
            continue
        if not isinstance(before, dict) or not isinstance(after, dict):
            found.append(f"{part} changed {before} -> {after}")
            continue
        found += [
            _difference(part, name, before.get(name), after.get(name))
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
    return found


_PARTS = {
    "parameters": "parameter",
    "libraries": "library",
    "dataformats": "dataformat",
    "inputs": "input",
}


def _difference(part: str, name: str, before: Any, after: Any) -> str:
    side, _, kind = part.rpartition(" ")
    what = f"{side} {_PARTS.get(kind, kind)}".strip()
    if kind == "parameters":
        return f'{what} "{name}" changed {before} -> {after}'
    if before is None or after is None:
        return f"{what} `{name}' is {'new' if before is None else 'not used any more'}"
    if kind == "environment":
        return f"{what} {name} changed {before} -> {after}"
    return f"{what} `{name}' changed"
