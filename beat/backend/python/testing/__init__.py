"""For the unit tests of people who write algorithms, views, stores, engines and data sources.

The contracts, which are classes of tests, need pytest; they are imported when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..database_tester import DatabaseTester as DatabaseTester
from ..exceptions import MissingExtra
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

if TYPE_CHECKING:
    from .data_source_contract import DataSourceContract as DataSourceContract
    from .engine_contract import EngineContract as EngineContract
    from .store_contract import StoreContract as StoreContract

_CONTRACTS = {
    "DataSourceContract": "data_source_contract",
    "EngineContract": "engine_contract",
    "StoreContract": "store_contract",
}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise MissingExtra("contracts", "pytest", "test") from error
    pytest.register_assert_rewrite(f"{__name__}.{_CONTRACTS[name]}")
    return getattr(import_module(f"{__name__}.{_CONTRACTS[name]}"), name)
