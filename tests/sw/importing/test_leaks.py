"""Decays as shifts."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sw.importing.leaks import NEAR, decay_of, shifts_for


@pytest.mark.parametrize("k", range(1, 13))
def test_powers_of_two_need_one_shift(k: int) -> None:
    assert shifts_for(1 - 2.0**-k) == (k,)
    assert decay_of((k,)) == 1 - 2.0**-k


def test_no_decay_needs_no_shift_and_a_whole_one_two() -> None:
    assert shifts_for(1.0) == ()
    assert decay_of(shifts_for(0.0)) == 0


def test_three_shifts_are_nearest_of_all_that_there_are() -> None:
    shifts = [k for k in range(-16, 17) if k]
    parts = np.array([2.0 ** -abs(k) * (1 if k > 0 else -1) for k in shifts])
    every = 1 - (parts[:, None, None] + parts[None, :, None] + parts).flatten()
    for decay in np.linspace(0.02, 0.98, 33):
        found = decay_of(shifts_for(decay))
        assert abs(found - decay) <= max(NEAR, np.abs(every - decay).min() + 1e-12)
        assert abs(found - decay) < 0.02
