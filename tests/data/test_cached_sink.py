from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
import resource
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.units import (
    INTEGER,
    MEASUREMENT,
    SIGNAL,
    open_source,
    values,
    write_integers,
    write_units,
)

from beat.backend.python import publish
from beat.backend.python.data import CachedDataSink, cache_files
from beat.backend.python.data.hashed_file import BACKGROUND_BYTES, HashedFile
from beat.backend.python.dataformat import DataFormat

ONE = {"value": numpy.int32(1)}


@pytest.fixture
def filename(cache: str) -> str:
    return os.path.join(cache, "output.data")


@pytest.fixture
def sink(prefix: str, filename: str) -> CachedDataSink:
    """A sink for the indices 0 to 9."""
    sink = CachedDataSink()
    assert sink.setup(filename, DataFormat(prefix, INTEGER), 0, 9)
    return sink


def files_in(cache: str) -> list[str]:
    return sorted(os.listdir(cache))


COMPLETE = [f"output.0.9.{kind}" for kind in ("data", "data.checksum", "index", "index.checksum")]


def test_the_files_are_those_of_the_contract(sink: CachedDataSink, prefix: str, cache: str) -> None:
    type_ = DataFormat(prefix, INTEGER).type
    sink.write({"value": numpy.int32(513)}, 0, 4)
    sink.write(type_(value=7), 5, 9)
    sink.close()
    assert files_in(cache) == COMPLETE
    data = Path(cache, "output.0.9.data").read_bytes()
    assert data == (
        b"binary\nuser/single_integer/1\n0 4 5\n\x01\x02\x00\x00\n5 9 5\n\x07\x00\x00\x00\n"
    )
    index = Path(cache, "output.0.9.index").read_bytes()
    assert index == b"0 4\n5 9\n"
    for name, content in (("data", data), ("index", index)):
        checksum = Path(cache, f"output.0.9.{name}.checksum").read_text()
        assert checksum == hashlib.sha256(content).hexdigest()


def test_json(prefix: str, cache: str, filename: str) -> None:
    """A sink with that encoding used to fail at its first write."""
    data = {"label": "ä", "values": numpy.array([1.5, numpy.inf])}
    units = [(data, 0, 3), (None, 4, 4)]
    write_units(prefix, filename, units, MEASUREMENT, "json")
    content = Path(cache, "output.0.4.data").read_bytes()
    encoding, name, header, rest = content.split(b"\n", 3)
    assert (encoding, name) == (b"json", MEASUREMENT.encode())
    size = int(header.split()[2])
    assert rest[size - 1 : size] == b"\n"
    text = rest[: size - 1].decode()
    assert json.loads(text) == {"label": "ä", "values": [1.5, numpy.inf]}
    assert "\n    " in text  # indented
    (read, *_), (nothing, *_) = open_source(prefix, filename)
    assert read.label == "ä"
    assert read.values.dtype == numpy.float64
    assert [*read.values] == [1.5, numpy.inf]
    assert nothing is None


def test_json_of_other_types(prefix: str, filename: str) -> None:
    write_units(prefix, filename, [(ONE, 0, 0)], INTEGER, "json")
    assert values(open_source(prefix, filename)) == [(1, 0, 0)]


@pytest.mark.parametrize("encoding", ["binary", "json"])
def test_complex_numbers(prefix: str, filename: str, encoding: str) -> None:
    data = {"value": numpy.complex64(1 + 2j), "samples": numpy.array([1j, 2.5])}
    write_units(prefix, filename, [(data, 0, 0)], SIGNAL, encoding)
    [(read, _, _)] = open_source(prefix, filename)
    assert read.value == numpy.complex64(1 + 2j)
    assert [*read.samples] == [1j, 2.5]


@pytest.mark.parametrize("closing", ["close", "collected"])
def test_incomplete_data_leaves_nothing_but_a_warning(
    prefix: str, cache: str, filename: str, caplog: pytest.LogCaptureFixture, closing: str
) -> None:
    sink = CachedDataSink()
    sink.setup(filename, DataFormat(prefix, INTEGER), 0, 9)
    sink.write(ONE, 0, 8)
    assert not set(COMPLETE) & set(files_in(cache))
    with caplog.at_level(logging.WARNING, "beat.backend.python"):
        if closing == "close":
            sink.close()
        del sink
        gc.collect()
    assert files_in(cache) == []
    assert len(caplog.records) == 1
    assert "closed before its index 9; got up to 8" in caplog.text


