from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.components import Bench
from support.hw.neuron_bench import HUGE, check, check_folded, layer

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.sw.network import Signed


@pytest.mark.parametrize(("amplitude", "negative"), [(1, 1), (4, 1), (1, 4096)])
@pytest.mark.parametrize("fraction_bits", [0, 5, 16])
@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize("timesteps", [1, 3, 8])
def test_at_the_ends(
    timesteps: int, weight: int, fraction_bits: int, amplitude: int, negative: int
) -> None:
    # Quanta of 1, even and odd ones around twice what a step brings, and out of reach.
    most = (15 * 128) << fraction_bits
    positive = [1, 1, most, 2 * most - 1, 2 * most, 2 * most + 1, HUGE, HUGE, 7, HUGE]
    negatives = [1, most, 1, 2 * most + 1, 2 * most, 2 * most - 1, HUGE, 7, HUGE, 1]
    biases = [0, 1, -1, -most, most, 0, 7, 0, 1, -1]
    neuron = Signed(
        np.array(positive),
        np.array(negatives),
        np.array(biases),
        fraction_bits,
        amplitude,
        negative,
    )
    fired = check(layer([[weight]] * len(biases), neuron, timesteps))
    assert (amplitude if weight > 0 else -negative) in fired[0], "one of 1 fires at once"
    assert not any(fired[6]), "one beyond reach does not"


@pytest.mark.parametrize("timesteps", [1, 3])
@pytest.mark.parametrize("weight", [1, -1])
def test_a_quantum_out_of_reach_stays_so_at_the_end_of_the_range(
    weight: int, timesteps: int
) -> None:
    # No other channel widens the range, so that the highest current leads to its very end.
    neuron = Signed(np.array([HUGE]), np.array([HUGE]), np.array([0]), 0)
    plan = layer([[weight]], neuron, timesteps)
    assert max(plan.ranges.potential.high, -plan.ranges.potential.low) == 15 * timesteps
    assert not any(check(plan)[0])
    assert check_folded(layer([[weight]], neuron, timesteps, folded=True)) == [{0}]


def test_potentials_of_the_full_width() -> None:
    bias = (1 << 44) - (1 << 12)
    quanta = [1, bias, 4 * bias, 7 * bias, HUGE]
    for sign in (-1, 1):
        neuron = Signed(np.array(quanta), np.array(quanta[::-1]), np.full(5, sign * bias), 0)
        plan = layer([[1], [-1], [1], [-1], [1]], neuron, 8)
        assert plan.ranges.potential.width == 48
        assert any(check(plan)[2])


# Quanta of 6 and 4: half of one fires, a half less one does not, in all four places.
@pytest.mark.parametrize(
    ("currents", "spikes", "potentials"),
    [
        ([2, 1, -2], [0, 8, -8], [2, -3, 1]),
        ([3, 0, 0, 0], [8, -8, 8, -8], [-3, 3, -3, 3]),
        ([-1, -1, 0, 3], [0, -2, 2, 0], [-1, 2, -2, 1]),
        ([-9, 0, 0, 5], [-2, -2, 0, 2], [-5, -1, -1, 0]),
    ],
)
def test_half_a_quantum(currents: list[int], spikes: list[int], potentials: list[int]) -> None:
    neuron = Signed(np.array([6]), np.array([4]), np.array([-9]), 0, 8, 2)
    plan = layer([[1]], neuron, len(currents))
    dut = NeuronUnit.of(plan.neurons)(plan.neurons)
    bench = Bench(dut)
    seen = []

    async def drive(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        for t, current in enumerate(currents):
            ctx.set(dut.parameters, {"positive": 6, "negative": 4, "bias": -9})
            ctx.set(dut.first, t == 0)
            ctx.set(dut.current, current + 9)
            seen.append((ctx.get(dut.spike), ctx.get(dut.potential)))
            await ctx.tick()

    bench.simulator.add_testbench(drive)
    bench.run()
    assert seen == list(zip(spikes, potentials, strict=True))
