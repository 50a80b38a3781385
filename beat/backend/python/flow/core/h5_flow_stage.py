"""What is done with the rows of a flow, a slice at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..requirements import Requirement, format_requirements, load_requirement

if TYPE_CHECKING:
    from ..data import H5FlowDataManager


class H5FlowStage:
    """The base of stages.

    Override `init`, to create datasets and references, and `run`.

    Attributes
    ----------
    name : str
        The name of this stage in the configuration.
    classname : str
        The name of the class.
    class_version : str
        ``major.minor.fix``.
    data_manager : H5FlowDataManager
        The way into the output file.
    requires : list
        What is loaded before each `run`; see `H5FlowManager.format_requirements`.
    comm, rank, size
        The processes, see `H5FlowDataManager`.
    """

    class_version = "0.0.0"

    def __init__(
        self,
        name: str,
        classname: str,
        data_manager: H5FlowDataManager,
        requires: list[Any] | None = None,
        **params: Any,
    ) -> None:
        self.name = name
        self.classname = classname
        self.data_manager = data_manager
        self.requires = [] if requires is None else requires
        self.comm = data_manager.comm
        self.rank = data_manager.rank
        self.size = data_manager.size

    def init(self, source_name: str) -> None:
        """Prepare; called once, after the generator's ``init`` and before the loop."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        """Do the work for some rows of the source.

        Parameters
        ----------
        source_name : str
            The dataset.
        source_slice : slice
            Its rows.
        cache : dict
            The rows, under ``source_name``, and what is required, by name. All stages of one
            slice share it: what one changes, the next ones see.
        """

    def load(self, source_name: str, source_slice: slice) -> dict[str, Any]:
        """Load rows of the source and what the stage requires for them.

        Returns
        -------
        dict
            What `run` gets as cache, read from the file as it is now.

        Raises
        ------
        RequirementError
            If something required cannot be loaded.
        """
        loaded = {source_name: self.data_manager[source_name, source_slice]}
        for requirement in format_requirements(self.requires):
            if requirement["name"] not in loaded:
                loaded[requirement["name"]] = self._load(requirement, source_name, source_slice)
        return loaded

    def _load(self, requirement: Requirement, source_name: str, source_slice: slice) -> Any:
        return load_requirement(
            self.data_manager, requirement, source_name, source_slice, self.name
        )

    def finish(self, source_name: str) -> None:
        """Clean up; called once, after the last slice."""
