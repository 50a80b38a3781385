from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beat.backend.python.data import foundSplitRanges, load_data_index, load_data_index_db
from beat.backend.python.hash import toPath

HASH = hashlib.sha256(b"an output").hexdigest()


def split_by_the_rule(lists: list[list[int]], n: int) -> list[tuple[int, int]]:
    """Do literally what the rule says."""
    common = sorted(set(lists[0]).intersection(*lists[1:]))
    target = common[-1] / n
    ranges: list[tuple[int, int]] = []
    start = common[0]
    for index in common[1:]:
        if len(ranges) < n - 1 and index >= (len(ranges) + 1) * target and index != common[-1]:
            ranges.append((start, index - 1))
            start = index
    return [*ranges, (start, common[-1] - 1)]


@pytest.mark.parametrize(
    ("lists", "n", "expected"),
    [
        ([[0, 1, 2, 3, 4]], 1, [(0, 3)]),
        ([[0, 1, 2, 3, 4]], 2, [(0, 1), (2, 3)]),
        ([[0, 1, 2, 3, 4]], 4, [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ([[0, 1, 2, 3, 4]], 9, [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ([[0, 1, 2, 3, 4, 5, 6], [0, 2, 4, 6]], 3, [(0, 1), (2, 3), (4, 5)]),
        ([[0, 5, 10], [0, 3, 10]], 2, [(0, 9)]),
        ([[0, 1, 9, 10]], 3, [(0, 8), (9, 9)]),
        ([[10, 15, 20]], 2, [(10, 14), (15, 19)]),
        ([[0, 5], []], 2, []),
        ([[]], 2, []),
        ([], 2, []),
        ([[0, 5], [1, 6]], 2, []),
        ([[0, 5]], 0, []),
    ],
)
def test_splitting(lists: list[list[int]], n: int, expected: list[tuple[int, int]]) -> None:
    assert foundSplitRanges(lists, n) == expected


indices = st.sets(st.integers(1, 60), min_size=1).map(lambda found: [0, *sorted(found)])


@given(st.lists(indices, min_size=1, max_size=3), st.integers(1, 10))
def test_splitting_follows_the_rule(lists: list[list[int]], n: int) -> None:
    common = set(lists[0]).intersection(*lists[1:])
    ranges = foundSplitRanges(lists, n)
    if len(common) < 2:
        assert ranges == []
        return
    assert ranges == split_by_the_rule(lists, n)
    assert len(ranges) <= n
    assert {*(start for start, _ in ranges), *(end + 1 for _, end in ranges)} <= common
    assert [start for start, _ in ranges[1:]] == [end + 1 for _, end in ranges[:-1]]


def write_index(cache: str, start: int, end: int, units: list[tuple[int, int]]) -> Path:
    path = Path(cache, f"{toPath(HASH, '')}.{start}.{end}.index")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{s} {e}\n" for s, e in units).encode()
    path.write_bytes(content)
    Path(f"{path}.checksum").write_text(hashlib.sha256(content).hexdigest())
    return path


def test_the_index_of_an_output(cache: str) -> None:
    write_index(cache, 0, 9, [(0, 4), (5, 9)])
    assert load_data_index(cache, toPath(HASH, "")) == [0, 5, 10]


def test_the_index_of_an_output_in_parts(cache: str) -> None:
    write_index(cache, 10, 109, [(10, 99), (100, 109)])
    write_index(cache, 0, 9, [(0, 4), (5, 9)])
    assert load_data_index(cache, toPath(HASH, "")) == [0, 5, 10, 100, 110]


def test_no_index(cache: str) -> None:
    with pytest.raises(RuntimeError, match="no index of"):
        load_data_index(cache, toPath(HASH, ""))
    write_index(cache, 0, 9, [(0, 9)])
    with pytest.raises(RuntimeError, match="no index of"):
        load_data_index(cache, toPath(HASH, "")[:-1])  # the beginning of another one's name


def test_an_index_with_a_gap(cache: str) -> None:
    for start in (0, 20, 30):
        write_index(cache, start, start + 9, [(start, start + 9)])
    with pytest.raises(OSError, match="gap between cache files"):
        load_data_index(cache, toPath(HASH, ""))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "damaged index"), (b"0 4\n5\n", "damaged index"), (b"0 x\n", "damaged index")],
)
def test_a_damaged_index(cache: str, content: bytes, message: str) -> None:
    path = write_index(cache, 0, 9, [(0, 9)])
    path.write_bytes(content)
    with pytest.raises(OSError, match="wrong checksum"):
        load_data_index(cache, toPath(HASH, ""))
    Path(f"{path}.checksum").write_text(hashlib.sha256(content).hexdigest())
    with pytest.raises(OSError, match=message):
        load_data_index(cache, toPath(HASH, ""))


def test_an_index_without_checksum(cache: str) -> None:
    path = write_index(cache, 0, 9, [(0, 9)])
    Path(f"{path}.checksum").unlink()
    with pytest.raises(OSError, match="checksum file missing"):
        load_data_index(cache, toPath(HASH, ""))


def write_view_index(cache: str, rows: list[dict[str, object]]) -> str:
    path = toPath(HASH, ".db")
    Path(cache, path).parent.mkdir(parents=True)
    Path(cache, path).write_text(json.dumps(rows))
    return path


def test_the_index_of_a_view(cache: str) -> None:
    rows = [{"file": f"f{i}", "client": i // 3, "session": [i // 2]} for i in range(6)]
    path = write_view_index(cache, rows)
    expected = [[0, 1, 2, 3, 4, 5, 6], [0, 3, 6], [0, 2, 4, 6]]
    assert load_data_index_db(cache, path) == expected
    assert load_data_index_db(cache, path.removesuffix(".db")) == expected
    assert foundSplitRanges(expected, 2) == [(0, 5)]


@pytest.mark.parametrize(
    ("rows", "expected"), [([], []), ([{"a": 1}], [[0, 1]]), ([{"a": 1}] * 4, [[0, 4]])]
)
def test_short_view_indices(
    cache: str, rows: list[dict[str, object]], expected: list[list[int]]
) -> None:
    assert load_data_index_db(cache, write_view_index(cache, rows)) == expected


def test_no_index_of_a_view(cache: str) -> None:
    assert load_data_index_db(cache, toPath(HASH, ".db")) is None
