"""Views on the 1,797 handwritten digits of E. Alpaydin and C. Kaynak."""

import os
from collections import namedtuple
from functools import lru_cache

import numpy as np

from beat.backend.python.database import View

FILE = "digits.npz"


@lru_cache(maxsize=1)
def load(path):
    """Return the images, uint8 of shape (digits, 8, 8), and the digits they show, uint8."""
    with np.load(path, allow_pickle=False) as archive:
        return archive["images"], archive["labels"]


class Train(View):
    """Outputs:
        - image: "system/array_2d_uint8/1"
        - file_id: "system/uint64/1"
        - client_id: "system/uint64/1"

    One "file_id" is associated with a given "image".
    Several "image" are associated with a given "client_id", the digit that was written.

    ----------- ----------- ----------- ----------- ----------- -----------
    |  image  | |  image  | |  image  | |  image  | |  image  | |  image  |
    ----------- ----------- ----------- ----------- ----------- -----------
    ----------- ----------- ----------- ----------- ----------- -----------
    | file_id | | file_id | | file_id | | file_id | | file_id | | file_id |
    ----------- ----------- ----------- ----------- ----------- -----------
    ----------------------------------- -----------------------------------
    |            client_id            | |            client_id            |
    ----------------------------------- -----------------------------------

    Parameters:
        - start: how many images of each client to leave out at the beginning
        - stop: where to end among the images of each client
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["client_id", "file_id", "file", "image"])

        # An entry says where its image is: in which file, in which row of it
        _, labels = load(os.path.join(root_folder, FILE))
        entries = []
        for client_id in np.unique(labels).tolist():
            rows = np.flatnonzero(labels == client_id).tolist()
            for row in rows[parameters["start"] : parameters["stop"]]:
                entries.append(Entry(client_id, row, FILE, row))
        return entries

    def get(self, output, index):
        obj = self.objs[index]

        if output == "client_id":
            return {"value": np.uint64(obj.client_id)}

        elif output == "file_id":
            return {"value": np.uint64(obj.file_id)}

        elif output == "image":
            images, _ = load(os.path.join(self.root_folder, obj.file))
            return {"value": images[obj.image]}


class Templates(Train):
    """Outputs:
        - image: "system/array_2d_uint8/1"
        - file_id: "system/uint64/1"
        - client_id: "system/uint64/1"

    One "file_id" is associated with a given "image".
    Several "image" are associated with a given "client_id": together they make its model.

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


class Probes(Train):
    """Outputs:
        - image: "system/array_2d_uint8/1"
        - probe_id: "system/uint64/1"
        - client_id: "system/uint64/1"

    One "probe_id" is associated with a given "image".
    Several "image" are associated with a given "client_id", the client who is really there.

    ------------ ------------ ------------ ------------ ------------ ------------
    |  image   | |  image   | |  image   | |  image   | |  image   | |  image   |
    ------------ ------------ ------------ ------------ ------------ ------------
    ------------ ------------ ------------ ------------ ------------ ------------
    | probe_id | | probe_id | | probe_id | | probe_id | | probe_id | | probe_id |
    ------------ ------------ ------------ ------------ ------------ ------------
    -------------------------------------- --------------------------------------
    |             client_id              | |             client_id              |
    -------------------------------------- --------------------------------------
    """

    def index(self, root_folder, parameters):
        Entry = namedtuple("Entry", ["client_id", "probe_id", "file", "image"])
        return [Entry(*entry) for entry in super().index(root_folder, parameters)]

    def get(self, output, index):
        if output == "probe_id":
            return {"value": np.uint64(self.objs[index].probe_id)}

        return super().get(output, index)
