"""Data units read from cache files."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple, overload

from .cache_files import DATA, INDEX, append_units, covering_files, scan_data, verify_file
from .formats import load_format
from .indices import Intervals
from .source import NO_UNIT, DataSource, Unit
from .unit_file import LARGE_BYTES, UnitFile

MOST_OPEN_FILES = 8

# Open files, and what is found again through the name of the format
_NOT_PICKLED = (
    "_open_files",
    "current_file",
    "current_file_index",
    "_read",
    "dataformat",
    "_codec",
    "_decode",
    "_row",
)


class FileInfos(NamedTuple):
    """Where a unit is.

    Attributes
    ----------
    file_index : int
        The number of the file among those of the source.
    start_index, end_index : int
        The interval of indices that it covers.
    offset, size : int
        Its place in the file, in bytes; the newline at its end is counted.
    """

    file_index: int
    start_index: int
    end_index: int
    offset: int
    size: int


class _FileUnits(Sequence[FileInfos]):
    """The places of units, in 40 bytes each."""

    __slots__ = ("files", "intervals", "offsets", "sizes")

    def __init__(
        self, files: array[int], intervals: Intervals, offsets: array[int], sizes: array[int]
    ) -> None:
        self.files = files
        self.intervals = intervals
        self.offsets = offsets
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> FileInfos: ...

    @overload
    def __getitem__(self, index: slice) -> _FileUnits: ...

    def __getitem__(self, index: int | slice) -> FileInfos | _FileUnits:
        if isinstance(index, slice):
            return _FileUnits(
                self.files[index], self.intervals[index], self.offsets[index], self.sizes[index]
            )
        return FileInfos(*self.row(index))

    def row(self, index: int) -> tuple[int, int, int, int, int]:
        """Return the fields of an item, which is three times as quick as to make that."""
        units = self.intervals
        return (
            self.files[index],
            units.starts[index],
            units.ends[index],
            self.offsets[index],
            self.sizes[index],
        )

    def __iter__(self) -> Iterator[FileInfos]:
        units = self.intervals
        return map(FileInfos, self.files, units.starts, units.ends, self.offsets, self.sizes)


class CachedDataSource(DataSource):
    """The data units of an output in the cache.

    Attributes
    ----------
    filenames : list of str
        The data files.
    dataformat : DataFormat
        The format of the units.
    current_file : object or None
        The file read last, open; None before the first unit is read, and after `reset`.
    current_file_index : int or None
        Its number in ``filenames``.
    """

    dataformat: Any = None
    unpack = True
    current_file: UnitFile | None = None
    current_file_index: int | None = None
    filenames: Sequence[str] = ()
    _encodings: Sequence[str] = ()
    _infos: Any = ()
    _row: Any = ().__getitem__
    _codec: Any = None
    _open_files: dict[int, UnitFile] = {}

    def setup(
        self,
        filename: str,
        prefix: str,
        start_index: int | None = None,
        end_index: int | None = None,
        unpack: bool = True,
    ) -> bool:
        """Find the units; the files are compared with their checksums.

        Parameters
        ----------
        filename : str
            ``P.data`` for the output path ``P``.
        prefix : str
            The prefix folder, for the format.
        start_index, end_index : int, optional
            Units that overlap this range are delivered, their indices clipped to it.
        unpack : bool
            Whether data is delivered as instances of the format, else as bytes as they are
            in the file.

        Returns
        -------
        bool
            False if there is no file.

        Raises
        ------
        OSError
            If a file is incomplete or damaged, or if there is a gap between the files.
        RuntimeError
            If the format is not valid.
        """
        self.reset()
        self.ready = False
        files = covering_files(filename, [DATA, INDEX], start_index, end_index)
        if not files:
            return False
        self.filename = filename
        self.prefix = prefix
        self.unpack = unpack
        self.filenames = [file.data for file in files]
        self._checksums = [verify_file(file.data) for file in files]
        for file in files:
            verify_file(file.index)
        units, format_name = self._scan()
        self.infos = _in_range(units, start_index, end_index)
        self._take_format(format_name)
        self.ready = True
        return True

    def _scan(self) -> tuple[_FileUnits, str]:
        tables = [*map(scan_data, self.filenames)]
        names = {table.format_name for table in tables}
        if len(names) > 1:
            raise OSError(f"cache files of different formats {sorted(names)}: {self.filenames}")
        units = _FileUnits(array("q"), Intervals(), array("q"), array("q"))
        for number, table in enumerate(tables):
            append_units(units.intervals, table.units, self.filenames[number])
            units.files.extend([number] * len(table.units))
            units.offsets.extend(table.offsets)
            units.sizes.extend(table.sizes)
        self._encodings = [table.encoding for table in tables]
        return units, names.pop()

    @property
    def infos(self) -> Any:
        """The units, see `DataSource`."""
        return self._infos

    @infos.setter
    def infos(self, infos: Any) -> None:
        self._infos = infos
        self._row = infos.row if isinstance(infos, _FileUnits) else infos.__getitem__

    def __getitem__(self, index: int) -> Unit:
        try:
            number, start, end, offset, size = self._row(index if index >= 0 else len(self))
        except IndexError:
            return NO_UNIT
        if number != self.current_file_index:
            self._open(number)
        try:
            data = self._read(self, self.current_file, offset, size - 1)
        except ValueError as error:
            raise ValueError(
                f"damaged data: `{self.filenames[number]}', unit ({start}, {end}): {error}"
            ) from error
        self.nb_bytes_read += size
        return data, start, end

    def __iter__(self) -> Iterator[Unit]:
        return map(self.__getitem__, range(len(self)))

    def _read_packed(self, file: UnitFile, offset: int, size: int) -> Any:
        if size >= LARGE_BYTES:
            began = perf_counter()
            buffer, at = file.private(offset, size)
            self.read_duration += perf_counter() - began
            return self._decode(buffer, at, at + size, True)
        if size == 0:
            return None
        at = offset - file.chunk_start
        if at < 0 or at + size > len(file.chunk):
            at = self._fill(file, offset, size)
        return self._decode(file.chunk, at, at + size)

    def _fill(self, file: UnitFile, offset: int, size: int) -> int:
        began = perf_counter()
        at = file.fill(offset, size)
        self.read_duration += perf_counter() - began
        return at

    def _read_json(self, file: UnitFile, offset: int, size: int) -> Any:
        if size == 0:
            return None
        return self._codec.build(json.loads(self._read_bytes(file, offset, size)), "unsafe")

    def _read_bytes(self, file: UnitFile, offset: int, size: int) -> bytes:
        began = perf_counter()
        content = file.read(offset, size)
        self.read_duration += perf_counter() - began
        return content

    def _open(self, number: int) -> None:
        files = self._open_files
        file = files.pop(number, None) or self._open_anew(number)
        files[number] = file  # the last used is the last
        if len(files) > MOST_OPEN_FILES:
            files.pop(next(iter(files))).close()
        self.current_file, self.current_file_index = file, number
        if not self.unpack:
            self._read: Any = CachedDataSource._read_bytes
        elif self._encodings[number] == "json":
            self._read = CachedDataSource._read_json
        else:
            self._read = CachedDataSource._read_packed

    def _open_anew(self, number: int) -> UnitFile:
        name = self.filenames[number]
        file = UnitFile(name)
        if verify_file(name) != self._checksums[number]:
            raise OSError(f"other data: `{name}' was replaced while it was in use")
        return file

    def reset(self) -> None:
        """Close all files; reading a unit opens them again."""
        for file in self._open_files.values():
            file.close()
        self._open_files = {}
        self.current_file = self.current_file_index = self._read = None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in _NOT_PICKLED:
            state.pop(name, None)
        if self.dataformat is not None:
            state["format_name"] = self.dataformat.name
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        format_name = state.pop("format_name", None)
        self.infos = state.pop("_infos", ())
        self.__dict__.update(state, _open_files={})
        if format_name is not None:
            self._take_format(format_name)

    def _take_format(self, name: str) -> None:
        self.dataformat = load_format(self.prefix, name)
        self._codec = self.dataformat.type._codec
        self._decode = self._codec.decode


def _in_range(units: _FileUnits, start_index: int | None, end_index: int | None) -> _FileUnits:
    kept = units[units.intervals.overlap(start_index, end_index)]
    kept.intervals = units.intervals.clipped(start_index, end_index)
    return kept
