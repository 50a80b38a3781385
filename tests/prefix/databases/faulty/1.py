"""Views that fail, each in its own method."""

from collections import namedtuple

import numpy as np

from beat.backend.python.database import View

Entry = namedtuple("Entry", ["out"])


class Get(View):
    def index(self, root_folder, parameters):
        return [Entry(i) for i in range(3)]

    def get(self, output, index):
        raise ValueError("raised in get")  # get fails


class GetOnce(Get):
    """Fails at the first reading of the second entry, and at no other."""

    failed = False

    def get(self, output, index):
        if index == 1 and not self.failed:
            self.failed = True
            raise ValueError("raised once in get")
        return {"value": np.int32(index)}


class New(Get):
    def __init__(self):
        raise ValueError("raised in new")  # new fails


class Index(Get):
    def index(self, root_folder, parameters):
        raise ValueError("raised in index")  # index fails


class Setup(Get):
    def setup(self, *args, **kwargs):
        raise ValueError("raised in setup")  # setup fails
