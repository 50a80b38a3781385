"""Plotter parameters: named sets of values for the parameters of a plotter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import utils
from .asset import JSON, Asset
from .checks import errors_in
from .plotter import Plotter


class Storage(utils.UserStorage):
    """The files of plotter parameters."""

    asset_type = "plotterparameter"
    asset_folder = "plotterparameters"
    _title = "plotter parameter"


class PlotterParameter(Asset):
    """Values for the parameters of a plotter.

    Parameters
    ----------
    prefix, data, dataformat_cache, library_cache
        As of `plotter.Plotter`.

    Attributes
    ----------
    plotter : Plotter or None
        Whose parameters they are; None if the declaration is not valid.
    values : dict
        The values, converted to the types of the parameters.
    errors : list of str
        Everything that is wrong, with the plotter too, as `checks.check` finds it.
    """

    kind = "Plotter parameter"
    storage_class = Storage

    def __init__(
        self,
        prefix: str,
        data: str | JSON,
        dataformat_cache: dict[str, Any] | None = None,
        library_cache: dict[str, Any] | None = None,
    ) -> None:
        self._begin(prefix)
        self.plotter: Plotter | None = None
        self.values: dict[str, Any] = {}
        if not self._read(data):
            return
        self.errors += errors_in(self)
        if self.valid:
            plotter = Plotter(prefix, self.data["plotter"], dataformat_cache, library_cache)
            self.plotter = plotter
            self.values = {
                name: plotter.clean_parameter(name, value)
                for name, value in self.data["data"].items()
            }

    def _needs(self) -> Iterable[Asset]:
        return [self.plotter] if self.plotter is not None else []
