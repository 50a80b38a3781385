"""A multiprocessing manager in a process that `multiprocessing` does not count as a child.

So it may live for longer than one test. Run as a script, it reads the key from its standard input
and serves at the address given.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.managers import SyncManager
from pathlib import Path


@contextmanager
def manager_at(address: Path) -> Iterator[tuple[SyncManager, subprocess.Popen[bytes]]]:
    """Give a manager whose server has the key of this process, and its process."""
    key = multiprocessing.current_process().authkey
    server = subprocess.Popen(
        [sys.executable, __file__, str(address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write(key.hex().encode() + b"\n")
        server.stdin.flush()
        assert server.stdout.readline() == b"ready\n"
        manager = SyncManager(address=str(address), authkey=key)
        manager.connect()
        yield manager, server
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()


def _serve() -> None:
    key = bytes.fromhex(sys.stdin.readline())
    server = SyncManager(address=sys.argv[1], authkey=key).get_server()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    _serve()
