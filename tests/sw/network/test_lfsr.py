from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeloom.sw.network.lfsr import LAGS, STEPS, Lfsr

#: Prime factors of 2^n - 1.
FACTORS = {
    24: (3, 5, 7, 13, 17, 241),
    25: (31, 601, 1801),
    26: (3, 2731, 8191),
    27: (7, 73, 262657),
    28: (3, 5, 29, 43, 113, 127),
    30: (3, 7, 11, 31, 151, 331),
    32: (3, 5, 17, 257, 65537),
    33: (7, 23, 89, 599479),
}


def shifted(state: int, width: int) -> int:
    """Return the register after one step, bit by bit."""
    bits = [state >> k & 1 for k in range(width)]  # the newest is bit 0
    new = sum(bits[lag - 1] for lag in LAGS[width]) % 2
    return sum(bit << k for k, bit in enumerate([new, *bits[:-1]]))


def mapped(columns: list[int], state: int) -> int:
    """Return what a map, given for each bit, makes of a state."""
    made = 0
    for k, column in enumerate(columns):
        made ^= column if state >> k & 1 else 0
    return made


def powered(columns: list[int], power: int) -> list[int]:
    """Return a map that is carried out ``power`` times."""
    result = [1 << k for k in range(len(columns))]
    while power:
        if power & 1:
            result = [mapped(columns, column) for column in result]
        columns, power = [mapped(columns, column) for column in columns], power >> 1
    return result


@pytest.mark.parametrize("width", LAGS)
def test_a_register_takes_every_state_but_0(width: int) -> None:
    same = [1 << k for k in range(width)]
    step = [shifted(state, width) for state in same]
    period = (1 << width) - 1
    assert powered(step, period) == same
    rest = period
    for factor in FACTORS[width]:
        assert powered(step, period // factor) != same
        while rest % factor == 0:
            rest //= factor
    assert rest == 1  # there are no other factors, and so no shorter period
    assert np.gcd(STEPS, period) == 1


@pytest.mark.parametrize("width", LAGS)
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_draws_are_every_sixteenth_state(width: int, seed: int) -> None:
    register = Lfsr(width)
    state, expected = register.start(seed), []
    for _ in range(300):
        expected.append(state)
        for _ in range(STEPS):
            state = shifted(state, width)
    assert register.draws(seed, 300).tolist() == expected
    assert register.draws(seed, 1).tolist() == expected[:1]
    assert min(LAGS[width]) >= STEPS


def test_the_draws_of_a_period_are_all_different() -> None:
    register = Lfsr(24)
    seen = np.zeros(1 << 24, bool)
    seen[register.draws(7, register.period)] = True
    assert not seen[0]
    assert seen[1:].all()


def test_seeds_are_hashed() -> None:
    # SHA-256 of "1": 6b86b273...4b, modulo 2^24 - 1.
    assert Lfsr(24).start(1) == 1 + int(
        "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b", 16
    ) % (2**24 - 1)
    drawn: Any = [Lfsr(24).draws(seed, 4000) for seed in range(5)]
    assert np.abs(np.corrcoef(drawn) - np.eye(5)).max() < 0.05
