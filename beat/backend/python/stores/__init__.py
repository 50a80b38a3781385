"""A run's results, found again by the configuration that made them, wherever they are kept."""

from __future__ import annotations

from .base import (
    LazySweep,
    Names,
    Promise,
    ResultsStore,
    StoreContext,
    Sweep,
    TypeInfo,
)
from .errors import (
    AmbiguousRun,
    ChangedMeanwhile,
    ConfigurationError,
    FileObjectNotFound,
    InvalidName,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreIOError,
    StoreUnavailable,
    UnknownType,
    UnreadableObject,
    UnserialisableObject,
    UntrustedPickle,
)
from .file import File, FilePromise
from .file_store import LocalFileStore
from .memory_store import InMemoryStore
from .mongo_store import MongoDBStore

__all__ = [
    "AmbiguousRun",
    "ChangedMeanwhile",
    "ConfigurationError",
    "File",
    "FileObjectNotFound",
    "FilePromise",
    "InMemoryStore",
    "InvalidName",
    "LazySweep",
    "LocalFileStore",
    "MongoDBStore",
    "Names",
    "ObjectExists",
    "ObjectNotFound",
    "Promise",
    "ResultsStore",
    "StoreContext",
    "StoreError",
    "StoreIOError",
    "StoreUnavailable",
    "Sweep",
    "TypeInfo",
    "UnknownType",
    "UnreadableObject",
    "UnserialisableObject",
    "UntrustedPickle",
]
