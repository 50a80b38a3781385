from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.objects import algorithm_declaration, write_object
from support.units import (
    IMAGE,
    INTEGER,
    MEASUREMENT,
    open_source,
    seal,
    values,
    write_integers,
    write_units,
)

from beat.backend.python.algorithm import Algorithm
from beat.backend.python.data import (
    CachedDataSink,
    CachedDataSource,
    FileInfos,
    getAllFilenames,
    unit_file,
)
from beat.backend.python.data import cached_source as cached_source_module
from beat.backend.python.data.unit_file import CHUNK_BYTES, LARGE_BYTES


@pytest.fixture
def filename(cache: str) -> str:
    return os.path.join(cache, "aa", "bb", "output.data")


@pytest.fixture
def three_ranges(prefix: str, filename: str) -> str:
    """An output in three parts, of indices 0 to 29 in units of two."""
    for start in (0, 10, 20):
        write_integers(prefix, filename, start, start + 9, 2)
    return filename


def expected(first: int, last: int) -> list[tuple[int, int, int]]:
    """The units of two indices, clipped to a range."""
    return [
        (start, max(start, first), min(start + 1, last))
        for start in range(0, 30, 2)
        if start + 1 >= first and start <= last
    ]


def test_reading_back(prefix: str, three_ranges: str) -> None:
    source = open_source(prefix, three_ranges)
    assert source.ready
    assert len(source) == len(source.infos) == 15
    assert values(source) == expected(0, 29)
    assert values(source[i] for i in range(15)) == expected(0, 29)
    assert source.data_indices() == [(start, end) for _, start, end in expected(0, 29)]
    assert (source.first_data_index(), source.last_data_index()) == (0, 29)
    assert source.dataformat.name == INTEGER


@pytest.mark.parametrize("index", [-1, -15, 15, 16, 10**9])
def test_out_of_range(prefix: str, three_ranges: str, index: int) -> None:
    source = open_source(prefix, three_ranges)
    assert source[index] == (None, None, None)
    if index < 0 or index >= 30:
        assert source.getAtDataIndex(index) == (None, None, None)


def test_what_is_known_of_units(prefix: str, three_ranges: str) -> None:
    source = open_source(prefix, three_ranges)
    info = source.infos[5]
    assert isinstance(info, FileInfos)
    offset = len("binary\nuser/single_integer/1\n10 11 5\n")
    assert info == FileInfos(1, 10, 11, offset, 5)
    assert info.file_index == 1
    assert (info.start_index, info.end_index) == (10, 11)
    assert [*source.infos][5] == info
    assert [*source.infos[4:6]][1] == info
    data = Path(source.filenames[1]).read_bytes()
    assert data[info.offset : info.offset + info.size] == b"\x0a\x00\x00\x00\n"


def test_at_data_index(prefix: str, three_ranges: str) -> None:
    source = open_source(prefix, three_ranges)
    for index in (*range(30), *reversed(range(30))):
        data, start, end = source.getAtDataIndex(index)
        assert (data.value, start, end) == (index - index % 2, index - index % 2, index | 1)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        (0, 29),
        (10, 19),
        (3, 25),  # cuts units on both sides
        (5, 5),
        (None, 12),
        (17, None),
        (29, 100),
        (0, 9),
    ],
)
def test_ranges(prefix: str, three_ranges: str, start: int | None, end: int | None) -> None:
    """Units that the range cuts used to be dropped without a word."""
    source = open_source(prefix, three_ranges, start, end)
    first = 0 if start is None else start
    last = 29 if end is None else min(end, 29)
    assert values(source) == expected(first, last)
    assert source.getAtDataIndex(first - 1) == (None, None, None)
    assert source.getAtDataIndex(first)[1] == first


def test_a_range_without_units(prefix: str, three_ranges: str) -> None:
    source = CachedDataSource()
    assert source.setup(three_ranges, prefix, 5, 4)
    assert [*source] == []


