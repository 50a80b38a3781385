from __future__ import annotations

from typing import Any

import numpy
import pytest
from support.units import INTEGER, MEASUREMENT

from beat.backend.python.data import DataSink, StdoutDataSink
from beat.backend.python.dataformat import DataFormat


def test_a_sink_of_a_third_party() -> None:
    class Sink(DataSink):
        def __init__(self) -> None:
            self.written: list[Any] = []

        def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
            self.written.append((data, start_data_index, end_data_index))

        def isConnected(self) -> bool:
            return False

    sink = Sink()
    sink.write(1, 0, 0)
    sink.close()
    assert sink.written == [(1, 0, 0)]


def test_the_base_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        DataSink()  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("prefix_text", "display", "expected"),
    [
        (None, True, '(0 -> 4) {\n    "value": 7\n}\n(5 -> 5) None\n'),
        ("out ", True, 'out (0 -> 4) {\n    "value": 7\n}\nout (5 -> 5) None\n'),
        ("out ", False, "out (0 -> 4)\nout (5 -> 5)\n"),
    ],
)
def test_showing_data(
    prefix: str,
    capsys: pytest.CaptureFixture[str],
    prefix_text: str | None,
    display: bool,
    expected: str,
) -> None:
    dataformat = DataFormat(prefix, INTEGER)
    sink = StdoutDataSink()
    assert sink.setup(dataformat, prefix_text, display)
    assert sink.isConnected()
    assert sink.dataformat is dataformat
    sink.write(dataformat.type(value=7), 0, 4)
    sink.write(None, 5, 5)
    sink.close()
    assert capsys.readouterr().out == expected


def test_showing_arrays(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    sink = StdoutDataSink()
    sink.setup(DataFormat(prefix, MEASUREMENT))
    data = {"label": "a", "values": numpy.array([1.5, numpy.nan])}
    sink.write(sink.dataformat.type(**data), 0, 0)
    sink.write(data, 1, 1)
    out = capsys.readouterr().out
    assert "1.5" in out
    assert "(1 -> 1)" in out


def test_an_invalid_format(prefix: str) -> None:
    with pytest.raises(RuntimeError, match=r"`user/missing/1' is not valid"):
        StdoutDataSink().setup(DataFormat(prefix, "user/missing/1"))
