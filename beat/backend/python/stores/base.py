"""The contract of a results store, and the small classes that travel with results."""

from __future__ import annotations

import logging
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import ObjectNotFound

if TYPE_CHECKING:
    from .file import File

logger = logging.getLogger(__name__)

Config = Mapping[str, Any]


class Names(StrEnum):
    """The names that stores and engines agree on."""

    FLUIDML_INFO_FILE = "fluidml_info"
    SAVED_RESULTS_FILE = ".saved_results"
    FLUIDML_DIR = ".fluidml"
    CONFIG = "config.json"


class Promise(ABC):
    """An object that is loaded when it is asked for."""

    @abstractmethod
    def load(self, **kwargs: Any) -> Any:
        """Load the object."""


@dataclass
class Sweep:
    """The value that one run of a task gave, and the configuration of that run."""

    value: Any
    config: Config


@dataclass
class LazySweep:
    """A `Sweep` whose value is loaded when it is asked for."""

    value: Promise
    config: Config


@dataclass
class StoreContext:
    """Where a run is kept.

    Attributes
    ----------
    run_dir : str or None
        The folder of the run; None where runs have no folder, or if there is no such run.
    sweep_counter : str or None
        What tells apart the folders of runs with one name: the part after the last dash.
    """

    run_dir: str | None = None
    sweep_counter: str | None = None


@dataclass
class TypeInfo:
    """How objects of one type are written and read.

    Attributes
    ----------
    save_fn : callable
        Called as ``save_fn(obj, file, **kwargs)``.
    load_fn : callable
        Called as ``load_fn(file, **kwargs)``.
    extension : str or None
        What the names of the files end with, without dot.
    is_binary : bool or None
        Whether the files are opened in binary mode.
    open_fn : callable or None
        Called as ``open_fn(path, mode, **open_kwargs)`` instead of `open`.
    needs_path : bool
        Whether the two functions get a path rather than a file; it may become a folder.
    """

    save_fn: Callable[..., Any]
    load_fn: Callable[..., Any]
    extension: str | None = None
    is_binary: bool | None = None
    open_fn: Callable[..., Any] | None = None
    needs_path: bool = False


class Missing:
    """The type of `MISSING`, which says that no default was given."""

    def __repr__(self) -> str:
        return "<not given>"


MISSING = Missing()


