"""Files that are hashed while they are written, and published with their checksums."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from ..publish import alone_in, give_name, make_durable, open_temporary, sync_folder
from .cache_files import CHECKSUM, note_verified

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

BUFFER_BYTES = 1 << 18
BACKGROUND_BYTES = 1 << 18
MOST_BYTES_IN_BACKGROUND = 1 << 23
WRITEBACK_BYTES = 1 << 23


class _Digest:
    """A SHA-256 whose large pieces are hashed by a thread, while the disk takes them."""

    def __init__(self) -> None:
        import hashlib

        self._digest = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[tuple[Future[None], int]] = deque()
        self._bytes_running = 0

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        if len(piece) < BACKGROUND_BYTES:
            self._finish(0)
            self._digest.update(piece)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(1, "checksum")
        self._running.append((self._pool.submit(self._digest.update, piece), len(piece)))
        self._bytes_running += len(piece)
        self._finish(MOST_BYTES_IN_BACKGROUND)

    def _finish(self, left: int) -> None:
        while self._bytes_running > left:
            hashing, size = self._running.popleft()
            hashing.result()
            self._bytes_running -= size

    def hexdigest(self) -> str:
        """Return the digest of all pieces."""
        self._finish(0)
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class HashedFile:
    """A file on its way to its final name, and its checksum.

    Parameters
    ----------
    path : str
        The final name; `OSError` if no temporary file can be made beside it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._content = open_temporary(path)
        self._checksum: BinaryIO | None = None
        self._descriptor = self._content.fileno()
        self._owner = os.getpid()
        self._digest = _Digest()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._written = 0
        self._handed_over = 0

    @property
    def mine(self) -> bool:
        """Whether this process began the file, rather than to be a fork of the one that did."""
        return self._owner == os.getpid()

    def write(self, piece: bytes) -> None:
        """Append to the file; small pieces are gathered first."""
        self._pending.append(piece)
        self._pending_bytes += len(piece)
        if self._pending_bytes >= BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        large = pending.pop() if pending and len(pending[-1]) >= BACKGROUND_BYTES else b""
        for piece in (b"".join(pending), large):
            if piece:
                self._digest.update(piece)
                self._append(piece)

    def _append(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:  # which does not know what file it is about
            raise OSError(error.errno, error.strerror, self.path) from None
        self._written += len(piece)
        fresh = self._written - self._handed_over
        if fresh >= WRITEBACK_BYTES:
            # let the disk begin now, so that little is left to wait for at the end
            advice = os.POSIX_FADV_DONTNEED
            os.posix_fadvise(self._descriptor, self._handed_over, fresh, advice)
            self._handed_over = self._written

    def finish(self) -> list[BinaryIO]:
        """Write what is left, and the checksum; return both files, to be made durable."""
        self._flush()
        self._checksum = open_temporary(self.path + CHECKSUM)
        self._checksum.write(self._digest.hexdigest().encode("ascii"))
        return [self._content, self._checksum]

    def is_published(self) -> bool:
        """Tell whether there is a file of that name already, with the same checksum."""
        try:
            with open(self.path + CHECKSUM, encoding="ascii", errors="replace") as f:
                return os.path.exists(self.path) and f.read(100) == self._digest.hexdigest()
        except FileNotFoundError:
            return False

    def publish_checksum(self) -> None:
        """Give the checksum its name."""
        assert self._checksum is not None, "the file is not finished"
        give_name(self._checksum, self.path + CHECKSUM)

    def publish_content(self) -> None:
        """Give the file itself its name; who reads it in this process need not hash it again."""
        status = give_name(self._content, self.path)
        note_verified(self.path, status, self._digest.hexdigest())

    def discard(self) -> None:
        """Let go of everything; what has not been published is removed by the owner."""
        if self.mine:
            self._digest.close()
        for file in (self._content, self._checksum):
            if file is not None:
                file.close()
                if self.mine:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(file.name)


def publish_all(files: Sequence[HashedFile]) -> None:
    """Give files their final names: all checksums first, then each file in turn.

    Whoever sees the last of the files sees all of them, complete and of one writer: where they
    replace others with another content, the last of those goes first.

    Raises
    ------
    OSError
        If they cannot be made durable or renamed.
    """
    make_durable([part for file in files for part in file.finish()])
    folder = os.path.dirname(os.path.abspath(files[0].path))
    with alone_in(folder):
        if not all(file.is_published() for file in files):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(files[-1].path)
        for file in files:
            file.publish_checksum()
        for file in files:
            file.publish_content()
    sync_folder(folder)
