"""What is in the folder of a run.

An object is a file, or a folder, named by the object and the extension of its type; how it was
saved stands beside it in a load info.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from .base import Names, TypeInfo
from .errors import Address, InvalidName, StoreError
from .load_info import INFO_FOLDERS, SUFFIX, LoadInfo, object_place, read_info, read_pickled_info
from .staging import Stage, make_folders, put_content


class RunFolder:
    """The objects of one run.

    Whoever calls this holds the lock of the task.

    Parameters
    ----------
    path : str
        The folder.
    staging : str
        The folder for what is on its way in or out.
    registry : dict
        The types of the store.
    trusted : bool
        Whether pickled load infos may hold anything.
    """

    def __init__(
        self, path: str, staging: str, registry: Mapping[str, TypeInfo], trusted: bool
    ) -> None:
        self.path = path
        self._staging = staging
        self._registry = registry
        self._trusted = trusted

    def info(self, name: str, address: Address) -> LoadInfo | None:
        """Return how an object was saved; None if there is no such object.

        Raises
        ------
        UnreadableObject, UntrustedPickle, InvalidName
            If its load info is damaged or not to be trusted.
        """
        info = self._written_info(name, address)
        if info is None or info.previous is None:
            return info
        has_arrived = os.path.lexists(self.object_path(name, info, address))
        return replace(info, previous=None) if has_arrived else info.previous

    def _written_info(self, name: str, address: Address) -> LoadInfo | None:
        with suppress(FileNotFoundError):
            return read_info(self._info_path(name), address)
        for path in self._old_info_paths(name):
            with suppress(FileNotFoundError):
                return read_pickled_info(path, self._trusted, address)
        return None

    def _info_path(self, name: str) -> str:
        return os.path.join(self.path, Names.FLUIDML_DIR, f".{name}{SUFFIX}.json")

    def _old_info_paths(self, name: str) -> list[str]:
        filename = f".{name.lstrip('.')}{SUFFIX}.p"
        return [os.path.join(self.path, folder, filename) for folder in INFO_FOLDERS]

    def object_path(self, name: str, info: LoadInfo, address: Address) -> str:
        """Return where an object is.

        Raises
        ------
        UnknownType
            If the store does not know its type.
        InvalidName
            If it would be outside of the folder, or in the place of something else.
        """
        path = os.path.join(self.path, object_place(name, info, self._registry, address))
        if info.obj_dir:
            folder, home = os.path.realpath(os.path.dirname(path)), os.path.realpath(self.path)
            if os.path.commonpath([folder, home]) != home:
                raise InvalidName(f"{info.obj_dir!r} leads out of the run's folder", address)
        return path

    def put(self, stage: Stage, name: str, info: LoadInfo, address: Address) -> None:
        """Publish new content of an object, and how to load it.

        If the object gets a new place, its load info is there first, with the old one in it: as
        long as there is nothing in the new place the old one holds. So the move is a single
        step, and whoever is killed leaves nothing that would be in anybody's way.
        """
        path = self.object_path(name, info, address)
        places = self._places(name, address)
        exists = os.path.lexists(path)
        if exists:
            self._refuse_stranger(path, name, path in places, address)
        make_folders(os.path.dirname(path))
        make_folders(os.path.dirname(self._info_path(name)))
        if not exists:
            self._put_info(name, replace(info, previous=self._valid_info(name, address)))
        stage.put(path)
        self._put_info(name, info)
        for place in places - {path}:
            self._drop(place)

    def _put_info(self, name: str, info: LoadInfo) -> None:
        path, content = self._info_path(name), json.dumps(info.content()).encode()
        if not _holds(path, content):
            put_content(self._staging, path, content)

    def _valid_info(self, name: str, address: Address) -> LoadInfo | None:
        """Return how to load an object as it is now; None if that cannot be told as JSON."""
        try:
            info = self.info(name, address)
            if info is not None:
                json.dumps(info.content())
                self.object_path(name, info, address)
        except (StoreError, TypeError, ValueError):  # it cannot be loaded, so nothing is lost
            return None
        return info

    def _places(self, name: str, address: Address) -> set[str]:
        """Return where an object is, and where it was if somebody was killed in moving it."""
        places = set()
        with suppress(StoreError):  # damaged, or of a type this store does not know
            info = self._written_info(name, address)
            while info is not None:
                places.add(self.object_path(name, info, address))
                info = info.previous
        return places

    def _refuse_stranger(self, path: str, name: str, is_own: bool, address: Address) -> None:
        """Raise `InvalidName` if what is at a path is, or holds, something else than the object."""
        is_folder = os.path.isdir(path)
        if is_own and not is_folder:
            return
        for other in self.names():
            for place in self._places(other, address) if other != name else ():
                if place == path or place.startswith(path + os.sep):
                    raise InvalidName(f"{path!r} is, or holds, the object {other!r}", address)
        if is_folder and not is_own:
            raise InvalidName(f"there is another folder in its place, {path!r}", address)

    def names(self) -> list[str]:
        """Return the names of the objects; those of earlier packages without leading dots."""
        names = []
        with suppress(FileNotFoundError):
            for file in sorted(os.listdir(os.path.join(self.path, Names.FLUIDML_DIR))):
                stem, extension = os.path.splitext(file)
                if stem[0] == "." and stem.endswith(SUFFIX) and extension in (".json", ".p"):
                    names.append(stem[1 : -len(SUFFIX)])
        return names

    def _drop(self, path: str) -> None:
        """Remove a file or a folder, if it is there, from its place in one step."""
        with suppress(FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(path) or os.path.islink(path):
                os.unlink(path)
                return
            stage = Stage(self._staging, os.path.basename(path))
            try:
                stage.take(path)
            finally:
                stage.discard()

    def remove(self, name: str, address: Address) -> bool:
        """Remove an object and its load info; False if its file was not there."""
        places = self._places(name, address)
        there = any(map(os.path.lexists, places))
        for place in places:
            self._drop(place)
        for info in (self._info_path(name), *self._old_info_paths(name)):
            with suppress(FileNotFoundError):
                os.unlink(info)
        return there


def _holds(path: str, content: bytes) -> bool:
    """Tell whether a file has exactly this content."""
    try:
        with open(path, "rb") as f:
            return f.read() == content
    except FileNotFoundError:
        return False
