"""Decays as shifts: the leak of the contract that comes nearest to a decay."""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement

#: Largest shift that is tried: beyond it, a leak takes less than a thousandth of a percent.
MAX_SHIFT = 16
MAX_SHIFTS = 3
#: A leak with fewer shifts is taken if it is as near as this.
NEAR = 2.0**-13


def shifts_for(decay: float) -> tuple[int, ...]:
    """Return up to three signed shifts whose leak leaves about ``decay`` of a value.

    The fewest that are near, and otherwise those that are nearest. Of equally near ones, those
    with the smallest shifts, which need the fewest fraction bits.

    >>> shifts_for(0.875), shifts_for(1.0), shifts_for(0.9)
    ((3,), (), (3, -5, 7))
    >>> decay_of((3, -5, 7))
    0.8984375
    """
    best: tuple[int, ...] = ()
    for count in range(MAX_SHIFTS + 1):
        nearest = min(_leaks(count), key=lambda shifts: (_off(shifts, decay), max(map(abs, shifts), default=0)))
        if _off(nearest, decay) < _off(best, decay):
            best = nearest
        if _off(best, decay) <= NEAR:
            break
    return best


def decay_of(shifts: tuple[int, ...]) -> float:
    """Return the share of a value that a leak leaves, apart from rounding."""
    return 1.0 - sum(2.0 ** -abs(k) * (1 if k > 0 else -1) for k in shifts)


def _off(shifts: tuple[int, ...], decay: float) -> float:
    return abs(decay_of(shifts) - decay)


@cache
def _leaks(count: int) -> tuple[tuple[int, ...], ...]:
    signed = [k * sign for k in range(1, MAX_SHIFT + 1) for sign in (1, -1)]
    return tuple(
        shifts
        for shifts in combinations_with_replacement(signed, count)
        if not any(-k in shifts for k in shifts)
    )
