"""``ladder`` and ``logits`` units."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.hw.neuron_bench import HUGE, check, layer, sequences

from spikeloom.sw.network import Ladder, Logits


@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize(("timesteps", "together"), [(1, 1), (4, 1), (4, 2), (4, 4)])
def test_ladder(timesteps: int, together: int, weight: int) -> None:
    ends = (0, 15 * weight)
    low, high = min(ends), max(ends)
    levels = [
        [low] * timesteps,
        [low + 1] * timesteps,
        [high] * timesteps,
        [high + 1] * timesteps,
        [-HUGE] * timesteps,
        [HUGE] * timesteps,
        sorted([low - 1, high // 2, 0, high + 1][:timesteps]),
        sorted([-HUGE, HUGE, 0, low][:timesteps]),
    ]
    plan = layer([[weight]] * len(levels), Ladder(np.array(levels)), timesteps)
    plan = dataclasses.replace(plan, steps_per_cycle=together)
    fired = [sum(spikes) for spikes in check(plan, constant=True)]
    every = timesteps * len(sequences(plan.ranges.accumulator, timesteps))
    assert fired[0] == fired[4] == every
    assert fired[3] == fired[5] == 0
    assert 0 < fired[2] < every


@pytest.mark.parametrize("fraction_bits", [0, 16])
@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize("timesteps", [1, 5])
def test_logits(timesteps: int, weight: int, fraction_bits: int) -> None:
    most = (15 * 128) << fraction_bits
    biases = [0, 1, -1, most, -most, 1 << 40, -(1 << 40)]
    neuron = Logits(np.array(biases), fraction_bits=fraction_bits)
    plan = layer([[weight]] * len(biases), neuron, timesteps)
    assert not any(map(any, check(plan)))
