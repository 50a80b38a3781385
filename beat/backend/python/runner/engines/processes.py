"""Runs a block in processes of its own on this machine.

The processes are the container entry points: ``execute`` for the algorithm, ``loop_execute`` for
the evaluator of a loop, and a ``databases_provider`` for each of them that reads databases. They
talk over sockets in a private folder, which nobody else can connect to, and know each other by keys
that are made for this block alone.
"""

from __future__ import annotations

import os

from ...execution import MessageHandler
from ...execution.keys import make_keys, require_curve, server_keys
from ...execution.messagehandlers import VANISHED
from ..plan import Block
from .base import Control, Outcome
from .children import PATIENCE, Children

PROGRESS = "progress"
KEYS = "keys"


class ProcessEngine:
    """Runs blocks in processes.

    Parameters
    ----------
    cache : str
        The cache folder.
    debug : bool
        Whether the processes log what happens in detail.

    Raises
    ------
    KeysError
        If libzmq cannot encrypt.
    """

    def __init__(self, cache: str, debug: bool = False) -> None:
        require_curve()
        self.cache = os.path.abspath(cache)
        self._options = ["--debug"] if debug else []

    def run(self, block: Block, folder: str, control: Control) -> Outcome:
        """Run a block in its private folder and wait for it."""
        with Children(folder) as children:
            return self._run(block, folder, children, control)

    def _run(self, block: Block, folder: str, children: Children, control: Control) -> Outcome:
        work = os.path.join(folder, "algorithm")
        progress = os.path.join(folder, PROGRESS)
        keys = os.path.join(folder, KEYS)
        make_keys(keys)
        options = [*self._options, f"--keys={keys}"]
        arguments = [*options, f"--cache={self.cache}", f"--progress={progress}"]
        if block.evaluator is not None:
            provider = self._provide(children, block, folder, options, "loop")
            address = _address(folder, "evaluator")
            children.start("loop_execute", *options, address, work, self.cache, *provider)
            arguments.append(f"--loop={address}")
        provider = self._provide(children, block, folder, options)
        driver = MessageHandler(_address(folder, "driver"), keys=server_keys(keys, "driver"))
        driver.start()
        try:
            execute = children.start("execute", *arguments, driver.address, work, *provider)
            execute.limit_memory(control.limits.megabytes)
            ended_for = children.wait_for(
                execute, control, lambda: control.on_progress(read_progress(progress))
            )
            driver.join(PATIENCE if execute.status == 0 else 0.5)
        finally:
            driver.kill()
            driver.destroy()
        # of a process that ended without a word, its exit status says most
        vanished = execute.status != 0 and driver.system_error == VANISHED.text
        return Outcome(
            status=execute.status or 0,
            user_error=driver.user_error,
            system_error="" if vanished else driver.system_error,
            ended_for=ended_for,
            data=driver.statistics,
            usage=execute.usage,
            index=read_progress(progress),
            log=children.log(),
        )

    def _provide(
        self, children: Children, block: Block, folder: str, options: list[str], *section: str
    ) -> list[str]:
        """Start the provider of one side, if it reads any database; return its address."""
        side = block.evaluator if section else block.configuration
        assert side is not None
        if not any("database" in item for item in side["inputs"].values()):
            return []
        address = _address(folder, "-".join(["databases", *section]))
        work = os.path.join(folder, "databases")
        children.start("databases_provider", *options, address, work, self.cache, *section)
        return [address]


def _address(folder: str, name: str) -> str:
    return "ipc://" + os.path.join(folder, f"{name}.socket")


def read_progress(path: str) -> int:
    """Return the last data index a block has noted; -1 before the first."""
    try:
        with open(path, encoding="ascii") as f:
            return int(f.read() or -1)
    except (OSError, ValueError):
        return -1
