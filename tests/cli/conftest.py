"""The ``beat`` command, called as it is on a command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from beat.backend.python.cli import main


@pytest.fixture
def call() -> Callable[..., Any]:
    """Call the command on a prefix; return its result."""

    def call(prefix: Any, *arguments: str, status: int = 0) -> Any:
        shown = CliRunner().invoke(main, ["--prefix", str(prefix), *arguments])
        if shown.exception is not None and not isinstance(shown.exception, SystemExit):
            raise shown.exception
        assert shown.exit_code == status, shown.output
        return shown

    return call
