"""Comparison of values that have arrays in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from ..baseformat import baseformat


def assert_same(
    actual: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-8, where: str = "value"
) -> None:
    """Check that two values are the same: numbers and arrays nearly, everything else exactly.

    Parameters
    ----------
    actual, expected : object
        Units, data objects, dictionaries, lists, arrays, numbers, texts, None.
    rtol, atol : float
        The tolerance, as for `numpy.isclose`.
    where : str
        What the message calls the value.

    Raises
    ------
    AssertionError
        If they are not; the text says where.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    actual, expected = _plain(actual), _plain(expected)
    if isinstance(expected, Mapping):
        assert isinstance(actual, Mapping), f"{where}: expected fields, got {actual!r:.100}"
        assert set(actual) == set(expected), (
            f"{where}: expected fields {sorted(expected)}, got {sorted(actual)}"
        )
        for key in expected:
            assert_same(actual[key], expected[key], rtol, atol, f"{where}.{key}")
    elif _is_list_of_objects(expected):
        assert isinstance(actual, Sequence), f"{where}: expected a list, got {actual!r:.100}"
        assert len(actual) == len(expected), (
            f"{where}: expected {len(expected)} items, got {len(actual)}"
        )
        for number, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(one, other, rtol, atol, f"{where}[{number}]")
    elif expected is None or isinstance(expected, (str, bool)):
        assert actual == expected, f"{where}: expected {expected!r:.100}, got {actual!r:.100}"
    else:
        numpy.testing.assert_allclose(actual, expected, rtol, atol, err_msg=where)


def _plain(value: Any) -> Any:
    if isinstance(value, baseformat):
        return baseformat.as_dict(value)
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "OU":
        return value.tolist()
    return value


def _is_list_of_objects(value: Any) -> bool:
    """Tell a list of texts or objects, which is compared item by item, from one of numbers."""
    if not isinstance(value, (list, tuple)):
        return False
    return not value or any(isinstance(_plain(item), (Mapping, str, list, tuple)) for item in value)
