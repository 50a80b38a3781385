"""JSON of what is numpy's; a module of its own, since blocks run without `simplejson`."""

from __future__ import annotations

from typing import Any

import numpy
import simplejson


class NumpyJSONEncoder(simplejson.JSONEncoder):
    """Writes arrays and scalars as plain lists and numbers, dtypes by their names."""

    def default(self, o: Any) -> Any:
        """Return what stands for a numpy object; `TypeError` for anything else."""
        if isinstance(o, (numpy.ndarray, numpy.generic)):
            return o.tolist()
        if isinstance(o, numpy.dtype) or (
            isinstance(o, type) and issubclass(o, (numpy.generic, str))
        ):
            dtype = numpy.dtype(o)
            return "string" if dtype.kind == "U" else dtype.name
        return super().default(o)


def dumps(data: Any, indent: int = 4) -> str:
    """Return data as the text of a declaration."""
    return simplejson.dumps(data, indent=indent, cls=NumpyJSONEncoder)
