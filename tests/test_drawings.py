"""The drawings of the guide are what the package computes today."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ElementTree
from pathlib import Path

DOC = Path(__file__).resolve().parent.parent / "doc"


def load():
    spec = importlib.util.spec_from_file_location("drawings", DOC / "drawings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_drawings_are_up_to_date():
    drawn = load().drawings()
    kept = {path.name: path.read_text(encoding="utf-8") for path in (DOC / "guide").rglob("*.svg")}
    assert kept == drawn, "run `python doc/drawings.py`"
    for text in drawn.values():
        ElementTree.fromstring(text)


def test_every_drawing_is_shown():
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOC / "guide").glob("*.rst"))
    assert [name for name in load().drawings() if f"drawings/{name}" not in pages] == []


def test_boxes_are_as_long_as_what_they_stand_for():
    module = load()
    drawing = module.draw([module.Row("row", "#000000", [module.Box(1, 3, "<3>")])])
    box = ElementTree.fromstring(drawing).findall("{*}rect")[1]
    assert float(box.get("width")) == 3 * module.CELL - 4
    assert "&lt;3&gt;" in drawing
