"""The schemas themselves: JSON Schema (draft-07) documents, one for each kind and version.

The files share definitions. A schema that has been loaded holds all it needs: nothing is ever
fetched from anywhere.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from .kinds import VERSIONS

JSON = dict[str, Any]

_FOLDER = Path(__file__).parent / "documents"
_LOCAL = "#/definitions/"


def load(kind: str, version: int = 1) -> JSON:
    """Return the schema of a kind of documents, complete in itself.

    Parameters
    ----------
    kind : str
        A key of `kinds.VERSIONS`.
    version : int
        The version of the form.

    Raises
    ------
    ValueError
        If there is no such schema.
    """
    if version not in VERSIONS.get(kind, ()):
        raise ValueError(f"no schema for `{kind}' of version {version}")
    return json.loads(_complete(kind, version))  # type: ignore[no-any-return]


@cache
def _complete(kind: str, version: int) -> str:
    schema: JSON = json.loads((_FOLDER / f"{kind}-{version}.json").read_bytes())
    shared: JSON = json.loads((_FOLDER / "definitions.json").read_bytes())
    definitions: JSON = schema.setdefault("definitions", {})
    wanted = _references(schema)
    while wanted:
        name = wanted.pop()
        if name not in definitions:
            definitions[name] = shared[name]
            wanted |= _references(shared[name])
    return json.dumps(schema)


def _references(schema: Any) -> set[str]:
    """Return the names of the definitions that a schema refers to."""
    if isinstance(schema, list):
        return set().union(*map(_references, schema))
    if not isinstance(schema, dict):
        return set()
    found = set().union(*map(_references, schema.values()))
    reference = schema.get("$ref")
    return found | {reference.removeprefix(_LOCAL)} if isinstance(reference, str) else found
