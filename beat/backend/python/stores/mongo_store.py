"""Results in a MongoDB database, one document for each run."""

from __future__ import annotations

import json
import logging
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

from ..exceptions import MissingExtra
from .base import MISSING, Config, ResultsStore, StoreContext, TypeInfo, give_up
from .configuration import Target
from .errors import (
    Address,
    ObjectNotFound,
    StoreError,
    StoreUnavailable,
    UnknownType,
    UnreadableObject,
    reading,
    writing,
)
from .mongo_runs import Document, MongoRuns, field_of, files_in, old_field_of
from .registry import builtin_types, find_type

if TYPE_CHECKING:
    from bson import ObjectId
    from gridfs import GridFSBucket
    from pymongo import MongoClient
    from pymongo.database import Database

logger = logging.getLogger(__name__)

INLINE = 4096  # bytes: longer texts go to GridFS; a document holds 16 MB, and many objects
_TOO_LARGE = (10334, 17419, 17420)  # what servers say of documents over their limit


class MongoDBStore(ResultsStore):
    """A results store in a MongoDB database.

    Short texts (JSON among them) are kept in the run's document, everything else in GridFS, so
    that objects may be larger than the 16 MB of a document.

    Parameters
    ----------
    db : str
        The database.
    collection_name : str, optional
        The collection, ``task_result`` by default.
    host : str, optional
        The server: a host name, with or without port, or a ``mongodb://`` address.
    trusted : bool
        Whether to load pickles. Loading one runs whatever code is in it, so say so only if you
        trust everybody who can write to the database.
    timeout : float
        For how many seconds a server that does not answer is waited for; settings in the
        address win.

    Attributes
    ----------
    type_registry : dict
        The types by name, as in `LocalFileStore`, but only those that work on file objects.

    Raises
    ------
    ImportError
        If pymongo is not installed.
    """

    _quietly = {"default": None}

    def __init__(
        self,
        db: str,
        collection_name: str | None = None,
        host: str | None = None,
        *,
        trusted: bool = False,
        timeout: float = 10.0,
    ) -> None:
        super().__init__()
        try:
            import pymongo  # noqa: F401 - to say at once what is missing
        except ImportError as error:
            raise MissingExtra("stores in MongoDB", "pymongo", "mongodb") from error
        self.db = db
        self.collection_name = collection_name or "task_result"
        self.host = host
        self.timeout = timeout
        self.trusted = trusted
        self.type_registry: dict[str, TypeInfo] = builtin_types(trusted)
        self._connect_later()

    def _connect_later(self) -> None:
        # A client must not be used in a forked process, so each process has its own.
        self._clients: dict[int, MongoClient[Document]] = {}
        self._finalizer = weakref.finalize(self, _close, self._clients)
        self._runs_by_process: dict[int, MongoRuns] = {}

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        for connected in ("_clients", "_finalizer", "_runs_by_process"):
            del state[connected]
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._connect_later()

    def close(self) -> None:
        """Close the connections of this process; the next call opens new ones."""
        self._runs_by_process.pop(os.getpid(), None)
        _close(self._clients)

    def _database(self) -> Database[Document]:
        client = self._clients.get(os.getpid())
        if client is None:
            client = self._clients.setdefault(os.getpid(), self._connect())
        return client[self.db]

    def _connect(self) -> MongoClient[Document]:
        from pymongo import MongoClient

        milliseconds = int(self.timeout * 1000)
        options: dict[str, Any] = {
            "serverSelectionTimeoutMS": milliseconds,
            "connectTimeoutMS": milliseconds,
            "socketTimeoutMS": milliseconds,
            "journal": True,  # what was said to be saved survives the server's being killed
        }
        chosen = (self.host or "").partition("?")[2].lower()
        options = {key: value for key, value in options.items() if key.lower() not in chosen}
        return MongoClient(self.host, connect=False, **options)

    @property
    def _runs(self) -> MongoRuns:
        runs = self._runs_by_process.get(os.getpid())
        if runs is None:
            runs = MongoRuns(self._database()[self.collection_name])
            self._runs_by_process[os.getpid()] = runs
        return runs

    @property
    def _files(self) -> GridFSBucket:
        from gridfs import GridFSBucket

        return GridFSBucket(self._database())

    @contextmanager
    def _talking(self, address: Address | None) -> Iterator[None]:
        """Say of what the server complains, or that it does not answer."""
        from pymongo.errors import ConnectionFailure, PyMongoError

        try:
            yield
        except ConnectionFailure as error:
            where = (self.host or "localhost").rpartition("@")[2].partition("?")[0]
            raise StoreUnavailable(
                f"MongoDB at {where} does not answer: {str(error)[:200]}", address
            ) from error
        except PyMongoError as error:
            raise StoreError(f"MongoDB refused: {str(error)[:300]}", address) from error

    # Saving

    def save(
        self,
        obj: Any,
        name: str,
        type_: str,
        task_name: str,
        task_unique_config: Config,
        **kwargs: Any,
    ) -> None:
        """Save an object.

        Parameters and errors not named here are those of `ResultsStore.save`.

        Parameters
        ----------
        **kwargs
            For the save function; ``load_kwargs``, which have to have a JSON form, for the load
            function. ``sub_dir``, ``mode`` and ``open_kwargs``, which are about files, do not
            matter here.

        Raises
        ------
        StoreUnavailable
            If the server does not answer.
        """
        target = Target(task_name, task_unique_config, name)
        kind = self._type(type_, target.address)
        load_kwargs = kwargs.pop("load_kwargs", None) or {}
        kwargs = {key: kwargs[key] for key in kwargs.keys() - {"sub_dir", "mode", "open_kwargs"}}
        with writing(target.address, type_):
            entry = {"type": type_, "load_kwargs": json.dumps(load_kwargs)}
            content = _encode(obj, kind, kwargs)
        with self._talking(target.address):
            before = None
            if not kind.is_binary and len(content) <= INLINE:
                before = self._save_inline(target, {**entry, "text": content.decode()})
            if before is None:
                before = self._save_file(target, entry, content)
            self._remove_files(files_in(before))

    def _type(self, type_: object, address: Address) -> TypeInfo:
        kind = find_type(self.type_registry, type_, address)
        if kind.needs_path or kind.open_fn is not None:
            raise UnknownType(
                f"type {type_!r} works on paths; only a LocalFileStore can keep it", address
            )
        return kind

    def _save_inline(self, target: Target, entry: Document) -> Document | None:
        """Put an object into the document; None if the document has become too large."""
        from pymongo.errors import DocumentTooLarge, OperationFailure

        try:
            return self._runs.change(target, {"$set": {_path(target): entry}, **_no_old(target)})
        except DocumentTooLarge:
            return None
        except OperationFailure as error:
            if error.code not in _TOO_LARGE:
                raise
            return None

    def _save_file(self, target: Target, entry: Document, content: bytes) -> Document:
        """Put an object into a file, and the file into the document."""
        tag = {"collection": self.collection_name}
        file = self._files.upload_from_stream(target.name, content, metadata=tag)
        try:
            entry = {**entry, "file": file}
            return self._runs.change(target, {"$set": {_path(target): entry}, **_no_old(target)})
        except BaseException:
            self._remove_files([file])
            raise

    def _remove_files(self, files: Iterable[ObjectId]) -> None:
        from gridfs import NoFile

        for file in files:
            with suppress(NoFile):
                self._files.delete(file)

    # Loading

    def load(
        self,
        name: str,
        task_name: str,
        task_unique_config: Config,
        lazy: bool = False,
        *,
        default: Any = MISSING,
        strict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load an object.

        Parameters and errors not named here are those of `ResultsStore.load`.

        Parameters
        ----------
        lazy : bool
            Does not matter here: the object is always loaded at once.
        **kwargs
            For the load function.

        Raises
        ------
        UnreadableObject
            If what is stored is damaged.
        UntrustedPickle
            If it is a pickle and the store is not trusted.
        StoreUnavailable
            If the server does not answer.
        """
        target = Target(task_name, task_unique_config, name)
        try:
            with self._talking(target.address):
                entry, content = self._content(target)
        except ObjectNotFound as error:
            return give_up(error, default, strict)
        kind = self._type(entry["type"], target.address)
        with reading(target.address, entry["type"]):
            kwargs = {**json.loads(entry.get("load_kwargs", "{}")), **kwargs}
            file = BytesIO(content) if kind.is_binary else StringIO(content.decode(), newline="")
            return kind.load_fn(file, **kwargs)

    def _content(self, target: Target) -> tuple[Document, bytes]:
        """Return what is known of an object, and its content.

        Raises
        ------
        ObjectNotFound
            If there is no such object.
        UnreadableObject
            If its file is missing or incomplete.
        """
        from gridfs.errors import GridFSError

        entry = self._entry(target)
        while "file" in entry:
            try:
                with self._files.open_download_stream(entry["file"]) as stream:
                    return entry, stream.read()
            except GridFSError as error:
                newer = self._entry(target)
                if newer.get("file") == entry["file"]:
                    raise UnreadableObject(
                        f"its GridFS file {entry['file']} is damaged: {error}", target.address
                    ) from error
                entry = newer  # it was replaced while it was being read
        return entry, entry["text"].encode()

    def _entry(self, target: Target) -> Document:
        """Return what a run knows of an object."""
        run = self._runs.find(target, exactly=False)
        if run is None:
            raise ObjectNotFound("there is no run of this configuration", target.address)
        entry = _entry_in(run.document, target.name)
        if entry is None:
            raise ObjectNotFound("there is no such object in the run", target.address)
        return entry

    # Deleting

    def list_runs(self, task_name: str) -> Iterator[Config]:
        """Yield the configurations of all runs of a task; none for an unknown task."""
        with self._talking(Target(task_name, {}).address):
            yield from self._runs.configurations(task_name)

    def delete(self, name: str, task_name: str, task_unique_config: Config) -> None:
        """Delete an object of exactly this configuration; a missing one is only warned of."""
        target = Target(task_name, task_unique_config, name)
        with self._talking(target.address):
            run = self._runs.find(target, exactly=True)
            if run is None or _entry_in(run.document, name) is None:
                logger.warning("%s: there is nothing to delete", target.address)
                return
            fields = {_path(target): "", **_no_old(target).get("$unset", {})}
            self._remove_files(files_in(self._runs.change(target, {"$unset": fields})))

    def delete_run(self, task_name: str, task_unique_config: Config) -> None:
        """Delete the run of exactly this configuration; a missing one is only warned of."""
        target = Target(task_name, task_unique_config)
        with self._talking(target.address):
            files = self._runs.remove(target)
            if files is None:
                logger.warning("%s: there is nothing to delete", target.address)
            else:
                self._remove_files(files)

    def remove_orphans(self, older_than: float = 86400.0) -> int:
        """Remove what writers that were killed have left in GridFS.

        Parameters
        ----------
        older_than : float
            For how many seconds a file must have been there without belonging to any object.
            Nobody must take longer to save one.

        Returns
        -------
        int
            How many files, whole or not, there were.
        """
        from bson import ObjectId

        with self._talking(None):
            limit = datetime.now(UTC) - timedelta(seconds=older_than)
            of_this_store = {"metadata.collection": self.collection_name}
            database = self._database()
            whole = set(database["fs.files"].distinct("_id"))
            candidates = set(database["fs.files"].distinct("_id", of_this_store))
            candidates |= set(database["fs.chunks"].distinct("files_id")) - whole
            orphans = {
                file
                for file in candidates - self._runs.files()
                if isinstance(file, ObjectId) and file.generation_time < limit
            }
            self._remove_files(orphans)
            return len(orphans)

    def get_context(
        self, task_name: str, task_unique_config: Config, *, create: bool = True
    ) -> StoreContext:
        """Return an empty context; ``create`` makes the run, though it has no folder."""
        target = Target(task_name, task_unique_config)
        with self._talking(target.address):
            if create and self._runs.find(target, exactly=True) is None:
                self._runs.make(target)
        return StoreContext()


def _path(target: Target) -> str:
    return f"objects.{field_of(target.name)}"


def _no_old(target: Target) -> Document:
    """Return the part of an update that removes what earlier packages have kept."""
    field = old_field_of(target.name)
    return {} if field is None else {"$unset": {field: ""}}


def _encode(obj: Any, kind: TypeInfo, kwargs: Mapping[str, Any]) -> bytes:
    if kind.is_binary:
        file = BytesIO()
        kind.save_fn(obj, file, **kwargs)
        return file.getvalue()
    text = StringIO(newline="")
    kind.save_fn(obj, text, **kwargs)
    return text.getvalue().encode()


def _entry_in(document: Document, name: str) -> Document | None:
    """Return what a document knows of an object, in the form of this package."""
    entry: Document | None = document.get("objects", {}).get(field_of(name))
    old = (document.get("results") or {}).get(name)
    if entry is None and isinstance(old, Mapping) and "obj" in old:
        return {"type": "pickle", "file": old["obj"]}
    return entry


def _close(clients: dict[int, MongoClient[Document]]) -> None:
    client = clients.pop(os.getpid(), None)
    if client is not None:
        client.close()
