"""Views on numbers that need no files."""

from collections import namedtuple

import numpy as np

from beat.backend.python.database import View


class Numbers(View):
    """Outputs:
        - out: "user/single_integer/1"

    The numbers from parameter `first` on (0), parameter `size` of them (10).
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["out"])
        first = parameters.get("first", 0)
        return [Entry(first + i) for i in range(parameters.get("size", 10))]

    def get(self, output, index):
        if output == "out":
            return {"value": np.int32(self.objs[index].out)}


class Steps(View):
    """Outputs:
        - fine: "user/single_integer/1"
        - coarse: "user/single_integer/1"

    Nine numbers; several "fine", parameter `width` of them, are associated with a given "coarse".

    -------- -------- -------- -------- -------- --------
    | fine | | fine | | fine | | fine | | fine | | fine |
    -------- -------- -------- -------- -------- --------
    -------------------------- --------------------------
    |         coarse         | |         coarse         |
    -------------------------- --------------------------
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["fine", "coarse"])
        return [Entry(i, i // parameters["width"]) for i in range(9)]

    def get(self, output, index):
        return {"value": np.int32(getattr(self.objs[index], output))}
