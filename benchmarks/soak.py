"""Runs random experiments for a long time, kills them, damages their caches, and loses nothing.

``python -m benchmarks.soak --seconds 3600`` is the long one; continuous integration takes
``--seconds 180``, and ``--rounds`` counts rounds instead. Each round runs a random experiment in
processes of its own, one or two at a time, and does something to them: kills the runner, one of the
processes of a block, or all of them, interrupts the runner, or lets the disk be full. Then some
files of the cache are damaged. In the end the experiment is run undisturbed, once or twice at the
same time: it must come to what it comes to in an empty cache, byte by byte, and leave no process,
lock or temporary file. The seed is printed first, and what was counted last, as JSON; the exit
status is 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import psutil

from beat.backend.python.data.wire import CONNECT_PATIENCE
from beat.backend.python.publish import is_leftover
from beat.backend.python.runner import IndexingFailed, InlineEngine, RunFailed, Runner
from beat.backend.python.runner.aside import list_set_aside
from beat.backend.python.runner.outputs import leftovers, list_outputs, verify

from .support.random_experiments import NAME, write_experiment

PATIENCE = 60.0
# a process that was started a moment before its peer was killed waits for it that long
SURVIVAL = CONNECT_PATIENCE + 30.0
FAILED, INTERRUPTED = 3, 130
LOST = ("wrong", "damaged", "different", "hanging", "crashed", "survivors", "locks", "litter")


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600, help="how long (3600)")
    parser.add_argument("--rounds", type=int, help="how many rounds, however long they take")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--run", nargs=3, metavar=("PREFIX", "CACHE", "BYTES"), help="one run")
    options = parser.parse_args()
    if options.run:
        return run_once(*options.run)
    print("seed", options.seed, file=sys.stderr, flush=True)
    found: Counter[str] = Counter(dict.fromkeys(LOST, 0))
    began = time.monotonic()
    while time.monotonic() < began + options.seconds:
        if found["rounds"] == options.rounds:
            break
        seed = f"{options.seed}/{found['rounds']}"
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            found += Round(Path(folder), seed).play()
    print(json.dumps({**dict.fromkeys(LOST, 0), **found}))
    return 1 if any(found[what] for what in LOST) else 0


def run_once(prefix: str, cache: str, most_bytes: str) -> int:
    """Run the experiment; return the exit status. No file may have more than that many bytes."""
    if int(most_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
    try:
        run = Runner(prefix, cache).run(NAME, jobs=2)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (RunFailed, IndexingFailed) as error:
        print(error, file=sys.stderr)
        return FAILED
    except OSError as error:
        if int(most_bytes):  # it was told why
            return FAILED
        raise error
    print(run.results["sum"]["total"].value)
    return 0


class Round:
    """One experiment, what is done to it, and what has become of it.

    Parameters
    ----------
    folder : Path
        An empty folder.
    seed : str
        What it depends on; not on how fast things go, though.
    """

    def __init__(self, folder: Path, seed: str) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.prefix, self.cache, self.temporary = folder / "prefix", folder / "cache", folder / "t"
        self.temporary.mkdir()
        self.found: Counter[str] = Counter()
        self.total = write_experiment(self.prefix, self.chance)

    def play(self) -> Counter[str]:
        """Disturb, damage, run to the end; return what was counted."""
        for _ in range(self.chance.randrange(1, 3)):
            self.disturb()
            self.damage()
        self.wait_for_the_last()  # what the dead have started ends by itself
        shutil.rmtree(self.temporary)  # of killed runs, folders are left
        self.temporary.mkdir()
        for name in leftovers(str(self.cache)):
            os.unlink(name)
            self.found["leftovers"] += 1
        self.run_to_the_end()
        self.look_for_rests()
        self.compare()
        self.found["rounds"] += 1
        return self.found

    def lose(self, what: str, details: object) -> None:
        """Count a loss, and tell what it is."""
        self.found[what] += 1
        print(f"round {self.seed}: {what}: {details}", file=sys.stderr, flush=True)

    # What is done to runs

    def disturb(self) -> None:
        """Run, and do something to that after a while."""
        disturbances: list[Callable[[psutil.Popen], None]] = [
            self.kill_runner,
            self.kill_runner,
            self.kill_one,
            self.kill_all,
            self.interrupt,
        ]
        most_bytes = self.chance.choice([0, 0, 0, 0, 100, 1000, 4000])
        with self.running(self.chance.choice([1, 1, 2]), most_bytes) as runs:
            time.sleep(self.chance.uniform(0, 3))
            for run in runs:
                self.chance.choice(disturbances)(run)
            for run in runs:
                self.end(run, {0, FAILED, INTERRUPTED, -signal.SIGKILL, -signal.SIGINT})
        self.found["full disks"] += most_bytes > 0

    @contextmanager
    def running(self, count: int, most_bytes: int = 0) -> Iterator[list[psutil.Popen]]:
        """Run the experiment in that many processes at a time."""
        command = [sys.executable, "-m", "benchmarks.soak", "--run", str(self.prefix)]
        command += [str(self.cache), str(most_bytes)]
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        # pipes: a file would be one of those that may not grow
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        runs = [psutil.Popen(command, env=environment, **pipes) for _ in range(count)]
        try:
            yield runs
        finally:
            for run in runs:
                with suppress(psutil.NoSuchProcess):
                    run.kill()
                run.communicate()

    def end(self, run: psutil.Popen, expected: set[int]) -> str:
        """Wait for the end of a run; return what it has printed."""
        try:
            said, complaints = run.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.lose("hanging", run.pid)
            return ""
        if run.returncode not in expected:
            self.lose("crashed", f"status {run.returncode}\n{complaints[-3000:]}")
        return str(said)

    def kill_runner(self, run: psutil.Popen) -> None:
        """Kill the process that runs the experiment; its blocks find out by themselves."""
        self._kill("runners", [run])

    def kill_one(self, run: psutil.Popen) -> None:
        """Kill one of the processes of blocks."""
        children = self.children(run)
        self._kill("processes of blocks", children and [self.chance.choice(children)])

    def kill_all(self, run: psutil.Popen) -> None:
        """Kill the runner and all processes of its blocks."""
        children = self.children(run)
        self._kill("runners", [run])
        self._kill("processes of blocks", children)

    def children(self, run: psutil.Popen) -> list[psutil.Process]:
        """Return the processes of blocks, some time after there is one or the run is over."""
        with suppress(psutil.NoSuchProcess):
            while run.poll() is None and not run.children():
                time.sleep(0.01)
            time.sleep(self.chance.uniform(0, 1))
            return run.children(recursive=True)
        return []

    def interrupt(self, run: psutil.Popen) -> None:
        """Do what Ctrl-C does."""
        with suppress(psutil.NoSuchProcess):
            run.send_signal(signal.SIGINT)
            self.found["interrupted"] += 1

    def _kill(self, what: str, processes: list[psutil.Process]) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                self.found[f"killed {what}"] += 1
                self.found["killed"] += 1

    def damage(self) -> None:
        """Change or cut some of the files of the cache."""
        names = sorted(
            path
            for path in self.cache.rglob("*")
            if path.is_file() and not {"locks", "damaged"} & {*path.parts} and path.suffix != ".tmp"
        )
        for path in self.chance.sample(names, min(len(names), self.chance.randrange(4))):
            content = bytearray(path.read_bytes())
            position = self.chance.randrange(len(content)) if content else 0
            if content and self.chance.random() < 0.5:
                content[position] ^= 1 << self.chance.randrange(8)
                self.found["flipped bits"] += 1
            else:
                del content[position:]
                self.found["cut files"] += 1
            path.write_bytes(content)

    # What must be so in the end

    def run_to_the_end(self) -> None:
        """Run undisturbed: each run must come to the end, and to the right one."""
        with self.running(self.chance.choice([1, 1, 2])) as runs:
            for run in runs:
                said = self.end(run, {0}).strip()
                if said != str(self.total):
                    self.lose("wrong", f"{said!r} instead of {self.total}")

    def look_for_rests(self) -> None:
        """Look for what runs have left: processes, locks, files."""
        self.wait_for_the_last()
        for path in self.cache.glob(".beat/locks/*"):
            with path.open() as file, suppress(FileNotFoundError):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.lose("locks", path)
        litter = [path for path in self.cache.rglob(".*.tmp") if is_leftover(str(path))]
        for path in [*litter, *self.temporary.iterdir()]:
            self.lose("litter", path)
        self.found["set aside"] += len([*list_set_aside(str(self.cache))])

    def wait_for_the_last(self) -> None:
        """Wait until nobody works with the cache any more."""
        deadline = time.monotonic() + SURVIVAL
        while survivors := list(self.survivors()):
            if time.monotonic() > deadline:
                self.lose("survivors", survivors)
                break
            time.sleep(0.1)

    def survivors(self) -> Iterator[str]:
        """Yield the processes that still work with the cache."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = process.cmdline()
                if any(str(self.cache) in word for word in command):
                    yield f"{process.pid} {' '.join(command)}"

    def compare(self) -> None:
        """Compare what is in the cache with what is made in an empty one."""
        clean = self.cache.with_name("clean")
        runner = Runner(str(self.prefix), str(clean))
        run = runner.run(NAME, engine=InlineEngine(str(clean)))
        self.found["blocks"] += len(run.states)
        for output in list_outputs(str(clean)):
            problem = verify(str(self.cache), str(self.prefix), output)
            if problem is not None:
                self.lose("damaged", f"{output.path}: {problem}")
            elif _units(self.cache, output.path) != _units(clean, output.path):
                self.lose("different", output.path)


def _units(cache: Path, path: str) -> str:
    """Return a digest of the files of an output with its units, in their order."""
    digest = sha256()
    for data in sorted(cache.glob(f"{path}.*.data"), key=lambda p: int(p.name.split(".")[-3])):
        digest.update(data.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
