"""Fixtures for the unit tests of algorithms and views, known to pytest wherever this is installed.

``--beat-prefix`` names the prefix folder (``prefix`` by default); ``--beat-update`` has golden
files written instead of compared. Nothing else is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing.golden import Golden
    from .testing.viewing import ViewUnits


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("beat", "algorithms and views of a BEAT prefix")
    group.addoption("--beat-prefix", default="prefix", help="The prefix folder.")
    group.addoption("--beat-update", action="store_true", help="Write golden files anew.")


@pytest.fixture
def beat_prefix(request: pytest.FixtureRequest) -> str:
    """Return the prefix folder; override it in ``conftest.py`` or give ``--beat-prefix``."""
    return str(Path(request.config.getoption("--beat-prefix")).absolute())


@pytest.fixture
def beat_cache(tmp_path: Path) -> str:
    """Return an empty cache folder."""
    folder = tmp_path / "beat-cache"
    folder.mkdir()
    return str(folder)


@pytest.fixture
def beat_algorithm(beat_prefix: str) -> Callable[..., Callable[..., Any]]:
    """Return a function of an algorithm's name, which returns what runs it.

    The latter takes the arguments of `run_algorithm`, without name and prefix.
    """
    from .testing.running import run_algorithm

    def algorithm(name: str) -> Callable[..., Any]:
        def run(inputs: Any, **options: Any) -> Any:
            return run_algorithm(name, inputs, **{"prefix": beat_prefix, **options})

        return run

    return algorithm


@pytest.fixture
def beat_view(beat_prefix: str, beat_cache: str) -> Callable[..., ViewUnits]:
    """Return a function of a database, a protocol and a set, which returns its units by output."""
    from .testing.viewing import ViewUnits

    def view(database: str, protocol: str, set_name: str, **options: Any) -> ViewUnits:
        return ViewUnits(beat_prefix, beat_cache, database, protocol, set_name, **options)

    return view


@pytest.fixture
def beat_golden(request: pytest.FixtureRequest) -> Golden:
    """Return what compares values with a file beside the test."""
    from .testing.golden import Golden

    name = f"{request.path.stem}.{request.node.name}.json"
    return Golden(request.path.parent / "golden" / name, request.config.getoption("--beat-update"))
