"""For the unit tests of people who write algorithms, views, stores and engines."""

from ..database_tester import DatabaseTester as DatabaseTester
from .comparing import assert_same as assert_same
from .golden import Golden as Golden
from .protocols import AutonomousAlgorithm as AutonomousAlgorithm
from .protocols import AutonomousAnalyzer as AutonomousAnalyzer
from .protocols import AutonomousLoopEvaluator as AutonomousLoopEvaluator
from .protocols import AutonomousLoopProcessor as AutonomousLoopProcessor
from .protocols import LegacyAlgorithm as LegacyAlgorithm
from .protocols import SequentialAlgorithm as SequentialAlgorithm
from .protocols import SequentialAnalyzer as SequentialAnalyzer
from .protocols import SequentialLoopEvaluator as SequentialLoopEvaluator
from .protocols import SequentialLoopProcessor as SequentialLoopProcessor
from .protocols import ViewLike as ViewLike
from .protocols import WithParameters as WithParameters
from .protocols import WithPreparation as WithPreparation
from .running import Ran as Ran
from .running import Unit as Unit
from .running import run_algorithm as run_algorithm
from .viewing import ViewUnits as ViewUnits