@pytest.mark.parametrize("removed", [10, 20])
def test_a_missing_part(prefix: str, three_ranges: str, removed: int) -> None:
    """It used to pass when there were more than two parts."""
    write_integers(prefix, three_ranges, 30, 39, 2)
    for path in Path(three_ranges).parent.glob(f"output.{removed}.*"):
        path.unlink()
    for limits in ((None, None), (0, 39), (removed - 1, removed + 10), (removed + 3, 39)):
        with pytest.raises(OSError, match=f"gap between cache files.*expected {removed}"):
            CachedDataSource().setup(three_ranges, prefix, *limits)
    assert values(open_source(prefix, three_ranges, 0, 9)) == expected(0, 9)
    after = open_source(prefix, three_ranges, removed + 10, None)
    assert after.first_data_index() == removed + 10


def test_no_files(prefix: str, cache: str, filename: str) -> None:
    source = CachedDataSource()
    assert source.setup(filename, prefix) is False
    assert not source.ready
    Path(filename).parent.mkdir(parents=True)
    write_integers(prefix, os.path.join(cache, "aa", "bb", "output2.data"), 0, 9)
    Path(cache, "aa", "bb", "output.0.9.data.log").write_text("a sidecar")
    Path(cache, "aa", "bb", "output.0.9.trace").write_text("another one")
    Path(cache, "aa", "bb", ".output.0.9.data.123.tmp").write_text("a temporary file")
    Path(cache, "aa", "bb", "output.0.9.data.checksum").write_text("from a crash")
    Path(cache, "aa", "bb", "output.a.9.data").write_text("not a range")
    assert source.setup(filename, prefix) is False


def test_an_output_in_one_piece_and_in_parts(prefix: str, three_ranges: str) -> None:
    write_integers(prefix, three_ranges, 0, 29, 2)
    source = open_source(prefix, three_ranges)
    assert values(source) == expected(0, 29)
    assert [os.path.basename(name) for name in source.filenames] == ["output.0.29.data"]


def test_parts_that_overlap(prefix: str, three_ranges: str) -> None:
    write_integers(prefix, three_ranges, 25, 39)
    with pytest.raises(OSError, match="overlap between cache files"):
        CachedDataSource().setup(three_ranges, prefix)


def test_units_beyond_the_name_of_the_file(prefix: str, filename: str) -> None:
    units = [({"value": numpy.int32(i)}, 10 * i, 10 * i + 9) for i in range(3)]
    write_units(prefix, filename, units, end=5)
    assert [info[1:3] for info in open_source(prefix, filename).infos] == [
        (0, 9),
        (10, 19),
        (20, 29),
    ]
    assert values(open_source(prefix, filename, 12, 23)) == [(1, 12, 19), (2, 20, 23)]


def test_before_setup(prefix: str, three_ranges: str) -> None:
    class Source(CachedDataSource):
        def __init__(self) -> None:
            pass

    for source in (CachedDataSource(), Source(), pickle.loads(pickle.dumps(CachedDataSource()))):
        assert len(source) == 0
        assert source[0] == source[-1] == (None, None, None)
        assert not source.ready
        source.close()
        assert source.setup(three_ranges, prefix)
        assert values(source) == expected(0, 29)


def test_setting_up_twice(prefix: str, three_ranges: str) -> None:
    """The units used to be there twice."""
    source = open_source(prefix, three_ranges)
    assert source.setup(three_ranges, prefix)
    assert len(source) == 15
    assert source.setup(three_ranges, prefix, 0, 3)
    assert values(source) == expected(0, 3)


def test_raw_bytes(prefix: str, filename: str) -> None:
    content = numpy.arange(CHUNK_BYTES, dtype=numpy.float64)
    units = [({"label": "a", "values": content[:size]}, i, i) for i, size in enumerate((2, -1))]
    write_units(prefix, filename, [*units, (None, 2, 2)], MEASUREMENT)
    source = open_source(prefix, filename, unpack=False)
    type_ = source.dataformat.type
    raw = [data for data, _, _ in source]
    assert [type(data) for data in raw] == [bytes] * 3
    assert raw[2] == b""
    for data, size in zip(raw, (2, -1), strict=False):
        assert data == type_(label="a", values=content[:size]).pack()


