"""``python -m mutants``: let mutants meet the tests, and write ``docs/mutants.md``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from mutants import choice, records, report
from mutants.records import Result
from mutants.session import DESELECTED, TESTS, Run

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=310, help="mutants, about [310]")
    parser.add_argument(
        "--seed", type=int, default=choice.SEED, help="chooses among those possible"
    )
    parser.add_argument(
        "--only", default="", metavar="NAME", help="those whose name begins so, as FILE:LINE"
    )
    parser.add_argument("--first", type=int, help="as many, and no page is written")
    parser.add_argument(
        "--limit", type=float, default=3.0, help="seconds after which a test is cut off [3]"
    )
    parser.add_argument(
        "--budget", type=float, default=12.0, help="time of the tests that one mutant meets [12]"
    )
    parser.add_argument("--again", action="store_true", help="survivors meet the tests once more")
    parser.add_argument(
        "--tests", nargs="+", default=TESTS, metavar="PATH", help="tests that mutants meet"
    )
    parser.add_argument(
        "--report", action="store_true", help="write the page from all results of these sources"
    )
    parser.add_argument("--list", action="store_true", help="print the mutants, and run nothing")
    options = parser.parse_args()

    folder = ROOT / "build" / "mutants"
    if options.report:
        done = records.results(folder / "results.jsonl").values()
        return finish([one for one in done if one.digest == choice.digest_of(ROOT, one)])
    mutants = choice.chosen(ROOT, options.count, options.seed)
    if options.only:
        mutants = [one for one in mutants if one.name.startswith(options.only)]
    mutants = mutants[: options.first]
    if options.list:
        for one in mutants:
            print(f"{one.name}: {one.before} -> {one.after}")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out:
        run = Run(
            ROOT,
            choice.files(ROOT),
            mutants,
            folder,
            options.limit,
            options.budget,
            again=options.again,
            out=out,
        )
        arguments = ["-q", "-p", "no:cacheprovider", "--tb=no", f"--basetemp={folder / 'tmp'}"]
        arguments += ["-k", DESELECTED, *(str(ROOT / test) for test in options.tests)]
        status = pytest.main(arguments, plugins=[run])
    if len(run.results) < len(mutants):
        return int(status) or 1
    if options.only or options.first is not None or options.tests != TESTS:
        print(report.summary(run.results))
        return 1 if report.unexplained(run.results) else 0
    return finish(run.results)


def finish(results: list[Result]) -> int:
    """Write the page; return 1 if there is a survivor that is not explained."""
    print(report.summary(results))
    report.write(ROOT / "docs" / "mutants.md", results)
    return 1 if report.unexplained(results) else 0


if __name__ == "__main__":
    sys.exit(main())