class ResultsStore(ABC):
    """Keeps the results of runs and finds them again by the configurations that made them.

    Reads take the run of exactly the wanted configuration; if there is none, that of the largest
    stored configuration whose top-level entries are all in the wanted one, which is how a task
    finds the results of the tasks before it. Everything that writes or deletes takes exact
    configurations only.

    Attributes
    ----------
    run_info : object or None
        What is running at the moment; file stores name new folders by its attributes
        ``run_name`` and ``sweep_counter``.
    """

    run_info: Any = None
    _lock: AbstractContextManager[Any] | None = None
    # What makes `load` silent about a missing object. Stores made elsewhere may hand keywords
    # that they do not know to their load functions, so they are given none.
    _quietly: ClassVar[Mapping[str, Any]] = {}

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """What an engine may hold around several calls; unless set, it does nothing.

        No single call needs it: all stores are safe under concurrent processes without.
        """
        return nullcontext() if self._lock is None else self._lock

    @lock.setter
    def lock(self, lock: AbstractContextManager[Any] | None) -> None:
        self._lock = lock

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels to another process; a lock that cannot stays behind."""
        state = dict(self.__dict__)
        try:
            pickle.dumps(state.get("_lock"))
        except (RuntimeError, TypeError, AttributeError, pickle.PicklingError):
            state["_lock"] = None
        return state

    @abstractmethod
    def load(self, name: str, task_name: str, task_unique_config: Config, **kwargs: Any) -> Any:
        """Load an object.

        Parameters
        ----------
        name : str
            The object.
        task_name : str
            The task that saved it.
        task_unique_config : dict
            The configuration of its run, or one of which that is part.
        **kwargs
            For the function that loads objects of the type. The stores of this package
            understand ``default`` (what to give for a missing object) and ``strict`` (whether
            to raise `ObjectNotFound` for one if there is no default).

        Returns
        -------
        object
            The object; for a missing one None, with a warning in the log.

        Raises
        ------
        ObjectNotFound
            If ``strict`` and there is no such object.
        AmbiguousRun
            If several runs fit equally well.
        """

    @abstractmethod
    def save(
        self, obj: Any, name: str, type_: str, task_name: str, task_unique_config: Config,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        """Save an object, replacing the one of that name; the run is made if there is none.

        Parameters
        ----------
        obj : object
            The object.
        name : str
            Its name in the run.
        type_ : str
            How it is written.
        task_name : str
            The task that saves it.
        task_unique_config : dict
            The configuration of the run.
        **kwargs
            For the function that saves objects of the type.

        Raises
        ------
        InvalidName, ConfigurationError, UnknownType
            If something is wrong with what was given; nothing is made then.
        UnserialisableObject
            If the object does not fit its type; what was there before is still there.
        """

    @abstractmethod
    def delete(self, name: str, task_name: str, task_unique_config: Config) -> None:
        """Delete an object; a missing one is only warned of."""

    @abstractmethod
    def delete_run(self, task_name: str, task_unique_config: Config) -> None:
        """Delete a run with everything in it; a missing one is only warned of."""

    @abstractmethod
    def get_context(self, task_name: str, task_unique_config: Config) -> StoreContext:
        """Return where a run is kept; the stores of this package make it if there is none.

        With ``create=False`` they look only, as `load` does, and give a context without folder
        for an unknown run.
        """

    def list_runs(self, task_name: str) -> Iterator[Config]:
        """Yield the configurations of all runs of a task, in no particular order.

        Raises
        ------
        NotImplementedError
            If a store made elsewhere does not have this method.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot list its runs")

    def create_run(self, task_name: str, task_unique_config: Config) -> StoreContext:
        """Make the run of a configuration unless it is there; return where it is kept."""
        return self.get_context(task_name=task_name, task_unique_config=task_unique_config)

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
    ) -> File | None:
        """Open an object as a file; None in stores that have no files.

        Parameters
        ----------
        name, task_name, task_unique_config
            The object and its run, unless there is a promise.
        mode : str, optional
            As of the built-in ``open``; by default, to read.
        promise : Promise, optional
            What a load by ``lazy`` gave, in place of name, task and configuration.
        type_ : str, optional
            The type of an object that is to be written.
        sub_dir : str, optional
            The folder in that of the run.
        open_kwargs
            Keywords for what opens files of the type.
        """
        return None

    def get_results(self, task_name: str, task_unique_config: Config) -> dict[str, Any] | None:
        """Return all objects listed under ``.saved_results``, by name.

        None is given if there is no such list or nothing in it. A listed object that is not
        there any more is None.
        """
        run: dict[str, Any] = {"task_name": task_name, "task_unique_config": task_unique_config}
        names = self.load(name=Names.SAVED_RESULTS_FILE.value, **run, **self._quietly)
        return {name: self.load(name=name, **run) for name in names} if names else None

    def is_finished(self, task_name: str, task_unique_config: Config) -> bool:
        """Tell whether the run's ``fluidml_info`` says that it is finished.

        Raises
        ------
        KeyError
            If there is an info without ``state``.
        """
        name = Names.FLUIDML_INFO_FILE.value
        info = self.load(
            name=name, task_name=task_name, task_unique_config=task_unique_config, **self._quietly
        )
        if not info:
            return False
        if "state" not in info:
            raise KeyError(f"the {name!r} of task {task_name!r} holds no 'state'")
        return bool(info["state"] == "finished")


def give_up(error: ObjectNotFound, default: Any, strict: bool) -> Any:
    """Return what `load` gives for a missing object.

    Raises
    ------
    ObjectNotFound
        If that was wanted rather than a default.
    """
    if not isinstance(default, Missing):
        return default
    if strict:
        raise error
    logger.warning("%s", error)
    return None