def test_data_that_is_none(prefix: str, filename: str) -> None:
    units = [({"value": numpy.int32(1)}, 0, 0), (None, 1, 5), ({"value": numpy.int32(2)}, 6, 6)]
    write_units(prefix, filename, units)
    assert values(open_source(prefix, filename)) == [(1, 0, 0), (None, 1, 5), (2, 6, 6)]


@pytest.mark.parametrize("size", [10, LARGE_BYTES - 100, LARGE_BYTES + 1, CHUNK_BYTES + 1, 1 << 20])
def test_arrays_are_the_readers_own(prefix: str, filename: str, size: int) -> None:
    """Whatever a user changes in place, the next one who reads sees what was written."""
    rng = numpy.random.default_rng(size)
    contents = [rng.integers(0, 255, (1, size), dtype=numpy.uint8) for _ in range(4)]
    write_units(prefix, filename, [({"value": c}, i, i) for i, c in enumerate(contents)], IMAGE)
    source = open_source(prefix, filename)
    kept = []
    for i in (0, 1, 2, 3, 0, 0, 3, 2, 1, 1, 2):
        data, _, _ = source[i]
        assert (data.value == contents[i]).all()
        assert data.value.flags.writeable
        data.value[:] = 255 - data.value
        kept.append((i, data.value))
    source.close()
    for i, array in kept:  # valid after the file was closed, and not shared
        assert (array == 255 - contents[i]).all()
    assert (open_source(prefix, filename)[2][0].value == contents[2]).all()


def test_many_arrays_read_out_of_order_do_not_use_up_the_file_descriptors(
    prefix: str, filename: str
) -> None:
    count = 300
    units = [({"value": numpy.full((1, LARGE_BYTES), i % 256)}, i, i) for i in range(count)]
    write_units(prefix, filename, units, IMAGE)
    source = open_source(prefix, filename)
    before = len(os.listdir("/proc/self/fd"))
    kept = [source[i][0].value for i in reversed(range(count))]
    assert len(os.listdir("/proc/self/fd")) - before <= unit_file.MOST_WINDOWS + 2
    assert [int(array[0, 0]) for array in kept] == [i % 256 for i in reversed(range(count))]
    del kept
    source.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_few_files_are_open_at_a_time(prefix: str, filename: str) -> None:
    for i in range(20):
        write_integers(prefix, filename, 10 * i, 10 * i + 9)
    source = open_source(prefix, filename)
    before = len(os.listdir("/proc/self/fd"))
    assert source.current_file is None
    assert source.current_file_index is None
    for i in (*range(0, 200, 7), *reversed(range(200))):
        assert source[i][0].value == i
        assert source.current_file_index == i // 10
        assert source.current_file is not None
    most = cached_source_module.MOST_OPEN_FILES
    assert 0 < len(os.listdir("/proc/self/fd")) - before <= most
    source.reset()
    assert len(os.listdir("/proc/self/fd")) == before
    assert source.current_file is None
    assert source.current_file_index is None
    assert source[199][0].value == 199  # opened again
    source.close()
    source.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("unpack", [True, False])
def test_pickling_with_files_open(prefix: str, three_ranges: str, unpack: bool) -> None:
    source = open_source(prefix, three_ranges, 3, 25, unpack=unpack)
    before = [*source.infos]
    first = source[0]
    copy = pickle.loads(pickle.dumps(source))
    assert copy.current_file is None
    assert [*copy.infos] == before
    assert copy.ready
    if unpack:
        assert values(copy) == expected(3, 25)
        assert copy.dataformat.name == INTEGER
    else:
        assert copy[0] == first
    assert source[0][1:] == first[1:]
    assert pickle.loads(pickle.dumps(CachedDataSource())).setup(three_ranges, prefix)


