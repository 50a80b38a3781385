"""Views on people. The images belong to no files: they are made from the numbers of files."""

from collections import namedtuple

import numpy as np

from beat.backend.python.database import View

Person = namedtuple("Person", ["client_id", "id"])


def make_image(file_id):
    return np.full((2, 3), file_id, dtype=np.uint8)


class Train(View):
    """Outputs:
        - image: "user/single_image/1"
        - file_id: "user/single_integer/1"
        - client_id: "user/single_text/1"

    One "file_id" is associated with a given "image".
    Several "image" are associated with a given "client_id".

    ----------- ----------- ----------- ----------- ----------- -----------
    |  image  | |  image  | |  image  | |  image  | |  image  | |  image  |
    ----------- ----------- ----------- ----------- ----------- -----------
    ----------- ----------- ----------- ----------- ----------- -----------
    | file_id | | file_id | | file_id | | file_id | | file_id | | file_id |
    ----------- ----------- ----------- ----------- ----------- -----------
    ----------------------------------- -----------------------------------
    |            client_id            | |            client_id            |
    ----------------------------------- -----------------------------------
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["client_id", "file_id", "image"])
        objs = [
            Person("client_%d" % (i // 3 + 1), np.uint16(i + 1))
            for i in range(3 * parameters["clients"])
        ]
        return [Entry(x.client_id, x.id, "%s/%d.pgm" % (root_folder, x.id)) for x in objs]

    def get(self, output, index):
        obj = self.objs[index]

        if output == "client_id":
            return {"value": obj.client_id}

        elif output == "file_id":
            return {"value": np.int32(obj.file_id)}

        elif output == "image":
            return {"value": make_image(obj.file_id)}


class Test(Train):
    """Outputs:
        - image: "user/single_image/1"
        - file_id: "user/single_integer/1"
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["file_id", "image"])
        return [Entry(i, "%s/%d.pgm" % (root_folder, i)) for i in range(50, 54)]


class Count(View):
    """Outputs:
        - out: "user/single_integer/1"
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["out"])
        return [Entry(i) for i in range(5)]

    def get(self, output, index):
        return {"value": np.int32(self.objs[index].out)}
