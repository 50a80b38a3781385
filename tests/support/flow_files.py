"""Flow files written by plain h5py calls, from the description of the layout alone."""

from __future__ import annotations

import h5py
import numpy as np

REGION = np.dtype([("start", "i4"), ("stop", "i4")])


def write_dset(file, name, rows):
    """Write ``/<name>/data`` with an axis that can grow."""
    rows = np.asarray(rows)
    return file.create_dataset(f"{name}/data", data=rows, maxshape=(None, *rows.shape[1:]))


def regions(column, length):
    """Return, for each row, the first place that mentions it and the one after the last."""
    table = np.zeros(length, REGION)
    for row in range(length):
        places = np.flatnonzero(column == row)
        if len(places):
            table[row] = places[0], places[-1] + 1
    return table


def write_refs(file, parent, child, refs):
    """Write ``/<parent>/ref/<child>/ref`` and the region tables on both sides."""
    refs = np.asarray(refs, "u4").reshape(-1, 2)
    ref = file.create_dataset(f"{parent}/ref/{child}/ref", data=refs, maxshape=(None, 2))
    ref.attrs["dset0"], ref.attrs["dset1"] = f"/{parent}/data", f"/{child}/data"
    sides = [(parent, child), (child, parent)]
    for number, (one, other) in enumerate(sides):
        path = f"/{one}/ref/{other}/ref_region"
        table = regions(refs[:, number], len(file[f"{one}/data"]))
        region = file.create_dataset(path, data=table, maxshape=(None,))
        region.attrs["ref"] = f"/{parent}/ref/{child}/ref"
        ref.attrs[f"ref_region{number}"] = path


EVENTS = np.array([(0.5, 10), (1.5, 11), (2.5, 12), (3.5, 13)], [("time", "f8"), ("id", "i4")])
HITS = np.arange(12, dtype="f4").reshape(6, 2)
TRACKS = np.array([100, 200, 300])
EVENT_HITS = [(0, 3), (2, 5), (0, 1), (3, 0), (2, 2)]
HIT_TRACKS = [(1, 2), (3, 0), (3, 2), (5, 1)]


def write_example(path):
    """Write a file with events, their hits, and the tracks of these."""
    with h5py.File(path, "w") as file:
        write_dset(file, "charge/events", EVENTS)
        write_dset(file, "charge/hits", HITS)
        write_dset(file, "tracks", TRACKS)
        write_refs(file, "charge/events", "charge/hits", EVENT_HITS)
        write_refs(file, "charge/hits", "tracks", HIT_TRACKS)
        file["charge/events"].attrs.update(classname="EventBuilder", class_version="1.2.0")
    return str(path)


def write_rows(path, rows, name="A"):
    """Write a file with one dataset."""
    with h5py.File(path, "w") as file:
        write_dset(file, name, rows)
    return str(path)
