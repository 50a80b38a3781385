"""Files of stored objects, and the promises of them.

What is written through a `File` is published as a whole when it is closed: until then, and for
ever if its writer dies or leaves with an exception, everybody else sees what was there before.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from .base import Promise
from .errors import Address, StoreError, StoreIOError
from .registry import open_file
from .staging import Stage, identity

logger = logging.getLogger(__name__)


def is_writing(mode: str) -> bool:
    """Tell whether a file opened in this mode can be written to."""
    return any(letter in mode for letter in "wax+")


class File:
    """A file that also saves and loads whole objects.

    Parameters
    ----------
    path : str
        The file.
    mode : str
        As for `open`.
    save_fn : callable
        What `save` calls, with the object and the file.
    load_fn : callable
        What `load` calls, with the file.
    open_fn : callable, optional
        Opens the file instead of `open`.
    load_kwargs : dict, optional
        Keywords for ``load_fn``.
    **open_kwargs
        Keywords for `open` or ``open_fn``.

    Attributes
    ----------
    f : file object
        What is wrapped.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(
        self,
        path: str,
        mode: str,
        save_fn: Callable[..., Any],
        load_fn: Callable[..., Any],
        open_fn: Callable[..., Any] | None = None,
        load_kwargs: Mapping[str, Any] | None = None,
        **open_kwargs: Any,
    ) -> None:
        self.path = path
        self.mode = mode
        self._save_fn = save_fn
        self._load_fn = load_fn
        self._load_kwargs = dict(load_kwargs or {})
        self._owner = os.getpid()
        self._stage = self._begin() if is_writing(mode) else None
        target = path if self._stage is None else self._stage.path
        try:
            self.f: Any = (open_fn or open_file)(target, mode, **open_kwargs)
        except BaseException:
            self._drop_stage()
            raise

    @classmethod
    def from_promise(cls, promise: FilePromise) -> File:
        """Open the file of a promise in the mode of the promise.

        Raises
        ------
        TypeError
            If objects of its type have no files that could be opened.
        """
        if promise.mode is None:
            raise TypeError(
                f"{promise.name!r} cannot be opened as a file: its type works on paths; load it"
            )
        return cls(
            promise.path,
            promise.mode,
            promise.save_fn,
            promise.load_fn,
            promise.open_fn,
            promise.load_kwargs,
            **promise.open_kwargs,
        )

    def _begin(self) -> Stage:
        """Make the place where the new content grows."""
        folder, filename = os.path.split(os.path.abspath(self.path))
        exists = os.path.lexists(self.path)
        if "x" in self.mode and exists:
            raise FileExistsError(f"{self.path!r} exists already")
        if "r" in self.mode and not exists:
            raise FileNotFoundError(f"there is no {self.path!r}")
        stage = Stage(folder, filename, hidden=True)
        if not any(letter in self.mode for letter in "wx"):
            stage.start_from(self.path)
        return stage

    def _publish(self, stage: Stage) -> None:
        """Give the new content its place."""
        stage.put(os.path.abspath(self.path))

    def _describe(self) -> Address | str:
        """Return how errors call this file."""
        return self.path

    def _drop_stage(self) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.discard()

    def _failed(self, error: OSError) -> OSError:
        if isinstance(error, StoreError):
            return error
        named = StoreIOError(f"{self._describe()}: cannot be written: {error.strerror or error}")
        named.errno = error.errno
        return named

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return bool(self.f.closed)

    def close(self) -> None:
        """Close the file and publish what was written.

        Raises
        ------
        StoreIOError
            If it cannot be written; what was there before is still there.
        """
        stage = self._stage
        try:
            self.f.close()
            if stage is not None:
                self._publish(stage)
        except OSError as error:
            raise self._failed(error) from error.__cause__ or error
        finally:
            self._drop_stage()

    def discard(self) -> None:
        """Close the file and forget what was written."""
        with suppress(OSError):
            self.f.close()
        self._drop_stage()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        if getattr(self, "_stage", None) is not None and self._owner == os.getpid():
            warnings.warn(
                f"{self.path!r} was never closed, what was written to it is lost",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            self.discard()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.f)

    def flush(self) -> None:
        """Hand buffered content to the system; others see it when the file is closed."""
        self._write(self.f.flush)

    def read(self, size: int = -1) -> Any:
        """Read so many characters or bytes, all by default."""
        return self.f.read(size)

    def readable(self) -> bool:
        """Tell whether the file can be read."""
        return bool(self.f.readable())

    def readline(self, size: int = -1) -> Any:
        """Read a line, or so many characters or bytes of it."""
        return self.f.readline(size)

    def readlines(self, hint: int = -1) -> list[Any]:
        """Read all lines, or lines until so many characters or bytes."""
        return list(self.f.readlines(hint))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position and return it."""
        position: int = self.f.seek(offset, whence)
        return position

    def seekable(self) -> bool:
        """Tell whether positions can be chosen."""
        return bool(self.f.seekable())

    def tell(self) -> int:
        """Return the position."""
        position: int = self.f.tell()
        return position

    def truncate(self, size: int | None = None) -> int:
        """Cut the file to a size, by default at the position; return the size."""
        length: int = self._write(self.f.truncate, size)
        return length

    def writable(self) -> bool:
        """Tell whether the file can be written."""
        return bool(self.f.writable())

    def write(self, obj: str | bytes) -> int:
        """Write a text or bytes and return how many characters or bytes there were."""
        written: int = self._write(self.f.write, obj)
        return written

    def writelines(self, lines: Iterable[str | bytes]) -> None:
        """Write several texts or bytes."""
        self._write(self.f.writelines, lines)

    def _write(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except OSError as error:
            raise self._failed(error) from error.__cause__ or error

    def load(self, **kwargs: Any) -> Any:
        """Load an object from the file, from the position on."""
        return self._load_fn(self.f, **{**self._load_kwargs, **kwargs})

    def save(self, obj: Any, **kwargs: Any) -> None:
        """Save an object to the file, at the position."""
        try:
            self._save_fn(obj, self.f, **kwargs)
        except OSError as error:
            raise self._failed(error) from error.__cause__ or error


class FilePromise(Promise):
    """An object in a file, loaded when it is asked for.

    Parameters
    ----------
    name : str
        The name of the object.
    path : str
        The file, or the folder.
    save_fn, load_fn : callable
        The functions of its type.
    open_fn : callable, optional
        Opens the file instead of `open`.
    mode : str, optional
        How the file is opened; None if ``load_fn`` takes the path.
    load_kwargs : dict, optional
        Keywords for ``load_fn``.
    **open_kwargs
        Keywords for `open` or ``open_fn``.
    """

    def __init__(
        self,
        name: str,
        path: str,
        save_fn: Callable[..., Any],
        load_fn: Callable[..., Any],
        open_fn: Callable[..., Any] | None = None,
        mode: str | None = None,
        load_kwargs: Mapping[str, Any] | None = None,
        **open_kwargs: Any,
    ) -> None:
        self.name = name
        self.path = path
        self.save_fn = save_fn
        self.load_fn = load_fn
        self.open_fn = open_fn
        self.mode = mode
        self.load_kwargs = dict(load_kwargs or {})
        self.open_kwargs = open_kwargs

    def opened_in(self, mode: str | None) -> FilePromise:
        """Return the promise of the same file opened in another mode."""
        if mode is None or self.mode is None:
            return self
        return FilePromise(
            self.name,
            self.path,
            self.save_fn,
            self.load_fn,
            self.open_fn,
            mode,
            self.load_kwargs,
            **self.open_kwargs,
        )

    def load(self, **kwargs: Any) -> Any:
        """Load the object as it is now; None, with a warning, if it is gone."""
        if self.works_on_path():
            kwargs = {**self.load_kwargs, **kwargs}
            return load_path(self.load_fn, self.path, kwargs)
        try:
            file = File.from_promise(self)
        except FileNotFoundError:
            logger.warning("object %r is gone: there is no %r", self.name, self.path)
            return None
        with file:
            return file.load(**kwargs)

    def works_on_path(self) -> bool:
        """Tell whether the object is loaded by its path: by its type, or because it is a folder."""
        return self.mode is None or os.path.isdir(self.path)


def load_path(load_fn: Callable[..., Any], path: str, kwargs: Mapping[str, Any]) -> Any:
    """Load an object by its path, again if it was replaced while it was being read.

    None is given, with a warning, if it is not there.
    """
    while (before := identity(path)) is not None:
        try:
            found = load_fn(path, **kwargs)
        except Exception:  # whatever it says, it may have seen half of the old and half of the new
            if identity(path) == before:
                raise
            continue
        if identity(path) == before:
            return found
    logger.warning("there is no %r any more", path)
    return None
