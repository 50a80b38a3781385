"""An object on its way into a run's folder: from an empty place to write in, to its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .base import TypeInfo
from .configuration import Target
from .errors import Address, ChangedMeanwhile, ObjectExists, UnserialisableObject
from .file import File
from .load_info import LoadInfo
from .run_folder import RunFolder
from .runs import TaskRuns
from .staging import Stage, sweep


class Change:
    """New content of one object.

    Parameters
    ----------
    runs : TaskRuns
        The runs of its task.
    folder_of : callable
        Gives the `RunFolder` of a path.
    target : Target
        The object.
    info : LoadInfo
        How it is saved.
    kind : TypeInfo
        Its type.
    place : str
        Where it will be, seen from the run's folder.
    mode : str
        How it is written, as for `open`: whether to begin with the current content.
    run_info : object or None
        Names the run's folder if it has to be made.

    Attributes
    ----------
    stage : Stage
        Where to write.
    """

    def __init__(
        self,
        runs: TaskRuns,
        folder_of: Callable[[str], RunFolder],
        target: Target,
        info: LoadInfo,
        kind: TypeInfo,
        place: str,
        mode: str,
        run_info: Any,
    ) -> None:
        self._runs = runs
        self._folder_of = folder_of
        self._target = target
        self._info = info
        self._place = place
        self._mode = mode
        self._run_info = run_info
        self._is_based = not any(letter in mode for letter in "wx")
        self._can_be_rebased = kind.open_fn is None and not kind.needs_path and "+" not in mode
        self.stage = runs.stage(os.path.basename(place))
        if self._is_based:
            self._begin_with_current()

    def _begin_with_current(self) -> None:
        if not os.path.isdir(self._runs.folder):
            return
        try:
            with self._runs.changing():
                run = self._runs.find_to_change(self._target)
                if run is not None:
                    self.stage.start_from(os.path.join(run, self._place))
        except BaseException:
            self.stage.discard()
            raise

    def publish(self) -> None:
        """Give the content its name, in a run that is made if there is none.

        Raises
        ------
        UnserialisableObject
            If nothing was written, or something besides.
        ObjectExists
            If the mode is ``"x"`` and somebody else was faster.
        ChangedMeanwhile
            If the content began with one that has been replaced since; what was only appended
            is appended to the new one instead.
        """
        address = self._target.address
        if not os.path.lexists(self.stage.path) or self.stage.leftovers():
            raise UnserialisableObject(
                "the save function must write exactly the path it is given "
                f"(beside it are {self.stage.leftovers()[:5]})",
                address,
            )
        self.stage.sync()  # here and not only when published: nobody has to wait for the disk
        with self._runs.changing():
            sweep(self._runs.staging)
            run = self._runs.create(self._target, self._run_info)
            self._catch_up(os.path.join(run, self._place), address)
            self._folder_of(run).put(self.stage, self._target.name, self._info, address)

    def _catch_up(self, path: str, address: Address) -> None:
        """Take in what others have done to the object since this change began."""
        if "x" in self._mode and os.path.lexists(path):
            raise ObjectExists("there is one already", address)
        if self._is_based and self.stage.is_outdated(path):
            if not self._can_be_rebased:
                raise ChangedMeanwhile("somebody else has replaced it meanwhile", address)
            self.stage.append_to(path)


class ObjectFile(File):
    """A file of a store, open for writing; it joins its run when it is closed."""

    def __init__(
        self,
        change: Change,
        path: str,
        address: Address,
        mode: str,
        kind: TypeInfo,
        info: LoadInfo,
    ) -> None:
        self._change = change
        self._address = address
        super().__init__(
            path,
            mode,
            kind.save_fn,
            kind.load_fn,
            kind.open_fn,
            info.load_kwargs,
            **info.open_kwargs,
        )

    def _begin(self) -> Stage:
        return self._change.stage

    def _publish(self, stage: Stage) -> None:
        self._change.publish()

    def _describe(self) -> Address:
        return self._address
