"""Views whose outputs have names that no field of a named tuple can have."""

from collections import namedtuple

import numpy as np

from beat.backend.python.database import View

Entry = namedtuple("Entry", ["cls", "sample_id"])


class Assigned(View):
    def __init__(self):
        super().__init__()
        self.output_member_map = {"class": "cls", "sample-id": "sample_id"}

    def index(self, root_folder, parameters):
        return [Entry("cat", 1), Entry("cat", 2), Entry("dog", 3)]

    def get(self, output, index):
        value = getattr(self.objs[index], self.get_output_mapping(output))
        return {"value": value if output == "class" else np.int32(value)}


class Declared(Assigned):
    output_member_map = {"class": "cls", "sample-id": "sample_id"}

    def __init__(self):
        pass  # does not call the base's


class Unmapped(Assigned):
    output_member_map = {}

    def __init__(self):
        pass
