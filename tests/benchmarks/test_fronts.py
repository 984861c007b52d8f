"""Pareto fronts: which of the plans that were found are synthesised."""

from __future__ import annotations

from typing import Any, cast

from benchmarks.fronts import spread
from spikeloom.hw.search import Amounts


class One:
    """A plan of which only cycles and look-up tables count."""

    def __init__(self, cycles: float, luts: float) -> None:
        self.cycles, self.amounts = cycles, Amounts(luts)


def chosen(found: list[tuple[float, float]], points: int) -> list[float]:
    """Return the cycles of the plans that are chosen."""
    return [one.cycles for one in spread(cast(Any, [One(*x) for x in found]), points)]


def test_a_few_plans_are_all_taken() -> None:
    assert chosen([(900, 1), (30, 2), (10, 3)], 3) == [900, 30, 10]
    assert chosen([(900, 5)], 6) == [900]


def test_plans_between_lie_at_equal_distances() -> None:
    # Both fall, or rise, by the same ratio from the first plan to the last.
    found = [(1000, 1), (990, 1.1), (100, 9), (98, 10), (11, 90), (10, 100), (1, 1000)]
    assert chosen([*found], 4) == [1000, 98, 10, 1]
    # A plan that is larger alone, or faster alone, is half as far away.
    assert chosen([(1000, 1), (1000, 1000), (1, 1000)], 3) == [1000, 1000, 1]
    assert chosen([(1000, 1), (31, 31), (1000, 31), (1, 1000)], 3) == [1000, 31, 1]
    # Where one plan is nearest to two goals, it comes once.
    assert chosen([(1000, 1), (999, 1), (998, 1), (997, 1.1), (1, 1000)], 4) == [1000, 997, 1]
