"""Loops: the evaluator's executor, and the channel by which the processor asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..data.wire import conversation
from ..exceptions import RemoteException
from .block import Block
from .service import loop_types

if TYPE_CHECKING:
    import zmq

    from ..algorithm import Algorithm
    from .messagehandlers import LoopMessageHandler

FAREWELL_SECONDS = 5.0


class LoopChannel:
    """What the processor of a loop asks its evaluator by.

    Parameters
    ----------
    socket : zmq.Socket
        A PAIR socket, connected to the evaluator.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._conversation = conversation(socket)
        self._request: Any = None
        self._answer: Any = None

    def setup(self, algorithm: Algorithm, prefix: str) -> None:
        """Take the formats of hypotheses and answers from the processor's declaration.

        Parameters
        ----------
        algorithm : Algorithm
            The processor.
        prefix : str
            The folder it comes from.

        Raises
        ------
        RuntimeError
            If it declares no loop.
        """
        self._request, self._answer = loop_types(algorithm)

    def validate(self, hypothesis: dict[str, Any]) -> tuple[bool, Any]:
        """Ask the evaluator to judge a hypothesis.

        Parameters
        ----------
        hypothesis : dict
            The content; it is cast safely.

        Returns
        -------
        (bool, object)
            Whether it is accepted, and the evaluator's answer.

        Raises
        ------
        RuntimeError
            Before `setup`.
        AttributeError, TypeError, ValueError
            If the content does not fit the format.
        RemoteException
            If the evaluator fails or is gone.
        """
        if self._request is None:
            raise RuntimeError("the loop channel is not set up yet")
        frames = self._conversation.request(b"val", self._request._codec.encode(hypothesis))
        if len(frames) != 2 or frames[0] not in (b"True", b"False"):
            raise RemoteException("sys", f"the evaluator answered {frames!r:.200}")
        return frames[0] == b"True", self._answer._codec.unpack(bytes(frames[1]))

    def advance(self) -> None:
        """Let the evaluator advance its inputs; `RemoteException` if it fails or is gone."""
        answer = self._conversation.request(b"rdi")
        if answer != [b"ack"]:
            raise RemoteException("sys", f"the evaluator answered {answer!r:.200}")


class LoopExecutor(Block):
    """Runs the evaluator of a loop, as its processor asks for it.

    Attributes, errors, and the parameters not named here are those of `execution.block.Block`.

    Parameters
    ----------
    message_handler : LoopMessageHandler
        Serves the processor, from `process` on.
    directory : str
        The working directory; the evaluator is the part ``loop`` of ``configuration.json``.
    """

    def __init__(
        self,
        message_handler: LoopMessageHandler,
        directory: str,
        dataformat_cache: dict[str, Any] | None = None,
        database_cache: dict[str, Any] | None = None,
        library_cache: dict[str, Any] | None = None,
        cache_root: str = "/cache",
        db_socket: zmq.Socket[bytes] | None = None,
        exc: Callable[[Any], Exception] | None = None,
    ) -> None:
        super().__init__(
            directory,
            "loop",
            dataformat_cache,
            database_cache,
            library_cache,
            cache_root,
            db_socket,
            exc=exc,
        )
        self.message_handler = message_handler
        self._started = False
        self._open = True
        message_handler.setup(self.algorithm, self.prefix)
        message_handler.set_executor(self)

    @property
    def address(self) -> str:
        """Where the processor finds the evaluator."""
        return self.message_handler.address

    def process(self) -> bool:
        """Begin to serve the processor; return True."""
        self._started = True
        self.message_handler.start()
        return True

    def validate(self, hypothesis: Any) -> tuple[Any, ...]:
        """Return what the evaluator says: (whether it accepts, its answer)."""
        return self.runner.validate(hypothesis)

    def write(self, processor_output_name: str, end_data_index: int | None) -> None:
        """Let the evaluator write, after its processor has."""
        self.runner.write(self.output_list, processor_output_name, end_data_index)

    def read(self) -> None:
        """Advance the inputs as the processor's were, and let the evaluator read them.

        Raises
        ------
        RuntimeError
            If there is no more data.
        """
        group = self.input_list.main_group
        if group is None:
            return  # an autonomous evaluator reads when it likes
        group.restricted_access = False
        group.next()
        group.restricted_access = True
        self.runner.read(self.input_list)

    def finish(self) -> None:
        """Publish the outputs, since the processor is done; `RuntimeError` if data is missing."""
        self.check_outputs()
        self.close_outputs()

    def wait(self) -> None:
        """Wait for the end of the processor, if `process` was called."""
        if self._started:
            self.message_handler.join()

    def close(self) -> None:
        """Publish what is complete, unless the loop failed; leave the databases' provider."""
        if not self._open:
            return
        self._open = False
        if self.message_handler.user_error or self.message_handler.system_error:
            self.discard_outputs()
        else:
            self.close_outputs()
        if self.db_socket is not None:
            with contextlib.suppress(RemoteException, TimeoutError):
                conversation(self.db_socket).request(b"don", timeout=FAREWELL_SECONDS)