def test_files_are_hidden_until_they_are_complete(sink: CachedDataSink, cache: str) -> None:
    sink.write(ONE, 0, 9)
    assert files_in(cache)
    for name in files_in(cache):
        assert name.startswith(".")
        assert not name.endswith((".data", ".index", ".checksum"))
    sink.close()
    assert files_in(cache) == COMPLETE


@pytest.mark.parametrize("closed", [True, False])
def test_a_sink_collected_later_leaves_the_files_of_others_alone(
    prefix: str, cache: str, filename: str, closed: bool
) -> None:
    """It used to remove the complete files written meanwhile under the same name."""
    sink = CachedDataSink()
    sink.setup(filename, DataFormat(prefix, INTEGER), 0, 9)
    sink.write(ONE, 0, 4)
    if closed:
        sink.close()
    write_integers(prefix, filename, 0, 9)
    del sink
    gc.collect()
    assert files_in(cache) == COMPLETE
    assert len(open_source(prefix, filename)) == 10


def test_a_complete_sink_that_is_collected_is_closed(
    prefix: str, cache: str, filename: str
) -> None:
    sink = CachedDataSink()
    sink.setup(filename, DataFormat(prefix, INTEGER), 0, 9)
    sink.write(ONE, 0, 9)
    del sink
    gc.collect()
    assert files_in(cache) == COMPLETE


def test_closing_twice(sink: CachedDataSink, cache: str) -> None:
    sink.write(ONE, 0, 9)
    sink.close()
    sink.close()
    assert files_in(cache) == COMPLETE
    with pytest.raises(RuntimeError, match="not set up"):
        sink.write(ONE, 10, 10)


@pytest.mark.parametrize("last", [4, 9])
def test_discarding_keeps_nothing(
    sink: CachedDataSink, cache: str, caplog: pytest.LogCaptureFixture, last: int
) -> None:
    sink.write(ONE, 0, last)
    sink.discard()
    assert files_in(cache) == []
    assert not caplog.records
    sink.discard()
    sink.close()
    with pytest.raises(RuntimeError, match="not set up"):
        sink.write(ONE, last + 1, last + 1)


def test_setting_up_again_gives_up_what_was_begun(
    sink: CachedDataSink, prefix: str, cache: str
) -> None:
    sink.write(ONE, 0, 4)
    assert sink.setup(os.path.join(cache, "other.data"), DataFormat(prefix, INTEGER), 3, 3)
    sink.write(ONE, 3, 3)
    sink.close()
    assert all(name.startswith("other.3.3.") for name in files_in(cache))


def test_complete_output_is_replaced(prefix: str, filename: str) -> None:
    write_integers(prefix, filename, 0, 9)
    write_units(prefix, filename, [({"value": numpy.int32(-1)}, 0, 9)])
    assert values(open_source(prefix, filename)) == [(-1, 0, 9)]


def test_the_old_output_stays_if_the_new_one_is_not_completed(
    sink: CachedDataSink, prefix: str, filename: str
) -> None:
    write_integers(prefix, filename, 0, 9)
    sink.write(ONE, 0, 5)
    sink.close()
    assert len(open_source(prefix, filename)) == 10


def test_units_may_go_beyond_the_end(
    sink: CachedDataSink, prefix: str, cache: str, filename: str
) -> None:
    sink.write(ONE, 0, 7)
    sink.write(ONE, 8, 12)
    sink.write(ONE, 13, 20)
    sink.close()
    assert files_in(cache) == COMPLETE
    assert values(open_source(prefix, filename)) == [(1, 0, 7), (1, 8, 12), (1, 13, 20)]


@pytest.mark.parametrize(
    ("start", "end"), [(4, 4), (6, 6), (0, 5), (5, 4), (-1, 5), (0, 0), (100, 100)]
)
def test_holes_and_overlaps_are_refused(sink: CachedDataSink, start: int, end: int) -> None:
    """Only the last index used to be looked at."""
    sink.write(ONE, 0, 4)
    with pytest.raises(RuntimeError, match="the next unit must start with 5"):
        sink.write(ONE, start, end)
    sink.write(ONE, 5, 9)
    sink.close()


def test_the_first_unit_must_begin_the_range(sink: CachedDataSink) -> None:
    with pytest.raises(RuntimeError, match="the next unit must start with 0"):
        sink.write(ONE, 1, 9)
    sink.close()


