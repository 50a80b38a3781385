"""Runs experiments: from the declaration to a plan of blocks, and from the plan to results."""

from .decide import Decision as Decision
from .engines import DebugEngine as DebugEngine
from .engines import Engine as Engine
from .engines import InlineEngine as InlineEngine
from .engines import Limits as Limits
from .engines import Outcome as Outcome
from .engines import ProcessEngine as ProcessEngine
from .events import Event as Event
from .events import Failure as Failure
from .events import Run as Run
from .events import RunFailed as RunFailed
from .history import History as History
from .indexing import IndexingFailed as IndexingFailed
from .indexing import index_set as index_set
from .plan import Block as Block
from .plan import Dataset as Dataset
from .plan import Plan as Plan
from .plan import make_plan as make_plan
from .results import Result as Result
from .runner import Runner as Runner
