"""Packaging of beat.backend.python; metadata and tool settings live in pyproject.toml."""

from setuptools import find_packages, setup

CLI = ["click>=8.1"]
TEST = ["pytest>=7", "pytest-timeout", "hypothesis", "psutil"]

setup(
    packages=find_packages(include=["beat", "beat.*"]),
    package_data={
        "beat.backend.python": ["py.typed"],
        "beat.backend.python.schema": ["documents/*.json"],
    },
    install_requires=["numpy>=1.23.5", "simplejson", "jsonschema>=3.2", "pyzmq", "six", *CLI],
    extras_require={
        "test": TEST,
        "lint": ["ruff", "mypy", "import-linter", "types-simplejson", "types-jsonschema"],
        "docs": ["sphinx", "furo"],
    },
)
