"""The kinds of objects in a prefix, and of documents that have a schema."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of object.

    Attributes
    ----------
    name, title : str
        What it is called, in programs and for people.
    folder : str
        Where the objects are in a prefix.
    form : str
        What names of such objects look like.
    pattern : str
        The names that other objects can refer to.
    has_code : bool
        Whether there is code beside the declaration.
    """

    name: str
    title: str
    folder: str
    form: str
    pattern: str
    has_code: bool = False

    @property
    def parts(self) -> int:
        """How many parts a name has."""
        return self.form.count("/") + 1

    @property
    def is_owned(self) -> bool:
        """Whether the first part of a name is a user."""
        return self.form.startswith("user/")


_OWNED = ("user/name/version", r"[a-zA-Z_][a-zA-Z0-9_-]*/[a-zA-Z0-9_-]+/[0-9]+")
_DATABASE = ("name/version", r"[a-zA-Z_][a-zA-Z0-9_-]+[a-zA-Z0-9]/[0-9]+")
_TEMPLATE = ("name/version", r"[a-zA-Z0-9_-]+/[0-9]+")
_EXPERIMENT = (
    "user/toolchain user/toolchain/version/name",
    r"(?:[a-zA-Z_][a-zA-Z0-9_-]*/){2}[a-zA-Z0-9_-]+/[0-9]+/[a-zA-Z0-9_-]+",
)

#: all kinds of objects in a prefix by name, those first that others are made of
KINDS = {
    kind.name: kind
    for kind in (
        Kind("dataformat", "Dataformat", "dataformats", *_OWNED),
        Kind("library", "Library", "libraries", *_OWNED, True),
        Kind("algorithm", "Algorithm", "algorithms", *_OWNED, True),
        Kind("protocoltemplate", "Protocol template", "protocoltemplates", *_TEMPLATE),
        Kind("database", "Database", "databases", *_DATABASE, True),
        Kind("toolchain", "Toolchain", "toolchains", *_OWNED),
        Kind("experiment", "Experiment", "experiments", *_EXPERIMENT),
        Kind("plotter", "Plotter", "plotters", *_OWNED, True),
        Kind("plotterparameter", "Plotter parameter", "plotterparameters", *_OWNED),
    )
}

#: the versions of each schema
VERSIONS = {
    **dict.fromkeys([*KINDS, "execution", "statistics"], (1,)),
    "algorithm": (1, 2, 3),
    "database": (1, 2),
    "toolchain": (1, 2),
    "experiment": (1, 2),
}
