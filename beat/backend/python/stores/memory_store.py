"""Results in memory, for tests, notebooks and flows that need nothing afterwards."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from .base import MISSING, Config, ResultsStore, StoreContext, give_up, logger
from .configuration import Shape, Target, largest_part, parse, shorten
from .errors import Address, ObjectNotFound, StoreUnavailable, reading, writing

if TYPE_CHECKING:
    from multiprocessing.managers import SyncManager

Key = tuple[str, str]


class _Run(NamedTuple):
    """What stands for a run; its objects are found by the token."""

    token: str
    configuration: str

    def __str__(self) -> str:
        return shorten(self.configuration)


class InMemoryStore(ResultsStore):
    """A results store in a dictionary.

    Objects are kept as they are: what is loaded is what was saved, not a copy. With a manager they
    are copied, by pickling, into the process of the manager, where all processes find them.

    Parameters
    ----------
    manager : multiprocessing.managers.SyncManager, optional
        What `multiprocessing.Manager` gives.

    Notes
    -----
    There are no locks. Every step is a single operation of a dictionary, so that a process may be
    killed at any moment: first the run is entered, then the object under the token of the run, and
    then it is made sure that the run has not been deleted meanwhile.
    """

    _quietly = {"default": None}

    def __init__(self, manager: SyncManager | None = None) -> None:
        super().__init__()
        self._is_managed = manager is not None
        make: Any = dict if manager is None else manager.dict
        self._runs: Any = make()  # {(task, digest): _Run}
        self._objects: Any = make()  # {(token, object): (value,)}, or pickled with a manager
        self._shapes: Any = make()  # {(task, shape): None}

    def save(  # type: ignore[override]  # the order is that of the API; callers give keywords
        self,
        obj: Any,
        name: str,
        task_name: str,
        task_unique_config: Config,
        type_: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Save an object.

        Parameters and errors not named here are those of `ResultsStore.save`.

        Parameters
        ----------
        type_ : str, optional
            Does not matter here, and neither do the keywords.

        Raises
        ------
        UnserialisableObject
            If there is a manager and the object cannot be pickled.
        StoreUnavailable
            If the manager's process has ended.
        """
        target = Target(task_name, task_unique_config, name)
        with writing(target.address, "pickle"):
            value = pickle.dumps(obj) if self._is_managed else (obj,)
        with _Talking(target.address):
            while True:
                run = self._enter(target)
                self._objects[run.token, name] = value
                if self._runs.get(_key(target)) == run:
                    return
                self._objects.pop((run.token, name), None)  # the run has just been deleted

    def _enter(self, target: Target) -> _Run:
        """Return the run of exactly this configuration, entered if it is not there."""
        found: _Run | None = self._runs.get(_key(target))
        if found is not None:
            return found
        configuration = target.configuration
        self._shapes[target.task_name, configuration.shape] = None
        new = _Run(secrets.token_hex(8), str(configuration))
        entered: _Run = self._runs.setdefault(_key(target), new)
        return entered

    def load(
        self,
        name: str,
        task_name: str,
        task_unique_config: Config,
        *,
        default: Any = MISSING,
        strict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load an object.

        Parameters and errors not named here are those of `ResultsStore.load`.

        Parameters
        ----------
        **kwargs
            Do not matter here; nothing is lazy, and nothing is read.

        Raises
        ------
        StoreUnavailable
            If the manager's process has ended.
        """
        target = Target(task_name, task_unique_config, name)
        with _Talking(target.address):
            run = self._find(target)
            value = None if run is None else self._objects.get((run.token, name))
        if value is None:
            missing = "run of this configuration" if run is None else "such object in the run"
            error = ObjectNotFound(f"there is no {missing}", target.address)
            return give_up(error, default, strict)
        with reading(target.address, "pickle"):
            return pickle.loads(value) if self._is_managed else value[0]

    def _find(self, target: Target) -> _Run | None:
        """Return the run that a query means: an exact one, else that of the largest part."""
        run: _Run | None = self._runs.get(_key(target))
        if run is None:
            shapes: list[Shape] = [
                shape for task, shape in list(self._shapes.keys()) if task == target.task_name
            ]
            run = largest_part(
                target, shapes, lambda digest: self._runs.get((target.task_name, digest))
            )
        return run

    def list_runs(self, task_name: str) -> Iterator[Config]:
        """Yield the configurations of all runs of a task; none for an unknown task."""
        with _Talking(Target(task_name, {}).address):
            runs = dict(self._runs)
        for (task, _), run in runs.items():
            if task == task_name:
                yield parse(run.configuration)

    def delete(self, name: str, task_name: str, task_unique_config: Config) -> None:
        """Delete an object of exactly this configuration; a missing one is only warned of."""
        target = Target(task_name, task_unique_config, name)
        with _Talking(target.address):
            run = self._runs.get(_key(target))
            if run is None or self._objects.pop((run.token, name), None) is None:
                logger.warning("%s: there is nothing to delete", target.address)

    def delete_run(self, task_name: str, task_unique_config: Config) -> None:
        """Delete the run of exactly this configuration; a missing one is only warned of."""
        target = Target(task_name, task_unique_config)
        with _Talking(target.address):
            run = self._runs.pop(_key(target), None)
            if run is None:
                logger.warning("%s: there is nothing to delete", target.address)
                return
            for token, name in list(self._objects.keys()):
                if token == run.token:
                    self._objects.pop((token, name), None)

    def get_context(
        self, task_name: str, task_unique_config: Config, *, create: bool = True
    ) -> StoreContext:
        """Return an empty context; ``create`` makes the run, though it has no folder."""
        target = Target(task_name, task_unique_config)
        with _Talking(target.address):
            if create:
                self._enter(target)
        return StoreContext()


def _key(target: Target) -> Key:
    return target.task_name, target.configuration.digest


class _Talking:
    """Says what it means if there is nobody at the other end.

    A generator would do, but its frame and the traceback would keep each other alive, and with
    them buffers of `multiprocessing` of which Python complains when they are collected so.
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, (EOFError, ConnectionError, FileNotFoundError)):
            raise StoreUnavailable(
                f"the manager that keeps the results has ended ({type(error).__name__})",
                self._address,
            ) from error
