"""The short report of coverage."""

from __future__ import annotations

from typing import Any

from support.coverage import MOST, report


def content(**files: tuple[float, int]) -> dict[str, Any]:
    return {
        "summary": {"percent_covered": 97.25},
        "files": {
            name: {"summary": {"percent_covered": percent}, "missing_lines": list(range(missing))}
            for name, (percent, missing) in files.items()
        },
    }


def test_files_below_the_floor_are_listed_the_least_covered_first() -> None:
    assert report(content(a=(89.5, 3), b=(90.0, 20), c=(12.0, 7))) == [
        "97.2% of the lines in 3 files are covered; 2 files are below 90%:",
        "   12.0%  c, 7 lines missing",
        "   89.5%  a, 3 lines missing",
    ]


def test_nothing_is_listed_where_all_is_covered() -> None:
    assert report(content(a=(90.0, 1))) == ["97.2% of the lines in 1 files are covered"]


def test_a_long_list_is_cut() -> None:
    lines = report(content(**{f"f{n:02}": (n, 1) for n in range(MOST + 5)}))
    assert len(lines) == MOST + 2
    assert lines[-1] == "  and 5 more"
