from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pytest

from spikeloom.hw.values import DigitPlan
from spikeloom.sw.network import Range


@cache
def fewest(value: int) -> int:
    """Digits that any signed-digit form of ``value`` needs: a multiple of 2, or one digit less."""
    if value < 0:
        return fewest(-value)
    if value < 2:
        return value
    if value % 2 == 0:
        return fewest(value // 2)
    return 1 + min(fewest((value - 1) // 2), fewest((value + 1) // 2))


@pytest.mark.parametrize("first", range(0, 301, 50))
def test_every_value_of_every_range(first: int) -> None:
    for high in range(first, first + 50):
        check(Range(0, high), range(high + 1))


@pytest.mark.parametrize("low", [-1, -2, -3, -4, -7, -8, -21, -43, -64])
def test_every_value_of_ranges_with_negative_ones(low: int) -> None:
    for high in range(low, 70):
        check(Range(low, high), range(low, high + 1))


@pytest.mark.parametrize("high", [511, 512, 682, 683, 1023, 1365, 43690, 65535])
def test_wide_ranges(high: int) -> None:
    values = [0, 1, high // 3, high // 2, high - 1, high]
    check(Range(0, high), values)
    check(Range(-high, high), [*values, *(-value for value in values)])
    check(Range(-high, 1), [0, 1, *(-value for value in values)])


def check(allowed: Range, values: Iterable[int]) -> None:
    plan = DigitPlan.of(allowed)
    used = {0}
    for value in values:
        digits = plan.digits(value)
        shifts = [shift for _, shift in digits]
        assert sum(sign << shift for sign, shift in digits) == value
        assert len(digits) == fewest(value), f"{value} = {digits}"
        assert shifts == sorted(set(shifts))
        assert {sign for sign, _ in digits} <= {-1, 1}
        used.update(shifts)
    assert max(used) == plan.positions - 1, "as many positions as the largest shift needs"


def test_negative_digits_only_where_they_save_some() -> None:
    for high in range(301):
        plan = DigitPlan.of(Range(0, high))
        values = range(high + 1)
        assert plan.recoded == any(value.bit_count() > fewest(value) for value in values)
        signs = {sign for value in values for sign, _ in plan.digits(value)}
        assert (-1 in signs) == plan.recoded


def test_examples() -> None:
    assert DigitPlan.of(Range(0, 1)).digits(1) == [(1, 0)]
    assert DigitPlan.of(Range(0, 6)).digits(6) == [(1, 1), (1, 2)]
    assert DigitPlan.of(Range(0, 7)).digits(7) == [(-1, 0), (1, 3)]
    assert DigitPlan.of(Range(0, 255)).digits(91) == [(-1, 0), (-1, 2), (-1, 5), (1, 7)]
    assert DigitPlan.of(Range(0, 255)).digits(0) == []
    # Amplitudes of signed spikes: one digit each.
    assert DigitPlan.of(Range(-1, 1)) == DigitPlan(recoded=True, positions=1)
    assert DigitPlan.of(Range(-1, 1)).digits(-1) == [(-1, 0)]
    assert DigitPlan.of(Range(-8, 8)).digits(-8) == [(-1, 3)]
    assert DigitPlan.of(Range(-8, 8)).digits(-7) == [(1, 0), (-1, 3)]
