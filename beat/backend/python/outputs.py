"""Outputs of algorithms: units written one after the other, in step with the inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from .data.wire import conversation
from .exceptions import RemoteException

if TYPE_CHECKING:
    import zmq

    from .data import DataSink


class SynchronizationListener:
    """Knows the interval that the inputs of a group cover at the moment.

    Attributes
    ----------
    data_index_start, data_index_end : int
        The interval; -1 before the first step of the group.
    """

    def __init__(self) -> None:
        self.data_index_start = -1
        self.data_index_end = -1

    def onIntervalChanged(self, first_data_index: int, last_data_index: int) -> None:
        """Take over the interval after a step of the group."""
        self.data_index_start = first_data_index
        self.data_index_end = last_data_index


class Output:
    """An output of an algorithm.

    Parameters
    ----------
    name : str
        Its name in the algorithm.
    data_sink : data.DataSink
        Where the data goes to; its ``dataformat`` is what dictionaries are cast to.
    synchronization_listener : SynchronizationListener, optional
        Knows up to which index the output may be written.
    force_start_index : int
        The first index to write.

    Attributes
    ----------
    last_written_data_index : int
        The last index that was written; one less than the first before that.
    nb_data_blocks_written : int
        How many units have been written.
    """

    def __init__(
        self,
        name: str,
        data_sink: DataSink,
        synchronization_listener: SynchronizationListener | None = None,
        force_start_index: int = 0,
    ) -> None:
        self.name = str(name)
        self.data_sink: Any = data_sink
        self._synchronization_listener = synchronization_listener
        self.last_written_data_index = force_start_index - 1
        self.nb_data_blocks_written = 0
        self._sink_casts: bool = getattr(data_sink, "takes_dictionaries", False)

    @property
    def data_format(self) -> str | None:
        """The name of the format of the data; None if the sink has no format."""
        dataformat = getattr(self.data_sink, "dataformat", None)
        return None if dataformat is None else dataformat.name

    def _createData(self) -> Any:
        """Return a new object of the output's format, with default values."""
        return self.data_sink.dataformat.type()

    def write(self, data: Any, end_data_index: int | None = None) -> None:
        """Write a unit; it begins after the last one.

        Parameters
        ----------
        data : dict, instance of the format or None
            The content. A dictionary is cast safely; None tells that there is no data.
        end_data_index : int, optional
            The last index that the unit covers. By default the last one of the current interval
            of the inputs; where the output is not synchronised, the next index.

        Raises
        ------
        KeyError
            If the unit would end before it begins, or after the interval of the inputs.
        AttributeError, TypeError, ValueError, OverflowError
            If the data does not fit the format.
        """
        start = self.last_written_data_index + 1
        listener = self._synchronization_listener
        if end_data_index is None:
            end_data_index = start if listener is None else listener.data_index_end
        elif listener is not None and end_data_index > listener.data_index_end:
            raise KeyError(
                f"output `{self.name}': the unit cannot end at index {end_data_index}, the "
                f"inputs are at ({listener.data_index_start}, {listener.data_index_end})"
            )
        if end_data_index < start:
            raise KeyError(
                f"output `{self.name}': the unit cannot end at index {end_data_index}, it is "
                f"written up to {start - 1} already"
            )
        if isinstance(data, dict) and not self._sink_casts:
            data = self._createData().from_dict(data, casting="safe", add_defaults=False)
        self.data_sink.write(data, start, end_data_index)
        self.last_written_data_index = end_data_index
        self.nb_data_blocks_written += 1

    def isDataMissing(self) -> bool:
        """Tell whether units are missing up to where the inputs are, and the sink shall end."""
        expected = getattr(self.data_sink, "end_index", None)
        if self._synchronization_listener is not None:
            expected = self._synchronization_listener.data_index_end
        return expected is not None and self.last_written_data_index < expected

    def isConnected(self) -> bool:
        """Tell whether anybody wants the data."""
        return bool(self.data_sink.isConnected())

    def close(self) -> None:
        """Finish writing."""
        self.data_sink.close()


class RemotelySyncedOutput(Output):
    """An output of a loop's processor: the evaluator writes whenever it is written to.

    Parameters
    ----------
    name, data_sink, synchronization_listener, force_start_index
        As for `Output`.
    socket : zmq.Socket
        A PAIR socket, connected to the evaluator.
    """

    def __init__(
        self,
        name: str,
        data_sink: DataSink,
        socket: zmq.Socket[bytes],
        synchronization_listener: SynchronizationListener | None = None,
        force_start_index: int = 0,
    ) -> None:
        super().__init__(name, data_sink, synchronization_listener, force_start_index)
        self.socket = socket

    def write(self, data: Any, end_data_index: int | None = None) -> None:
        """Write a unit as `Output.write` does, then wait until the evaluator has done so too.

        Raises
        ------
        RemoteException
            If the evaluator fails, or is gone.
        """
        super().write(data, end_data_index)
        answer = conversation(self.socket).request(
            b"wrt", self.name.encode(), str(end_data_index).encode()
        )
        if answer != [b"ack"]:
            raise RemoteException(
                "sys", f"output `{self.name}': the evaluator answered {answer!r:.200}"
            )


class OutputList:
    """All outputs of an algorithm."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []

    def add(self, output: Output) -> None:
        """Append an output."""
        self._outputs.append(output)

    @overload
    def __getitem__(self, key: str | int) -> Output | None: ...

    @overload
    def __getitem__(self, key: slice) -> list[Output]: ...

    def __getitem__(self, key: str | int | slice) -> Output | list[Output] | None:
        """Return an output by name or position, None if there is none; or a list of outputs."""
        if isinstance(key, str):
            for output in self._outputs:
                if output.name == key:
                    return output
            return None
        if isinstance(key, slice):
            return self._outputs[key]
        return self._outputs[key] if -len(self) <= key < len(self) else None

    def __iter__(self) -> Iterator[Output]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    @property
    def length(self) -> int:
        """The number of outputs."""
        return len(self)

    def write(self, data: Any, end_data_index: int | None = None) -> None:
        """Write a unit to the only output, as `Output.write` does.

        Raises
        ------
        RuntimeError
            If there is not exactly one output.
        """
        if len(self._outputs) != 1:
            names = ", ".join(f"`{output.name}'" for output in self._outputs)
            raise RuntimeError(f"which output to write to? There are {len(self)}: {names}")
        self._outputs[0].write(data, end_data_index)
