"""The documents of runs in a MongoDB collection: finding, making and changing them.

A run's document is found by the digest of its configuration, which has a unique index:

``name``, ``digest``, ``shape``, ``config``
    the task; the digest, the top-level keys and the canonical text of the configuration;
``objects``
    what is known of each object: its type, how to load it, and either its text or the id of the
    GridFS file that holds it.

Documents made by earlier packages have ``name``, ``unique_config`` and ``results`` with the ids of
GridFS files that hold pickles. They are found as well; the first change completes them with the
fields above.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .configuration import Configuration, Shape, Target, largest_part, parse, shorten

if TYPE_CHECKING:
    from bson import ObjectId
    from pymongo.collection import Collection

logger = logging.getLogger(__name__)

Document = dict[str, Any]


class Run(NamedTuple):
    """What was asked for of a run's document."""

    document: Document
    configuration: str

    def __str__(self) -> str:
        return shorten(self.configuration)


class _OldRun(NamedTuple):
    """A document of an earlier package."""

    id: Any
    configuration: Configuration


def field_of(name: str) -> str:
    """Return the field of an object: its name without the characters that mean something."""
    return name.replace("%", "%25").replace(".", "%2E").replace("$", "%24")


def old_field_of(name: str) -> str | None:
    """Return where earlier packages keep an object; None for names that they could not keep."""
    return None if "." in name or name.startswith("$") else f"results.{name}"


class MongoRuns:
    """The runs in a collection.

    Parameters
    ----------
    collection : pymongo.collection.Collection
        The collection.
    """

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection
        self._is_indexed = False

    def configurations(self, task_name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the configurations of all runs of a task."""
        query = {"name": task_name, "shape": {"$ne": None}}
        for document in self._collection.find(query, {"config": 1}):
            yield parse(document["config"])
        for run in self._old_runs(task_name).values():
            yield run.configuration.content

    def find(self, target: Target, exactly: bool) -> Run | None:
        """Return a run with what it knows of the object that is meant.

        Parameters
        ----------
        target : Target
            The query.
        exactly : bool
            Whether it must be the run of exactly this configuration, not of a part of it.

        Raises
        ------
        AmbiguousRun
            If several parts of the same size are stored.
        """
        digest = target.configuration.digest
        if (run := self._get({"name": target.task_name, "digest": digest}, target)) is not None:
            return run
        old = self._old_runs(target.task_name)
        if digest in old:
            return self._get_old(old[digest], target)
        return None if exactly else self._find_part(target, old)

    def _find_part(self, target: Target, old: Mapping[str, _OldRun]) -> Run | None:
        task = target.task_name
        shapes: list[Shape] = [run.configuration.shape for run in old.values()]
        for shape in self._collection.distinct("shape", {"name": task}):
            if shape is not None:  # as in documents that have none
                shapes.append(tuple(json.loads(shape)))

        def find(digest: str) -> Run | None:
            if digest in old:
                return self._get_old(old[digest], target)
            return self._get({"name": task, "digest": digest}, target)

        return largest_part(target, shapes, find)

    def _get(self, query: Document, target: Target) -> Run | None:
        document = self._collection.find_one(query, {"config": 1, **_projection(target)})
        return None if document is None else Run(document, str(document.get("config")))

    def _get_old(self, old: _OldRun, target: Target) -> Run | None:
        run = self._get({"_id": old.id}, target)
        return None if run is None else run._replace(configuration=str(old.configuration))

    def _old_runs(self, task_name: str) -> dict[str, _OldRun]:
        """Return the runs that earlier packages made and this one has not changed, by digest."""
        runs: dict[str, _OldRun] = {}
        query = {"name": task_name, "shape": None}
        for document in self._collection.find(query, {"unique_config": 1}):
            try:
                configuration = Configuration(document.get("unique_config") or {})
            except (TypeError, ValueError, RecursionError) as error:
                logger.warning("passing over document %s: %s", document["_id"], str(error)[:200])
                continue
            runs.setdefault(configuration.digest, _OldRun(document["_id"], configuration))
        return runs

    def make(self, target: Target) -> None:
        """Make the run of exactly this configuration unless it is there."""
        from pymongo.errors import DuplicateKeyError

        self._make_indices()
        configuration = target.configuration
        query = {"name": target.task_name, "digest": configuration.digest}
        rest = {"shape": json.dumps(configuration.shape), "config": str(configuration)}
        old = self._old_runs(target.task_name).get(configuration.digest)
        try:
            if old is None:
                self._collection.update_one(query, {"$setOnInsert": rest}, upsert=True)
            else:
                self._collection.update_one({"_id": old.id}, {"$set": {**query, **rest}})
        except DuplicateKeyError:  # somebody else has made it at the same moment
            pass

    def _make_indices(self) -> None:
        if not self._is_indexed:
            self._collection.create_index(
                [("name", 1), ("digest", 1)],
                unique=True,
                partialFilterExpression={"digest": {"$exists": True}},
            )
            self._collection.create_index([("name", 1), ("shape", 1)])
            self._is_indexed = True

    def change(self, target: Target, update: Document) -> Document:
        """Change the run of exactly this configuration in one step; it is made if need be.

        Parameters
        ----------
        target : Target
            The run and the object.
        update : dict
            As for MongoDB.

        Returns
        -------
        dict
            What was known of the object before.
        """
        query: Document = {"name": target.task_name, "digest": target.configuration.digest}
        projection = {"_id": 1, **_projection(target)}
        while True:
            before = self._collection.find_one_and_update(query, update, projection)
            if before is not None:
                return before
            self.make(target)

    def remove(self, target: Target) -> list[ObjectId] | None:
        """Remove the run of exactly this configuration; return the files it had, None if none."""
        query: Document = {"name": target.task_name, "digest": target.configuration.digest}
        document = self._collection.find_one_and_delete(query)
        if document is None:
            old = self._old_runs(target.task_name).get(target.configuration.digest)
            if old is None:
                return None
            document = self._collection.find_one_and_delete({"_id": old.id})
        return None if document is None else files_in(document)

    def files(self) -> set[ObjectId]:
        """Return the GridFS files of all objects of all runs."""
        wanted = {"objects": 1, "results": 1}
        return {file for run in self._collection.find({}, wanted) for file in files_in(run)}


def _projection(target: Target) -> Document:
    """Return what to ask for of a document: only what is known of one object."""
    wanted = {f"objects.{field_of(target.name)}": 1} if target.name else {}
    old = old_field_of(target.name) if target.name else None
    return wanted if old is None else {**wanted, old: 1}


def files_in(document: Document) -> list[ObjectId]:
    """Return the GridFS files of all objects in a document."""
    from bson import ObjectId

    objects = document.get("objects", {}).values()
    results = (document.get("results") or {}).values()
    return [
        *(entry["file"] for entry in objects if "file" in entry),
        *(entry["obj"] for entry in results if isinstance(entry.get("obj"), ObjectId)),
    ]
