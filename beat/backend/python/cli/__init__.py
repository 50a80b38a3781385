"""The ``beat`` command: a thin skin over the packages that do the work."""

from .main import main as main
