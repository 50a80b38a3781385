"""Parameters of algorithms and plotters: their declared types, ranges and choices."""

from __future__ import annotations

from typing import Any

import numpy

from .asset import JSON, CodeAsset
from .dataformat import BASIC_TYPES

CONVERSION_ERRORS = (TypeError, ValueError, OverflowError)


def convert(dtype: Any, value: Any) -> Any:
    """Convert a value as plain construction of that type does.

    Numbers that do not fit wrap around and fractions are cut off, with every version of NumPy.

    Returns
    -------
    numpy.generic or str
        A scalar of the type, a `str` for texts.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If the value cannot be converted.
    """
    dtype = numpy.dtype(dtype)
    if dtype.kind == "U":
        return str(value)
    if isinstance(value, (list, tuple, dict, set)):
        raise TypeError(f"expected a {dtype.name}, got a {type(value).__name__}")
    if dtype.kind in "iu":
        return numpy.array(int(value)).astype(dtype)[()]
    with numpy.errstate(all="ignore"):  # too large for a float32: infinite
        return dtype.type(value)


def clean(declared: dict[str, Any], name: str, value: Any) -> Any:
    """Convert a value given for a parameter and check it against its declaration.

    Raises
    ------
    ValueError
        If it cannot be converted, or is not among the choices or in the range.
    """
    dtype = declared["type"]
    try:
        cleaned = convert(dtype, value)
    except CONVERSION_ERRORS as error:
        raise ValueError(
            f"parameter `{name}': cannot convert {value!r:.100} to {_type_name(dtype)}: {error}"
        ) from error
    problem = _restriction(declared, cleaned)
    if problem:
        raise ValueError(f"parameter `{name}': {problem}")
    return cleaned


def check_declarations(parameters: Any, errors: list[str]) -> None:
    """Convert the declarations of parameters in place and report what is wrong with them.

    Types become dtypes; ranges, choices and defaults become values of that type.
    """
    if not isinstance(parameters, dict):
        errors.append(f"`parameters' must be an object, got {type(parameters).__name__}")
        return
    for name, declared in parameters.items():
        problems = declaration_problems(declared)
        errors += [f"parameter `{name}': {problem}" for _, problem in problems]


def declaration_problems(declared: Any) -> list[tuple[str, str]]:
    """Convert the declaration of a parameter in place.

    Returns
    -------
    list of tuple
        What is wrong: the key, and the problem.
    """
    if not isinstance(declared, dict):
        return [("", f"expected an object, got {type(declared).__name__}")]
    type_name = declared.get("type")
    if not isinstance(type_name, str) or type_name not in BASIC_TYPES:
        return [("type", f"expected a basic type, got {type_name!r:.100}")]
    basic: Any = BASIC_TYPES[type_name]
    dtype = declared["type"] = numpy.dtype(basic)
    problems = []
    for key, convert_part in (
        ("range", _convert_range),
        ("choice", _convert_choice),
        ("default", _convert_default),
    ):
        if key in declared:
            try:
                convert_part(dtype, declared)
            except CONVERSION_ERRORS as error:
                problems.append((key, str(error)))
    if "default" in declared and not problems:
        problem = _restriction(declared, declared["default"])
        problems += [("default", f"default {problem}")] if problem else []
    return problems


def _convert_range(dtype: Any, declared: dict[str, Any]) -> None:
    limits = _converted_list(dtype, declared, "range")
    if len(limits) < 2 or not limits[0] < limits[1]:
        raise ValueError(f"range {limits} must be [start, end] with start < end")


def _convert_choice(dtype: Any, declared: dict[str, Any]) -> None:
    _converted_list(dtype, declared, "choice")


def _convert_default(dtype: Any, declared: dict[str, Any]) -> None:
    declared["default"] = _converted(dtype, declared["default"], "default")


def _converted_list(dtype: Any, declared: dict[str, Any], key: str) -> list[Any]:
    if not isinstance(declared[key], list):
        raise TypeError(f"{key} must be a list, got {type(declared[key]).__name__}")
    declared[key] = [_converted(dtype, value, key) for value in declared[key]]
    return declared[key]  # type: ignore[no-any-return]


def _converted(dtype: Any, value: Any, what: str) -> Any:
    try:
        return convert(dtype, value)
    except CONVERSION_ERRORS as error:
        raise ValueError(
            f"cannot convert {what} {value!r:.100} to {_type_name(dtype)}: {error}"
        ) from error


def _restriction(declared: dict[str, Any], value: Any) -> str | None:
    """Say which declared restriction a value breaks, if any."""
    choice = declared.get("choice")
    if choice is not None and value not in choice:
        return f"{value} is not among the choices {str([str(c) for c in choice])[:200]}"
    limits = declared.get("range")
    if limits is not None and not limits[0] <= value <= limits[1]:
        return f"{value} is not in the range [{limits[0]}, {limits[1]}]"
    return None


def _type_name(dtype: Any) -> str:
    dtype = numpy.dtype(dtype)
    return "string" if dtype.kind == "U" else dtype.name


class Parametrized(CodeAsset):
    """Code that parameters can adjust."""

    @property
    def parameters(self) -> JSON | None:
        """The declared parameters, types as dtypes; None when there is no such part."""
        return self.data.get("parameters")  # type: ignore[no-any-return]

    @parameters.setter
    def parameters(self, value: JSON) -> None:
        self.data["parameters"] = value

    def clean_parameter(self, name: str, value: Any) -> Any:
        """Convert the value of a parameter to its type.

        Returns
        -------
        numpy.generic or str
            The value; a `str` for type ``string``.

        Raises
        ------
        KeyError
            If the parameter is not declared.
        ValueError
            If the value cannot be converted, or is not among the choices or in the range.
        """
        if self.parameters is None or name not in self.parameters:
            raise KeyError(name)
        return clean(self.parameters[name], name, value)

    def _loaded(self, declaration: JSON) -> JSON:
        check_declarations(declaration.get("parameters"), [])
        return declaration
