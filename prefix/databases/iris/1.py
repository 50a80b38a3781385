"""Views on the 150 iris flowers of R. A. Fisher."""

import csv
import os
from collections import namedtuple
from functools import lru_cache

import numpy as np

from beat.backend.python.database import View

FILE = "iris.csv"
COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@lru_cache(maxsize=1)
def load(path):
    """Return the measurements, an array of shape (flowers, 4), and the list of the species."""
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    measurements = np.array([[float(row[column]) for column in COLUMNS] for row in rows])
    return measurements, [row["species"] for row in rows]


class Flowers(View):
    """Outputs:
        - measurements: "system/array_1d_float64/1"
        - species: "system/text/1"

    One "measurements" is associated with a given flower.
    Several "measurements" are associated with a given "species".

    ---------------- ---------------- ---------------- ----------------
    | measurements | | measurements | | measurements | | measurements |
    ---------------- ---------------- ---------------- ----------------
    --------------------------------- ---------------------------------
    |            species            | |            species            |
    --------------------------------- ---------------------------------

    Parameters:
        - first: the row of the first flower to provide
        - step: the distance between the rows of two flowers
    """

    def rows(self, species, parameters):
        """Return the rows of the flowers to provide, in their order."""
        return range(parameters["first"], len(species), parameters["step"])

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["species", "file", "measurements"])

        # An entry says where the measurements are, it does not hold them
        _, species = load(os.path.join(root_folder, FILE))
        return [Entry(species[row], FILE, row) for row in self.rows(species, parameters)]

    def get(self, output, index):
        obj = self.objs[index]

        if output == "species":
            return {"text": obj.species}

        elif output == "measurements":
            measurements, _ = load(os.path.join(self.root_folder, obj.file))
            return {"value": measurements[obj.measurements]}


class Stream(Flowers):
    """Outputs:
        - measurements: "system/array_1d_float64/1"
        - species: "system/text/1"

    The species take turns, as flowers may come in when they are picked one by one, so that
    one "measurements" is associated with a given "species".

    ---------------- ---------------- ---------------- ---------------- ----------------
    | measurements | | measurements | | measurements | | measurements | | measurements |
    ---------------- ---------------- ---------------- ---------------- ----------------
    ---------------- ---------------- ---------------- ---------------- ----------------
    |   species    | |   species    | |   species    | |   species    | |   species    |
    ---------------- ---------------- ---------------- ---------------- ----------------
    """

    def rows(self, species, parameters):
        """Return the first row of each species, then the second row of each, and so on."""
        places = {}
        for row, name in enumerate(species):
            places.setdefault(name, []).append(row)
        return [row for turn in zip(*places.values()) for row in turn]
