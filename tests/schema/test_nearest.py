from __future__ import annotations

import pytest

from beat.backend.python.schema.nearest import nearest

NAMES = ["system/text/1", "system/uint64/1", "tutorial/model/1", "tutorial/model/2"]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("sytem/text/1", NAMES, "system/text/1"),
        ("system/text", NAMES, "system/text/1"),
        ("tutorial/model/3", NAMES, "tutorial/model/2"),
        ("int33", ["int32", "int64", "bool"], "int32"),
        ("langage", ["language", "groups"], "language"),
        ("user/other/1", NAMES, None),
        ("", NAMES, None),
        ("x", [], None),
        ("x" * 5000, ["x" * 5000], None),
    ],
)
def test_what_was_meant(word, known, meant):
    assert nearest(word, known) == meant
    assert nearest(word, iter(known)) == meant


def test_among_many():
    known = [f"user{i}/format{i}/{i}" for i in range(5000)]
    assert nearest("user4711/fromat4711/4711", known) == "user4711/format4711/4711"
    assert nearest("nothing of the kind at all", known) is None