def test_instances_are_judged_by_the_name_of_their_format(
    sink: CachedDataSink, prefix: str
) -> None:
    class Same:
        _name = INTEGER
        _codec = DataFormat(prefix, INTEGER).type._codec

        def __init__(self) -> None:
            self.value = numpy.int32(3)

    assert DataFormat(prefix, INTEGER).type is not sink.dataformat.type
    sink.write(DataFormat(prefix, INTEGER).type(value=2), 0, 0)
    sink.write(Same(), 1, 1)
    sink.write(ONE, 2, 9)
    sink.close()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("other", "expected data of the format `user/single_integer/1', got `user/measurement/1'"),
        (5, "got `int'"),
        (b"\x01\x00\x00\x00", "got `bytes'"),
        ({"value": 5}, "int64"),
    ],
)
def test_data_of_another_type(sink: CachedDataSink, prefix: str, data: Any, message: str) -> None:
    if data == "other":
        data = DataFormat(prefix, MEASUREMENT).type()
    with pytest.raises(TypeError, match=message):
        sink.write(data, 0, 9)
    sink.write(ONE, 0, 9)  # nothing of it was written
    sink.close()


def test_before_setup() -> None:
    sink = CachedDataSink()
    assert sink.isConnected()
    assert sink.statistics() == (0, 0)
    sink.close()
    with pytest.raises(RuntimeError, match="not set up"):
        sink.write(ONE, 0, 0)


def test_a_subclass_need_not_call_the_constructor(prefix: str, cache: str, filename: str) -> None:
    class Sink(CachedDataSink):
        def __init__(self) -> None:
            pass

    sink = Sink()
    sink.setup(filename, DataFormat(prefix, INTEGER), 0, 9)
    sink.write(ONE, 0, 9)
    sink.close()
    assert files_in(cache) == COMPLETE


@pytest.mark.parametrize("encoding", ["", "text", "BINARY", None])
def test_unknown_encoding(prefix: str, filename: str, encoding: Any) -> None:
    with pytest.raises(RuntimeError, match="unknown encoding"):
        CachedDataSink().setup(filename, DataFormat(prefix, INTEGER), 0, 9, encoding)


@pytest.mark.parametrize("declaration", [{"value": "int32"}, "user/missing/1"])
def test_unnamed_or_invalid_format(
    prefix: str, cache: str, filename: str, declaration: Any
) -> None:
    with pytest.raises(RuntimeError, match="must be valid and have a name"):
        CachedDataSink().setup(filename, DataFormat(prefix, declaration), 0, 9)
    assert files_in(cache) == []


@pytest.mark.parametrize("place", ["missing/output.data", "file/output.data"])
def test_files_that_cannot_be_opened(prefix: str, cache: str, place: str) -> None:
    Path(cache, "file").write_text("no folder")
    sink = CachedDataSink()
    assert sink.setup(os.path.join(cache, place), DataFormat(prefix, INTEGER), 0, 9) is False
    with pytest.raises(RuntimeError, match="not set up"):
        sink.write(ONE, 0, 9)


def test_only_one_more_file_can_be_opened(prefix: str, cache: str, filename: str) -> None:
    dataformat = DataFormat(prefix, INTEGER)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open("/", os.O_RDONLY)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + 1, limits[1]))
    try:
        assert CachedDataSink().setup(filename, dataformat, 0, 9) is False
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert files_in(cache) == []


def test_statistics_count_from_the_first_write_on(sink: CachedDataSink) -> None:
    sink.write(None, 0, 0)
    size, seconds = sink.statistics()
    assert size > 0
    assert seconds > 0
    sink.write(ONE, 1, 9)
    sink.close()
    assert sink.statistics()[0] > size
    assert sink.statistics()[1] > seconds


