"""The form of declarations: their JSON Schemas, and what does not follow them, with its place."""

from __future__ import annotations

import os
from typing import Any, Protocol

from .document import Document as Document
from .finding import ERROR as ERROR
from .finding import WARNING as WARNING
from .finding import Finding as Finding
from .kinds import KINDS as KINDS
from .kinds import VERSIONS as VERSIONS
from .kinds import Kind as Kind
from .node import Node as Node
from .store import load as load


class Readable(Protocol):
    """A file object."""

    def read(self) -> str | bytes:
        """Return the whole content."""


def validate(
    kind: str, document: dict[str, Any] | str | os.PathLike[str] | Readable
) -> tuple[Any, list[Finding]]:
    """Validate a document against the schema of its kind and version.

    Parameters
    ----------
    kind : str
        ``dataformat``, ``algorithm``, ``library``, ``database``, ``protocoltemplate``,
        ``toolchain``, ``experiment``, ``plotter``, ``plotterparameter``, ``execution`` or
        ``statistics``.
    document : dict, str, path or file
        The data itself, the path of a file, JSON text, or an open file.

    Returns
    -------
    object
        The data; None if the text is no acceptable JSON.
    list of Finding
        Everything that is wrong, in the order of the file; empty if all is well.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    from .validator import findings

    if kind not in VERSIONS:
        raise ValueError(f"no schema for `{kind}': expected one of {', '.join(VERSIONS)}")
    found = _document(document)
    return found.data, in_order(findings(kind, found))


def in_order(findings: list[Finding]) -> list[Finding]:
    """Return findings in the order of their places; those in the code come last."""
    return sorted(findings, key=lambda f: (f.path or "", f.line or 0, f.column or 0))


def _document(document: Any) -> Document:
    if isinstance(document, os.PathLike):
        return Document.read(document)
    if isinstance(document, str):
        is_text = document.lstrip()[:1] in ("{", "[") and not os.path.exists(document)
        return Document.parse(document) if is_text else Document.read(document)
    if hasattr(document, "read"):
        return Document.parse(document.read(), getattr(document, "name", None))
    return Document(None, None, document)
