"""How a value becomes the value of a field: what is taken as it is, converted, or refused.

A field holds numbers (a numpy dtype), text (`str`) or objects (a class made by
`baseformat.make_class`), one or an array of them. *Safe* casting follows `numpy.can_cast` for
single numbers, where a Python int counts as int64, a float as float64. The elements of arrays are
converted by numpy without that check: algorithms write float64 arrays into float32 outputs.

The names and argument orders of `setup_scalar` and `setup_array` are public.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy

#: Numpy 1 cuts Python ints that are too large for an integer array, numpy 2 refuses them
CUTS_LARGE_INTS = int(numpy.__version__.split(".")[0]) < 2

OBJECT = numpy.dtype(object)

_CONTAINERS = (list, tuple, set, frozenset, Mapping)

#: What Python's own numbers count as
_PYTHON_TYPES = {kind: numpy.dtype(kind) for kind in (bool, float, complex)}
_INT64 = numpy.dtype("int64")

#: The least and the greatest value of integer types, by their codes
_LIMITS = {code: (int(numpy.iinfo(code).min), int(numpy.iinfo(code).max)) for code in "bhilqBHILQ"}


def setup_scalar(
    formatname: str, attrname: str, dtype: Any, value: Any, casting: str, add_defaults: bool
) -> Any:
    """Cast a single value.

    Parameters
    ----------
    formatname, attrname : str
        The dataformat and its field, for messages.
    dtype : numpy.dtype or type
        The type of the field: of numbers, `str`, or a class of objects.
    value : object
        What to cast. None gives the default. So does an empty dictionary for an object; a false
        number is always accepted.
    casting : str
        ``"safe"`` or ``"unsafe"`` (or any other casting numpy knows).
    add_defaults : bool
        Whether fields that a dictionary does not have get their defaults.

    Raises
    ------
    TypeError
        If the value is of a kind that the field cannot hold under this casting.
    AttributeError
        If a dictionary has not exactly the fields of the object.
    ValueError, OverflowError
        If the conversion fails for this very value.
    """
    if dtype is str:
        return _text(value)
    if _is_class(dtype):
        if value is None or (isinstance(value, Mapping) and not value):
            return dtype()
        return _object(formatname, attrname, dtype, value, casting, add_defaults)
    return _number(formatname, attrname, numpy.dtype(dtype), value, casting)


def setup_array(
    formatname: str,
    attrname: str,
    shape: Sequence[int],
    dtype: Any,
    value: Any,
    casting: str,
    add_defaults: bool,
) -> Any:
    """Cast an array; numeric arrays of the right type are taken as they are, without a copy.

    Parameters
    ----------
    formatname, attrname : str
        The dataformat and its field, for messages.
    shape : sequence of int
        The declared sizes; 0 allows any.
    dtype : numpy.dtype or type
        The type of the elements: of numbers, `str`, or a class of objects.
    value : object
        What to cast: an array or nested lists. None and an empty list give the default.
    casting : str
        How fields of objects are cast; the elements of other arrays are always converted.
    add_defaults : bool
        Whether fields that a dictionary does not have get their defaults.

    Returns
    -------
    numpy.ndarray
        Of text and objects, a `TypedArray`.

    Raises
    ------
    TypeError
        If number or sizes of the dimensions are wrong, or elements cannot be of that type.
    AttributeError
        If a dictionary has not exactly the fields of the object.
    ValueError, OverflowError
        If an element cannot be converted, or does not fit.
    """
    shape = tuple(shape)
    if value is None or (isinstance(value, (list, tuple)) and not value):
        return default_array(formatname, attrname, shape, dtype)
    if dtype is not str and not _is_class(dtype):
        array = _numbers(formatname, attrname, numpy.dtype(dtype), value)
        _check_shape(formatname, attrname, shape, array.shape)
        return array
    if isinstance(value, TypedArray) and value.holds(dtype):
        _check_shape(formatname, attrname, shape, value.shape)
        return value
    items, actual = _items(value, len(shape))
    _check_shape(formatname, attrname, shape, actual)
    if dtype is str:
        items = _texts(formatname, attrname, items)
    else:
        build = dtype._codec.build
        items = [
            build(item, casting, add_defaults)
            if type(item) is dict
            else _object(formatname, attrname, dtype, item, casting, add_defaults)
            for item in items
        ]
    return typed_array(items, actual, (formatname, attrname, dtype))


def default_array(formatname: str, attrname: str, shape: Sequence[int], dtype: Any) -> Any:
    """Return the default of an array: zeros, empty texts or default objects, 0 where any size."""
    if dtype is not str and not _is_class(dtype):
        return numpy.zeros(shape, dtype)
    items = [dtype() for _ in range(math.prod(shape))]
    return typed_array(items, tuple(shape), (formatname, attrname, dtype))


class TypedArray(numpy.ndarray):
    """An array of texts or of objects whose items are cast when they are assigned.

    Views of it cast as well, copies and results of computations are plain object arrays.
    """

    _owner: tuple[str, str, Any] | None = None

    def __array_finalize__(self, obj: Any) -> None:
        if isinstance(obj, TypedArray) and self.dtype == OBJECT:
            base = self.base
            if base is not None and (base is obj or base is obj.base):
                self._owner = obj._owner

    def holds(self, dtype: Any) -> bool:
        """Tell whether all items are known to be of this type."""
        return self._owner is not None and self._owner[2] is dtype

    def __setitem__(self, index: Any, value: Any) -> None:
        owner = self._owner
        if owner is not None:
            many = isinstance(value, (list, tuple, numpy.ndarray))
            if many and isinstance(self[index], numpy.ndarray):
                array = numpy.array(value, OBJECT)
                items = [_item(owner, item) for item in array.ravel().tolist()]
                value = numpy.fromiter(items, OBJECT, len(items)).reshape(array.shape)
            else:
                value = _item(owner, value)
        super().__setitem__(index, value)


def typed_array(
    items: Iterable[Any], shape: tuple[int, ...], owner: tuple[str, str, Any]
) -> TypedArray:
    """Make an array of texts or objects.

    Parameters
    ----------
    items : iterable
        As many as the shape says, of the right type already.
    shape : tuple of int
        The sizes.
    owner : tuple
        Names of the dataformat and the field, for messages, and the type of the items.
    """
    flat = numpy.fromiter(items, OBJECT, math.prod(shape))
    array = flat.reshape(shape).view(TypedArray)
    array._owner = owner
    return array


def _is_class(dtype: Any) -> bool:
    """Tell whether this is the type of objects."""
    return hasattr(dtype, "_codec")


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    return "" if value is None else str(value)


def _item(owner: tuple[str, str, Any], value: Any) -> Any:
    """Cast what is assigned to an item of an array: text must be text here."""
    formatname, attrname, dtype = owner
    if dtype is str and not (value is None or isinstance(value, str)):
        raise TypeError(_refusal(formatname, attrname, type(value).__name__, "str"))
    return setup_scalar(formatname, attrname, dtype, value, "safe", False)


def _object(
    formatname: str, attrname: str, klass: Any, value: Any, casting: str, add_defaults: bool
) -> Any:
    """Cast to an object: of that class already, from a dictionary, or from a similar object."""
    if type(value) is klass:
        return value
    if isinstance(value, Mapping):
        return klass._codec.build(value, casting, add_defaults)
    if _is_class(type(value)):
        return klass._codec.build(vars(value), casting, add_defaults)
    raise TypeError(_refusal(formatname, attrname, type(value).__name__, klass._name))


def _number(formatname: str, attrname: str, dtype: Any, value: Any, casting: str) -> Any:
    if type(value) is dtype.type:
        return value
    if value is None:
        return dtype.type(0)
    source = _source_dtype(value)
    if source is None:
        raise TypeError(_refusal(formatname, attrname, type(value).__name__, dtype))
    if not value:
        return _converted(dtype, value) if source.kind == dtype.kind else dtype.type(0)
    if casting != "unsafe" and not numpy.can_cast(source, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(_refusal(formatname, attrname, _described(source), dtype))
    try:
        return _converted(dtype, value)
    except (TypeError, ValueError, OverflowError) as error:
        text = _refusal(formatname, attrname, _described(source), dtype)
        raise _same_kind(error, f"{text}: {error}") from None


def _source_dtype(value: Any) -> numpy.dtype[Any] | None:
    """Return what numpy takes a single value for, None if it is not a single one."""
    if type(value) is int and -(2**63) <= value < 2**63:
        return _INT64  # the default integer of some platforms is smaller
    known = _PYTHON_TYPES.get(type(value))
    if known is not None:
        return known
    if isinstance(value, _CONTAINERS):
        return None
    array = numpy.asarray(value)
    return None if array.ndim else array.dtype


def _converted(dtype: numpy.dtype[Any], value: Any) -> Any:
    """Convert as Python does; integers out of range are cut to their lowest bits."""
    if isinstance(value, (numpy.generic, numpy.ndarray)):
        value = value.item()
    if dtype.kind in "iu":
        value = int(value)
        least, greatest = _LIMITS[dtype.char]
        if least <= value <= greatest:
            return dtype.type(value)
        return numpy.asarray(value).astype(dtype)[()]
    if dtype.kind == "b":
        return dtype.type(bool(value))
    value = float(value) if dtype.kind == "f" else complex(value)
    if dtype.char in "dD":
        return dtype.type(value)
    with numpy.errstate(over="ignore"):
        return dtype.type(value)


def _numbers(formatname: str, attrname: str, dtype: numpy.dtype[Any], value: Any) -> Any:
    try:
        if CUTS_LARGE_INTS and dtype.kind in "iu" and isinstance(value, (list, tuple)):
            _check_range(dtype, value)
        with numpy.errstate(over="ignore", invalid="ignore"):  # old versions never warn
            return numpy.asarray(value, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        text = _refusal(formatname, attrname, type(value).__name__, f"array of {dtype}")
        raise _same_kind(error, f"{text}: {error}") from None


def _check_range(dtype: numpy.dtype[Any], value: Any) -> None:
    """Refuse what does not fit, as numpy 2 does."""
    least, greatest = _LIMITS[dtype.char]
    for item in numpy.array(value, OBJECT).flat:
        if (
            isinstance(item, (int, float, numpy.integer))
            and math.isfinite(item)
            and not least <= int(item) <= greatest
        ):
            raise OverflowError(f"{item} is out of bounds for {dtype}")


def _items(value: Any, ndim: int) -> tuple[list[Any], tuple[int, ...]]:
    """Return the elements of nested lists, or of an array, in C order, and their shape."""
    if ndim == 1 and isinstance(value, (list, tuple)):
        return list(value), (len(value),)
    array = numpy.array(value, OBJECT)
    return array.ravel().tolist(), array.shape


def _texts(formatname: str, attrname: str, items: list[Any]) -> list[str]:
    kinds = set(map(type, items))
    if kinds == {str}:
        return items
    if any(issubclass(kind, (list, tuple, numpy.ndarray)) for kind in kinds):
        raise TypeError(
            f"wrong number of dimensions of `{attrname}' of dataformat `{formatname}': "
            "there are lists where texts should be"
        )
    return list(map(_text, items))


def _check_shape(
    formatname: str, attrname: str, declared: tuple[int, ...], actual: tuple[int, ...]
) -> None:
    if len(declared) != len(actual):
        raise TypeError(
            f"wrong number of dimensions of `{attrname}' of dataformat `{formatname}': "
            f"expected {len(declared)}, got {len(actual)}"
        )
    if any(want not in (0, got) for want, got in zip(declared, actual, strict=True)):
        raise TypeError(
            f"wrong size of `{attrname}' of dataformat `{formatname}': expected "
            f"{list(declared)} (0 allows any), got {list(actual)}"
        )


def _described(dtype: numpy.dtype[Any]) -> str:
    return "str" if dtype.kind == "U" else dtype.name


def _refusal(formatname: str, attrname: str, source: Any, target: Any) -> str:
    return f"cannot cast `{attrname}' of dataformat `{formatname}' from {source} to {target}"


def _same_kind(error: Exception, text: str) -> Exception:
    kinds = (TypeError, OverflowError, ValueError)
    return next(kind for kind in kinds if isinstance(error, kind))(text)
