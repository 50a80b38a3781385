"""The nth operation on sockets fails, for n = 1, 2, 3 and so on, until a whole block passes."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
import zmq
from support.blocks import Workspace, side
from support.failing_sockets import failing
from support.peers import Peers

from beat.backend.python.data import wire
from beat.backend.python.exceptions import RemoteException
from beat.backend.python.execution import (
    AlgorithmExecutor,
    DBExecutor,
    LoopExecutor,
    LoopMessageHandler,
    MessageHandler,
    algorithm,
    loop,
    sockets,
)
from beat.backend.python.execution.keys import client_keys, make_keys, server_keys

SECONDS = 30  # far more than any wait in it takes


def configure(workspace: Workspace) -> None:
    """Configure a loop, of which the processor reads two units of a database: 100 and 101."""
    workspace.bring("user/guess_processor_sequential/1")
    workspace.bring("user/guess_evaluator_sequential/1")
    workspace.bring_database("simple/1")
    given = {"in": workspace.index("simple/1", "numbers", "some", "out")}
    tens = {"in": workspace.write_input("tens", [10, 10])}
    evaluator = side("user/guess_evaluator_sequential/1", tens, output_path="evaluated")
    workspace.configure("user/guess_processor_sequential/1", given, loop=evaluator, range=[0, 1])


class Block:
    """A block with all of its peers in one process, over sockets with keys."""

    def __init__(self, workspace: Workspace, keys: Path) -> None:
        self.workspace = workspace
        self.keys = str(keys)
        self.peers = Peers()
        self.driver: MessageHandler | None = None

    def run(self) -> None:
        """Run it; raise whatever went wrong."""
        peers, workspace = self.peers, self.workspace
        self.driver = self.handler(MessageHandler, "driver")
        self.driver.start()
        provider = self.handler(MessageHandler, "databases")
        DBExecutor(
            provider, str(workspace.prefix), str(workspace.cache), workspace.configuration
        ).process()
        handler = self.handler(LoopMessageHandler, "evaluator")
        evaluator = LoopExecutor(handler, str(workspace.directory), cache_root=str(workspace.cache))
        try:
            assert evaluator.setup()
            assert evaluator.prepare()
            assert evaluator.process()
            processor = AlgorithmExecutor(
                self.connect(self.driver, "driver"),
                str(workspace.directory),
                cache_root=str(workspace.cache),
                db_socket=self.connect(provider, "databases"),
                loop_socket=self.connect(handler, "evaluator"),
            )
            assert processor.setup()
            assert processor.prepare()
            assert processor.process()
        finally:
            for one in peers.handlers:
                one.kill()
            evaluator.wait()
            evaluator.close()

    def handler(self, klass: Any, role: str) -> Any:
        return self.peers.keep(klass("127.0.0.1", keys=server_keys(self.keys, role)))

    def connect(self, handler: MessageHandler, server: str) -> zmq.Socket[bytes]:
        return self.peers.client(handler, client_keys(self.keys, "algorithm", server))


def attempt(workspace: Workspace, keys: Path, n: int) -> tuple[str, int]:
    """Run a block of which the nth call fails; return what went wrong, and how many calls it took.

    Whatever is still there afterwards is closed where nothing fails any more.
    """
    block = Block(workspace, keys)
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            block.run()
        except (zmq.ZMQError, RemoteException, TimeoutError, RuntimeError) as error:
            outcome.append(error)
        else:
            outcome.append(None)

    with failing(n) as counted:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(SECONDS)
        if thread.is_alive():
            where = "".join(traceback.format_stack(sys._current_frames()[thread.ident]))
            raise AssertionError(f"a block hangs after its {n}th call has failed:\n{where}")
    block.peers.close()
    told = "" if outcome[0] is None else f"{outcome[0]}"
    return told, counted.calls


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.once
def test_the_nth_operation_on_sockets_fails(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="beat")  # what is logged would hold what failed
    for module in (algorithm, loop):
        monkeypatch.setattr(module, "FAREWELL_SECONDS", 0.2)
    monkeypatch.setattr(algorithm, "DRIVER_SECONDS", 2)
    monkeypatch.setattr(wire, "CONNECT_PATIENCE", 0.5)
    monkeypatch.setattr(sockets, "HANDSHAKE_MS", 500)
    configure(workspace)
    keys = tmp_path / "keys"
    make_keys(str(keys))
    told, most = attempt(workspace, keys, 0)
    assert told == ""
    good = workspace.files() + workspace.files("evaluated")
    assert len(good) == 8
    before = descriptors()
    failed = passed = n = 0
    while n < 10 * most:
        n += 1
        for path in workspace.cache.iterdir():
            if path.name in good:
                path.unlink()
        told, calls = attempt(workspace, keys, n)
        if calls < n:  # there was none left to fail
            break
        if told:
            failed += 1
            assert workspace.files() in ([], good[:4]), told
        else:  # it was one that did not matter, such as a note about the end
            passed += 1
            assert workspace.files() + workspace.files("evaluated") == good
    else:
        raise AssertionError("it never ends")
    print(n - 1, "calls,", failed, "blocks failed,", passed, "did not")
    assert failed > 20
    assert workspace.files() + workspace.files("evaluated") == good
    gc.collect()  # errors hold what was on their way
    assert descriptors() <= before + 2
