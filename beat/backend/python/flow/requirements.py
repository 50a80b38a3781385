"""What stages require: data that belongs to the rows of the source, found along references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import BadSelection, ConfigError, FlowError, RequirementError, shorten

if TYPE_CHECKING:
    from .data import H5FlowDataManager

#: ``name`` in the cache, ``path`` of datasets, ``index_only``; ``optional`` if it may be missing
Requirement = dict[str, Any]

KEYS = ("name", "path", "index_only", "optional")


def format_requirements(requirements: Iterable[Any] | None) -> list[Requirement]:
    """Return requirements in their full form.

    Parameters
    ----------
    requirements : list of (str or dict)
        The path of a dataset; or ``name``, and optionally ``path`` (one dataset or several, each
        with references to the next), ``index_only`` (row numbers instead of rows) and
        ``optional`` (None instead of an error if it cannot be loaded).

    Returns
    -------
    list of dict
        ``{"name": str, "path": [str, ...], "index_only": bool}``, with ``"optional": True``
        where it was asked for.

    Raises
    ------
    ConfigError
        If one is of another form.
    """
    return [_format(requirement) for requirement in requirements or []]


def _format(requirement: Any) -> Requirement:
    if isinstance(requirement, str):
        return {"name": requirement, "path": [requirement], "index_only": False}
    if not isinstance(requirement, Mapping) or not isinstance(requirement.get("name"), str):
        raise ConfigError(
            f"Unrecognized requirement: {shorten(repr(requirement))} (expected the path of a "
            "dataset, or `name' with `path', `index_only', `optional')"
        )
    path = requirement.get("path", requirement["name"])
    path = [path] if isinstance(path, str) else path
    if not isinstance(path, list) or not path or not all(isinstance(part, str) for part in path):
        raise ConfigError(
            f"Unrecognized path specification: {shorten(repr(path))} in requirement "
            f"`{requirement['name']}' (expected the path of a dataset, or a list of them)"
        )
    formatted: Requirement = {
        "name": requirement["name"],
        "path": list(path),
        "index_only": bool(requirement.get("index_only", False)),
    }
    if requirement.get("optional"):
        formatted["optional"] = True
    return formatted


def load_requirement(
    data_manager: H5FlowDataManager,
    requirement: Requirement,
    source_name: str,
    source_slice: slice,
    stage: str,
) -> Any:
    """Load what is required for rows of the source.

    If there are references between the source and the first dataset of the path, they are
    followed, then those along the path. Else the first dataset must have a row for each row of
    the source: references are followed from its rows, or, if it is the whole path, these are
    loaded.

    Raises
    ------
    RequirementError
        If that is not possible and the requirement is not optional.
    """
    try:
        return _load(data_manager, requirement, source_name, source_slice)
    except FlowError as error:
        if requirement.get("optional"):
            return None
        raise RequirementError(
            f"stage `{stage}': cannot load requirement `{requirement['name']}' (path: "
            f"{' -> '.join(requirement['path'])}) for rows {source_slice.start}:"
            f"{source_slice.stop} of `{source_name}': {error}"
        ) from error


def _load(
    data_manager: H5FlowDataManager, requirement: Requirement, source_name: str, rows: slice
) -> Any:
    path, index_only = requirement["path"], requirement["index_only"]
    if data_manager.ref_exists(source_name, path[0].removeprefix("~")):
        return data_manager.follow((source_name, *path), rows, index_only)
    loaded = data_manager.follow(tuple(path), rows, index_only)
    expected = len(range(*rows.indices(data_manager.get_dset(source_name).shape[0])))
    if len(loaded) != expected:
        raise BadSelection(
            f"`{path[0]}' has only {len(loaded)} of these {expected} rows, and no references to "
            f"`{source_name}'"
        )
    return loaded
