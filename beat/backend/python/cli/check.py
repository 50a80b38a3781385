"""``beat check``: finds what is wrong in a prefix, without running anything."""

from __future__ import annotations

from typing import Any

import click
import simplejson

from ..checks import Entry, open_catalog
from ..schema import KINDS, Finding
from .main import Folders, check_prefix
from .names import find_entries


@click.command()
@click.argument("names", metavar="[NAME|KIND|PATH]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check declarations and code, by default those of the whole prefix.

    What an object refers to is checked with it. Nothing is run or imported. The exit status is 0
    if there are no errors (warnings do not count), 1 if there are, 2 if a name stands for nothing.
    """
    folders: Folders = ctx.obj
    check_prefix(folders)
    catalog = open_catalog(folders.prefix)
    findings: list[tuple[Entry | None, Finding]] = []
    if names:
        chosen = [entry for name in names for entry in find_entries(catalog, name)]
        entries = catalog.closure(chosen)
    else:
        everything = (catalog.find(kind, name) for kind in KINDS for name in catalog.names(kind))
        entries = [entry for entry in everything if entry is not None]
        findings += [(None, stray) for stray in catalog.strays()]
    findings += [(entry, finding) for entry in entries for finding in entry.findings]
    if as_json:
        click.echo(simplejson.dumps(_as_json(len(entries), findings), indent=4))
    else:
        for _, finding in findings:
            click.echo(finding)
        click.echo(_summary(len(entries), [finding for _, finding in findings]))
    ctx.exit(int(any(finding.is_error for _, finding in findings)))


def _summary(objects: int, findings: list[Finding]) -> str:
    errors = sum(finding.is_error for finding in findings)
    warnings = len(findings) - errors
    counted = [(errors, "error"), *([(warnings, "warning")] if warnings else [])]
    texts = [f"{number or 'no'} {word}{'' if number == 1 else 's'}" for number, word in counted]
    return f"{objects} object{'' if objects == 1 else 's'} checked: {' and '.join(texts)}"


def _as_json(objects: int, findings: list[tuple[Entry | None, Finding]]) -> dict[str, Any]:
    errors = sum(finding.is_error for _, finding in findings)
    return {
        "objects": objects,
        "errors": errors,
        "warnings": len(findings) - errors,
        "findings": [
            {
                "kind": entry.kind.name if entry else None,
                "name": entry.name if entry else None,
                **finding.as_dict(),
            }
            for entry, finding in findings
        ],
    }
