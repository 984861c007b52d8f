from __future__ import annotations

import itertools
from typing import Any

import pytest

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network import Range
from spikeloom.sw.network.leaks import checked_leak, leaked, leaked_range, reach

#: Every leak of up to three shifts of up to 3, in ascending order of their size.
SMALL = [
    shifts
    for length in range(4)
    for shifts in itertools.combinations_with_replacement((1, -1, 2, -2, 3, -3), length)
]


def by_hand(v: int, shifts: tuple[int, ...]) -> int:
    return v - sum(v // 2**k if k > 0 else -(v // 2**-k) for k in shifts)


@pytest.mark.parametrize("shifts", SMALL)
def test_ranges_hold_all_values_and_little_more(shifts: tuple[int, ...]) -> None:
    values = {v: by_hand(v, shifts) for v in range(-21, 22)}
    assert values == {v: leaked(v, shifts) for v in values}
    for low, high in itertools.combinations_with_replacement(values, 2):
        seen = [values[v] for v in range(low, high + 1)]
        proven = leaked_range(Range(low, high), shifts)
        assert proven.low <= min(seen)
        assert max(seen) <= proven.high
        # Each shift rounds by less than 1, and where the order is kept, the ends are tight.
        slack = 0 if sorted(values.values()) == list(values.values()) else len(shifts)
        assert min(seen) - slack <= proven.low
        assert proven.high <= max(seen) + slack


def test_order_of_shifts_does_not_matter() -> None:
    for shifts in itertools.permutations((2, -3, 31)):
        assert leaked(-1234567, shifts) == leaked(-1234567, (2, -3, 31))
        values = Range(-1234567, 7654321)
        assert leaked_range(values, shifts) == leaked_range(values, (2, -3, 31))


def test_ranges_over_time() -> None:
    # By hand: -4 - (-2) - 3 = -5, then -5 - (-3) - 3 = -5; 6 - 3 + 5 = 8, 8 - 4 + 5 = 9.
    assert reach(Range(-4, 6), [Range(-3, 5)] * 2, (1,)) == Range(-5, 9)
    assert reach(Range(-4, 6), [Range(-3, 5)], (1,), Range(-20, 7)) == Range(-20, 8)
    # A gain of 2 in every timestep is given up where no register holds it any more.
    assert reach(Range(0, 2), [Range(0, 0)] * 4096, (-1, -1)).width == 49


@pytest.mark.parametrize(
    ("leak", "message"),
    [
        ((1, 2, 3, 4), "leak must have at most 3 shifts, not 4"),
        ((1, 0), "leak must be from 1 to 31, or from -31 to -1, not 0"),
        ((-32,), "leak must be from -31 to 31, not -32"),
        ((1.0,), r"leak must be an integer, not 1\.0"),
        (True, "leak must be an integer, not True"),
        ("3", "leak must be an integer, not '3'"),
        ({}, "leak must be an integer, not {}"),
    ],
)
def test_no_leaks(leak: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        checked_leak(leak)


def test_leaks_as_they_may_be_given() -> None:
    assert (checked_leak(None), checked_leak([]), checked_leak(())) == ((), (), ())
    assert (checked_leak(3), checked_leak([3]), checked_leak((3, -4))) == ((3,), (3,), (3, -4))


def test_decays_of_three_shifts_are_as_close_as_the_documentation_says() -> None:
    worths = [0.0, *(sign * 2.0**-k for k in range(1, 32) for sign in (1, -1))]
    sums = {a + b for a in worths for b in worths}
    decays = sorted({1 - a - b for a in sums for b in worths})
    for low, high, error in ((0.5, 1, 1 / 128), (0.8, 0.95, 1 / 256)):
        near = [low, *(beta for beta in decays if low < beta < high), high]
        assert max(b - a for a, b in itertools.pairwise(near)) / 2 <= error
