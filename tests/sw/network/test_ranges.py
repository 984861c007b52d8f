from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import MAX_WIDTH, Range

SMALL = [Range(low, high) for low in range(-9, 10) for high in range(low, 10)]
RANGES = st.tuples(st.integers(), st.integers()).map(lambda p: Range(min(p), max(p)))


def fits(value: int, width: int, signed: bool) -> bool:
    if signed:
        return -(1 << width - 1) <= value < 1 << width - 1
    return 0 <= value < 1 << width


@pytest.mark.parametrize("limits", SMALL, ids=str)
def test_width_is_the_narrowest_register_that_holds_all(limits: Range) -> None:
    def holds(width: int) -> bool:
        return fits(limits.low, width, limits.signed) and fits(limits.high, width, limits.signed)

    assert limits.signed == (limits.low < 0)
    assert holds(limits.width)
    assert limits.width == 1 or not holds(limits.width - 1)


def test_arithmetic_is_exact_over_the_small_domain() -> None:
    for a in SMALL[::5]:
        values = range(a.low, a.high + 1)
        assert [v in a for v in range(-12, 13)] == [v in values for v in range(-12, 13)]
        for factor in range(4):
            products = [factor * v for v in values]
            assert a.times(factor) == Range(min(products), max(products))
        for b in SMALL[::7]:
            sums = [x + y for x in values for y in range(b.low, b.high + 1)]
            assert a + b == Range(min(sums), max(sums))
            differences = [x - y for x in values for y in range(b.low, b.high + 1)]
            assert a - b == Range(min(differences), max(differences))
            both = [*values, *range(b.low, b.high + 1)]
            assert a | b == Range(min(both), max(both))


@given(RANGES, RANGES)
def test_a_union_is_never_narrower(a: Range, b: Range) -> None:
    assert (a | b).width >= a.width or not a.signed


def test_width_limit() -> None:
    for limits in (Range(0, 2**MAX_WIDTH - 1), Range(-(2 ** (MAX_WIDTH - 1)), 5)):
        assert limits.require_width("x") is limits
    for limits in (Range(0, 2**MAX_WIDTH), Range(-1, 2 ** (MAX_WIDTH - 1))):
        with pytest.raises(ContractError, match=r"the sum needs 49 bits \(.*more than the 48"):
            limits.require_width("the sum")


def test_nonsense_is_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not 2 > 1"):
        Range(2, 1)
    with pytest.raises(ValueError, match="must not be negative, not -1"):
        Range(0, 1).times(-1)
