"""A server of a block's data with as little memory as it needs, to be attacked by a test.

Run as a script with a prefix and an address: it prints its address, then for each line that it is
given how much memory it has in use (in kilobytes), until there is no more input. Whenever its
handler ends, a new one takes over at the same address.
"""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path

import numpy

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data.source import DataSource
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.execution import LoopMessageHandler

MORE_THAN_AT_START = 1 << 30


class Numbers(DataSource):
    """Ten units, of which each covers two indices."""

    def __init__(self, dataformat: DataFormat) -> None:
        super().__init__()
        self.infos = [(2 * i, 2 * i + 1) for i in range(10)]
        self.type = dataformat.type

    def __getitem__(self, index: int) -> tuple[object, int | None, int | None]:
        if not 0 <= index < 10:
            return None, None, None
        return self.type(value=numpy.int32(index)), *self.infos[index]


class Evaluator:
    """Accepts whatever it is asked, and keeps nothing."""

    def validate(self, hypothesis: object) -> tuple[bool, dict[str, object]]:
        return True, {"value": numpy.int32(1)}

    def write(self, output: str, end: int | None) -> None:
        """Do nothing."""

    def read(self) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


def used() -> tuple[int, int]:
    """Return the address space and the memory in use, in kilobytes."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmSize"].split()[0]), int(fields["VmRSS"].split()[0])


def serve(prefix: str, address: str, known: threading.Event) -> None:
    """Serve for ever, and print the address at first."""
    source = Numbers(DataFormat(prefix, "user/single_integer/1"))
    algorithm = Algorithm(prefix, "user/guess_evaluator_sequential/1")
    while True:
        handler = LoopMessageHandler(address, {"in": source})
        handler.setup(algorithm, prefix)
        handler.set_executor(Evaluator())  # type: ignore[arg-type]
        if not known.is_set():
            address = handler.address
            print(address, flush=True)
            known.set()
        handler.start()
        handler.join()
        handler.destroy()


def main() -> None:
    """Serve in a thread, and answer questions."""
    known = threading.Event()
    prefix, address = sys.argv[1:]
    threading.Thread(target=serve, args=(prefix, address, known), daemon=True).start()
    known.wait(30)
    most = used()[0] * 1024 + MORE_THAN_AT_START
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for _ in sys.stdin:
        print(used()[1], flush=True)


if __name__ == "__main__":
    main()
