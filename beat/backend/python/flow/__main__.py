"""``python -m beat.backend.python.flow``: runs flows."""

from __future__ import annotations

import sys

from .command import main

sys.exit(main())
