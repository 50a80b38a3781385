"""Validates documents against their schemas, with all findings in one pass.

`jsonschema` does the work. What it says is put into our own words, because its messages repeat
whole documents and name no places. Where one of its keywords reports several things at once, or
takes time that grows with the square of the length of a list, ours takes its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any

from .document import Document
from .finding import Finding, describe
from .kinds import VERSIONS
from .store import JSON, load

#: at most that many findings are listed for one document
MAX_FINDINGS = 100

#: what the names look like that a pattern lets pass
_NAMES = {
    "^[a-zA-Z_][a-zA-Z0-9_-]*$(?!\\n)": "a name of letters, digits, _ and -",
    "^[a-zA-Z_][a-zA-Z0-9_]*$(?!\\n)": "a name of letters, digits and _",
}


def version_key(kind: str) -> str:
    """Return the key under which a document tells its version."""
    return "#schema_version" if kind == "dataformat" else "schema_version"


def findings(kind: str, document: Document) -> list[Finding]:
    """Return what is wrong with the form of a document.

    Parameters
    ----------
    kind : str
        A key of `kinds.VERSIONS`.
    document : Document
        The document, which may be anything.
    """
    if document.findings:
        return document.findings
    if not isinstance(document.data, dict):
        return [document.finding((), expected="an object", value=document.data)]
    key, known = version_key(kind), VERSIONS[kind]
    version = document.data.get(key, 1)
    if isinstance(version, bool) or not isinstance(version, (int, float)) or version not in known:
        expected = f"{key} {' or '.join(map(str, known))}"
        return [document.finding((key,), expected=expected, value=version)]
    schema, validator = _validator(kind, int(version))
    try:
        errors = validator.iter_errors(document.data)
        return capped(document, (_finding(document, error, schema) for error in errors))
    except RecursionError:
        return [document.finding((), "nested too deeply")]


def capped(document: Document, found: Iterable[Finding]) -> list[Finding]:
    """Return findings, but not endlessly many of one document."""
    first = list(islice(found, MAX_FINDINGS + 1))
    if len(first) > MAX_FINDINGS:
        message = f"more than {MAX_FINDINGS} findings: others are not shown"
        first[MAX_FINDINGS:] = [document.finding((), message)]
    return first


def _finding(document: Document, error: Any, root: JSON) -> Finding:
    """Return an error of `jsonschema` in our form."""
    pointer = tuple(error.absolute_path)
    rule, schema, value = error.validator, error.schema, error.instance
    expected = schema.get("description")
    if rule == "required":
        key = error.validator_value
        message = f"missing key `{key}'"
        return document.finding(pointer, message, expected=_meaning(schema, key, root), value=value)
    if rule == "additionalProperties":
        key = pointer[-1]
        return document.finding(
            pointer,
            f"unknown key `{key:.100}'",
            expected=_choices([*_keys(schema), *_names(schema)]),
            value=key,
            key=True,
            word=key,
            known=error.validator_value,
        )
    if rule == "not":
        message = f"`{pointer[-1]}' does not belong here: {expected}"
        return document.finding(pointer, message, value=value, key=True)
    if rule == "uniqueItems":
        return document.finding(pointer, f"{describe(value)} stands twice in the list", value=value)
    if rule == "enum":
        word = value if isinstance(value, str) else None
        names = schema["enum"]
        expected = _choices(names) if len(names) < 8 else expected
        return document.finding(pointer, expected=expected, value=value, word=word, known=names)
    return document.finding(pointer, expected=expected, value=value)


def _meaning(schema: JSON, key: str, root: JSON) -> str | None:
    """Return what a missing key should hold."""
    part = schema.get("properties", {}).get(key) or root.get("properties", {}).get(key, {})
    if "$ref" in part:
        part = root["definitions"][part["$ref"].rsplit("/", 1)[1]]
    return part.get("description")  # type: ignore[no-any-return]


def _keys(schema: JSON) -> list[str]:
    """Return the keys that belong into an object."""
    return [key for key, part in schema.get("properties", {}).items() if "not" not in part]


def _names(schema: JSON) -> list[str]:
    """Return in words what names an object may have for its members."""
    patterns = schema.get("patternProperties", ())
    return [_NAMES.get(pattern, "an algorithm like user/name/version") for pattern in patterns]


def _choices(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


@cache
def _validator(kind: str, version: int) -> tuple[JSON, Any]:
    """Return a schema and what validates documents against it."""
    from jsonschema import Draft7Validator, validators

    schema = load(kind, version)
    schema.pop("$id")  # old versions cannot resolve references within a URN
    definitions = schema.get("definitions", {})

    def follow(validator: Any, reference: str, instance: Any, schema: JSON) -> Iterator[Any]:
        # all are to definitions of the same schema: looking for anything else takes half the time
        yield from validator.descend(instance, definitions[reference.rpartition("/")[2]])

    extend: Any = validators.extend
    validator = extend(
        Draft7Validator,
        {
            "$ref": follow,
            "additionalProperties": _additional_properties,
            "required": _required,
            "uniqueItems": _unique_items,
        },
        type_checker=Draft7Validator.TYPE_CHECKER.redefine("integer", _is_integer),
    )
    return schema, validator(schema)


def _is_integer(checker: Any, value: object) -> bool:
    """Tell whether a value was written as an integer: 2.0 was not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _required(validator: Any, keys: Any, instance: Any, schema: JSON) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, dict):
        for key in keys:
            if key not in instance:
                yield ValidationError("missing", validator_value=key)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: JSON
) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    properties = schema.get("properties", ())
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", ())]
    for key, value in instance.items():
        if key in properties or any(pattern.search(key) for pattern in patterns):
            continue
        if allowed is False:
            known = [name for name in _keys(schema) if name not in instance]
            yield ValidationError("unknown", path=[key], instance=value, validator_value=known)
        else:
            yield from validator.descend(value, allowed, path=key)


def _unique_items(validator: Any, unique: Any, instance: Any, schema: JSON) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, list):
        return
    seen: set[str] = set()
    for index, item in enumerate(instance):
        text = json.dumps(item, sort_keys=True, default=str)
        if text in seen:
            yield ValidationError("doubled", path=[index], instance=item)
        seen.add(text)