def test_reading_in_a_forked_child(prefix: str, three_ranges: str) -> None:
    source = open_source(prefix, three_ranges)
    assert source[3][0].value == 6
    child = os.fork()
    if child == 0:
        os._exit(values(source) != expected(0, 29))
    assert os.waitpid(child, 0)[1] == 0
    assert values(source) == expected(0, 29)


def test_infos_may_be_assigned(prefix: str, three_ranges: str) -> None:
    source = open_source(prefix, three_ranges)
    source.infos = [source.infos[2], source.infos[9]]
    assert len(source) == 2
    assert values(source) == [(4, 4, 5), (18, 18, 19)]
    assert source.getAtDataIndex(19)[0].value == 18
    assert source.getAtDataIndex(10) == (None, None, None)
    assert source.data_indices() == [(4, 5), (18, 19)]


def test_statistics(prefix: str, three_ranges: str) -> None:
    source = open_source(prefix, three_ranges)
    assert source.statistics() == (0, 0)
    values(source)
    size, seconds = source.statistics()
    assert size == source.nb_bytes_read == 15 * 5
    assert seconds == source.read_duration > 0


# damaged files


@pytest.mark.parametrize("kind", ["data", "index"])
@pytest.mark.parametrize("part", [0, 10, 20])
def test_missing_checksum(prefix: str, three_ranges: str, kind: str, part: int) -> None:
    Path(three_ranges).with_name(f"output.{part}.{part + 9}.{kind}.checksum").unlink()
    with pytest.raises(OSError, match=rf"checksum file missing: .*{kind}\.checksum"):
        CachedDataSource().setup(three_ranges, prefix)


@pytest.mark.parametrize("kind", ["data", "index"])
def test_missing_file(prefix: str, three_ranges: str, kind: str) -> None:
    Path(three_ranges).with_name(f"output.10.19.{kind}").unlink()
    with pytest.raises(OSError, match=rf"incomplete cache files: .*output\.10\.19\.{kind}"):
        CachedDataSource().setup(three_ranges, prefix)


@pytest.mark.parametrize("content", ["", "0" * 64, "no checksum", "ä" * 64])
def test_different_checksum(prefix: str, three_ranges: str, content: str) -> None:
    Path(three_ranges).with_name("output.10.19.data.checksum").write_text(content)
    with pytest.raises(OSError, match="wrong checksum"):
        CachedDataSource().setup(three_ranges, prefix)


@pytest.mark.parametrize("written", ["{}\n", " {}", "{}\n\n"])
def test_blanks_around_a_checksum(prefix: str, three_ranges: str, written: str) -> None:
    path = Path(three_ranges).with_name("output.10.19.data.checksum")
    path.write_text(written.format(path.read_text().upper()))
    assert values(open_source(prefix, three_ranges)) == expected(0, 29)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_changed_byte_is_noticed(prefix: str, tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    filename = str(folder / "output.data")
    write_integers(prefix, filename, 0, 9, 3)
    assert len(open_source(prefix, filename)) == 4
    suffix = data.draw(st.sampled_from(["data", "index", "data.checksum", "index.checksum"]))
    path = folder / f"output.0.9.{suffix}"
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        position = data.draw(st.integers(0, len(content) - 1))
        flipped = content[position] ^ (1 << data.draw(st.integers(0, 7)))
        if suffix.endswith("checksum") and chr(flipped).lower() == chr(content[position]).lower():
            return  # the same digit
        content[position] = flipped
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    with pytest.raises(OSError, match="wrong checksum"):
        CachedDataSource().setup(filename, prefix)


def test_a_file_changed_in_place_after_it_was_verified(prefix: str, filename: str) -> None:
    """Its checksum is computed once only as long as nothing tells that it has changed."""
    write_integers(prefix, filename, 0, 9)
    path = Path(filename).with_name("output.0.9.data")
    old = 10**9
    os.utime(path, ns=(old, old))
    open_source(prefix, filename)
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(old, old))
    with pytest.raises(OSError, match="wrong checksum"):
        CachedDataSource().setup(filename, prefix)


