"""docs/timesteps.md has the rows that its command writes, and conversion lost no label."""

from __future__ import annotations

from benchmarks import page, timesteps
from benchmarks.timesteps import ROWS, SEEDS, TARGET, Result, row_of


def test_the_page_has_every_row() -> None:
    _, table, _ = page.parts(timesteps.PAGE.read_text(encoding="utf-8"), "parameterisations")
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:] if line[:1] == "|"]
    expected = [f"[{row}]" if isinstance(row, str) else f"fixed, {row}" for row in ROWS]
    assert [row[0] for row in rows] == expected
    for row, per_layer, averages, shares, lost in rows:
        found = [[int(t) for t in part.split(", ")] for part in per_layer.split("; ")]
        assert [f"{sum(steps) / len(steps):.2f}" for steps in found] == averages.split("; ")
        assert len(shares.split("; ")) == len(SEEDS)
        assert lost == "0"
        assert row.startswith("fixed") or all(float(x) <= TARGET for x in averages.split("; "))


def test_a_row() -> None:
    results = [Result((3, 2, 2), 355, 0, 360), Result((2, 2, 2), 180, 4, 360)]
    cells = ["3, 2, 2; 2, 2, 2", "2.33; 2.00", "98.61; 50.00", "4"]
    assert row_of("t,alpha", results) == ["[t,alpha]", *cells]
    assert row_of(3, results)[0] == "fixed, 3"
