"""The tables of ``docs/mutants.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.page import replace, table

from mutants.equivalent import reason, text
from mutants.records import Result


def unexplained(results: Sequence[Result]) -> list[Result]:
    """Return the survivors that are not equivalent to the source, as far as is known."""
    return [one for one in results if not one.killed and not reason(one)]


def summary(results: Sequence[Result]) -> str:
    """Return the numbers in one line."""
    killed = sum(one.killed for one in results)
    clock = sum(one.outcome == "clock" for one in results)
    unrun = sum(one.outcome == "unrun" for one in results)
    met = len(results) - unrun
    left = sum(one.outcome != "unrun" for one in unexplained(results))
    return (
        f"{len(results)} mutants, {met} of which have met tests: {killed} killed "
        f"({100 * killed / max(met, 1):.1f} %), {clock} of them by the clock; "
        f"{met - killed - left} equivalent, {left} not explained"
    )


def by_folder(results: Sequence[Result]) -> str:
    """Return a table with a row for each folder."""
    folders: dict[str, list[Result]] = {}
    for one in results:
        folders.setdefault(str(Path(one.file).parent), []).append(one)
    rows = [_row(f"`{folder}`", mine) for folder, mine in folders.items()]
    header = ["folder", "#mutants", "#killed", "#of them by the clock", "#equivalent", "#survived"]
    header.append("#met no test")
    return table(
        [*header, "#killed of those that met tests, %"], [*sorted(rows), _row("all", results)]
    )


def _row(name: str, results: Sequence[Result]) -> list[str]:
    killed = sum(one.killed for one in results)
    clock = sum(one.outcome == "clock" for one in results)
    unrun = sum(one.outcome == "unrun" for one in results)
    met = len(results) - unrun
    left = sum(one.outcome != "unrun" for one in unexplained(results))
    numbers = (len(results), killed, clock, met - killed - left, left, unrun)
    return [name, *map(str, numbers), f"{100 * killed / met:.1f}" if met else "-"]


def survivors(results: Sequence[Result]) -> str:
    """Return a table with a row for each survivor."""
    rows = [
        [
            f"`{one.file}`",
            _code(text(one)),
            f"{_code(one.before)} → {_code(one.after)}",
            reason(one) or "not explained",
        ]
        for one in sorted(results, key=lambda one: one.mutant)
        if one.outcome == "survived"
    ]
    return table(["file", "line", "change", "why no test can tell"], rows)


def _code(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return f"`{text if len(text) <= 70 else text[:67] + '...'}`"


def write(page: Path, results: Sequence[Result]) -> None:
    """Write both tables into a page."""
    replace(page, "folders", f"{by_folder(results)}\n\n{summary(results)}.")
    replace(page, "survivors", survivors(results))
