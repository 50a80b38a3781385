"""Runs the algorithm of a block."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..data.wire import conversation
from ..exceptions import RemoteException
from ..stats import io_statistics
from .block import Block
from .failures import Failure, describe_failure
from .loop import LoopChannel
from .service import failure_frames

if TYPE_CHECKING:
    import zmq

logger = logging.getLogger(__name__)

DRIVER_SECONDS = 60.0
FAREWELL_SECONDS = 5.0


class AlgorithmExecutor(Block):
    """Runs the algorithm of a block, and tells its peers how that ended.

    Attributes, errors, and the parameters not named here are those of `execution.block.Block`.

    Parameters
    ----------
    socket : zmq.Socket or None
        To the driver, which gets the statistics.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes] | None,
        directory: str,
        dataformat_cache: dict[str, Any] | None = None,
        database_cache: dict[str, Any] | None = None,
        library_cache: dict[str, Any] | None = None,
        cache_root: str = "/cache",
        db_socket: zmq.Socket[bytes] | None = None,
        loop_socket: zmq.Socket[bytes] | None = None,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        self.socket = socket
        super().__init__(
            directory,
            None,
            dataformat_cache,
            database_cache,
            library_cache,
            cache_root,
            db_socket,
            loop_socket,
            exc,
        )
        self.loop_channel: LoopChannel | None = None
        if loop_socket is not None:
            self.loop_channel = LoopChannel(loop_socket)
            self.loop_channel.setup(self.algorithm, self.prefix)

    @property
    def data_index(self) -> int:
        """The last data index that was taken from the main inputs, or written; -1 before."""
        written = [output.last_written_data_index for output in self.output_list]
        group = self.input_list.main_group
        return max([-1 if group is None else group.last_data_index, *written], default=-1)

    def process(self) -> bool:
        """Run the algorithm on all data, and report to the driver.

        Returns
        -------
        bool
            False if the algorithm returned a false value; nothing is reported then.

        Raises
        ------
        RuntimeError
            If data is missing on an output, or if the algorithm is not set up and prepared.
        RemoteException
            If a peer fails or is gone.
        Exception
            What the user's code raises.
        """
        try:
            succeeded = self._run()
            if succeeded:
                self._publish()
        except BaseException as error:
            self._abandon(describe_failure(error, self.prefix))
            raise
        if not succeeded:
            self._abandon(Failure("usr", "the processor of the loop returned False"))
            return False
        lists = (self.input_list, self.output_list, self.data_loaders)
        self.done(io_statistics(self.data, *lists))
        return True

    def _run(self) -> bool:
        algorithm = self.algorithm
        step = self.runner.bound_process(
            inputs=self.input_list,
            data_loaders=self.data_loaders,
            outputs=self.output_list,
            output=self.output_list[0] if self.analysis else None,
            loop_channel=self.loop_channel,
        )
        if algorithm.type == algorithm.LEGACY:
            logger.warning("%s: algorithms of API 1 are deprecated", algorithm.name)
        elif not algorithm.is_sequential:
            return bool(step())
        group = self.input_list.main_group
        if group is None:
            raise RuntimeError(f"no input is on the block's channel `{self.data['channel']}'")
        while group.hasMoreData():
            group.restricted_access = False
            group.next()
            group.restricted_access = True
            if self.loop_channel is not None:
                self.loop_channel.advance()
            if not step():
                return False
        return True

    def _publish(self) -> None:
        """Publish the outputs, the evaluator's first: it is asked whether it has all of them."""
        self.check_outputs()
        if self.loop_socket is not None:
            conversation(self.loop_socket).request(b"don")
        self.close_outputs()

    def _abandon(self, failure: Failure) -> None:
        """Leave no outputs, and tell the evaluator, unless it was the one that failed."""
        self.discard_outputs()
        if self.loop_socket is not None and not conversation(self.loop_socket).failed:
            with contextlib.suppress(RemoteException, TimeoutError):
                conversation(self.loop_socket).request(
                    *failure_frames(failure), timeout=FAREWELL_SECONDS
                )

    def done(self, stats: dict[str, Any]) -> None:
        """Tell the provider of the databases and the driver that the block is done.

        Parameters
        ----------
        stats : dict
            What was read and written.

        Raises
        ------
        RemoteException, TimeoutError
            If the driver does not acknowledge it.
        """
        message = (b"don", json.dumps(stats).encode())
        if self.db_socket is not None:
            try:
                conversation(self.db_socket).request(*message, timeout=FAREWELL_SECONDS)
            except (RemoteException, TimeoutError) as error:
                logger.warning("the provider of the databases did not hear the end: %s", error)
        if self.socket is not None:
            conversation(self.socket).request(*message, timeout=DRIVER_SECONDS)
