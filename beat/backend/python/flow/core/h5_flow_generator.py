"""What makes a flow go: slices of rows, one after the other, until there are no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from ..data import H5FlowDataManager


class H5FlowGenerator:
    """The base of generators.

    Override `next`. Iterating gives what it returns. With several processes, each gets its own
    slices; the loop ends when all have returned `EMPTY`. Until then `next` is called on all of
    them, also on those that are done, so that they take part in what all must do together: one
    that reserves rows must reserve none then.

    Attributes
    ----------
    classname : str
        The name of the class.
    class_version : str
        ``major.minor.fix``.
    dset_name : str
        The dataset whose rows the slices are of: the source of the flow.
    obj_name : str
        The group for attributes of the source; the same.
    data_manager : H5FlowDataManager
        The way into the output file.
    input_filename : str or None
        The input.
    start_position, end_position : int or None
        Where to begin and to end, in units of the generator's own.
    comm, rank, size
        The processes, see `H5FlowDataManager`.
    """

    EMPTY: ClassVar[slice] = slice(-1, -1)
    class_version = "0.0.0"
    #: whether the output begins as a copy of the input
    copies_input: ClassVar[bool] = False

    def __init__(
        self,
        classname: str,
        dset_name: str,
        data_manager: H5FlowDataManager,
        input_filename: str | None = None,
        start_position: int | None = None,
        end_position: int | None = None,
        **params: Any,
    ) -> None:
        self.classname = classname
        self.dset_name = dset_name
        self.obj_name = dset_name
        self.data_manager = data_manager
        self.input_filename = input_filename
        self.start_position = start_position
        self.end_position = end_position
        self.comm = data_manager.comm
        self.rank = data_manager.rank
        self.size = data_manager.size

    def __iter__(self) -> H5FlowGenerator:
        return self

    def __next__(self) -> slice:
        rows = self.next()
        if not isinstance(rows, slice):
            raise TypeError(
                f"{self.classname}.next() must return a slice, got {type(rows).__name__}"
            )
        if all(self.data_manager.processes.gather(rows == self.EMPTY)):
            raise StopIteration
        return rows

    def init(self) -> None:
        """Prepare the output; called once, before the stages' ``init``."""

    def next(self) -> slice:
        """Return the next slice of the source; `EMPTY` when there are no more."""
        raise NotImplementedError(f"{type(self).__name__} must define next()")

    def finish(self) -> None:
        """Clean up; called once, after the last slice."""
