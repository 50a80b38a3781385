"""Twelve different mistakes in a copy of the example prefix."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.example_prefix import PREFIX

#: file, what stands there, what stands there instead
MISTAKES = [
    # no such basic type
    ("dataformats/tutorial/model/1.json", '"uint64"', '"uint46"'),
    # no JSON
    ("libraries/tutorial/similarity/1.json", '"uses": {}', '"uses": {},'),
    # an unknown key, and with it a missing one
    ("algorithms/tutorial/enrolment/1.json", '"language"', '"langage"'),
    # a reference to nothing
    ("algorithms/tutorial/pca/1.json", '"system/array_2d_uint8/1"', '"system/array_2d_uint/1"'),
    # a default out of its range
    ("algorithms/tutorial/lda/1.json", '"default": 0.0', '"default": 2.0'),
    # the wrong arguments
    ("algorithms/tutorial/projection/1.py", "(self, inputs, data_loaders,", "(self, inputs,"),
    # a missing method
    ("algorithms/tutorial/scoring/1.py", "def process(", "def proces("),
    # a view that is not there
    ("databases/iris/1.json", '"view": "Stream"', '"view": "Steam"'),
    # a view for a set that is not there
    ("databases/digits/1.json", '"templates": {', '"template": {'),
    # a connection from nowhere
    ("toolchains/tutorial/loop/1.json", '"from": "learning.guess"', '"from": "learning.gues"'),
    # an unknown parameter
    ("experiments/tutorial/tutorial/loop/1/mixed.json", '"maximum-guesses"', '"maximal-guesses"'),
    # an algorithm of the wrong role
    (
        "experiments/tutorial/tutorial/iris/1/lda.json",
        '"tutorial/classification_report/1"',
        '"tutorial/lda_scoring/1"',
    ),
]


def write_mistakes(folder: Path) -> None:
    """Copy the example prefix with all mistakes in it."""
    shutil.copytree(PREFIX, folder, ignore=shutil.ignore_patterns("cache", "rawdata"))
    for file, right, wrong in MISTAKES:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert right in text, file
        path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
