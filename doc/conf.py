"""Configuration of the documentation."""

import sys
from importlib.metadata import version as distribution_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "beat.backend.python"
copyright = "2026, the beat.backend.python developers"
release = distribution_version("beat.backend.python")
version = release
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_click",
    "sphinxarg.ext",
    "schema_tables",
]
html_theme = "furo"
html_title = f"{project} {release}"
default_role = "autolink"
smartquotes = False  # they make one dash of two, in the names of options too
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [
    # a name in backticks is a link where it is found in the reference, else only a name
    ("py:obj", ".*"),
    # there is no network where this is built, hence there are no inventories of other projects
    ("py:class", r"(abc|enum|threading|typing|_pickle)\..*"),
]
