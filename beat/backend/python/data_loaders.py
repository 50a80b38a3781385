"""Data loaders: units of several sources, read by the algorithm as it likes.

A loader holds the inputs of a synchronisation channel. Its units are the finest intervals over
which none of the inputs changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

from .data.indices import Column, Intervals, as_array, common_split, compact, positions_in
from .data.source import NO_UNIT, Unit, intervals_of

if TYPE_CHECKING:
    from .data import DataSource


class _LoadedInput:
    """An input of a loader, its last data, and which of its units belongs to a unit of the loader.

    Many units of the loader may lie in one of the input, which is read once for all of them.
    """

    __slots__ = ("blocks_read", "data", "name", "position", "positions", "source", "units")

    def __init__(self, name: str, source: DataSource, units: Intervals) -> None:
        self.name = name
        self.source = source
        self.units = units
        self.positions: Column = range(0)
        self.blocks_read = 0
        self.forget()

    def forget(self) -> None:
        """Drop the data read last."""
        self.position = -1
        self.data: Any = None

    def align(self, mixed: Intervals) -> None:
        """Find the unit of this input for each unit of the loader."""
        if mixed == self.units:
            self.positions = range(len(mixed))
            return
        starts, wanted = as_array(self.units.starts), as_array(mixed.starts)
        self.positions = compact(positions_in(starts, wanted))

    def at(self, index: int) -> Any:
        """Return the data of this input for a unit of the loader."""
        position = self.positions[index]
        if position != self.position:
            self.data = self.source[position][0]
            self.position = position
            self.blocks_read += 1
        return self.data

    def __reduce__(self) -> tuple[Any, ...]:
        return _LoadedInput, (self.name, self.source, self.units)


class DataLoader:
    """The inputs of a channel.

    Parameters
    ----------
    channel : str
        The synchronisation channel.

    Attributes
    ----------
    infos : dict
        By name of the input: a dictionary, with the source under ``data_source``.
    mixed_data_indices : sequence of (start, end)
        The intervals of the units.
    """

    def __init__(self, channel: str) -> None:
        self.channel = str(channel)
        self.infos: dict[str, dict[str, Any]] = {}
        self.mixed_data_indices = Intervals()
        self._inputs: dict[str, _LoadedInput] = {}
        self._aligned = True

    def add(self, input_name: str, data_source: DataSource) -> None:
        """Add an input."""
        units = intervals_of(data_source)
        known = [self.mixed_data_indices] if self._inputs else []
        self.mixed_data_indices = common_split([*known, units])
        self._inputs[input_name] = _LoadedInput(input_name, data_source, units)
        self.infos[input_name] = {"data_source": data_source}
        self._aligned = False

    def reset(self) -> None:
        """Let go of everything kept for reading."""
        for loaded in self._inputs.values():
            loaded.forget()
            loaded.source.reset()

    def input_names(self) -> list[str]:
        """Return the names of the inputs."""
        return list(self._inputs)

    @property
    def nb_data_units(self) -> int:
        """The number of units."""
        return len(self.mixed_data_indices)

    @property
    def data_index_start(self) -> int:
        """The first index of all units; -1 if there are none."""
        return self.mixed_data_indices.starts[0] if self.nb_data_units else -1

    @property
    def data_index_end(self) -> int:
        """The last index of all units; -1 if there are none."""
        return self.mixed_data_indices.ends[-1] if self.nb_data_units else -1

    def count(self, input_name: str | None = None) -> int:
        """Return the number of units, or that of the units of an input; 0 if it is unknown."""
        if input_name is None:
            return self.nb_data_units
        return len(self.units_of(input_name) or ())

    def units_of(self, input_name: str) -> Intervals | None:
        """Return the intervals of the units of an input, None if there is no such input."""
        loaded = self._inputs.get(input_name)
        return None if loaded is None else loaded.units

    def view(self, input_name: str, index: int) -> DataView | None:
        """Return what belongs to a unit of an input; None if there is no such unit."""
        units = self.units_of(input_name)
        if units is None or not 0 <= index < len(units):
            return None
        start, end = units[index]
        mixed = self.mixed_data_indices
        return DataView(self, mixed[mixed.overlap(start, end)])

    def blocks_read(self) -> Iterator[tuple[DataSource, int]]:
        """Return the sources, each with the number of units that were read from it."""
        for loaded in self._inputs.values():
            yield loaded.source, loaded.blocks_read

    def __getitem__(self, index: int) -> Unit:
        """Return ({input: data}, first index, last index), or three times None."""
        mixed = self.mixed_data_indices
        if not 0 <= index < len(mixed):
            return NO_UNIT
        inputs = self._inputs
        if not self._aligned:
            for loaded in inputs.values():
                loaded.align(mixed)
                loaded.forget()
            self._aligned = True
        data = {name: loaded.at(index) for name, loaded in inputs.items()}
        return data, mixed.starts[index], mixed.ends[index]

    def __iter__(self) -> Iterator[Unit]:
        return map(self.__getitem__, range(self.nb_data_units))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_aligned": False}


class DataView:
    """Some neighbouring units of a data loader.

    Parameters
    ----------
    data_loader : DataLoader
        The loader.
    data_indices : sequence of (start, end)
        The intervals of those of its units.
    """

    def __init__(self, data_loader: DataLoader, data_indices: Any) -> None:
        self.data_loader = data_loader
        self.data_indices = Intervals.of(data_indices)
        starts = data_loader.mixed_data_indices.starts
        self._first = bisect_left(starts, self.data_index_start)

    @property
    def infos(self) -> dict[str, dict[str, Any]]:
        """The inputs, as those of the loader."""
        return self.data_loader.infos

    def reset(self) -> None:
        """Let go of everything kept for reading."""
        self.data_loader.reset()

    def input_names(self) -> list[str]:
        """Return the names of the inputs."""
        return self.data_loader.input_names()

    @property
    def nb_data_units(self) -> int:
        """The number of units."""
        return len(self.data_indices)

    @property
    def data_index_start(self) -> int:
        """The first index of all units; -1 if there are none."""
        return self.data_indices.starts[0] if self.nb_data_units else -1

    @property
    def data_index_end(self) -> int:
        """The last index of all units; -1 if there are none."""
        return self.data_indices.ends[-1] if self.nb_data_units else -1

    def count(self, input_name: str | None = None) -> int | None:
        """Return the number of units, or that of the units of an input in this view.

        None if there is no such input.
        """
        if input_name is None:
            return self.nb_data_units
        units = self.data_loader.units_of(input_name)
        if units is None:
            return None
        here = units.overlap(self.data_index_start, self.data_index_end)
        return int(here.stop - here.start)

    def __getitem__(self, index: int) -> Unit:
        """Return ({input: data}, first index, last index), or three times None."""
        if not 0 <= index < len(self.data_indices):
            return NO_UNIT
        return self.data_loader[self._first + index]

    def __iter__(self) -> Iterator[Unit]:
        return map(self.__getitem__, range(self.nb_data_units))


class DataLoaderList:
    """All data loaders of an algorithm.

    Attributes
    ----------
    main_loader : DataLoader or None
        The one of the channel of the block: the first that was added.
    """

    def __init__(self) -> None:
        self._loaders: list[DataLoader] = []
        self.main_loader: DataLoader | None = None

    def add(self, data_loader: DataLoader) -> None:
        """Append a data loader."""
        if not self._loaders:
            self.main_loader = data_loader
        self._loaders.append(data_loader)

    @overload
    def __getitem__(self, key: str | int) -> DataLoader | None: ...

    @overload
    def __getitem__(self, key: slice) -> list[DataLoader]: ...

    def __getitem__(self, key: str | int | slice) -> DataLoader | list[DataLoader] | None:
        """Return a loader by channel or position, None if there is none; or a list of loaders."""
        if isinstance(key, slice):
            return self._loaders[key]
        if isinstance(key, str):
            return next((loader for loader in self._loaders if loader.channel == key), None)
        return self._loaders[key] if -len(self) <= key < len(self) else None

    def __iter__(self) -> Iterator[DataLoader]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)

    def loaderOf(self, input_name: str) -> DataLoader | None:
        """Return the loader of an input, None if there is no such input."""
        return next((loader for loader in self._loaders if input_name in loader.infos), None)

    def secondaries(self) -> DataLoaderList:
        """Return the loaders besides the main one; in a list that has no main loader."""
        others = DataLoaderList()
        others._loaders = [loader for loader in self._loaders if loader is not self.main_loader]
        return others
