"""Python code, looked at without being imported."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from ..schema import Finding
from ..schema.document import excerpt
from ..schema.finding import ERROR

#: larger files are not looked at
MAX_SIZE = 2**20


class Source:
    """A Python file.

    Attributes
    ----------
    path : str
        How the file is called in messages.
    tree : ast.Module or None
        Its syntax tree; None if it has none.
    findings : list of Finding
        Why there is no tree.
    """

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.lines = content.decode("utf-8", "replace").split("\n")
        self.tree: ast.Module | None = None
        self.findings: list[Finding] = []
        if len(content) > MAX_SIZE:
            self.findings.append(self.finding(1, 0, f"too large: {len(content):,} bytes"))
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.tree = ast.parse(content)
        except SyntaxError as error:
            line = min(error.lineno or 1, len(self.lines))
            self.findings.append(
                self.finding(line, (error.offset or 1) - 1, f"invalid Python code: {error.msg}")
            )
        except (ValueError, RecursionError, MemoryError) as error:
            self.findings.append(self.finding(1, 0, f"invalid Python code: {error}"))

    @classmethod
    def read(cls, file: str, path: str) -> Source:
        """Return the code in a file, which is called ``path`` in messages."""
        try:
            with Path(file).open("rb") as f:
                return cls(path, f.read(MAX_SIZE + 1))
        except OSError as error:
            source = cls(path, b"")
            source.findings.append(source.finding(1, 0, f"cannot be read: {error.strerror}"))
            return source

    def finding(
        self,
        line: int,
        start: int,
        message: str,
        *,
        end: int | None = None,
        severity: str = ERROR,
        expected: str | None = None,
        found: str | None = None,
        suggestion: str | None = None,
    ) -> Finding:
        """Return a finding in a line, counted from 1, at a column, counted from 0."""
        start = max(start, 0)
        return Finding(
            message,
            severity,
            path=self.path,
            line=line,
            column=start + 1,
            expected=expected,
            found=found,
            suggestion=suggestion,
            excerpt=excerpt(
                self.lines[max(line - 2, 0) : line], line, start, start + 1 if end is None else end
            ),
        )

    @cached_property
    def names(self) -> dict[str, ast.stmt]:
        """What the module binds at its top level, and where."""
        return {} if self.tree is None else bindings(self.tree.body)

    @property
    def classes(self) -> list[str]:
        """The names of the classes at the top level."""
        return [name for name, node in self.names.items() if isinstance(node, ast.ClassDef)]

    def at(self, node: ast.ClassDef | ast.FunctionDef, message: str, expected: str) -> Finding:
        """Return a finding at the name of a class or of a function."""
        start = self.lines[node.lineno - 1].find(node.name)
        return self.finding(
            node.lineno, start, message, end=start + len(node.name), expected=expected
        )


def bindings(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """Return the names that statements bind, and the last statement that does."""
    return dict(_bindings(body))


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield (alias.asname or alias.name).partition(".")[0], node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (part for target in targets for part in ast.walk(target))
            yield from ((part.id, node) for part in names if isinstance(part, ast.Name))
        else:
            for block in ("body", "handlers", "orelse", "finalbody"):
                for inner in getattr(node, block, []):
                    is_handler = isinstance(inner, ast.ExceptHandler)
                    yield from _bindings(inner.body if is_handler else [inner])