HEAD = b"binary\nuser/single_integer/1\n"
UNIT = b"0 4 5\n\x01\x00\x00\x00\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must begin with encoding and format"),
        (b"binary", "must begin with encoding and format"),
        (b"binary\nuser/single_integer/1", "must begin with encoding and format"),
        (b"text\nuser/single_integer/1\n" + UNIT, "must begin with encoding and format"),
        (b"\xff\nuser/single_integer/1\n" + UNIT, "must begin with encoding and format"),
        (HEAD + UNIT[:-1], "expected `start end size'"),
        (HEAD + UNIT + b"5 9", "expected `start end size'"),
        (HEAD + UNIT + b"5 9 5\n", "expected `start end size'"),
        (HEAD + UNIT + b"5 9\n\x01", "expected `start end size'"),
        (HEAD + UNIT + b"x y z\n\x01", "expected `start end size'"),
        (HEAD + b"5 4 5\n\x01\x00\x00\x00\n", "expected `start end size'"),
        (HEAD + b"-1 4 5\n\x01\x00\x00\x00\n", "expected `start end size'"),
        (HEAD + b"0 4 0\n", "expected `start end size'"),
        (HEAD + b"0 4 99999999999999999999999\n", "expected `start end size'"),
        (HEAD + b"0" * 100_000, "expected `start end size'"),
        (HEAD + UNIT + b"\n" * 5, "expected `start end size'"),
    ],
)
def test_malformed_data(prefix: str, filename: str, content: bytes, message: str) -> None:
    write_integers(prefix, filename, 0, 4)
    path = Path(filename).with_name("output.0.4.data")
    path.write_bytes(content)
    seal(path)
    with pytest.raises(OSError, match=message) as caught:
        CachedDataSource().setup(filename, prefix)
    assert len(str(caught.value)) < 500


def test_a_unit_that_does_not_fit_its_format(prefix: str, filename: str) -> None:
    write_integers(prefix, filename, 0, 4)
    path = Path(filename).with_name("output.0.4.data")
    path.write_bytes(HEAD + b"0 4 4\n\x01\x00\x00\n")
    seal(path)
    source = open_source(prefix, filename)
    with pytest.raises(ValueError, match=r"damaged data: .*output\.0\.4\.data', unit \(0, 4\)"):
        source[0]


