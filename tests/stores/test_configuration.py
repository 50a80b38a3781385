"""When two configurations are the same, and how they are made short for errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.stores.configuration import (
    Configuration,
    Target,
    largest_part,
    parse,
    shorten,
)
from beat.backend.python.stores.errors import AmbiguousRun

TEXTS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
CONFIGS = st.dictionaries(TEXTS, JSON, max_size=4)


def reversed_keys(value: Any) -> Any:
    """Return the same with every dictionary in the other order and every list as a tuple."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return tuple(map(reversed_keys, value))
    return value


@given(CONFIGS)
def test_form_does_not_matter(config: dict[str, Any]) -> None:
    """Neither the order of keys, nor tuples, nor a round trip through JSON, nor its layout."""
    digest = Configuration(config).digest
    assert Configuration(reversed_keys(config)).digest == digest
    for layout in ({}, {"indent": 4}, {"ensure_ascii": False, "separators": (" , ", " : ")}):
        assert Configuration(parse(json.dumps(config, **layout))).digest == digest
    assert Configuration(Configuration(config).content).digest == digest


@given(CONFIGS, CONFIGS)
def test_digests_are_equal_if_the_texts_are(a: dict[str, Any], b: dict[str, Any]) -> None:
    """The canonical text is that of `json`, and nothing else decides."""
    first, second = Configuration(a), Configuration(b)
    texts = [json.dumps(c, sort_keys=True, separators=(",", ":")) for c in (a, b)]
    assert [str(first), str(second)] == texts
    assert (first.digest == second.digest) == (texts[0] == texts[1])


@given(CONFIGS, st.data())
def test_parts(config: dict[str, Any], data: st.DataObject) -> None:
    """The digest of a part is that of the configuration that has these keys only."""
    configuration = Configuration(config)
    keys = data.draw(
        st.lists(st.sampled_from(sorted(config)), unique=True) if config else st.just([])
    )
    part = {key: config[key] for key in keys}
    expected = None if len(part) == len(config) else Configuration(part).digest
    assert configuration.part(tuple(sorted(keys))) == expected
    assert configuration.part((*configuration.shape, "one more")) is None
    if config:
        assert configuration.part(("not one of the keys" * 2,)) is None


@given(st.lists(CONFIGS, max_size=6), CONFIGS)
def test_largest_part(stored: list[dict[str, Any]], query: dict[str, Any]) -> None:
    """It is the largest stored one whose items are all in the query; two of a size are an error."""
    target = Target("T", query)
    runs = {Configuration(config).digest: Configuration(config) for config in stored}
    fitting = {
        str(c)
        for c in runs.values()
        if str(c) != str(target.configuration)
        and all(
            key in target.configuration.content
            and json.dumps(value, sort_keys=True)
            == json.dumps(target.configuration.content[key], sort_keys=True)
            for key, value in c.content.items()
        )
    }
    sizes = sorted((len(json.loads(text)) for text in fitting), reverse=True)
    shapes = [c.shape for c in runs.values()]
    if len(sizes) > 1 and sizes[0] == sizes[1]:
        with pytest.raises(AmbiguousRun):
            largest_part(target, shapes, runs.get)
        return
    found = largest_part(target, shapes, runs.get)
    assert (None if found is None else len(found.shape)) == (sizes[0] if sizes else None)
    assert found is None or str(found) in fitting


def test_digest_never_changes() -> None:
    """Stores on disk are full of them."""
    config = {"b": [1, 2.5, None, True, "é"], "a": {"1": {}, "x": float("nan")}}
    assert str(Configuration(config)) == ('{"a":{"1":{},"x":NaN},"b":[1,2.5,null,true,"\\u00e9"]}')
    assert Configuration(config).digest == (
        "3b903817ccc411c14541cc5068e20cbb166850b2817f3d29995ceb8c7aeb2bce"
    )


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]'])
def test_doubled_keys(text: str) -> None:
    with pytest.raises(ValueError, match="the key 'a' stands twice"):
        parse(text)


def test_shorten() -> None:
    assert shorten("short") == "short"
    text = "a" * 500 + "b" * 500
    assert len(shorten(text)) < 300
    assert shorten(text).startswith("aaa")
    assert shorten(text).endswith("bbb")


class Broken:
    """An object that cannot even be printed."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_object_that_cannot_be_printed() -> None:
    with pytest.raises(ValueError, match=r"with configuration <list>: .* expected a dictionary"):
        Target("T", [Broken()])  # type: ignore[arg-type]
