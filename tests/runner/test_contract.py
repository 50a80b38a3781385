"""The contract of engines, on all of them."""

from __future__ import annotations

import pytest

from beat.backend.python.runner import DebugEngine, InlineEngine, ProcessEngine
from beat.backend.python.testing import EngineContract
from beat.backend.python.testing.engine_contract import MakeEngine


class TestInlineEngine(EngineContract):
    ends_blocks = False

    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        return InlineEngine


class TestProcessEngine(EngineContract):
    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        return ProcessEngine


class TestDebugEngine(EngineContract):
    """Whose debugger stops at no block here."""

    ends_blocks = False

    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        return lambda cache: DebugEngine("none", cache, InlineEngine(cache))
