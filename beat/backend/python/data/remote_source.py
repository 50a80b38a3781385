"""Data units asked for from another process."""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..exceptions import RemoteException
from .formats import load_format
from .indices import Intervals
from .limits import MAX_INFO_FRAMES
from .source import NO_UNIT, DataSource, Unit
from .wire import LARGE_FRAME, Conversation, Frame, Ticket, conversation

if TYPE_CHECKING:
    import zmq

MOST_AHEAD = 64
MOST_BYTES_AHEAD = 1 << 25

# A peer that takes that long for a unit computes it: asking for many of them ahead gains nothing,
# and whoever else asks would have to wait.
SLOW_SECONDS = 0.02


class RemoteDataSource(DataSource):
    """The data units of an input, delivered by the message handler at the other end of a socket.

    Units that are read one after the other are asked for ahead, the more the quicker they come.
    The failure of a unit asked for ahead is raised when that unit is read, and never if it is not.
    """

    dataformat: Any = None
    input_name = ""
    _last = -2
    _window = 1
    _widest = MOST_AHEAD
    _largest = 0

    def setup(
        self,
        socket: zmq.Socket[bytes],
        input_name: str,
        dataformat_name: str,
        prefix: str,
        unpack: bool = True,
    ) -> bool:
        """Ask what units there are.

        Parameters
        ----------
        socket : zmq.Socket
            A PAIR socket, connected to the message handler; others may use it too, through
            `wire.conversation`.
        input_name, dataformat_name : str
            The input, and its format.
        prefix : str
            The prefix folder, for the format.
        unpack : bool
            Whether data is delivered as instances of the format, else as bytes.

        Returns
        -------
        bool
            True.

        Raises
        ------
        RuntimeError
            If the format is not valid.
        RemoteException
            If the peer reports a failure, or is gone.
        """
        self.dataformat = load_format(prefix, dataformat_name)
        self._codec = self.dataformat.type._codec
        self.socket = socket  # keeps the conversation alive
        self.input_name = input_name
        self.unpack = unpack
        self._conversation: Conversation = conversation(socket)
        self._name = input_name.encode()
        self._ahead: deque[tuple[int, Ticket]] = deque()
        self.reset()
        self.infos = self._known_units()
        self.ready = True
        return True

    def _known_units(self) -> Intervals:
        if not self._conversation.compact:
            answer = self._conversation.request(b"ifo", self._name, most=MAX_INFO_FRAMES)
            return self._units(answer)
        answer = self._conversation.request(b"uni", self._name)
        try:
            return Intervals.from_frames(answer)
        except ValueError as error:
            raise self._malformed(str(error)) from None

    def _units(self, frames: list[Frame]) -> Intervals:
        try:
            count, *limits = map(int, frames)
        except ValueError:
            raise self._malformed(
                f"no number in {bytes(frames[0])[:40]!r} and what follows"
            ) from None
        if len(limits) != 2 * count:
            raise self._malformed(
                f"{count} units were announced, with {len(limits)} numbers, not twice as many"
            )
        try:
            return Intervals(limits[0::2], limits[1::2])
        except OverflowError:
            raise self._malformed("there are numbers of more than 64 bits") from None

    def _malformed(self, text: str) -> RemoteException:
        return RemoteException("sys", f"malformed answer for input `{self.input_name}': {text}")

    def __getitem__(self, index: int) -> Unit:
        infos = self.infos
        if not 0 <= index < len(infos):
            return NO_UNIT
        began = perf_counter()
        ticket = self._take(index)
        if index == self._last + 1:
            self._ask_ahead(index)
        self._last = index
        start, end = infos[index]
        payload = self._receive(ticket, index, start)
        took = perf_counter() - began
        self._adjust_window(took, len(payload))
        self.nb_bytes_read += len(payload)
        self.read_duration += took
        return self._unpacked(payload) if self.unpack else bytes(payload), start, end

    def _take(self, index: int) -> Ticket:
        """Return the request for a unit, made already if the unit is the next one."""
        if self._ahead and self._ahead[0][0] == index:
            return self._ahead.popleft()[1]
        self.reset()
        return self._ask(index)

    def _ask_ahead(self, index: int) -> None:
        if 2 * len(self._ahead) > self._window:
            return  # many requests at a time wake the peer only once
        first = self._ahead[-1][0] + 1 if self._ahead else index + 1
        for i in range(first, min(index + 1 + self._window, len(self.infos))):
            self._ahead.append((i, self._ask(i)))

    def _ask(self, index: int) -> Ticket:
        shared = self._largest >= LARGE_FRAME
        return self._conversation.send(b"get", self._name, b"%d" % index, shared=shared)

    def _receive(self, ticket: Ticket, index: int, start: int) -> Frame:
        frames = self._conversation.receive(ticket)
        if len(frames) != 3 or frames[0] != b"%d" % start:
            raise self._malformed(
                f"for unit {index} the answer begins with {bytes(frames[0])[:40]!r}, expected "
                f"{start}, and has {len(frames)} frames, expected 3"
            )
        return frames[2]

    def _adjust_window(self, took: float, size: int) -> None:
        """Learn from a unit how many to ask for ahead."""
        if took > SLOW_SECONDS:
            self._window = max(1, self._window // 2)
        elif size > self._largest or self._window < self._widest:
            self._largest = max(self._largest, size)
            self._widest = max(1, min(MOST_AHEAD, MOST_BYTES_AHEAD // (self._largest or 1)))
            self._window = min(2 * self._window, self._widest)

    def _unpacked(self, payload: Frame) -> Any:
        if not payload:
            return None
        if isinstance(payload, bytes):
            return self._codec.unpack(payload)
        try:
            return self._codec.decode(payload, 0, len(payload), True)
        except ValueError:  # damaged, or ended by a newline, which `unpack` knows about
            return self._codec.unpack(payload)

    def reset(self) -> None:
        """Forget what was asked for ahead."""
        for _, ticket in self._ahead:
            ticket.forget()
        self._ahead.clear()
        self._window = 1

    def __reduce__(self) -> Any:
        raise TypeError(
            f"the source of input `{self.input_name}' belongs to one process: it has a socket"
        )
