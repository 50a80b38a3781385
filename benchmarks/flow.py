"""Flows: the loop, copying, references. Limits are plain h5py and NumPy on the same bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import numpy

from beat.backend.python.flow import H5FlowDataManager, H5FlowManager

from .harness import Pair, case

ROWS = 1_000_000
CALL = 10_000
KIND = numpy.dtype([("time", "f8"), ("id", "i8")])
MODULES = "beat.backend.python.flow.modules"
BASES = "beat.backend.python.flow.core"
OVERHEAD_SECONDS = 100e-6


def make_input(folder: Path) -> str:
    """Write a file with a million rows of 16 bytes."""
    path = str(folder / "in.h5")
    with H5FlowDataManager(path, mpi=False) as flow:
        fill(flow, "A")
    return path


def fill(flow: H5FlowDataManager, name: str) -> None:
    """Make a dataset of a million rows."""
    rows = numpy.zeros(ROWS, KIND)
    rows["id"] = numpy.arange(ROWS)
    flow.create_dset(name, KIND)
    flow.write_data(name, flow.reserve_data(name, ROWS), rows)


def flow_of(stage: str, path: str, chunk: int, **params: Any) -> dict[str, Any]:
    """Return a configuration with one stage."""
    loop = {"classname": "H5FlowDatasetLoopGenerator", "path": MODULES, "dset_name": "A"}
    return {
        "flow": {"source": "loop", "stages": ["copy"]},
        "loop": {**loop, "params": {"chunk_size": chunk}},
        "copy": {"classname": stage, "path": path, "params": params},
    }


def slices(chunk: int) -> Iterator[slice]:
    """Yield the slices of a loop."""
    return (slice(first, first + chunk) for first in range(0, ROWS, chunk))


def copy_rows(folder: Path, chunk: int, references: bool) -> Pair:
    """Return a whole flow, and the same by plain h5py, published durably as well."""
    source = make_input(folder)
    config = flow_of("H5FlowTestStage", MODULES, chunk, references=references)

    def ours() -> None:
        manager = H5FlowManager(config, str(folder / "a.h5"), source, overwrite=True, mpi=False)
        manager.init()
        manager.run()
        manager.finish()

    def limit() -> None:
        path = str(folder / "b.tmp")
        shutil.copyfile(source, path)
        with h5py.File(path, "a") as file:
            rows = file["A/data"]
            copy = file.create_dataset("copy/data", (0,), KIND, maxshape=(None,))
            pairs = file.create_dataset("ref", (0, 2), "u4", maxshape=(None, 2))
            for part in slices(chunk):
                copy.resize(part.stop, axis=0)
                copy[part] = rows[part]
                if references:
                    numbers = numpy.arange(part.start, part.stop)
                    pairs.resize(part.stop, axis=0)
                    pairs[part] = numpy.stack([numbers, numbers], axis=1)
        with open(path, "rb") as written:
            os.fsync(written.fileno())
        os.replace(path, folder / "b.h5")

    return Pair(ours, limit, ROWS)


@case("copy stage, slices of", 1.3, sizes=(10_000, 100_000))
def copy_stage(folder: Path, chunk: int) -> Iterator[Pair]:
    """From the input to the published output."""
    yield copy_rows(folder, chunk, references=False)


@case("copy stage with references, slices of", sizes=(10_000, 100_000))
def copy_stage_with_references(folder: Path, chunk: int) -> Iterator[Pair]:
    """The limit writes the pairs, but no region tables."""
    yield copy_rows(folder, chunk, references=True)


@case("slice: manager and cache, 100 us allowed", 1.0, sizes=(1_000, 10_000))
def overhead(folder: Path, chunk: int) -> Iterator[Pair]:
    """A stage that does nothing; the limit reads each slice and waits for what is allowed."""
    config = flow_of("H5FlowStage", BASES, chunk)
    source = make_input(folder)
    manager = H5FlowManager(config, source, source, in_place=True, mpi=False)

    def ours() -> None:
        manager.init()  # which begins the loop anew
        manager.generator._given = 0  # type: ignore[attr-defined]
        manager.run()

    def limit() -> None:
        rows = manager.data_manager.get_dset("A")
        for part in slices(chunk):
            rows[part]
            until = perf_counter() + OVERHEAD_SECONDS
            while perf_counter() < until:
                pass

    yield Pair(ours, limit, ROWS // chunk)
    manager.finish()


@case("reserve_data, reference sets", 5, sizes=(1, 10, 50), growth=0.1)
def reserve(folder: Path, sets: int) -> Iterator[Pair]:
    """The limit resizes a dataset."""
    with H5FlowDataManager(str(folder / "a.h5"), mpi=False) as flow:
        flow.create_dset("A", KIND)
        for number in range(sets):
            flow.create_dset(f"B{number}", KIND)
            flow.create_ref("A", f"B{number}")
        with h5py.File(folder / "b.h5", "w") as file:
            dset = file.create_dataset("A", (0,), KIND, maxshape=(None,))

            def ours() -> None:
                for _ in range(100):
                    flow.reserve_data("A", 10)

            def limit() -> None:
                for _ in range(100):
                    dset.resize(dset.shape[0] + 10, axis=0)

            yield Pair(ours, limit, 100)


def at_random() -> Any:
    """Return a million row numbers."""
    return numpy.random.default_rng(1).integers(0, ROWS, ROWS)


PAIRS: dict[str, Callable[[], Any]] = {
    "in order": lambda: numpy.stack([numpy.arange(ROWS)] * 2, axis=1),
    "random child": lambda: numpy.stack([numpy.arange(ROWS), at_random()], axis=1),
    "random": lambda: numpy.stack([at_random(), at_random()[::-1]], axis=1),
    "ten each": lambda: numpy.stack([numpy.arange(ROWS) // 10, numpy.arange(ROWS)], axis=1),
}


def make_references(folder: Path, refs: Any, name: str = "refs.h5") -> H5FlowDataManager:
    """Open a file with a million references."""
    flow = H5FlowDataManager(str(folder / name), mpi=False)
    for dset in ("A", "B"):
        fill(flow, dset)
    flow.create_ref("A", "B")
    flow.write_ref("A", "B", refs)
    flow.close_file()
    return flow


def write_case(kind: str) -> None:
    """Make a case of writing references."""

    @case(f"write_ref, 1M {kind} / in order", 3)
    def write(folder: Path, size: int) -> Iterator[Pair]:
        base = make_references(folder, [])
        base.close_file()

        def writer(refs: Any) -> Callable[[], None]:
            def run() -> None:
                path = str(folder / "run.h5")
                shutil.copyfile(base.filepath, path)
                with H5FlowDataManager(path, mpi=False) as flow:
                    for first in range(0, ROWS, CALL):
                        flow.write_ref("A", "B", refs[first : first + CALL])

            return run

        yield Pair(writer(PAIRS[kind]()), writer(PAIRS["in order"]()), ROWS)


def read_case(kind: str) -> None:
    """Make a case of dereferencing."""

    @case(f"dereference 1M, {kind}", 4)
    def read(folder: Path, size: int) -> Iterator[Pair]:
        """The limit reads references and rows and takes those referred to."""
        refs = PAIRS[kind]()
        with make_references(folder, refs) as flow:
            ref, _ = flow.get_ref("A", "B")
            data = flow.get_dset("B")
            parents = slice(0, int(refs[-1, 0]) + 1)

            def limit() -> Any:
                pairs, rows = ref[:], data[:]
                return rows[pairs[:, 1]]

            def same(ours: Any, limit: Any) -> bool:
                return bool((ours.data.reshape(-1) == limit).all()) and not ours.mask["id"].any()

            yield Pair(lambda: flow["A", "B", parents], limit, ROWS, same)


for one in ("random child", "random"):
    write_case(one)
for one in ("in order", "random child", "ten each"):
    read_case(one)


@case("dereference a slice, rows", sizes=(1, 1_000, 10_000))
def read_slice(folder: Path, length: int) -> Iterator[Pair]:
    """The limit reads the three datasets."""
    with make_references(folder, PAIRS["in order"]()) as flow:
        dsets = [flow.get_ref_region("A", "B"), flow.get_ref("A", "B")[0], flow.get_dset("B")]
        part = slice(ROWS // 2, ROWS // 2 + length)

        def same(ours: Any, limit: Any) -> bool:
            return bool((ours.data[:, 0] == limit[2]).all())

        yield Pair(lambda: flow["A", "B", part], lambda: [d[part] for d in dsets], length, same)
