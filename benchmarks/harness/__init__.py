"""Cases and their measurement."""

from __future__ import annotations

from .case import BYTES as BYTES
from .case import SECONDS as SECONDS
from .case import Case as Case
from .case import Pair as Pair
from .case import case as case
from .case import load_areas as load_areas
from .measure import Result as Result
from .measure import measure as measure
