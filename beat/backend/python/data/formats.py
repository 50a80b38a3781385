"""Loading the format of data units by the name under which files and peers know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dataformat import DataFormat

RESULTS = "analysis:"


def load_format(prefix: Any, name: str) -> DataFormat:
    """Load a format; ``analysis:<algorithm>`` is that of the results of an analyzer.

    Raises
    ------
    RuntimeError
        If there is no such format, or if it is not valid.
    """
    if name.startswith(RESULTS):
        from ..algorithm import Algorithm

        algorithm = Algorithm(prefix, name.removeprefix(RESULTS))
        _must_be_valid("algorithm", algorithm)
        return algorithm.result_dataformat()  # type: ignore[no-any-return]
    from ..dataformat import DataFormat

    dataformat = DataFormat(prefix, name)
    _must_be_valid("dataformat", dataformat)
    return dataformat


def _must_be_valid(kind: str, asset: Any) -> None:
    if not asset.valid:
        raise RuntimeError(f"the {kind} `{asset.name}' is not valid: " + "; ".join(asset.errors))