def test_large_and_small_units_in_turn(prefix: str, filename: str) -> None:
    """Large pieces are hashed by a thread, which must not change the order."""
    sizes = [3, BACKGROUND_BYTES, 10, 0, BACKGROUND_BYTES // 8, 2 * BACKGROUND_BYTES, 1] * 3
    units = []
    for i, size in enumerate(sizes):
        content = numpy.full(size // 8, i, dtype=numpy.float64)
        units.append(({"label": str(i), "values": content}, i, i))
    write_units(prefix, filename, units, MEASUREMENT)
    for i, (data, start, end) in enumerate(open_source(prefix, filename)):
        assert (data.label, start, end) == (str(i), i, i)
        assert len(data.values) == sizes[i] // 8
        assert (data.values == i).all()


def test_data_may_be_changed_right_after_it_was_written(prefix: str, filename: str) -> None:
    content = numpy.zeros(BACKGROUND_BYTES)
    sink = CachedDataSink()
    dataformat = DataFormat(prefix, MEASUREMENT)
    sink.setup(filename, dataformat, 0, 2)
    instance = dataformat.type(label="", values=content)
    for i in range(3):
        instance.values[:] = i
        sink.write(instance, i, i)
    instance.values[:] = -1
    sink.close()
    assert [unit[0].values[-1] for unit in open_source(prefix, filename)] == [0, 1, 2]


def test_the_index_is_the_last_to_appear_and_everything_is_durable_before(
    sink: CachedDataSink, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash at any moment leaves no output that looks complete."""
    events = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        events.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
        real_fsync(descriptor)

    def replace(source: str, target: str) -> None:
        events.append(("rename", os.path.basename(target)))
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    sink.write(ONE, 0, 9)
    sink.close()
    renamed = [name for what, name in events if what == "rename"]
    assert renamed == [
        "output.0.9.data.checksum",
        "output.0.9.index.checksum",
        "output.0.9.data",
        "output.0.9.index",
    ]
    first_rename = events.index(("rename", renamed[0]))
    synced = {name.rsplit(".", 2)[0] for what, name in events[:first_rename] if what == "fsync"}
    assert synced == {f".{name}" for name in renamed}
    assert events[-1] == ("fsync", os.path.basename(cache))


def test_what_was_written_here_is_not_hashed_again(
    sink: CachedDataSink,
    prefix: str,
    cache: str,
    filename: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless something tells that it has changed."""
    monkeypatch.setattr(cache_files, "STAMP_SECONDS", -1)
    sink.write(ONE, 0, 9)
    sink.close()
    with monkeypatch.context() as patch:
        patch.delattr(hashlib, "file_digest")
        assert values(open_source(prefix, filename)) == [(1, 0, 9)]
    with Path(cache, "output.0.9.data").open("r+b") as f:
        f.seek(-2, os.SEEK_END)
        f.write(b"\x01")
    os.utime(f.name)
    with pytest.raises(OSError, match="wrong checksum"):
        open_source(prefix, filename)


def test_what_was_written_just_now_is_hashed_again(
    sink: CachedDataSink, prefix: str, filename: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time stamps would not tell that it has changed since."""
    monkeypatch.setattr(cache_files, "STAMP_SECONDS", 1000)
    sink.write(ONE, 0, 9)
    sink.close()
    monkeypatch.delattr(hashlib, "file_digest")
    with pytest.raises(AttributeError, match="file_digest"):
        open_source(prefix, filename)


@pytest.mark.parametrize("step", range(9))
def test_a_failure_at_any_step_of_publishing(
    sink: CachedDataSink, cache: str, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    calls = 0

    def failing(function: Any) -> Any:
        def call(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise OSError("no space left")
            return function(*args)

        return call

    sink.write(ONE, 0, 9)
    monkeypatch.setattr(publish.os, "fsync", failing(os.fsync))
    monkeypatch.setattr(publish.os, "replace", failing(os.replace))
    with pytest.raises(OSError, match="no space left"):
        sink.close()
    monkeypatch.undo()
    assert not [name for name in files_in(cache) if name.startswith(".")]
    complete = "output.0.9.index" in files_in(cache)
    assert complete == (files_in(cache) == COMPLETE)


def test_a_full_disk_is_an_error_and_leaves_nothing(prefix: str, cache: str, filename: str) -> None:
    sink = CachedDataSink()
    sink.setup(filename, DataFormat(prefix, MEASUREMENT), 0, 9)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            for i in range(10):
                sink.write({"label": "", "values": numpy.zeros(1 << 16)}, i, i)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sink.close()
    assert files_in(cache) == []


def test_a_forked_child_leaves_the_parents_files_alone(
    sink: CachedDataSink, prefix: str, cache: str, filename: str
) -> None:
    sink.write({"value": numpy.int32(4)}, 0, 9)
    child = os.fork()
    if child == 0:  # collected as the parent's sink, with all that is still to be written
        sink.close()
        os._exit(len(files_in(cache)) != 2)
    assert os.waitpid(child, 0)[1] == 0
    sink.close()
    assert values(open_source(prefix, filename)) == [(4, 0, 9)]


def test_a_hashed_file_takes_any_pieces(cache: str) -> None:
    path = os.path.join(cache, "file.data")
    file = HashedFile(path)
    pieces = [b"", b"a" * 10, b"b" * (1 << 22), b"c", b"d" * BACKGROUND_BYTES, b"e" * 9_000_000]
    for piece in pieces:
        file.write(piece)
    file.finish()
    file.publish_checksum()
    file.publish_content()
    file.discard()
    assert Path(path).read_bytes() == b"".join(pieces)
    digest = hashlib.sha256(b"".join(pieces)).hexdigest()
    assert Path(path + ".checksum").read_text() == digest
    assert files_in(cache) == ["file.data", "file.data.checksum"]
