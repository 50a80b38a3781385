"""Runs random experiments for a long time, kills them, damages their caches, and loses nothing.

``python -m benchmarks.soak --seconds 3600`` is the long one; continuous integration takes
``--seconds 180``. Each round runs a random experiment in a process of its own, which is often
killed; then some files of the cache are damaged. In the end, and now and then, the experiment is
run to its end: its results must be those that they should be. The seed is printed first, and what
was counted last, as JSON; the exit status is 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from beat.backend.python.runner import Runner
from beat.backend.python.runner.outputs import leftovers, list_outputs, verify

NAME = "user/user/soak/1/x"

VIEW = """
from collections import namedtuple
import numpy
from beat.backend.python.database import View

class Numbers(View):
    def index(self, root_folder, parameters):
        return [namedtuple("Entry", "value")(i) for i in range(parameters["count"])]

    def get(self, output, index):
        return {"value": numpy.int64(self.objs[index].value)}
"""

ADD = """
import numpy

class Algorithm:
    def process(self, inputs, data_loaders, outputs):
        outputs["out"].write({"value": numpy.int64(inputs["in"].data.value + OFFSET)})
        return True
"""

SUM = """
import numpy

class Algorithm:
    def process(self, data_loaders, output):
        loader = data_loaders.loaderOf("in")
        values = [int(loader[i][0]["in"].value) for i in range(loader.count())]
        output.write({"total": numpy.int32(sum(values))}, loader.data_index_end)
        return True
"""


def write(prefix: Path, kind: str, name: str, declaration: Any, code: str = "") -> None:
    """Write an object into a prefix."""
    path = prefix / kind / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declaration))
    if code:
        path.with_suffix(".py").write_text(code)


def write_experiment(prefix: Path, chance: random.Random) -> int:
    """Write a chain of a few blocks with random offsets; return the sum that it comes to."""
    count, offsets = chance.randrange(1, 60), [chance.randrange(100) for _ in range(3)]
    write(prefix, "dataformats", "user/number/1", {"value": "int64"})
    view = {"name": "all", "template": "all", "view": "Numbers", "parameters": {"count": count}}
    sets = [{**view, "outputs": {"value": "user/number/1"}}]
    protocol = {"name": "protocol", "template": "protocol", "sets": sets}
    database = {"root_folder": "/nowhere", "protocols": [protocol]}
    # a database never changes under its name: each number of entries has a name of its own
    write(prefix, "databases", f"numbers/{count}", database, VIEW)
    number = {"type": "user/number/1"}
    common = {"language": "python", "schema_version": 2, "api_version": 2}
    for offset in offsets:
        declared = {
            **common,
            "type": "sequential",
            "splittable": True,
            "groups": [{"inputs": {"in": number}, "outputs": {"out": number}}],
        }
        code = ADD.replace("OFFSET", str(offset))
        write(prefix, "algorithms", f"user/add{offset}/1", declared, code)
    results = {"total": {"type": "int32", "display": True}}
    declared = {**common, "type": "autonomous", "groups": [{"inputs": {"in": number}}]}
    write(prefix, "algorithms", "user/sum/1", {**declared, "results": results}, SUM)
    write(prefix, "toolchains", "user/soak/1", _toolchain(len(offsets)))
    blocks = {
        f"block{i}": {
            "algorithm": f"user/add{offset}/1",
            "inputs": {"in": "in"},
            "outputs": {"out": "out"},
            "nb_slots": chance.randrange(1, 4),
        }
        for i, offset in enumerate(offsets)
    }
    dataset = {"database": f"numbers/{count}", "protocol": "protocol", "set": "all"}
    environment = {"queue": "queue", "environment": {"name": "soak", "version": "1"}}
    experiment = {
        "datasets": {"data": dataset},
        "blocks": blocks,
        "analyzers": {"sum": {"algorithm": "user/sum/1", "inputs": {"in": "in"}}},
        "globals": environment,
    }
    write(prefix, "experiments", NAME, experiment)
    return sum(range(count)) + count * sum(offsets)


def _toolchain(length: int) -> dict[str, Any]:
    names = [f"block{i}" for i in range(length)]
    ends = ["data.value", *(f"{name}.out" for name in names)]
    starts = [*(f"{name}.in" for name in names), "sum.in"]
    in_ = {"synchronized_channel": "data", "inputs": ["in"]}
    return {
        "datasets": [{"name": "data", "outputs": ["value"]}],
        "blocks": [{"name": name, **in_, "outputs": ["out"]} for name in names],
        "analyzers": [{"name": "sum", **in_}],
        "connections": [
            {"from": end, "to": start, "channel": "data"}
            for end, start in zip(ends, starts, strict=True)
        ],
        "representation": {"connections": {}, "blocks": {}, "channel_colors": {}},
    }


def run_in_background(prefix: Path, cache: Path, seconds: float) -> bool:
    """Run in a process that is killed after some time; tell whether it came to that."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run, args=(str(prefix), str(cache)))
    process.start()
    process.join(seconds)
    killed = process.is_alive()
    if killed and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return killed


def _run(prefix: str, cache: str) -> None:
    Runner(prefix, cache).run(NAME, jobs=2)


def damage(cache: Path, chance: random.Random) -> int:
    """Change or cut some of the outputs' files; return how many."""
    names = [name for output in list_outputs(str(cache)) for name in output.files]
    chosen = chance.sample(names, min(len(names), chance.randrange(3)))
    for name in chosen:
        content = bytearray(Path(name).read_bytes())
        position = chance.randrange(len(content)) if content else 0
        if content and chance.random() < 0.5:
            content[position] ^= 1 << chance.randrange(8)
        else:
            del content[position:]
        Path(name).write_bytes(content)
    return len(chosen)


def soak(folder: Path, seconds: float, chance: random.Random) -> Counter[str]:
    """Do that for some time; return what was counted."""
    found: Counter[str] = Counter()
    prefix, cache = folder / "prefix", folder / "cache"
    cache.mkdir()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        total = write_experiment(prefix, chance)
        found["killed"] += run_in_background(prefix, cache, chance.uniform(0.3, 4))
        found["damaged"] += damage(cache, chance)
        for name in leftovers(str(cache)):
            os.unlink(name)
            found["leftovers"] += 1
        run = Runner(str(prefix), str(cache)).run(NAME, jobs=2)
        found["rounds"] += 1
        found["blocks"] += len(run.states)
        found["wrong"] += run.results["sum"]["total"].value != total
        found["damaged at the end of a round"] += sum(
            bool(verify(str(cache), str(prefix), output))
            for output in list_outputs(str(cache))
            if output.path
            in {
                path
                for b in Runner(str(prefix), str(cache)).plan(NAME)[1].blocks
                for path in b.paths
            }
        )
    return found


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600, help="how long (3600)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print("seed", options.seed, file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder  # of killed runs, folders are left
        found = soak(Path(folder), options.seconds, random.Random(options.seed))
    print(json.dumps(found))
    return 1 if found["wrong"] or found["damaged at the end of a round"] else 0


if __name__ == "__main__":
    sys.exit(main())
