"""What comes with the import of the package, and what does not."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from beat.backend.python import execution


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        (
            "AlgorithmExecutor",
            "socket directory dataformat_cache database_cache library_cache cache_root "
            "db_socket loop_socket",
        ),
        (
            "LoopExecutor",
            "message_handler directory dataformat_cache database_cache library_cache cache_root "
            "db_socket",
        ),
        (
            "DBExecutor",
            "message_handler prefix cache_root data dataformat_cache database_cache",
        ),
        ("LoopChannel", "socket"),
        ("MessageHandler", "host_address data_sources kill_callback context"),
        ("LoopMessageHandler", "host_address data_sources kill_callback context"),
    ],
)
def test_public_names_and_their_arguments(name: str, parameters: str) -> None:
    wanted = parameters.split()
    assert [*inspect.signature(getattr(execution, name)).parameters][: len(wanted)] == wanted


def test_importing_starts_nothing() -> None:
    code = (
        "import threading, zmq\n"
        "import beat.backend.python.execution\n"
        "assert threading.active_count() == 1\n"
        "assert zmq.Context._instance is None\n"
        "import gc\n"
        "assert not [o for o in gc.get_objects() if isinstance(o, zmq.Context)]\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
