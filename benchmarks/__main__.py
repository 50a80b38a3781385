"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .harness import load_areas, measure
from .harness.table import BASELINE, as_json, head, keep, line, load_kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser("benchmarks", description="Measure cases beside their limits.")
    parser.add_argument("--only", action="append", default=[], metavar="AREA", help="some areas")
    parser.add_argument("--case", default="", metavar="TEXT", help="cases with that in their names")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="how long to measure a pair [%(default)s]"
    )
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="measure this process's processor time: for a busy machine, and what waits for nobody",
    )
    parser.add_argument(
        "--compare",
        nargs="?",
        type=Path,
        const=BASELINE,
        metavar="FILE",
        help="tell what has changed since ratios were kept",
    )
    parser.add_argument(
        "--save", nargs="?", type=Path, const=BASELINE, metavar="FILE", help="keep the ratios"
    )
    options = parser.parse_args(arguments)
    kept = load_kept(options.compare) if options.compare else {}
    try:
        cases = [case for case in load_areas(options.only) if options.case in case.name]
    except ValueError as error:
        parser.error(str(error))
    clock = time.process_time if options.cpu else time.perf_counter
    results = []
    if not options.json:
        print(head())
    for case in cases:
        for result in measure(case, options.seconds, clock):
            results.append(result)
            if not options.json:
                print(line(result, kept), flush=True)
    if options.json:
        print(json.dumps(as_json(results), indent=2))
    else:
        missed = sum(not result.met for result in results)
        print(f"{len(results)} results, {missed} of them miss their target")
    if options.save:
        keep(results, options.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
