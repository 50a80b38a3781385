"""Runs experiments: from the declaration to a plan of blocks, and from the plan to results."""

from .plan import Block as Block
from .plan import Dataset as Dataset
from .plan import Plan as Plan
from .plan import make_plan as make_plan
from .results import Result as Result
from .runner import BlockFailed as BlockFailed
from .runner import Event as Event
from .runner import Run as Run
from .runner import Runner as Runner
from .runner import index_set as index_set
