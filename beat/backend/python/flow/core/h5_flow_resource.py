"""What all generators and stages of a flow can use: calibrations, geometries, connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..data import H5FlowDataManager

#: the resources of the flow that is being run, by the names of their classes
resources: dict[str, H5FlowResource] = {}


class H5FlowResource:
    """The base of resources.

    A resource is declared under ``resources`` in the configuration and found by the name of its
    class in `resources`. Override `init`, `finish` or both.

    Attributes
    ----------
    classname : str
        The name of the class.
    class_version : str
        ``major.minor.fix``.
    data_manager : H5FlowDataManager
        The way into the output file.
    input_filename : str or None
    start_position, end_position : int or None
        What the flow was started with.
    comm, rank, size
        The processes, see `H5FlowDataManager`.
    """

    class_version = "0.0.0"

    def __init__(
        self,
        classname: str,
        data_manager: H5FlowDataManager,
        input_filename: str | None = None,
        start_position: int | None = None,
        end_position: int | None = None,
        **params: Any,
    ) -> None:
        self.classname = classname
        self.data_manager = data_manager
        self.input_filename = input_filename
        self.start_position = start_position
        self.end_position = end_position
        self.comm = data_manager.comm
        self.rank = data_manager.rank
        self.size = data_manager.size

    def init(self, source_name: str) -> None:
        """Prepare; called once, before the generator's ``init``."""

    def finish(self, source_name: str) -> None:
        """Clean up; called once, after generator and stages have finished."""
