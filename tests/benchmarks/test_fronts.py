"""Pareto fronts: which of the plans that were found are synthesised."""

from __future__ import annotations

from typing import Any, cast

from benchmarks.fronts import spread


class One:
    """A plan of which only the cycles count."""

    def __init__(self, cycles: float) -> None:
        self.cycles = cycles


def cycles(found: list[float], points: int) -> list[float]:
    """Return the cycles of the plans that are chosen."""
    return [one.cycles for one in spread(cast(Any, [One(c) for c in found]), points)]


def test_a_few_plans_are_all_taken() -> None:
    assert cycles([900, 30, 10], 3) == [900, 30, 10]
    assert cycles([900], 6) == [900]


def test_plans_between_lie_at_equal_ratios() -> None:
    found = [1000.0, 990, 105, 98, 11, 10, 1]
    assert cycles(found, 4) == [1000, 98, 10, 1]
    # Where one plan is nearest to two goals, it comes once.
    assert cycles([1000.0, 999, 998, 997, 1], 4) == [1000, 997, 1]
