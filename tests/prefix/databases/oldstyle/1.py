"""The many ways in which views are written: all deliver ten numbers, each twice."""

from collections import namedtuple

import numpy as np

from beat.backend.python.database import View

Entry = namedtuple("Entry", ["out"])


class Extending(View):
    """Has a `setup` which calls the base's, and never calls the base's constructor."""

    def __init__(self):
        self.ready = False

    def index(self, root_folder, parameters):
        return [Entry(i // 2) for i in range(20)]

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.ready = True

    def get(self, output, index):
        assert self.ready
        return {"value": np.int32(self.objs[index].out)}


class Keeping(Extending):
    """Has a `setup` which keeps all entries, whatever the range."""

    def setup(self, root_folder, parameters, objs, start_index=None, end_index=None):
        self.objs = objs
        self.ready = True


class Slicing(Extending):
    """Has a `setup` which keeps the entries of the range."""

    def setup(self, root_folder, parameters, objs, start_index=None, end_index=None):
        start = 0 if start_index is None else start_index
        end = len(objs) - 1 if end_index is None else end_index
        self.objs = objs[start : end + 1]
        self.ready = True


class Private(Extending):
    """Has a `setup` which keeps what it needs of the entries of the range, under its own name."""

    def setup(self, root_folder, parameters, objs, start_index=None, end_index=None):
        start = 0 if start_index is None else start_index
        end = len(objs) - 1 if end_index is None else end_index
        self.numbers = [obj.out for obj in objs[start : end + 1]]

    def get(self, output, index):
        return {"value": np.int32(self.numbers[index])}


class Duck:
    """Is a view, but not by inheritance."""

    def index(self, root_folder, parameters):
        return [Entry(i // 2) for i in range(20)]

    def setup(self, root_folder, parameters, objs, start_index=None, end_index=None):
        self.objs = objs[start_index:][: None if end_index is None else end_index + 1 - (start_index or 0)]

    def get(self, output, index):
        return {"value": np.int32(self.objs[index].out)}
