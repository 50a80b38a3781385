"""For the unit tests of people who write algorithms, views, stores and engines."""

from .running import Ran as Ran
from .running import Unit as Unit
from .running import run_algorithm as run_algorithm
