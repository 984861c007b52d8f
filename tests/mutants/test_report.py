from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mutants import report
from mutants.equivalent import EQUIVALENT
from mutants.records import Result

KILLED = Result(
    "hw/a.py:1:more", "", "hw/a.py", "f", "more", "1", "2", "killed", "tests/a::b", 1, "", 0.1
)
CLOCK = dataclasses.replace(KILLED, outcome="clock", mutant="hw/a.py:2:more")
SURVIVED = dataclasses.replace(
    KILLED, outcome="survived", file="sw/b.py", mutant="sw/b.py:3:binary", before="a | b\n  | c"
)
EXPLAINED = dataclasses.replace(
    KILLED, outcome="survived", mutant="hw/a.py:3:less", before="3", after="2"
)
UNRUN = dataclasses.replace(KILLED, outcome="unrun", mutant="hw/a.py:4:more")


@pytest.fixture(autouse=True)
def one_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EQUIVALENT, ("hw/a.py", "", "less"), "it makes no difference")


def test_numbers() -> None:
    results = [KILLED, CLOCK, SURVIVED, EXPLAINED, UNRUN]
    assert report.unexplained(results) == [SURVIVED, UNRUN]
    assert report.summary(results) == (
        "5 mutants, 4 of which have met tests: 2 killed (50.0 %), 1 of them by the clock; "
        "1 equivalent, 1 not explained"
    )


def test_page(tmp_path: Path) -> None:
    page = tmp_path / "mutants.md"
    marks = "<!-- {0} -->\n<!-- /{0} -->\n"
    page.write_text(marks.format("folders") + marks.format("survivors"))
    report.write(page, [KILLED, CLOCK, SURVIVED, EXPLAINED, UNRUN])
    lines = page.read_text().splitlines()
    assert "| `hw` | 4 | 2 | 1 | 1 | 0 | 1 | 66.7 |" in lines
    assert "| `sw` | 1 | 0 | 0 | 0 | 1 | 0 | 0.0 |" in lines
    assert "| all | 5 | 2 | 1 | 1 | 1 | 1 | 50.0 |" in lines
    assert "| `hw/a.py` | `` | `3` → `2` | it makes no difference |" in lines
    assert r"| `sw/b.py` | `` | `a \| b \| c` → `2` | not explained |" in lines
