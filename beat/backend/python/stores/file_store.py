"""Results in folders and files, one folder for each run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from .base import (
    MISSING,
    Config,
    Promise,
    ResultsStore,
    StoreContext,
    TypeInfo,
    give_up,
    logger,
)
from .change import Change, ObjectFile
from .configuration import Target
from .errors import (
    Address,
    FileObjectNotFound,
    InvalidName,
    ObjectExists,
    ObjectNotFound,
    naming,
    reading,
    writing,
)
from .file import File, FilePromise, is_writing
from .load_info import LoadInfo, make_info, object_place
from .registry import builtin_types, find_type, open_file
from .run_folder import RunFolder
from .runs import TaskRuns
from .staging import Stage, is_stage, sweep


class LocalFileStore(ResultsStore):
    """A results store in a folder.

    A run's results are files in ``<base_dir>/<task name>/<number or run name and number>``.
    Everything is published whole; processes may be killed, and any number of them may use one
    folder at a time.

    Parameters
    ----------
    base_dir : str
        The folder; it is made by the first `save`.
    trusted : bool
        Whether to load pickles. Loading one runs whatever code is in it, so say so only if you
        trust everybody who can write to the folder.

    Attributes
    ----------
    base_dir : str
        The folder.
    type_registry : dict
        The types by name: ``json``, ``pickle``, ``text``, ``event`` (text, in files without
        extension), and what you add.
    trusted : bool
        Whether pickles are loaded.
    """

    _quietly = {"default": None}

    def __init__(self, base_dir: str | os.PathLike[str], *, trusted: bool = False) -> None:
        super().__init__()
        self.base_dir = os.fspath(base_dir)
        self.trusted = trusted
        self.type_registry: dict[str, TypeInfo] = builtin_types(trusted)

    def _runs(self, target: Target) -> TaskRuns:
        if is_stage(target.task_name):
            raise InvalidName("the name of the task is kept for temporary folders", target.address)
        return TaskRuns(os.path.join(os.path.abspath(self.base_dir), target.task_name))

    def _run(self, runs: TaskRuns, path: str) -> RunFolder:
        return RunFolder(path, runs.staging, self.type_registry, self.trusted)

    def save(
        self,
        obj: Any,
        name: str,
        type_: str,
        task_name: str,
        task_unique_config: Config,
        sub_dir: str | None = None,
        mode: str | None = None,
        open_kwargs: Mapping[str, Any] | None = None,
        load_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Save an object in a file.

        Parameters and errors not named here are those of `ResultsStore.save`.

        Parameters
        ----------
        sub_dir : str, optional
            A folder in the run's folder.
        mode : str, optional
            How to open the file: ``"w"`` or ``"wb"`` by default, ``"a"`` to append.
        open_kwargs, load_kwargs : dict, optional
            Keywords for opening the file, now and later, and for the load function. They are
            kept as JSON.
        **kwargs
            For the save function.

        Raises
        ------
        StoreIOError
            If the file system refuses; what was there before is still there.
        """
        target = Target(task_name, task_unique_config, name)
        kind = find_type(self.type_registry, type_, target.address)
        info = make_info(type_, sub_dir, open_kwargs, load_kwargs, target.address)
        mode = mode or ("wb" if kind.is_binary else "w")
        if not is_writing(mode):
            raise ValueError(f"{target.address}: cannot be saved with mode {mode!r}")
        with naming(target.address):
            change = self._change(target, kind, info, mode)
            try:
                with writing(target.address, type_):
                    _write(obj, change.stage.path, mode, kind, info, kwargs)
                change.publish()
            finally:
                change.stage.discard()

    def _change(self, target: Target, kind: TypeInfo, info: LoadInfo, mode: str) -> Change:
        runs = self._runs(target)
        place = object_place(target.name, info, self.type_registry, target.address)
        folder_of = partial(self._run, runs)
        return Change(runs, folder_of, target, info, kind, place, mode, self.run_info)

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
            Whether to give a `FilePromise` instead.
        **kwargs
            For the load function; they win over those that the object was saved with.

        Raises
        ------
        UnreadableObject
            If what is stored is damaged.
        UntrustedPickle
            If it is a pickle and the store is not trusted.
        """
        target = Target(task_name, task_unique_config, name)
        with naming(target.address):
            try:
                with self._picked_up(target) as (promise, info):
                    if lazy:
                        return promise
                    file = None if promise.works_on_path() else File.from_promise(promise)
            except (ObjectNotFound, FileNotFoundError) as error:
                return give_up(_not_found(error, target.address), default, strict)
            with reading(target.address, info.type_):
                if file is None:
                    return promise.load(**kwargs)
                with file:
                    return file.load(**kwargs)

    @contextmanager
    def _picked_up(self, target: Target) -> Iterator[tuple[FilePromise, LoadInfo]]:
        """Give the promise of an object, while nobody changes it."""
        runs = self._runs(target)
        run = runs.find(target)
        if run is None:
            raise ObjectNotFound("there is no run of this configuration", target.address)
        with runs.picking_up():
            folder = self._run(runs, run)
            info = folder.info(target.name, target.address)
            if info is None:
                raise ObjectNotFound(f"there is no such object in {run!r}", target.address)
            path = folder.object_path(target.name, info, target.address)
            if not os.path.exists(path):
                raise ObjectNotFound(f"its file {path!r} is gone", target.address)
            yield self._promise(target, path, info), info

    def _promise(self, target: Target, path: str, info: LoadInfo) -> FilePromise:
        kind = find_type(self.type_registry, info.type_, target.address)
        mode = "rb" if kind.is_binary else "r"
        return FilePromise(
            target.name,
            path,
            kind.save_fn,
            kind.load_fn,
            kind.open_fn,
            None if kind.needs_path else mode,
            info.load_kwargs,
            **info.open_kwargs,
        )

    def list_runs(self, task_name: str) -> Iterator[Config]:
        """Yield the configurations of all runs of a task; none for an unknown task."""
        yield from self._runs(Target(task_name, {})).configurations()

    def delete(self, name: str, task_name: str, task_unique_config: Config) -> None:
        """Delete an object of exactly this configuration; a missing one is only warned of."""
        target = Target(task_name, task_unique_config, name)
        runs = self._runs(target)
        with naming(target.address), self._changing(runs) as there:
            run = runs.find_to_change(target) if there else None
            if run is None or not self._run(runs, run).remove(name, target.address):
                logger.warning("%s: there is nothing to delete", target.address)

    def delete_run(self, task_name: str, task_unique_config: Config) -> None:
        """Delete the run of exactly this configuration; a missing one is only warned of."""
        target = Target(task_name, task_unique_config)
        runs = self._runs(target)
        with naming(target.address), self._changing(runs) as there:
            stage = Stage(runs.staging, "run") if there else None
            try:
                if stage is None or not runs.remove(target, stage):
                    logger.warning("%s: there is nothing to delete", target.address)
            finally:
                if stage is not None:
                    stage.discard()

    @contextmanager
    def _changing(self, runs: TaskRuns) -> Iterator[bool]:
        """Hold the lock of a task, if there is one."""
        if not os.path.isdir(runs.folder):
            yield False
            return
        with runs.changing():
            sweep(runs.staging)
            yield True

    def get_context(
        self, task_name: str, task_unique_config: Config, *, create: bool = True
    ) -> StoreContext:
        """Return the folder of a run and its counter.

        Parameters
        ----------
        task_name : str
            The task.
        task_unique_config : dict
            The configuration of the run.
        create : bool
            Whether to make the run of exactly this configuration if there is none. Otherwise it
            is looked for as `load` does, and ``run_dir`` is None if there is none.
        """
        target = Target(task_name, task_unique_config)
        runs = self._runs(target)
        with naming(target.address):
            run = runs.find(target, exactly=create)
            if run is None and create:
                with runs.changing():
                    run = runs.create(target, self.run_info)
            return _context(run)

    def open(
        self,
        name: str | None = None,
        task_name: str | None = None,
        task_unique_config: Config | None = None,
        mode: str | None = None,
        promise: Promise | None = None,
        type_: str | None = None,
        sub_dir: str | None = None,
        **open_kwargs: Any,
    ) -> File:
        """Open an object as a file, to read or write it piece by piece.

        What is written is published when the file is closed; if an exception leaves its ``with``
        block, nothing is.

        Parameters not named here are those of `ResultsStore.open`.

        Parameters
        ----------
        mode : str, optional
            As for `open`. To append to an object keeps its type; to write one needs ``type_``.
        **open_kwargs
            For opening the file, now and later; they win over those it was saved with.

        Raises
        ------
        FileObjectNotFound
            If there is no such object to read.
        FileExistsError
            If the mode is ``"x"`` and there is one.
        """
        if isinstance(promise, FilePromise):
            return File.from_promise(promise.opened_in(mode))
        if name is None or task_name is None or task_unique_config is None or mode is None:
            raise AssertionError("open needs a promise, or else name, task, configuration and mode")
        target = Target(task_name, task_unique_config, name)
        with naming(target.address):
            if "r" in mode and "+" not in mode:
                return self._open_to_read(target, mode, open_kwargs)
            return self._open_to_write(target, mode, type_, sub_dir, open_kwargs)

    def _open_to_read(self, target: Target, mode: str, open_kwargs: dict[str, Any]) -> File:
        try:
            with self._picked_up(target) as (promise, info):
                promise.open_kwargs.update(open_kwargs)
                kind = find_type(self.type_registry, info.type_, target.address)
                return File.from_promise(promise.opened_in(_full_mode(kind, mode)))
        except (ObjectNotFound, FileNotFoundError) as error:
            missing = FileObjectNotFound(str(_not_found(error, target.address)))
            missing.address = target.address
            raise missing from None

    def _open_to_write(
        self,
        target: Target,
        mode: str,
        type_: str | None,
        sub_dir: str | None,
        open_kwargs: dict[str, Any],
    ) -> File:
        info = None if "w" in mode else self._stored_info(target)
        if info is not None and "x" in mode:
            raise ObjectExists("there is one already", target.address)
        if info is None and "r" in mode:
            raise FileObjectNotFound("there is no such object to change", target.address)
        if info is None:
            find_type(self.type_registry, type_, target.address)
            info = make_info(str(type_), sub_dir, open_kwargs, None, target.address)
        else:
            info = replace(info, open_kwargs={**info.open_kwargs, **open_kwargs})
        kind = find_type(self.type_registry, info.type_, target.address)
        if kind.needs_path:
            raise TypeError(f"{target.address}: its type works on paths; save it instead")
        mode = _full_mode(kind, mode)
        change = self._change(target, kind, info, mode)
        try:
            with self._runs(target).changing():
                run = self._runs(target).create(target, self.run_info)
            path = os.path.join(
                run, object_place(target.name, info, self.type_registry, target.address)
            )
            return ObjectFile(change, path, target.address, mode, kind, info)
        except BaseException:
            change.stage.discard()
            raise

    def _stored_info(self, target: Target) -> LoadInfo | None:
        """Return how an object of exactly this configuration is saved; None if there is none."""
        runs = self._runs(target)
        if not os.path.isdir(runs.folder):
            return None
        with runs.changing():
            run = runs.find_to_change(target)
            return None if run is None else self._run(runs, run).info(target.name, target.address)


def _write(
    obj: Any, path: str, mode: str, kind: TypeInfo, info: LoadInfo, kwargs: Mapping[str, Any]
) -> None:
    """Let the save function of a type write an object."""
    if kind.needs_path:
        kind.save_fn(obj, path, **kwargs)
        return
    with (kind.open_fn or open_file)(path, mode, **info.open_kwargs) as file:
        kind.save_fn(obj, file, **kwargs)


def _full_mode(kind: TypeInfo, mode: str) -> str:
    """Return the mode in which files of a type are opened: binary ones need not be said so."""
    if kind.is_binary and kind.open_fn is None and not any(letter in mode for letter in "bt"):
        return mode + "b"
    return mode


def _context(run: str | None) -> StoreContext:
    if run is None:
        return StoreContext()
    return StoreContext(run, os.path.basename(run).rpartition("-")[2])


def _not_found(error: ObjectNotFound | FileNotFoundError, address: Address) -> ObjectNotFound:
    """Return the error of an object that was there a moment ago, too."""
    return error if isinstance(error, ObjectNotFound) else ObjectNotFound("it is gone", address)
