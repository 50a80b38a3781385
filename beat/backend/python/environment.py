"""The environment that algorithms run in: its name and version, and what is in it."""

from __future__ import annotations

import json
import os
import platform
from typing import Any

ENVIRONMENT_FILE = "/etc/beat/environment.json"

_KEYS = ("name", "version", "databases", "capabilities")


def environment(
    name: str | None = None, version: str | None = None, path: str = ENVIRONMENT_FILE
) -> dict[str, Any]:
    """Describe the environment of this process.

    Parameters
    ----------
    name, version : str, optional
        What it is called, instead of what the file says.
    path : str
        The file that describes it; without it, the name is ``Python`` and the version Python's.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no JSON object.
    """
    described: dict[str, Any] = {"name": "Python", "version": platform.python_version()}
    described["os"] = list(os.uname())
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            stored = json.load(f)
        if not isinstance(stored, dict):
            raise ValueError(f"{path}: expected a JSON object, got {type(stored).__name__}")
        described.update({key: stored[key] for key in _KEYS if key in stored})
    if name is not None:
        described["name"] = name
    if version is not None:
        described["version"] = version
    return described
