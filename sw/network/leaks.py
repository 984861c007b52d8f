"""Leaks of the contract: up to three signed shifts, and the range of the values that they leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.ranges import MAX_WIDTH, Range
from spikeloom.sw.network.record import require_int

#: Largest shift of a leak.
MAX_LEAK = 31
#: Most shifts of a leak.
MAX_SHIFTS = 3

#: A leak as users and files give it: its shifts, a single one, or none.
Leak = int | Sequence[int] | None


def checked_leak(leak: Any, what: str = "leak") -> tuple[int, ...]:
    """Return the shifts of a leak.

    Parameters
    ----------
    leak : Leak
    what : str
        Subject of error messages.

    Raises
    ------
    ContractError
        If there are more than three shifts, or one is 0 or beyond 31.
    """
    if leak is None:
        return ()
    shifts = tuple(leak) if isinstance(leak, (tuple, list)) else (leak,)
    if len(shifts) > MAX_SHIFTS:
        raise ContractError(f"{what} must have at most {MAX_SHIFTS} shifts, not {len(shifts)}")
    for shift in shifts:
        if not require_int(shift, what, -MAX_LEAK, MAX_LEAK):
            raise ContractError(
                f"{what} must be from 1 to {MAX_LEAK}, or from -{MAX_LEAK} to -1, not 0"
            )
    return tuple(int(shift) for shift in shifts)


def leaked(value: int, shifts: Sequence[int]) -> int:
    """Return the value behind a leak: less ``value >> k`` for each shift k, plus it if negative."""
    taken = (value >> k if k > 0 else -(value >> -k) for k in shifts)
    return value - sum(taken)


def leaked_range(values: Range, shifts: Sequence[int]) -> Range:
    """Return a range that holds every value of ``values`` behind a leak.

    Where a larger value never leaks to a smaller one, the ends of the range leak to its ends. That
    is so if, of the shifts up to any size, at most one more is positive than negative: from v - 1
    to v the difference grows by 1, less 1 for each positive and plus 1 for each negative shift k
    for which ``2^k`` divides v. Otherwise the range is that of the leak in real numbers, and of
    the rounding of each shift, which is 0 to ``1 - 2^-k``.
    """
    if all(sum(1 if k > 0 else -1 for k in shifts if abs(k) <= abs(j)) <= 1 for j in shifts):
        return Range(leaked(values.low, shifts), leaked(values.high, shifts))
    # In units of 2^-most.
    most = max(map(abs, shifts))
    kept = (1 << most) - sum((1 if k > 0 else -1) << (most - abs(k)) for k in shifts)
    up, down = (
        sum((1 << most) - (1 << (most - abs(k))) for k in shifts if k * sign > 0)
        for sign in (1, -1)
    )
    ends = (kept * values.low, kept * values.high)
    return Range(-((down - min(ends)) >> most), (max(ends) + up) >> most)


def reach(
    start: Range, drifts: Sequence[Range], shifts: Sequence[int], resets: Range | None = None
) -> Range:
    """Return the range of a state that leaks, is added to, and may be reset, again and again.

    Parameters
    ----------
    start : Range
        Of the state before the first timestep.
    drifts : sequence of Range
        Of the value that is added behind the leak, by timestep.
    shifts : sequence of int
        Of the leak.
    resets : Range, optional
        Of the values that a reset leaves, other than values between 0 and the one before it.
    """
    reached = start
    for drift in drifts:
        reached |= leaked_range(reached, shifts) + drift
        if resets is not None:
            reached |= resets
        # A leak may be a gain. The network is refused anyway, so how far it goes does not matter.
        if reached.width > MAX_WIDTH:
            break
    return reached
