"""Checks declarations as a compiler does: everything that is wrong, each with its place.

Each kind has a module with its rules. The rules look at declarations and at the text of the code;
nothing of the users' is imported or run.
"""

from __future__ import annotations

from typing import Any

from .. import utils
from ..schema import Document, Finding
from . import (
    algorithm,
    database,
    dataformat,
    experiment,
    library,
    plotter,
    plotterparameter,
    protocoltemplate,
    toolchain,
)
from .catalog import Catalog as Catalog
from .catalog import Entry as Entry

RULES = {
    "dataformat": dataformat.RULES,
    "library": library.RULES,
    "algorithm": algorithm.RULES,
    "protocoltemplate": protocoltemplate.RULES,
    "database": database.RULES,
    "toolchain": toolchain.RULES,
    "experiment": experiment.RULES,
    "plotter": plotter.RULES,
    "plotterparameter": plotterparameter.RULES,
}


def open_catalog(prefix: str | utils.Prefix) -> Catalog:
    """Return what there is in a prefix."""
    return Catalog(prefix, RULES)


def check(asset: Any, catalog: Catalog | None = None) -> list[Finding]:
    """Return everything that is wrong with an object and with all that it refers to.

    Parameters
    ----------
    asset : Asset
        The object. One that has a file is checked as it is there, any other one as it would be
        written.
    catalog : Catalog, optional
        What is known already of its prefix.

    Returns
    -------
    list of Finding
        Errors and warnings, those of the object itself first.
    """
    catalog = open_catalog(asset.prefix) if catalog is None else catalog
    kind = asset.storage_class.asset_type
    if asset.storage is None:
        entry = catalog.entry_without_file(kind, Document.parse(asset.json_dumps()))
    else:
        found = catalog.find(kind, asset.storage.fullname)
        if found is None:  # the object has said that its file is not there
            return [Finding(error) for error in asset.errors]
        entry = found
    return [finding for one in catalog.closure([entry]) for finding in one.findings]


def errors_in(asset: Any) -> list[Finding]:
    """Return what makes an object, or something that it refers to, unacceptable."""
    return [finding for finding in check(asset) if finding.is_error]
