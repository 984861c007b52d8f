"""The float simulation, against rules computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from spikeloom.sw.importing.rules import Rule
from spikeloom.sw.importing.simulation import Neurons


def fired(currents: list[float], decay: float, threshold: float, **options: Any) -> list[float]:
    """Return the spikes of one neuron."""
    gain = np.full(1, options.pop("gain", 1.0))
    neuron = Neurons(Rule(decay, gain, np.full(1, threshold), **options), (1,))
    return [neuron.step(torch.tensor([[current]]).double()).item() for current in currents]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # v: 2 does not fire; 4 does, left 2; 4, left 2; 4.
        ({"strict": True}, [0, 1, 1, 1]),
        # v: 2 fires, left 0; 2 fires...
        ({}, [1, 1, 1, 1]),
        # v: 2, 4 fires; 4 + 2 - 2 = 4 fires; again.
        ({"strict": True, "delayed": True}, [0, 1, 1, 1]),
        # v: 2, 4 fires, 0; 2, 4 fires.
        ({"strict": True, "value": 0.0}, [0, 1, 0, 1]),
    ],
)
def test_resets_and_comparisons(options: dict[str, Any], expected: list[int]) -> None:
    assert fired([2, 2, 2, 2], 1.0, 2.0, **options) == expected


def test_several_spikes_decay_gain_and_current() -> None:
    # v: 7 -> 2 spikes, 1; 1/2 + 7 = 7.5 -> 2, 1.5; -3 + 0.75 -> none.
    assert fired([7, 7, -3], 0.5, 3.0, several=True) == [2, 2, 0]
    # A gain of 1/2: v 1, 1.5, 1.75, 1.875.
    assert fired([2, 2, 2, 2], 0.5, 1.75, gain=0.5) == [0, 0, 1, 0]
    # i: 4, 2, 1; v: 4, 6, 7.
    assert fired([4, 0, 0], 1.0, 7.0, current_decay=0.5) == [0, 0, 1]


def test_a_late_reset_is_an_early_one_of_more() -> None:
    rng = np.random.default_rng(0)
    currents = list(rng.normal(0.5, 1.0, 400))
    late = fired(currents, 0.8, 1.0, strict=True, delayed=True)
    potential, early = 0.0, []
    for current in currents:
        potential = 0.8 * potential + current
        early.append(float(potential > 1))
        potential -= early[-1] * 1 / 0.8
    assert late == early
    assert 20 < sum(late) < 380
