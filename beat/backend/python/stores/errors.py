"""What can go wrong with a results store: every error names the object, its task and its run.

All errors are a `StoreError`; each is also the built-in exception that a caller who does not know
this package would catch.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Address(NamedTuple):
    """What an error is about.

    Attributes
    ----------
    task_name : str
        The task whose run it is.
    configuration : str
        The configuration of the run as JSON, cut where it is long.
    name : str or None
        The object; None for the run as a whole.
    """

    task_name: str
    configuration: str
    name: str | None = None

    def __str__(self) -> str:
        run = f"task {self.task_name!r} with configuration {self.configuration}"
        return f"run of {run}" if self.name is None else f"object {self.name!r} of {run}"


class StoreError(Exception):
    """The root of all errors of results stores.

    Parameters
    ----------
    message : str
        What failed, what was expected, what to do.
    address : Address, optional
        What it is about; it is put before the message.
    """

    def __init__(self, message: str, address: Address | None = None) -> None:
        super().__init__(message if address is None else f"{address}: {message}")
        self.address = address

    def __str__(self) -> str:
        return str(self.args[0])


class ObjectNotFound(StoreError, KeyError):
    """There is no such object, or no run of that configuration."""


class FileObjectNotFound(ObjectNotFound, FileNotFoundError):
    """There is no such object to be opened as a file."""


class ObjectExists(StoreError, FileExistsError):
    """There is such an object already, and it was to be made anew."""


class ConfigurationError(StoreError, TypeError, ValueError):
    """A configuration has no JSON form, so that no run can be found by it."""


class InvalidName(StoreError, ValueError):
    """A name of a task, an object or a folder that could lead out of the store."""


class UnknownType(StoreError, KeyError):
    """The store has no type of that name."""


class UnserialisableObject(StoreError, TypeError, ValueError):
    """The functions of a type cannot write an object."""


class UnreadableObject(StoreError, ValueError):
    """The functions of a type cannot read what is stored."""


class UntrustedPickle(StoreError, pickle.UnpicklingError):
    """A pickle, which can run any code, in a store that was not made with ``trusted=True``."""


class AmbiguousRun(StoreError, LookupError):
    """Several stored configurations fit a query equally well."""


class ChangedMeanwhile(StoreError, RuntimeError):
    """Somebody else replaced an object while it was being changed."""


class StoreIOError(StoreError, OSError):
    """The file system refused: a full disk, a missing permission, a broken device."""


class StoreUnavailable(StoreError, ConnectionError):
    """The server, or the process, that keeps the results does not answer."""


@contextmanager
def naming(address: Address) -> Iterator[None]:
    """Give errors of the file system the name of what was being done."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        named = StoreIOError(_describe(error), address)
        named.errno = error.errno
        raise named from error


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{reason}: {error.filename!r}"


# What writing an object raises when the object does not fit its type, and what reading raises
# when the content does not.
WRITE_ERRORS = (
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    pickle.PicklingError,
)
READ_ERRORS = (ValueError, EOFError, RecursionError, pickle.UnpicklingError)


@contextmanager
def writing(address: Address, type_: str) -> Iterator[None]:
    """Turn what a save function says of an object into an error that names it."""
    try:
        yield
    except StoreError:
        raise
    except WRITE_ERRORS as error:
        raise UnserialisableObject(
            f"cannot be saved as {type_!r}: {_short(error)}", address
        ) from error
    except Exception as error:  # whatever a user's save function raises leaves as it is
        error.add_note(f"while saving {address} as {type_!r}")
        raise


@contextmanager
def reading(address: Address, type_: str) -> Iterator[None]:
    """Turn what a load function says of a content into an error that names the object."""
    try:
        yield
    except UntrustedPickle as error:
        raise UntrustedPickle(str(error), address) from None
    except StoreError:
        raise
    except READ_ERRORS as error:
        raise UnreadableObject(
            f"cannot be loaded as {type_!r}: {_short(error)}", address
        ) from error
    except Exception as error:  # whatever a user's load function raises leaves as it is
        error.add_note(f"while loading {address} as {type_!r}")
        raise


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"
