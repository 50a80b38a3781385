"""Processes that write into one cache at the same time, or are killed while they do.

Run as a script in a process without threads: ``cache_stress.py kill|race PREFIX CACHE COUNT SEED``.
It prints what it has counted as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter, namedtuple
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy

from beat.backend.python.data import CachedDataSink, CachedDataSource
from beat.backend.python.data.cache_files import record_path
from beat.backend.python.data.viewindex import read_index, write_index
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.runner.outputs import leftovers, list_outputs, verify
from beat.backend.python.runner.record import read_json, write_json

FORMAT = "user/measurement/1"
OUTPUTS = [f"ab/cd/output{i}" for i in range(4)]
VIEW_INDEX = "ef/view.db"
RECORD = "ab/cd/record"
UNITS = 5
Entry = namedtuple("Entry", "value")


def write_output(prefix: str, cache: str, path: str, version: int, size: int) -> None:
    """Write an output of which every number is the same, so that mixtures show."""
    sink = CachedDataSink()
    filename = os.path.join(cache, path + ".data")
    assert sink.setup(filename, DataFormat(prefix, FORMAT), 0, UNITS - 1)
    for i in range(UNITS):
        sink.write({"label": "", "values": numpy.full(size, version, float)}, i, i)
    sink.close()


def write_something(prefix: str, cache: str, chance: random.Random) -> None:
    """Write an output, a view's index or a record."""
    version = chance.randrange(1, 1000)
    what = chance.random()
    if what < 0.8:
        size = chance.choice([1, 100, 10_000])
        write_output(prefix, cache, chance.choice(OUTPUTS), version, size)
    elif what < 0.9:
        entries = [Entry(version) for _ in range(version)]
        write_index(os.path.join(cache, VIEW_INDEX), entries)
    else:
        write_json(record_path(cache, RECORD), {"numbers": [version] * version})


def is_whole(prefix: str, cache: str, path: str) -> bool:
    """Read an output, of which all must be from one writer; False if it is not there."""
    source = CachedDataSource()
    if not source.setup(str(Path(cache, path + ".data")), prefix):
        return False
    numbers = numpy.concatenate([source[i][0].values for i in range(UNITS)])
    source.close()
    assert (numbers == numbers[0]).all()
    return True


def check_everything(prefix: str, cache: str, found: Counter[str]) -> None:
    """Check that all that is there is whole, and count it."""
    for path in OUTPUTS:
        stem = Path(cache, f"{path}.0.{UNITS - 1}")
        if not os.path.exists(f"{stem}.index"):
            found["unfinished" if os.path.exists(f"{stem}.data") else "absent"] += 1
            continue
        assert is_whole(prefix, cache, path)
        found["whole"] += 1
    index = os.path.join(cache, VIEW_INDEX)
    if os.path.exists(index):
        entries = read_index(index)
        assert {entry.value for entry in entries} == {len(entries)}
    if os.path.exists(record_path(cache, RECORD)):
        record = read_json(record_path(cache, RECORD))
        assert record is not None
        assert set(record["numbers"]) == {len(record["numbers"])}


def fork(work: Callable[[], object]) -> int:
    """Do something in a process of its own; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def kill(prefix: str, cache: str, count: int, seed: int) -> Counter[str]:
    """Kill writers, one after the other, and look at what they have left each time."""
    chance = random.Random(seed)
    found: Counter[str] = Counter()

    def write_for_ever(own: random.Random) -> None:
        while True:
            write_something(prefix, cache, own)

    for _ in range(count):
        child = fork(lambda: write_for_ever(random.Random(chance.random())))
        chance.random()
        time.sleep(chance.uniform(0.001, 0.05))
        os.kill(child, signal.SIGKILL)
        found["killed"] += os.waitpid(child, 0)[1] == signal.SIGKILL
        check_everything(prefix, cache, found)
        for name in leftovers(cache):
            os.unlink(name)
            found["leftovers"] += 1
        found["damaged"] += sum(bool(verify(cache, prefix, o)) for o in list_outputs(cache))
        found["litter"] += sum(1 for path in Path(cache).rglob("*.tmp"))
    return found


def race(prefix: str, cache: str, count: int, seed: int) -> Counter[str]:
    """Let eight processes write the same outputs; others read them and tidy up all the time."""

    def write(number: int) -> None:
        own = random.Random(seed + number)
        for _ in range(count):
            write_something(prefix, cache, own)

    def tidy() -> None:
        while os.getppid() == parent:
            for name in leftovers(cache):
                raise AssertionError(f"{name} is taken for a leftover")

    def read() -> None:
        while os.getppid() == parent:
            for path in OUTPUTS:
                with suppress(OSError):  # one that is being replaced is refused
                    is_whole(prefix, cache, path)

    parent = os.getpid()
    writers = [fork(lambda n=number: write(n)) for number in range(8)]  # type: ignore[misc]
    others = [fork(tidy), fork(read)]
    found: Counter[str] = Counter()
    for writer in writers:
        found["failed"] += os.waitpid(writer, 0)[1] != 0
    for other in others:
        os.kill(other, signal.SIGKILL)
        found["mistaken"] += os.waitpid(other, 0)[1] != signal.SIGKILL
    check_everything(prefix, cache, found)
    found["damaged"] += sum(bool(verify(cache, prefix, o)) for o in list_outputs(cache))
    found["litter"] += sum(1 for path in Path(cache).rglob("*.tmp"))
    return found


def main() -> None:
    """Do what the command line says."""
    what, prefix, cache, count, seed = sys.argv[1:]
    logging.disable()
    for path in (*OUTPUTS, VIEW_INDEX):
        os.makedirs(os.path.dirname(os.path.join(cache, path)), exist_ok=True)
    found = {"kill": kill, "race": race}[what](prefix, cache, int(count), int(seed))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
