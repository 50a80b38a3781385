"""The version of this package: processes of one run must not be of several."""

from __future__ import annotations

VERSION = "2.0.0"
