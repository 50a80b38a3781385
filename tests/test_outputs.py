from __future__ import annotations

import os
from typing import Any

import numpy
import pytest
from support.pairs import peer
from support.units import INTEGER, open_source, values

from beat.backend.python.data import CachedDataSink, DataSink, RemoteException
from beat.backend.python.dataformat import DataFormat
from beat.backend.python.outputs import (
    Output,
    OutputList,
    RemotelySyncedOutput,
    SynchronizationListener,
)


class ListSink(DataSink):
    """Keeps what is written."""

    def __init__(self, dataformat: DataFormat, connected: bool = True) -> None:
        self.dataformat = dataformat
        self.connected = connected
        self.written: list[Any] = []
        self.closed = 0

    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        self.written.append((data, start_data_index, end_data_index))

    def isConnected(self) -> bool:
        return self.connected

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def dataformat(prefix: str) -> DataFormat:
    return DataFormat(prefix, INTEGER)


@pytest.fixture
def sink(dataformat: DataFormat) -> ListSink:
    return ListSink(dataformat)


def written(sink: ListSink) -> list[Any]:
    return values(sink.written)


def number(value: int) -> dict[str, Any]:
    return {"value": numpy.int32(value)}


def test_a_new_listener() -> None:
    listener = SynchronizationListener()
    assert (listener.data_index_start, listener.data_index_end) == (-1, -1)
    listener.onIntervalChanged(3, 7)
    assert (listener.data_index_start, listener.data_index_end) == (3, 7)


@pytest.mark.parametrize("start", [0, 7])
def test_a_new_output(sink: ListSink, start: int) -> None:
    listener = SynchronizationListener()
    output = Output("out", sink, listener, start)
    assert output.name == "out"
    assert output.data_sink is sink
    assert output._synchronization_listener is listener
    assert output.last_written_data_index == start - 1
    assert output.nb_data_blocks_written == 0
    assert output.data_format == INTEGER


def test_a_sink_without_format() -> None:
    class Sink(DataSink):
        def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
            pass

        def isConnected(self) -> bool:
            return True

    output = Output("out", Sink())
    output.write(object())
    assert output.data_format is None
    assert not output.isDataMissing()


def test_data_to_fill_in(sink: ListSink, dataformat: DataFormat) -> None:
    output = Output("out", sink)
    data = output._createData()
    assert type(data) is dataformat.type
    assert data.value == 0
    data.value = numpy.int32(4)
    output.write(data)
    assert sink.written[0][0] is data


def test_dictionaries_are_cast_safely(sink: ListSink, dataformat: DataFormat) -> None:
    output = Output("out", sink)
    output.write({"value": numpy.int16(4)})
    assert type(sink.written[0][0]) is dataformat.type
    for bad, error in (
        ({"value": 4}, TypeError),
        ({"value": 1.5}, TypeError),
        ({}, AttributeError),
        ({**number(4), "more": 1}, AttributeError),
    ):
        with pytest.raises(error):
            output.write(bad)
    assert len(sink.written) == output.nb_data_blocks_written == 1
    assert output.last_written_data_index == 0


@pytest.mark.parametrize(
    ("bad", "error"), [({"value": 4}, TypeError), ({}, AttributeError), ("text", TypeError)]
)
def test_a_cache_sink_casts_dictionaries_just_so(
    dataformat: DataFormat, cache: str, bad: Any, error: type[Exception]
) -> None:
    sink = CachedDataSink()
    sink.setup(os.path.join(cache, "out.data"), dataformat, 0, 1)
    output = Output("out", sink)
    output.write({"value": numpy.int16(4)})
    with pytest.raises(error):
        output.write(bad)
    assert output.last_written_data_index == 0
    assert output.nb_data_blocks_written == 1
    output.write(number(5))
    output.close()
    source = open_source(str(dataformat.prefix), os.path.join(cache, "out.data"))
    assert values(source) == [(4, 0, 0), (5, 1, 1)]


def test_one_unit_per_index(sink: ListSink) -> None:
    output = Output("out", sink)
    for i in range(3):
        output.write(number(i))
    assert written(sink) == [(0, 0, 0), (1, 1, 1), (2, 2, 2)]
    assert output.last_written_data_index == 2
    assert output.nb_data_blocks_written == 3


def test_units_of_a_given_end(sink: ListSink) -> None:
    output = Output("out", sink, None, 5)
    output.write(number(0), 7)
    output.write(number(1))
    output.write(number(2), end_data_index=numpy.int64(12))
    assert written(sink) == [(0, 5, 7), (1, 8, 8), (2, 9, 12)]


@pytest.mark.parametrize("end", [-5, 0, 3, 4])
def test_an_end_before_what_is_written(sink: ListSink, end: int) -> None:
    output = Output("out", sink)
    output.write(number(0), 4)
    with pytest.raises(KeyError, match=f"cannot end at index {end}, it is written up to 4"):
        output.write(number(1), end)
    assert written(sink) == [(0, 0, 4)]


def test_in_step_with_the_inputs(sink: ListSink) -> None:
    listener = SynchronizationListener()
    output = Output("out", sink, listener)
    listener.onIntervalChanged(0, 2)
    output.write(number(0))
    with pytest.raises(KeyError, match="written up to 2"):
        output.write(number(1))
    listener.onIntervalChanged(3, 3)
    listener.onIntervalChanged(4, 6)  # nothing was written for index 3
    output.write(number(2), 4)
    with pytest.raises(KeyError, match=r"cannot end at index 7, the inputs are at \(4, 6\)"):
        output.write(number(3), 7)
    output.write(number(3), 6)
    assert written(sink) == [(0, 0, 2), (2, 3, 4), (3, 5, 6)]


