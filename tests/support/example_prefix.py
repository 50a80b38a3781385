"""The declarations of the example prefix, as plain JSON documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

PREFIX = Path(__file__).resolve().parents[2] / "prefix"

KINDS = (
    "dataformats",
    "libraries",
    "algorithms",
    "databases",
    "protocoltemplates",
    "toolchains",
    "experiments",
)
WITH_CODE = ("libraries", "algorithms", "databases")


def names(kind: str) -> list[str]:
    """Return the full names of all objects of a kind."""
    folder = PREFIX / kind
    return sorted(str(f.relative_to(folder).with_suffix("")) for f in folder.rglob("*.json"))


def read(kind: str, name: str) -> JSON:
    """Return the declaration of an object; a key given twice is an error."""
    text = (PREFIX / kind / f"{name}.json").read_text(encoding="utf-8")
    document: JSON = json.loads(text, object_pairs_hook=_without_duplicates)
    return document


def _without_duplicates(pairs: list[tuple[str, Any]]) -> JSON:
    assert len({key for key, _ in pairs}) == len(pairs), f"key given twice: {pairs}"
    return dict(pairs)


def read_all(kind: str) -> dict[str, JSON]:
    """Return the declarations of all objects of a kind, by name."""
    return {name: read(kind, name) for name in names(kind)}
