"""Generators, stages and resources that tests run; what they were told is in `events`."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

from beat.backend.python.flow import H5FlowGenerator, H5FlowResource, H5FlowStage, resources

events = []


class Numbers(H5FlowGenerator):
    """Appends rows with their own numbers, `rows` at a time, `times` times on each process."""

    def __init__(self, rows=4, times=3, **params):
        super().__init__(**params)
        events.append("generator made")
        self.rows = rows
        self.times = times

    def init(self):
        events.append("generator init")
        self.data_manager.create_dset(self.dset_name, "i8")

    def next(self):
        count = self.rows if self.times else 0
        rows = self.data_manager.reserve_data(self.dset_name, count)
        self.data_manager.write_data(self.dset_name, rows, np.arange(rows.start, rows.stop))
        self.times -= bool(self.times)
        return rows if count else self.EMPTY

    def finish(self):
        events.append("generator finish")


class Fixed(H5FlowGenerator):
    """Gives what it is told to."""

    def __init__(self, slices, **params):
        super().__init__(**params)
        self.slices = list(slices)

    def next(self):
        item = self.slices.pop(0) if self.slices else self.EMPTY
        return slice(*item) if isinstance(item, list) else item


class NoNext(H5FlowGenerator):
    pass


class Note(H5FlowStage):
    """Notes when it is called, and with what."""

    def __init__(self, **params):
        super().__init__(**params)
        events.append(f"{self.name} made")

    def init(self, source_name):
        events.append(f"{self.name} init {source_name}")

    def run(self, source_name, source_slice, cache):
        events.append((self.name, source_name, source_slice, dict(cache)))

    def finish(self, source_name):
        events.append(f"{self.name} finish {source_name}")


class Halves(H5FlowStage):
    """Makes two rows of each row of the source, and references to them."""

    def init(self, source_name):
        self.data_manager.create_dset(self.name, [("value", "f8"), ("side", "u1")])
        self.data_manager.create_ref(source_name, self.name)

    def run(self, source_name, source_slice, cache):
        rows = np.arange(len(cache[source_name])) + source_slice.start
        own = self.data_manager.reserve_data(self.name, 2 * len(rows))
        data = np.zeros(2 * len(rows), [("value", "f8"), ("side", "u1")])
        data["value"] = np.repeat(cache[source_name], 2) / 2
        data["side"] = np.tile([0, 1], len(rows))
        self.data_manager.write_data(self.name, own, data)
        children = np.arange(own.start, own.stop)
        self.data_manager.write_ref(
            source_name, self.name, np.stack([np.repeat(rows, 2), children], axis=1)
        )


class Sums(H5FlowStage):
    """Adds up what the source's rows refer to in `halves`, one row for each of the source."""

    def init(self, source_name):
        self.data_manager.create_dset(self.name, "f8")

    def run(self, source_name, source_slice, cache):
        self.data_manager.reserve_data(self.name, source_slice)
        sums = cache["halves"]["value"].sum(axis=-1)
        self.data_manager.write_data(self.name, source_slice, sums)


class Change(H5FlowStage):
    """Changes what is in the cache as it is told to."""

    def __init__(self, what, **params):
        super().__init__(**params)
        self.what = what

    def run(self, source_name, source_slice, cache):
        if self.what == "replace":
            cache[source_name] = cache[source_name] * 100
        elif self.what == "delete":
            del cache[source_name]
        elif self.what == "add":
            cache["extra"] = 1
        elif self.what == "write":
            self.data_manager.write_data(source_name, source_slice, -1)


class WithoutCache(H5FlowStage):
    """Loads by itself what it needs."""

    def run(self, source_name, source_slice):
        events.append(self.load(source_name, source_slice))


class Fail(H5FlowStage):
    """Fails at a row, in the way it is told to, on one of the processes."""

    def __init__(self, at=0, how="raise", on=0, **params):
        super().__init__(**params)
        self.at, self.how, self.on = at, how, on

    def run(self, source_name, source_slice, cache):
        if source_slice.stop <= self.at or self.rank != self.on:
            return
        if self.how == "raise":
            raise ArithmeticError("no result")
        if self.how == "exit":
            sys.exit(3)
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "wait":
            print("waiting", flush=True)
            time.sleep(60)


class Geometry(H5FlowResource):
    """Has a width."""

    def __init__(self, width=1, **params):
        super().__init__(**params)
        events.append(f"geometry made, start {self.start_position}")
        self.width = width

    def init(self, source_name):
        events.append(f"geometry init {source_name}")

    def finish(self, source_name):
        events.append(f"geometry finish {source_name}")


class UseGeometry(H5FlowStage):
    def run(self, source_name, source_slice, cache):
        events.append(resources["Geometry"].width)
