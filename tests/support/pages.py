"""Runs the pages of the documentation: what they show is done, in order, and must come out.

A page is one session: its Python examples share their names, its commands share a shell, and all
of it happens in one folder. A block of code whose caption is the name of a file is that file.
"""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MARK = "-- end of the command --"
PROGRAMS = {
    "beat": "from beat.backend.python.cli import main\nmain(prog_name='beat')",
    "pytest": "import pytest\nraise SystemExit(pytest.main())",
}
#: a block of commands is run if its first one is one of these, not if it is `docker', say
RUN = {*PROGRAMS, "cat", "echo", "ls", "mkdir", "rm", "sed"}


class Block(NamedTuple):
    """A ``code-block`` of a page."""

    language: str
    caption: str
    text: str
    line: int


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(".. code-block::"):
            continue
        inside = number + 1
        caption = ""
        while lines[inside].strip():  # the options of the block
            if lines[inside].strip().startswith(":caption:"):
                caption = lines[inside].split(":caption:")[1].strip()
            inside += 1
        inside += 1  # an empty line
        margin = len(line) - len(line.lstrip())
        end = inside
        while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > margin):
            end += 1
        content = textwrap.dedent("\n".join(lines[inside:end])).strip("\n") + "\n"
        yield Block(line.split("::")[1].strip(), caption, content, inside)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def commands_of(block: Block) -> Iterator[tuple[str, str, int]]:
    """Yield each command of a console block that is run, what it prints, and its line."""
    if block.text.removeprefix("$ ").split()[0] not in RUN:
        return
    command, shown, line = "", "", 0
    for number, text in enumerate(block.text.splitlines(keepends=True)):
        if text.startswith("$ "):
            if command:
                yield command, shown, line
            command, shown, line = text[2:], "", block.line + number
        elif text.startswith("> ") and not shown:
            command += text[2:]
        else:
            shown += text
    if command:
        yield command, shown, line


def examples_of(text: str) -> list[doctest.Example]:
    """Return everything a page shows, in its order, as examples of a doctest."""
    examples = doctest.DocTestParser().get_examples(text)
    for block in blocks_of(text):
        if block.language == "console":
            for command, shown, line in commands_of(block):
                examples.append(doctest.Example(f"shell({command!r})\n", shown, lineno=line))
        elif block.caption:
            source = f"write({block.caption!r}, {block.text!r})\n"
            examples.append(doctest.Example(source, "", lineno=block.line))
        elif block.language in CHECKS:
            source = f"check({block.language!r}, {block.text!r})\n"
            examples.append(doctest.Example(source, "", lineno=block.line))
    return sorted(examples, key=lambda example: example.lineno)


#: fragments that are no files are well-formed at least
CHECKS: dict[str, Callable[[str], object]] = {
    "python": lambda text: compile(text, "<fragment>", "exec"),
    "json": json.loads,
}


def check(language: str, text: str) -> None:
    """Raise an error if a fragment of code is not well-formed."""
    CHECKS[language](text)


class Shell:
    """A shell in which the commands of a page are run one after the other.

    Parameters
    ----------
    folder : pathlib.Path
        Where it is.
    programs : pathlib.Path
        A new folder for the programs it shall find.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        programs.mkdir()
        for name, code in PROGRAMS.items():
            (programs / name).write_text(f"#!{sys.executable}\n{code}\n")
            (programs / name).chmod(0o755)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("BEAT_", "PYTEST"))}
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        environment["COLUMNS"] = "100"
        environment["PYTEST_DEBUG_TEMPROOT"] = str(programs)
        if "beat" not in {point.name for point in entry_points(group="pytest11")}:
            environment["PYTEST_ADDOPTS"] = "-p beat.backend.python.pytest_plugin"
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, command: str) -> None:
        """Run a command and print what it prints; ``$?`` is the exit status of the one before."""
        assert self._process.stdin is not None and self._process.stdout is not None
        guarded = f"{{ {command}\n}} </dev/null\nstatus=$?; echo; echo '{MARK}'; (exit $status)\n"
        self._process.stdin.write(guarded)
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.strip() == MARK:
                break
            lines.append(line)
        else:
            raise RuntimeError(f"the shell has ended at: {command}")
        print("".join(lines).strip("\n"))

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


def run_page(page: Path, folder: Path, programs: Path) -> doctest.TestResults:
    """Do in a folder, which is to be the current one, what a page shows."""
    text = page.read_text(encoding="utf-8")

    def write(name: str, content: str) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")

    with Shell(folder, programs) as shell:
        names = {"shell": shell, "write": write, "check": check, "__name__": "__main__"}
        test = doctest.DocTest(examples_of(text), names, page.name, str(page), 0, text)
        return doctest.DocTestRunner(optionflags=FLAGS).run(test)
