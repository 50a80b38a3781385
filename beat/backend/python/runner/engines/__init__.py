"""Engines start blocks somewhere and know nothing else."""

from .base import Control as Control
from .base import Engine as Engine
from .base import Limits as Limits
from .base import Outcome as Outcome
from .base import Usage as Usage
from .inline import DebugEngine as DebugEngine
from .inline import InlineEngine as InlineEngine
from .processes import ProcessEngine as ProcessEngine
