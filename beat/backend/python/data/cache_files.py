"""Cache files: their names, their checksums, and where in them the units are.

For an output path ``P`` and a range of indices there are four files: ``P.<start>.<end>.data``,
``P.<start>.<end>.index`` and, for each, a ``.checksum`` with the SHA-256 of its content. The
``.index`` is the last to get its name: an output without it is not complete.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from typing import Any

from .indices import Column, Intervals, compact, joined

DATA = "data"
INDEX = "index"
CHECKSUM = ".checksum"
FOLDER = ".beat"  # what is beside the outputs in a cache: records, locks, what is damaged
ENCODINGS = ("binary", "json")

SCAN_BYTES = 1 << 16
SCAN_UNITS = 1 << 12
LONGEST_HEADER = 80  # "start end size" with three numbers of 64 bits

# A file that was written this short a while before it was verified may be written again without
# any change to its time stamps; it counts as verified only later.
STAMP_SECONDS = 0.1
_VERIFIED_MOST = 10_000
_verified: dict[str, tuple[int | str, ...]] = {}


class RangeFiles:
    """The files of one range of an output."""

    def __init__(self, start: int, end: int, stem: str) -> None:
        self.start = start
        self.end = end
        self.stem = stem

    @property
    def data(self) -> str:
        """The path of the file with the units."""
        return f"{self.stem}.{DATA}"

    @property
    def index(self) -> str:
        """The path of the file with the units' intervals."""
        return f"{self.stem}.{INDEX}"


class UnitTable:
    """What a ``.data`` file says of itself: its encoding and format, and where its units are."""

    def __init__(self, encoding: str, format_name: str) -> None:
        self.encoding = encoding
        self.format_name = format_name
        self.units = Intervals()
        self.offsets: Column = range(0)
        self.sizes: Column = range(0)

    def extend(self, starts: Any, ends: Any, offsets: Any, sizes: Any) -> None:
        """Append units, by columns."""
        self.units.extend(Intervals(starts, ends))
        self.offsets = joined(self.offsets, compact(offsets))
        self.sizes = joined(self.sizes, compact(sizes))


def record_path(cache: str, path: str) -> str:
    """Return where the record of an output or an index stands: how it was made."""
    return os.path.join(cache, FOLDER, "records", path + ".json")


def range_files(filename: str, start_index: int, end_index: int) -> RangeFiles:
    """Return the names for a range of an output; ``filename`` is ``P.data``, or ``P``."""
    stem = f"{os.fspath(filename).removesuffix(f'.{DATA}')}.{start_index}.{end_index}"
    return RangeFiles(start_index, end_index, stem)


def _existing(filename: str, kinds: Sequence[str]) -> list[RangeFiles]:
    """Return the ranges for which there is a file of one of the kinds, by their starts."""
    path = os.fspath(filename).removesuffix(f".{DATA}")
    folder, name = os.path.split(path)
    pattern = re.compile(rf"{re.escape(name)}\.([0-9]+)\.([0-9]+)\.(?:{'|'.join(kinds)})")
    try:
        entries = os.listdir(folder or ".")
    except (FileNotFoundError, NotADirectoryError):
        return []
    matches = filter(None, map(pattern.fullmatch, entries))
    ranges = {(int(match[1]), int(match[2])) for match in matches}
    ordered = sorted(ranges, key=lambda limits: (limits[0], -limits[1]))
    return [range_files(path, start, end) for start, end in ordered]