@pytest.mark.parametrize("size", [LARGE_BYTES, 2 * CHUNK_BYTES])
@pytest.mark.parametrize("unpack", [True, False])
def test_a_file_truncated_while_it_is_open(
    prefix: str, filename: str, size: int, unpack: bool
) -> None:
    content = numpy.ones((1, size), dtype=numpy.uint8)
    write_units(prefix, filename, [({"value": content}, i, i) for i in range(9)], IMAGE)
    source = open_source(prefix, filename, unpack=unpack)
    assert source[0][1:] == (0, 0)
    os.truncate(source.filenames[0], source.infos[4].offset + size // 2)
    source[2]
    with pytest.raises(OSError, match="truncated data"):
        for i in range(3, 9):
            source[i]


def test_small_units_of_a_file_truncated_while_it_is_open(prefix: str, filename: str) -> None:
    content = numpy.ones((1, CHUNK_BYTES // 4), dtype=numpy.uint8)
    write_units(prefix, filename, [({"value": content}, i, i) for i in range(9)], IMAGE)
    source = open_source(prefix, filename)
    source[0]  # what has been read ahead is good
    os.truncate(source.filenames[0], source.infos[4].offset)
    with pytest.raises(OSError, match="truncated data"):
        for i in range(9):
            source[i]


def test_a_file_changed_before_it_is_opened(prefix: str, filename: str) -> None:
    write_integers(prefix, filename, 0, 9)
    source = open_source(prefix, filename)
    write_integers(prefix, filename, 0, 9)  # the same again
    assert source[3][0].value == 3
    source.reset()
    os.truncate(source.filenames[0], 100)
    with pytest.raises(OSError, match="wrong checksum"):
        source[3]


def test_a_file_replaced_by_another_before_it_is_opened(prefix: str, filename: str) -> None:
    write_integers(prefix, filename, 0, 9)
    source = open_source(prefix, filename)
    write_integers(prefix, filename, 0, 9, 2)
    with pytest.raises(OSError, match=r"other data: .*output\.0\.9\.data' was replaced"):
        source[3]


def test_sources_are_freed_at_once(prefix: str, filename: str) -> None:
    write_integers(prefix, filename, 0, 9)
    before = len(os.listdir("/proc/self/fd"))
    source = open_source(prefix, filename)
    source[3]
    gc.disable()
    try:
        del source
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_files_of_different_formats(prefix: str, filename: str) -> None:
    write_integers(prefix, filename, 0, 4)
    image = {"value": numpy.ones((1, 1), dtype=numpy.uint8)}
    write_units(prefix, filename, [(image, 5, 9)], IMAGE)
    with pytest.raises(OSError, match="different formats"):
        CachedDataSource().setup(filename, prefix)


@pytest.mark.parametrize("name", ["user/missing/1", "analysis:user/missing/1"])
def test_invalid_format(prefix: str, filename: str, name: str) -> None:
    write_integers(prefix, filename, 0, 4)
    path = Path(filename).with_name("output.0.4.data")
    path.write_bytes(path.read_bytes().replace(INTEGER.encode(), name.encode()))
    seal(path)
    with pytest.raises(RuntimeError, match=r"`user/missing/1' is not valid"):
        CachedDataSource().setup(filename, prefix)


def test_results_of_an_analyzer(prefix: str, tmp_path: Path) -> None:
    here = shutil.copytree(prefix, tmp_path / "prefix")
    declaration = algorithm_declaration(
        groups=[{"inputs": {"in": {"type": INTEGER}}}],
        results={"rate": {"type": "float32"}},
        splittable=None,
    )
    write_object(here, "algorithms", "user/judge/1", declaration, "class Algorithm: pass\n")
    results = Algorithm(str(here), "user/judge/1").result_dataformat()
    filename = str(tmp_path / "result.data")
    sink = CachedDataSink()
    assert sink.setup(filename, results, 0, 9)
    sink.write({"rate": numpy.float32(0.5)}, 0, 9)
    sink.close()
    first_lines = Path(tmp_path, "result.0.9.data").read_bytes().split(b"\n")[:2]
    assert first_lines == [b"binary", b"analysis:user/judge/1"]
    source = open_source(str(here), filename)
    assert source.dataformat.name == "analysis:user/judge/1"
    assert source[0][0].rate == 0.5
    assert pickle.loads(pickle.dumps(source))[0][0].rate == 0.5


def test_both_encodings_in_one_output(prefix: str, filename: str) -> None:
    write_units(prefix, filename, [({"value": numpy.int32(1)}, 0, 4)], encoding="json")
    write_units(prefix, filename, [({"value": numpy.int32(2)}, 5, 9)])
    source = open_source(prefix, filename)
    assert values(source[i] for i in (0, 1, 0, 1)) == [(1, 0, 4), (2, 5, 9)] * 2


# whatever is written is read


@st.composite
def outputs(draw: st.DrawFn) -> tuple[list[tuple[str | None, list[float], int, int]], set[int]]:
    """Units (label, values, start, end), and the numbers of those with which a new file begins."""
    position = draw(st.integers(0, 5))
    units = []
    for length in draw(st.lists(st.integers(1, 4), min_size=1, max_size=12)):
        label = draw(st.none() | st.text(max_size=5))
        numbers = draw(st.lists(st.floats(allow_nan=False), max_size=5))
        numbers *= draw(st.sampled_from([1, 1, 1, 3000]))
        units.append((label, numbers, position, position + length - 1))
        position += length
    return units, draw(st.sets(st.integers(1, 11)))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(outputs(), st.sampled_from(["binary", "json"]), st.data())
def test_what_is_written_is_read(
    prefix: str, tmp_path: Path, output: Any, encoding: str, data: st.DataObject
) -> None:
    units, cuts = output
    shutil.rmtree(tmp_path / "any", ignore_errors=True)
    filename = str(tmp_path / "any" / "output.data")
    file: list[Any] = []
    for i, (label, numbers, start, end) in enumerate(units):
        data_of_unit = None if label is None else {"label": label, "values": numbers}
        file.append((data_of_unit, start, end))
        if i + 1 in cuts or i == len(units) - 1:
            write_units(prefix, filename, file, MEASUREMENT, encoding)
            file = []
    low = data.draw(st.none() | st.integers(0, units[-1][3]))
    high = data.draw(st.none() | st.integers(low or units[0][2], units[-1][3] + 5))
    wanted = [
        (label, numbers, start if low is None else max(start, low), min(end, high or end))
        for label, numbers, start, end in units
        if (low is None or end >= low) and (high is None or start <= high)
    ]
    if high == 0:
        wanted = [(*unit[:3], 0) for unit in wanted]
    source = open_source(prefix, filename, low, high)
    assert source.data_indices() == [unit[2:] for unit in wanted]
    order = data.draw(st.permutations(range(len(wanted))))
    for i in order:
        label, numbers, start, end = wanted[i]
        read, *limits = source[i]
        assert limits == [start, end]
        if label is None:
            assert read is None
        else:
            assert (read.label, [*read.values]) == (label, numbers)
    source.close()


@pytest.mark.parametrize(
    ("limits", "starts"),
    [
        ((None, None), [0, 10, 20]),
        ((10, 19), [10]),
        ((9, 10), [0, 10]),
        ((30, None), []),
        ((None, 9), [0]),
        ((25, 25), [20]),
    ],
)
def test_all_filenames(three_ranges: str, limits: Any, starts: list[int]) -> None:
    folder = os.path.dirname(three_ranges)
    Path(folder, "output.0.9.data.log").write_text("a sidecar")
    Path(folder, "output.10.19.index.checksum").unlink()
    kinds = ("data", "index", "data.checksum", "index.checksum")
    found = getAllFilenames(three_ranges, *limits)
    assert len(found) == 4
    for names, kind in zip(found, kinds, strict=True):
        assert names == [
            f"{folder}/output.{start}.{start + 9}.{kind}"
            for start in starts
            if (start, kind) != (10, "index.checksum")
        ]


def test_all_filenames_are_sorted_by_number(prefix: str, filename: str) -> None:
    for start in (100, 20, 3):
        write_integers(prefix, filename, start, start + 1)
    names = [os.path.basename(name) for name in getAllFilenames(filename)[0]]
    assert names == ["output.3.4.data", "output.20.21.data", "output.100.101.data"]


MEMORY_SCRIPT = """
import resource, sys
from beat.backend.python.data import CachedDataSource
source = CachedDataSource()
assert source.setup(sys.argv[1], sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = 0
for data, start, end in source:
    data.value[0, :] += 1
    total += int(data.value.sum())
print(total, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_reading_a_large_file_does_not_fill_the_memory(prefix: str, filename: str) -> None:
    count, size = 300, 1 << 20
    content = numpy.zeros((16, size // 16), dtype=numpy.uint8)
    write_units(prefix, filename, [({"value": content}, i, i) for i in range(count)], IMAGE)
    output = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, filename, prefix],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    total, megabytes = map(int, output.split())
    assert total == count * size // 16
    assert megabytes < 100
