"""A stage for trying things: a copy of the source, with a reference from each row to its copy."""

from __future__ import annotations

from typing import Any

import numpy

from ..core.h5_flow_stage import H5FlowStage


class H5FlowTestStage(H5FlowStage):
    """Copies the rows of the source to a dataset of its own.

    Parameters
    ----------
    output_dset : str, optional
        The dataset; by default the name of the stage.
    references : bool
        Whether to write references from the source to it.
    **params
        See `H5FlowStage`.
    """

    class_version = "1.0.0"

    def __init__(
        self, output_dset: str | None = None, references: bool = True, **params: Any
    ) -> None:
        super().__init__(**params)
        self.output_dset = output_dset or self.name
        self.references = references

    def init(self, source_name: str) -> None:
        """Create the dataset and the references."""
        manager = self.data_manager
        source = manager.get_dset(source_name)
        manager.create_dset(self.output_dset, source.dtype, source.shape[1:])
        if self.references:
            manager.create_ref(source_name, self.output_dset)
        manager.set_attrs(
            self.output_dset, classname=self.classname, class_version=self.class_version
        )

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        """Copy some rows."""
        rows = cache[source_name]
        copies = self.data_manager.reserve_data(self.output_dset, len(rows))
        self.data_manager.write_data(self.output_dset, copies, rows)
        if self.references:
            originals = numpy.arange(len(rows)) + source_slice.start
            pairs = numpy.stack([originals, originals - source_slice.start + copies.start], axis=1)
            self.data_manager.write_ref(source_name, self.output_dset, pairs)