def getAllFilenames(
    filename: str, start_index: int | None = None, end_index: int | None = None
) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return the existing cache files of an output.

    Parameters
    ----------
    filename : str
        ``P.data`` for the output path ``P``.
    start_index, end_index : int, optional
        Only files whose range overlaps this one are returned.

    Returns
    -------
    tuple of four lists of str
        The data files, the index files, the checksums of the former and of the latter, each
        sorted by the start of the range.
    """
    suffixes = (DATA, INDEX, DATA + CHECKSUM, INDEX + CHECKSUM)
    first = 0 if start_index is None else start_index
    found: list[list[str]] = []
    for suffix in suffixes:
        files = _existing(filename, [re.escape(suffix)])
        found.append(
            [
                f"{file.stem}.{suffix}"
                for file in files
                if file.end >= first and (end_index is None or file.start <= end_index)
            ]
        )
    return found[0], found[1], found[2], found[3]


def covering_files(
    filename: str,
    kinds: Sequence[str],
    start_index: int | None = None,
    end_index: int | None = None,
) -> list[RangeFiles]:
    """Return the files to read for a range, in order.

    A file whose range lies within that of another one is left out: an output that was written
    in one piece and in parts is there twice. Where the range begins or ends between two files,
    both are returned: the units of a file may go beyond its name, else there is a gap to see.

    Raises
    ------
    OSError
        If a file of one of the kinds is missing beside the others.
    """
    files: list[RangeFiles] = []
    for file in _existing(filename, kinds):
        if not files or file.end > files[-1].end:
            files.append(file)
    first, last = 0, len(files) - 1
    if start_index is not None:
        while first < last and files[first].end < start_index:
            first += 1
        first -= first > 0 and files[first].start > start_index
    if end_index is not None:
        while last > first and files[last].start > end_index:
            last -= 1
        last += last < len(files) - 1 and files[last].end < end_index
    chosen = files[first : last + 1]
    for file in chosen:
        for kind in kinds:
            if not os.path.exists(f"{file.stem}.{kind}"):
                raise OSError(f"incomplete cache files: `{file.stem}.{kind}' is missing")
    return chosen


def verify_file(path: str) -> str:
    """Compare a file with its checksum, once for as long as the file does not change.

    Returns
    -------
    str
        The checksum.

    Raises
    ------
    OSError
        If one of the two is missing, or if they do not fit.
    """
    try:
        with open(path + CHECKSUM, encoding="ascii", errors="replace") as f:
            expected = f.read(100).strip().lower()
    except FileNotFoundError:
        raise OSError(f"checksum file missing: `{path}{CHECKSUM}'") from None
    with open(path, "rb") as data:
        status = os.fstat(data.fileno())
        if _verified.get(path) == _identity(status, expected):
            return expected
        import hashlib

        digest = hashlib.file_digest(data, "sha256").hexdigest()
    if digest != expected:
        raise OSError(f"wrong checksum: `{path}' has {digest}, its file says {expected[:80]!r}")
    note_verified(path, status, digest)
    return digest


def note_verified(path: str, status: os.stat_result, checksum: str) -> None:
    """Note that a file, as it is now, fits its checksum: it was just read, or written here."""
    if time.time() - status.st_mtime > STAMP_SECONDS:
        if len(_verified) >= _VERIFIED_MOST:
            _verified.clear()
        _verified[path] = _identity(status, checksum)


def _identity(status: os.stat_result, checksum: str) -> tuple[int | str, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        checksum,
    )


def append_units(units: Intervals, more: Intervals, path: str) -> None:
    """Append the units of the next file of an output.

    Raises
    ------
    OSError
        If they do not begin where the last file's units ended.
    """
    if len(units) and len(more) and more.starts[0] != units.ends[-1] + 1:
        what = "gap" if more.starts[0] > units.ends[-1] else "overlap"
        raise OSError(
            f"{what} between cache files: `{path}' starts with index {more.starts[0]}, "
            f"expected {units.ends[-1] + 1}"
        )
    units.extend(more)


def read_index(path: str) -> Intervals:
    """Read the intervals in an ``.index`` file.

    Raises
    ------
    OSError
        If it cannot be read, if it holds anything else, or no unit at all.
    """
    units = Intervals()
    try:
        with open(path, "rb") as f:
            while lines := f.readlines(SCAN_BYTES):
                units.extend(Intervals(*zip(*map(_two_numbers, lines), strict=True)))
    except (ValueError, OverflowError):
        units = Intervals()
    if not len(units):
        raise OSError(f"damaged index: `{path}' must have a line `start end' for each unit")
    return units


def _two_numbers(line: bytes) -> tuple[int, int]:
    start, end = line.split()
    return int(start), int(end)


def scan_data(path: str) -> UnitTable:
    """Find the units in a ``.data`` file, reading little more than the lines before them.

    Raises
    ------
    OSError
        If the file cannot be read or is damaged.
    """
    with open(path, "rb", buffering=0) as f:
        head = os.pread(f.fileno(), SCAN_BYTES, 0)
        encoding, _, rest = head.partition(b"\n")
        name, newline, _ = rest.partition(b"\n")
        if not newline or encoding.decode("ascii", "replace") not in ENCODINGS:
            raise OSError(f"damaged data: `{path}' must begin with encoding and format")
        table = UnitTable(encoding.decode("ascii"), name.decode("utf-8", "replace"))
        _scan_units(f.fileno(), path, table, len(encoding) + len(name) + 2)
    return table


def _scan_units(descriptor: int, path: str, table: UnitTable, position: int) -> None:
    file_size = os.fstat(descriptor).st_size
    found: list[tuple[int, int, int, int]] = []
    chunk, base = b"", position
    while position < file_size:
        at = position - base
        line_end = chunk.find(b"\n", at)
        if line_end < 0:
            chunk, base, at = os.pread(descriptor, SCAN_BYTES, position), position, 0
            line_end = max(0, chunk.find(b"\n", 0, LONGEST_HEADER))
        try:
            start, end, size = map(int, chunk[at:line_end].split())
        except ValueError:
            size = 0
        if size < 1 or not 0 <= start <= end:
            raise _damaged(path, position, chunk[at : at + 40])
        found.append((start, end, base + line_end + 1, size))
        if len(found) == SCAN_UNITS:
            _take(found, path, table)
        position = base + line_end + 1 + size
    _take(found, path, table)
    if position > file_size:
        raise _damaged(path, table.offsets[-1], str(table.units[-1]).encode())


def _take(found: list[tuple[int, int, int, int]], path: str, table: UnitTable) -> None:
    """Move what was found into the table."""
    if found:
        try:
            table.extend(*zip(*found, strict=True))
        except OverflowError:
            raise _damaged(path, found[0][2], b"a number of more than 64 bits") from None
        found.clear()


def _damaged(path: str, position: int, got: bytes) -> OSError:
    return OSError(
        f"damaged data: `{path}', byte {position}: expected `start end size' and a unit of that "
        f"size, got {got!r}"
    )
