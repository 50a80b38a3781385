"""Data units read from cache files."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple, overload

from .cache_files import DATA, INDEX, append_units, covering_files, scan_data, verify_file
from .formats import load_format
from .indices import Column, Intervals, as_column, joined
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
    """The places of units, in compact columns.

    Parameters
    ----------
    files, offsets, sizes : range, array or iterable of int
        See `FileInfos`.
    intervals : Intervals
        The indices that the units cover.
    """

    __slots__ = ("files", "intervals", "offsets", "sizes")

    def __init__(self, files: Any, intervals: Intervals, offsets: Any, sizes: Any) -> None:
        self.intervals = intervals
        self.files, self.offsets, self.sizes = map(as_column, (files, offsets, sizes))

    @classmethod
    def of(cls, infos: Sequence[FileInfos]) -> _FileUnits:
        """Take the places from what was assigned to `CachedDataSource.infos`."""
        if isinstance(infos, cls):
            return infos
        files, starts, ends, offsets, sizes = zip(*infos, strict=True) if len(infos) else [()] * 5
        return cls(files, Intervals(starts, ends), offsets, sizes)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The numbers of the files, the starts, the ends, the offsets and the sizes."""
        return self.files, self.intervals.starts, self.intervals.ends, self.offsets, self.sizes

    def __len__(self) -> int:
        return len(self.intervals)

    @overload
    def __getitem__(self, index: int) -> FileInfos: ...

    @overload
    def __getitem__(self, index: slice) -> list[FileInfos]: ...

    def __getitem__(self, index: int | slice) -> FileInfos | list[FileInfos]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        return FileInfos._make([column[index] for column in self.columns])

    def __iter__(self) -> Iterator[FileInfos]:
        return map(FileInfos, *self.columns)


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
    _columns: tuple[Column, ...] = (range(0),) * 5
    _codec: Any = None
    _in_chunks = False
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
        units, format_name = self._scan(start_index, end_index)
        self.infos = units
        self._take_format(format_name)
        self.ready = True
        return True

    def _scan(self, start_index: int | None, end_index: int | None) -> tuple[_FileUnits, str]:
        """Return where the units are that overlap a range, and the name of their format."""
        tables = [*map(scan_data, self.filenames)]
        names = {table.format_name for table in tables}
        if len(names) > 1:
            raise OSError(f"cache files of different formats {sorted(names)}: {self.filenames}")
        self._encodings = [table.encoding for table in tables]
        counts = [len(table.units) for table in tables]  # before columns are joined in place
        units = Intervals()
        offsets: Column = range(0)
        sizes: Column = range(0)
        for number, table in enumerate(tables):
            append_units(units, table.units, self.filenames[number])
            offsets = joined(offsets, table.offsets)
            sizes = joined(sizes, table.sizes)
        files: Column = range(0)
        for number, count in enumerate(counts):
            files = joined(files, array("b" if number < 1 << 7 else "i", [number]) * count)
        kept = units.overlap(start_index, end_index)
        if kept != slice(0, len(units)):
            files, offsets, sizes = files[kept], offsets[kept], sizes[kept]
        units = units.clipped(start_index, end_index)
        return _FileUnits(files, units, offsets, sizes), names.pop()

    @property
    def infos(self) -> Any:
        """The units, see `DataSource`."""
        return self._infos

    @infos.setter
    def infos(self, infos: Any) -> None:
        self._infos = infos
        self._columns = _FileUnits.of(infos).columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, index: int) -> Unit:
        files, starts, ends, offsets, sizes = self._columns
        if not 0 <= index < len(files):
            return NO_UNIT
        number, size = files[index], sizes[index]
        if number != self.current_file_index:
            self._open(number)
        file: Any = self.current_file
        try:
            if self._in_chunks and 1 < size <= LARGE_BYTES:
                at = offsets[index] - file.chunk_start
                if at < 0 or at + size > len(file.chunk):
                    at = self._fill(file, offsets[index], size)
                data = self._decode(file.chunk, at, at + size - 1)
            else:
                data = self._read(self, file, offsets[index], size - 1)
        except ValueError as error:
            raise ValueError(
                f"damaged data: `{self.filenames[number]}', unit "
                f"({starts[index]}, {ends[index]}): {error}"
            ) from error
        self.nb_bytes_read += size
        start = starts[index]
        return data, start, start if ends is starts else ends[index]

    def __iter__(self) -> Iterator[Unit]:
        return map(self.__getitem__, range(len(self)))

    def _read_packed(self, file: UnitFile, offset: int, size: int) -> Any:
        """Read what is not in the chunks."""
        if size == 0:
            return None
        began = perf_counter()
        buffer, at = file.private(offset, size)
        self.read_duration += perf_counter() - began
        return self._decode(buffer, at, at + size, True)

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
        self._in_chunks = self.unpack and self._encodings[number] == "binary"
        if not self.unpack:
            self._read: Any = CachedDataSource._read_bytes
        elif self._in_chunks:
            self._read = CachedDataSource._read_packed
        else:
            self._read = CachedDataSource._read_json

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
