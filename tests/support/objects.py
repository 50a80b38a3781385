"""Writes objects into a prefix, for tests that need odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_object(
    prefix: Path, folder: str, name: str, declaration: Any, code: str | None = None
) -> None:
    """Write a declaration (anything JSON, or the text itself) and maybe Python code."""
    path = prefix / folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = declaration if isinstance(declaration, str) else json.dumps(declaration, indent=4)
    path.write_text(text, encoding="utf-8")
    if code is not None:
        path.with_name(path.stem + ".py").write_text(code, encoding="utf-8")


def algorithm_declaration(**changes: Any) -> dict[str, Any]:
    """Return a sequential algorithm's declaration with some keys changed; None removes a key."""
    declaration: dict[str, Any] = {
        "schema_version": 2,
        "language": "python",
        "api_version": 2,
        "type": "sequential",
        "splittable": False,
        "groups": [
            {
                "inputs": {"in": {"type": "user/single/1"}},
                "outputs": {"out": {"type": "user/single/1"}},
            }
        ],
    }
    declaration.update(changes)
    return {key: value for key, value in declaration.items() if value is not None}
