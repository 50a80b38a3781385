"""Configuration of the documentation."""

from importlib.metadata import version as distribution_version

project = "beat.backend.python"
copyright = "2026, the beat.backend.python developers"
release = distribution_version("beat.backend.python")
version = release
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"{project} {release}"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
exclude_patterns = ["_build"]
