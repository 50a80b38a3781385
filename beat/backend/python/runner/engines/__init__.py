"""Engines start blocks somewhere and know nothing else."""

from .processes import Outcome as Outcome
from .processes import ProcessEngine as ProcessEngine