def test_before_the_first_step_of_the_inputs(sink: ListSink) -> None:
    output = Output("out", sink, SynchronizationListener())
    for end in (None, 0):
        with pytest.raises(KeyError):
            output.write(number(0), end)
    assert sink.written == []


def test_skipping_data(sink: ListSink) -> None:
    """The second example of the user documentation."""
    listener = SynchronizationListener()
    output = Output("out", sink, listener)
    for i in range(4):
        listener.onIntervalChanged(i, i)
        output.write(None if i % 2 else number(i))
    assert written(sink) == [(0, 0, 0), (None, 1, 1), (2, 2, 2), (None, 3, 3)]
    assert not output.isDataMissing()


def test_skipped_data_is_read_back_as_none(dataformat: DataFormat, cache: str) -> None:
    filename = os.path.join(cache, "out.data")
    sink = CachedDataSink()
    sink.setup(filename, dataformat, 0, 5)
    output = Output("out", sink)
    output.write(number(3), 1)
    output.write(None, 4)
    output.write(number(4))
    output.close()
    assert values(open_source(str(dataformat.prefix), filename)) == [
        (3, 0, 1),
        (None, 2, 4),
        (4, 5, 5),
    ]


def test_missing_data_of_a_synchronised_output(sink: ListSink) -> None:
    listener = SynchronizationListener()
    output = Output("out", sink, listener)
    assert not output.isDataMissing()
    listener.onIntervalChanged(0, 4)
    assert output.isDataMissing()
    output.write(number(0), 3)
    assert output.isDataMissing()
    output.write(number(0))
    assert not output.isDataMissing()


def test_missing_data_of_an_output_that_writes_at_will(dataformat: DataFormat, cache: str) -> None:
    sink = CachedDataSink()
    sink.setup(os.path.join(cache, "out.data"), dataformat, 3, 5)
    output = Output("out", sink, None, 3)
    assert output.isDataMissing()
    output.write(number(0), 4)
    assert output.isDataMissing()
    output.write(number(0), 8)
    assert not output.isDataMissing()
    output.close()


@pytest.mark.parametrize("connected", [True, False])
def test_connection_and_closing(dataformat: DataFormat, connected: bool) -> None:
    sink = ListSink(dataformat, connected)
    output = Output("out", sink)
    assert output.isConnected() is connected
    output.close()
    assert sink.closed == 1


# the evaluator of a loop writes along


def acknowledge(request: list[bytes]) -> list[bytes]:
    return [b"ack"]


def test_the_evaluator_is_told_about_each_write(sink: ListSink) -> None:
    listener = SynchronizationListener()
    listener.onIntervalChanged(2, 9)
    with peer(acknowledge) as (serving, socket):
        output = RemotelySyncedOutput("out", sink, socket, listener, 2)
        output.write(number(0), 4)
        assert serving.asked == [[b"wrt", b"out", b"4"]]
        output.write(None)
        assert serving.asked[1:] == [[b"wrt", b"out", b"None"]]
    assert written(sink) == [(0, 2, 4), (None, 5, 9)]
    assert output.nb_data_blocks_written == 2


def test_the_evaluator_is_not_told_about_writes_that_fail(sink: ListSink) -> None:
    with peer(acknowledge) as (serving, socket):
        output = RemotelySyncedOutput("out", sink, socket)
        with pytest.raises(TypeError):
            output.write({"value": 4})
        output.write(number(0), 3)
        with pytest.raises(KeyError):
            output.write(number(0), 3)
        assert len(serving.asked) == 1


@pytest.mark.parametrize(
    ("answer", "system", "user"),
    [
        ([b"err", b"usr", b"in write()"], "", "in write()"),
        ([b"err", b"sys", b"no executor"], "no executor", ""),
        ([b"nack"], "output `out': the evaluator answered [b'nack']", ""),
    ],
)
def test_an_evaluator_that_fails(
    sink: ListSink, answer: list[bytes], system: str, user: str
) -> None:
    with peer(lambda request: answer) as (_, socket):
        output = RemotelySyncedOutput("out", sink, socket)
        with pytest.raises(RemoteException) as caught:
            output.write(number(0))
        assert (caught.value.system_error, caught.value.user_error) == (system, user)


# lists


def test_a_list_of_outputs(dataformat: DataFormat) -> None:
    outputs = OutputList()
    made = [Output(name, ListSink(dataformat)) for name in "abc"]
    for output in made:
        outputs.add(output)
    assert len(outputs) == outputs.length == 3
    assert [*outputs] == made
    assert outputs[0:2] == made[:2]
    for i, name in enumerate("abc"):
        assert outputs[name] is outputs[i] is made[i]
    assert outputs[-1] is made[2]
    assert outputs["unknown"] is outputs[3] is outputs[-4] is None
    with pytest.raises(RuntimeError, match="There are 3: `a', `b', `c'"):
        outputs.write(number(0))


def test_writing_to_the_only_output(sink: ListSink) -> None:
    outputs = OutputList()
    with pytest.raises(RuntimeError, match="There are 0"):
        outputs.write(number(0))
    outputs.add(Output("out", sink))
    outputs.write(number(0))
    outputs.write(number(1), 4)
    outputs.write(None, end_data_index=6)
    assert written(sink) == [(0, 0, 0), (1, 1, 4), (None, 5, 6)]
