"""Inputs of algorithms: units of several sources, advanced together.

Sources that are synchronised form a group. A step of the group advances the inputs whose current
unit ends first, so that what the inputs hold at any moment belongs together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from .data import DataSource
    from .outputs import SynchronizationListener

T = TypeVar("T")


def first(iterable: Iterable[T], default: T | None = None) -> T | None:
    """Return the first item, ``default`` if there is none."""
    return next(iter(iterable), default)


class Input:
    """An input of an algorithm.

    Parameters
    ----------
    name : str
        Its name in the algorithm.
    data_format : str or DataFormat
        The format of the data.
    data_source : data.DataSource
        Where the data comes from.

    Attributes
    ----------
    group : InputGroup or None
        The group it was added to.
    data : object
        The data of the current unit; None before the first one, and for a unit without data.
    data_index, data_index_end : int
        The interval that the current unit covers; -1 before the first one.
    next_data_index : int
        The number of the next unit in the source.
    data_same_as_previous : bool
        Whether the last step of the group left this input alone.
    nb_data_blocks_read : int
        How many units have been read.
    """

    def __init__(self, name: str, data_format: Any, data_source: DataSource) -> None:
        self.name = str(name)
        self.data_format = data_format
        self.data_source = data_source
        self.group: InputGroup | None = None
        self.data: Any = None
        self.data_index = -1
        self.data_index_end = -1
        self.next_data_index = 0
        self.data_same_as_previous = True
        self.nb_data_blocks_read = 0

    def isDataUnitDone(self) -> bool:
        """Tell whether the current unit ends with the group's, or where nothing was read yet."""
        group = self.group
        return (
            group is None
            or group.last_data_index == -1
            or self.data_index_end in (-1, group.last_data_index)
        )

    def hasMoreData(self) -> bool:
        """Tell whether there is another unit."""
        return self.next_data_index < len(self.data_source)

    def hasDataChanged(self) -> bool:
        """Tell whether the last step of the group gave this input another unit."""
        return not self.data_same_as_previous

    def next(self) -> None:
        """Take the next unit.

        Raises
        ------
        RuntimeError
            If there is none, or if the input belongs to a group that only the platform advances.
        """
        group = self.group
        if group is not None and group.restricted_access:
            raise _not_authorized(group)
        data, start, end = self.data_source[self.next_data_index]
        if start is None:
            raise self.exhausted()
        self.data = data
        self.data_index = start
        self.data_index_end = end
        self.data_same_as_previous = False
        self.next_data_index += 1
        self.nb_data_blocks_read += 1

    def exhausted(self) -> RuntimeError:
        """Return the error to raise where there is no next unit."""
        return RuntimeError(
            f"input `{self.name}': no more data after index {self.data_index_end} "
            f"({self.next_data_index} units)"
        )


class InputGroup:
    """Inputs that are synchronised.

    Parameters
    ----------
    channel : str
        The synchronisation channel.
    synchronization_listener : outputs.SynchronizationListener, optional
        Is told the interval after each step.
    restricted_access : bool
        Whether only the platform may advance the group, and not the algorithm. Whoever drives
        the group switches this attribute off around `next`.

    Attributes
    ----------
    data_index, data_index_end : int
        The lowest start and the highest end of the current units; -1 before the first step.
    first_data_index, last_data_index : int
        The highest start and the lowest end: the interval that all units cover.
    """

    def __init__(
        self,
        channel: str,
        synchronization_listener: SynchronizationListener | None = None,
        restricted_access: bool = True,
    ) -> None:
        self.channel = str(channel)
        self.synchronization_listener = synchronization_listener
        self.restricted_access = restricted_access
        self.data_index = -1
        self.data_index_end = -1
        self.first_data_index = -1
        self.last_data_index = -1
        self._inputs: list[Input] = []

    def add(self, input: Input) -> None:
        """Append an input."""
        input.group = self
        self._inputs.append(input)

    def __getitem__(self, name_or_index: str | int) -> Input | None:
        """Return an input by name or by position, None if there is no such input."""
        return _find(self._inputs, name_or_index)

    def __iter__(self) -> Iterator[Input]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def hasMoreData(self) -> bool:
        """Tell whether one of the inputs has another unit."""
        for input in self._inputs:  # noqa: SIM110 - asked before each step; a generator costs more
            if input.hasMoreData():
                return True
        return False

    def next(self) -> None:
        """Advance the inputs whose current unit ends first, and tell the listener.

        Raises
        ------
        RuntimeError
            If one of them has no more data (none is advanced then), if there are no inputs, or
            if only the platform may advance the group.
        """
        if self.restricted_access:
            raise _not_authorized(self)
        inputs = self._inputs
        if len(inputs) == 1:
            inputs[0].next()
        elif inputs:
            self._advance()
        else:
            raise RuntimeError(f"no more data: the channel `{self.channel}' has no inputs")
        # each step of each block comes through here: plain comparisons are the quickest
        start = high_start = inputs[0].data_index
        end = low_end = inputs[0].data_index_end
        for input in inputs[1:]:
            if input.data_index < start:
                start = input.data_index
            elif input.data_index > high_start:
                high_start = input.data_index
            if input.data_index_end > end:
                end = input.data_index_end
            elif input.data_index_end < low_end:
                low_end = input.data_index_end
        self.data_index, self.data_index_end = start, end
        self.first_data_index, self.last_data_index = high_start, low_end
        if self.synchronization_listener is not None:
            self.synchronization_listener.onIntervalChanged(high_start, low_end)

    def _advance(self) -> None:
        lowest = min([input.data_index_end for input in self._inputs])
        due = [input for input in self._inputs if input.data_index_end == lowest]
        for input in due:
            if not input.hasMoreData():
                raise input.exhausted()
        for input in self._inputs:
            input.data_same_as_previous = True
        for input in due:
            input.next()


