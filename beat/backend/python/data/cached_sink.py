"""Data units written into cache files, which appear only when they are complete."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from ..baseformat import baseformat
from ..dataformat import UNNAMED
from .cache_files import ENCODINGS, RangeFiles, range_files
from .hashed_file import HashedFile, publish_all
from .sink import DataSink

logger = logging.getLogger(__name__)

LARGE_BYTES = 1 << 16


class CachedDataSink(DataSink):
    """Writes the data units of an output into the cache.

    The files get their names when the sink is closed after its last index was written. Otherwise
    there will be none, and a warning tells so.

    Attributes
    ----------
    filename : str
        ``P.data`` for the output path ``P``.
    dataformat : DataFormat
        The format of the units.
    start_index, end_index : int
        The range to write; the last unit may go beyond it.
    encoding : str
        ``binary`` or ``json``.
    nb_bytes_written : int
        How many bytes have been written.
    write_duration : float
        How long that took, in seconds.
    """

    takes_dictionaries = True
    filename: str | None = None
    dataformat: Any = None
    start_index = 0
    end_index = -1
    encoding = "binary"
    nb_bytes_written = 0
    write_duration = 0.0
    _files: tuple[HashedFile, HashedFile] | None = None
    _next_index = 0

    def setup(
        self,
        filename: str,
        dataformat: Any,
        start_index: int,
        end_index: int,
        encoding: str = "binary",
    ) -> bool:
        """Begin to write.

        Parameters
        ----------
        filename : str
            ``P.data`` for the output path ``P``; its folder must exist.
        dataformat : DataFormat
            The format of the units.
        start_index, end_index : int
            The range to write.
        encoding : str
            ``binary`` or ``json``.

        Returns
        -------
        bool
            False if the files cannot be opened.

        Raises
        ------
        RuntimeError
            If there is no such encoding, or if the format is not valid or has no name.
        """
        self.close()
        if encoding not in ENCODINGS:
            raise RuntimeError(f"unknown encoding {encoding!r}, expected one of {ENCODINGS}")
        if not dataformat.valid or dataformat.name in (None, UNNAMED):
            raise RuntimeError(
                f"cannot write units of the dataformat `{dataformat.name}': it must be valid and "
                f"have a name{''.join(f'; {error}' for error in dataformat.errors)}"
            )
        names = range_files(filename, start_index, end_index)
        files = _open(names)
        if files is None:
            return False
        self.filename = filename
        self.dataformat = dataformat
        self.encoding = encoding
        self.start_index = self._next_index = start_index
        self.end_index = end_index
        self.nb_bytes_written, self.write_duration = 0, 0.0
        self._codec = dataformat.type._codec
        self._format_name = dataformat.name
        self._files = files
        files[0].write(f"{encoding}\n{dataformat.name}\n".encode())
        return True

    def isConnected(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any, start_data_index: int, end_data_index: int) -> None:
        """Write a unit.

        Parameters
        ----------
        data : instance of the format, dict or None
            The content; None for a unit without data.
        start_data_index, end_data_index : int
            The indices it covers; it must begin where the last one ended.

        Raises
        ------
        TypeError
            If the data is of another format.
        RuntimeError
            If the sink is not set up, or if there is a hole or an overlap between the units.
        OSError
            If the file cannot be written.
        """
        if self._files is None:
            raise RuntimeError("the sink is not set up: nothing can be written")
        began = perf_counter()
        if start_data_index != self._next_index or end_data_index < start_data_index:
            raise RuntimeError(
                f"cannot write the unit ({start_data_index}, {end_data_index}) to "
                f"`{self.filename}': the next unit must start with {self._next_index} and may "
                "not end before that"
            )
        payload = b"" if data is None else self._encoded(data)
        data_file, index_file = self._files
        size = len(payload) + 1
        if size < LARGE_BYTES:
            data_file.write(b"%d %d %d\n%b\n" % (start_data_index, end_data_index, size, payload))
        else:  # without another copy
            data_file.write(b"%d %d %d\n" % (start_data_index, end_data_index, size))
            data_file.write(payload)
            data_file.write(b"\n")
        index_file.write(b"%d %d\n" % (start_data_index, end_data_index))
        self._next_index = end_data_index + 1
        self.nb_bytes_written += size
        self.write_duration += perf_counter() - began

    def _encoded(self, data: Any) -> bytes:
        codec = self._codec
        if isinstance(data, dict):
            if self.encoding == "binary":
                return codec.encode(data)  # type: ignore[no-any-return]
            data = codec.build(data)
        elif getattr(type(data), "_name", None) != self._format_name:
            got = getattr(type(data), "_name", type(data).__name__)
            raise TypeError(f"expected data of the format `{self._format_name}', got `{got}'")
        if self.encoding == "binary":
            return type(data)._codec.pack(data)  # type: ignore[no-any-return]
        return baseformat.__str__(data).encode()

    def statistics(self) -> tuple[int, float]:
        """Return the number of bytes written, and how long that took in seconds."""
        return self.nb_bytes_written, self.write_duration

    def close(self) -> None:
        """Publish the files if they are complete, else remove them.

        Raises
        ------
        OSError
            If they cannot be made durable; they are removed then.
        """
        files, self._files = self._files, None
        if files is None:
            return
        try:
            if not files[0].mine:
                return
            if self._next_index > self.end_index:
                began = perf_counter()
                publish_all(files)
                self.write_duration += perf_counter() - began
            else:
                logger.warning(
                    "incomplete data: `%s' was closed before its index %d; got up to %d, "
                    "nothing is kept",
                    self.filename,
                    self.end_index,
                    self._next_index - 1,
                )
        finally:
            for file in files:
                file.discard()

    def discard(self) -> None:
        """Keep nothing of what was written, complete or not."""
        files, self._files = self._files, None
        for file in files or ():
            file.discard()

    def __del__(self) -> None:
        self.close()


def _open(names: RangeFiles) -> tuple[HashedFile, HashedFile] | None:
    try:
        data = HashedFile(names.data)
    except OSError as error:
        logger.warning("cannot write `%s': %s", names.data, error)
        return None
    try:
        return data, HashedFile(names.index)
    except OSError as error:
        data.discard()
        logger.warning("cannot write `%s': %s", names.index, error)
        return None
