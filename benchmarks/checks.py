"""What it costs to check declarations, with all rules and the code beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from beat.backend.python.checks import open_catalog
from beat.backend.python.schema import KINDS, VERSIONS, load, validate

from .harness import Pair, case

EXAMPLES = Path(__file__).resolve().parent.parent / "prefix"


def write_copies(folder: Path, objects: int) -> list[tuple[str, Path]]:
    """Fill a prefix with copies of the example prefix; return the kind and file of each object."""
    found: list[tuple[str, Path]] = []
    number = 0
    while len(found) < objects:
        for path in sorted(EXAMPLES.rglob("*")):
            place = path.relative_to(EXAMPLES)
            if path.suffix not in (".json", ".py") or place.parts[0] in ("cache", "rawdata"):
                continue
            target = folder / _renamed(str(place), number)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(path.read_text(encoding="utf-8"), number), encoding="utf-8")
        number += 1
        found = [(k, p) for k in KINDS for p in (folder / KINDS[k].folder).rglob("*.json")]
    return found


def _renamed(text: str, number: int) -> str:
    for name in ("tutorial", "system", "digits", "iris", "verification"):
        text = text.replace(f"{name}/", f"{name}{number}/")
    return text


@case("check a prefix of n objects", 3, sizes=(100, 1000), growth=1.1)
def check(folder: Path, n: int) -> Iterator[Pair]:
    """The limit validates the same files with jsonschema alone, compiled before."""
    files = write_copies(folder, n)
    schemas = {
        (kind, version): Draft7Validator(load(kind, version))
        for kind, versions in VERSIONS.items()
        for version in versions
    }

    def ours() -> int:
        catalog = open_catalog(str(folder))
        entries = (catalog.find(kind, name) for kind in KINDS for name in catalog.names(kind))
        return sum(len(entry.findings) for entry in entries if entry is not None)

    def limit() -> int:
        errors = 0
        for kind, path in files:
            data = json.loads(path.read_bytes())
            version = data.get("schema_version", 1)
            errors += len(list(schemas[kind, version].iter_errors(data)))
        return errors

    yield Pair(ours, limit, len(files))


def _experiment(changes: int) -> dict[str, Any]:
    path = EXAMPLES / "experiments/tutorial/tutorial/digits/1/pca.json"
    data: dict[str, Any] = json.loads(path.read_bytes())
    for index, block in enumerate(data["blocks"].values()):
        if index < changes:
            block["algoritm"] = block.pop("algorithm")
    return data


@case("validate an experiment", 1.2)
def valid(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is jsonschema."""
    data, validator = _experiment(0), Draft7Validator(load("experiment", 1))
    yield Pair(
        lambda: len(validate("experiment", data)[1]), lambda: len(list(validator.iter_errors(data)))
    )


@case("tell ten errors with their places", 4)
def errors(folder: Path, n: int) -> Iterator[Pair]:
    """The limit is jsonschema, which tells no places."""
    text = json.dumps(_experiment(5), indent=4)
    validator = Draft7Validator(load("experiment", 1))

    def limit() -> int:
        return len(list(validator.iter_errors(json.loads(text))))

    yield Pair(lambda: len(validate("experiment", text)[1]), limit)
