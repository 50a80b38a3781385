
from collections import namedtuple
import numpy
from beat.backend.python.database import View

class Numbers(View):
    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["value"])
        return [Entry(i) for i in range(parameters["count"])]

    def get(self, output, index):
        return {"value": numpy.int64(self.objs[index].value)}