class InputList:
    """All inputs of an algorithm, in their groups.

    Attributes
    ----------
    main_group : InputGroup or None
        The group that the platform advances: the first restricted one.
    """

    def __init__(self) -> None:
        self._groups: list[InputGroup] = []
        self.main_group: InputGroup | None = None

    def add(self, group: InputGroup) -> None:
        """Append a group."""
        if self.main_group is None and group.restricted_access:
            self.main_group = group
        self._groups.append(group)

    @overload
    def __getitem__(self, key: str | int) -> Input | None: ...

    @overload
    def __getitem__(self, key: slice) -> list[Input]: ...

    def __getitem__(self, key: str | int | slice) -> Input | list[Input] | None:
        """Return an input by name or by position, None if there is none; or a list of inputs."""
        if isinstance(key, str):
            for group in self._groups:
                for input in group._inputs:
                    if input.name == key:
                        return input
            return None
        inputs = [*self]
        return inputs[key] if isinstance(key, slice) else _at(inputs, key)

    def __iter__(self) -> Iterator[Input]:
        for group in self._groups:
            yield from group

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    @property
    def length(self) -> int:
        """The number of inputs."""
        return len(self)

    def nbGroups(self) -> int:
        """Return the number of groups."""
        return len(self._groups)

    def groupOf(self, input_name: str) -> InputGroup | None:
        """Return the group of an input, None if there is no such input."""
        input = self[input_name]
        return None if input is None else input.group

    def group(self, name_or_index: str | int) -> InputGroup | None:
        """Return a group by its channel or by position, None if there is no such group."""
        if isinstance(name_or_index, str):
            return first(group for group in self._groups if group.channel == name_or_index)
        return _at(self._groups, name_or_index)

    def hasMoreData(self) -> bool:
        """Tell whether one of the inputs has another unit."""
        return any(group.hasMoreData() for group in self._groups)

    def next(self) -> None:
        """Advance every group that the algorithm may advance, as long as it has more data.

        Raises
        ------
        RuntimeError
            If there is no such group.
        """
        free = [group for group in self._groups if not group.restricted_access]
        ready = [group for group in free if group.hasMoreData()]
        if not free and self.main_group is not None:
            raise _not_authorized(self.main_group)
        if not ready:
            raise RuntimeError("no more data on the inputs that the algorithm may advance")
        for group in ready:
            group.next()

    @property
    def current_data_index(self) -> int:
        """The lowest index of the current units of the group that the platform advances."""
        group = self._current_group()
        return -1 if group is None else group.data_index

    @property
    def current_end_data_index(self) -> int:
        """The highest index of those units."""
        group = self._current_group()
        return -1 if group is None else group.data_index_end

    def _current_group(self) -> InputGroup | None:
        return first(self._groups) if self.main_group is None else self.main_group


def _find(items: list[Input], key: str | int) -> Input | None:
    if isinstance(key, str):
        for item in items:
            if item.name == key:
                return item
        return None
    return _at(items, key)


def _at(items: list[T], position: int) -> T | None:
    return items[position] if -len(items) <= position < len(items) else None


def _not_authorized(group: InputGroup) -> RuntimeError:
    return RuntimeError(
        f"Not authorized: only the platform advances the inputs of the channel `{group.channel}'"
    )
