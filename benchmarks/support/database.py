"""A database of numbers, in a prefix and indexed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from beat.backend.python.database import Database

from .kinds import INTEGER, Kind

NAME = "numbers/1"
PROTOCOL, SET, OUTPUT = "protocol", "set", "out"

CODE = """\
from collections import namedtuple

import numpy
from beat.backend.python.database import View as Base

Entry = namedtuple("Entry", ["name", "out"])


class View(Base):
    def index(self, root_folder, parameters):
        return [Entry(f"number {i}", i) for i in range(parameters["size"])]

    def get(self, output, index):
        return {"value": numpy.int64(self.objs[index].out)}


class Blocks(View):
    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.block = numpy.arange(1 << 20).astype("uint8")

    def get(self, output, index):
        return {"value": self.block}
"""


def make_database(prefix: Path, size: int, kind: Kind = INTEGER, view: str = "View") -> Database:
    """Write a database that delivers so many units of a kind."""
    kind.write_format(prefix)
    outputs = {OUTPUT: kind.name}
    one_set = {"name": SET, "template": "t", "view": view, "outputs": outputs}
    one_set["parameters"] = {"size": size}
    declaration = {
        "root_folder": "/",
        "protocols": [{"name": PROTOCOL, "template": "t", "sets": [one_set]}],
    }
    path = prefix / "databases" / f"{NAME}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declaration), encoding="utf-8")
    path.with_suffix(".py").write_text(CODE, encoding="utf-8")
    return Database(str(prefix), NAME)


def open_view(prefix: Path, size: int, kind: Kind = INTEGER, view: str = "View") -> Any:
    """Return the view of such a database, indexed and set up to deliver bytes."""
    runner = make_database(prefix, size, kind, view).view(PROTOCOL, SET)
    index = str(prefix / "index.db")
    runner.index(index)
    runner.setup(index)
    return runner
