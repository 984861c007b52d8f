from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.components import Bench
from support.hw.neuron_bench import HUGE, check, layer

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.sw.network import Burst


@pytest.mark.parametrize(
    ("largest", "leak"),
    [(1, None), (1, 31), (2, 1), (5, None), (5, 4), (7, None), (7, 1), (4096, None), (4096, 4)],
)
@pytest.mark.parametrize(("weight", "fraction_bits"), [(127, 0), (-128, 16)])
@pytest.mark.parametrize("timesteps", [1, 5])
def test_at_the_ends(
    timesteps: int, weight: int, fraction_bits: int, largest: int, leak: int | None
) -> None:
    most = (15 * 128) << fraction_bits
    thresholds = [1, 1, most // largest, most // largest + 1, most, most + 1, HUGE, 3]
    initials = [0, 0, most // largest - 1, 1, most - 1, most, 2 * most, 2]
    biases = [0, -1, 1, -most, most, 0, 7, -8]
    neuron = Burst(
        np.maximum(thresholds, 1),
        np.clip(initials, 0, np.maximum(thresholds, 1) - 1),
        np.array(biases),
        fraction_bits,
        largest,
        leak,
    )
    fired = check(layer([[weight]] * len(biases), neuron, timesteps))
    assert (max(fired[0]) == min(largest, 1905)) == (weight > 0)
    assert not any(fired[6]), "a threshold beyond reach does not fire"


@pytest.mark.parametrize("leak", [None, 3])
def test_potentials_of_the_full_width(leak: int | None) -> None:
    bias = (1 << 44) - (1 << 12)
    thresholds = [1, bias // 5, bias, 7 * bias, HUGE]
    for sign in (-1, 1):
        neuron = Burst(np.array(thresholds), np.zeros(5, int), np.full(5, sign * bias), 0, 6, leak)
        plan = layer([[1], [-1], [1], [-1], [1]], neuron, 8)
        assert plan.ranges.potential.width >= 45
        fired = check(plan)
        assert (max(fired[0]), max(fired[1])) == ((6, 5 if leak else 6) if sign > 0 else (0, 0))


@pytest.mark.parametrize("largest", range(1, 18))
def test_every_quotient(largest: int) -> None:
    made = Burst(np.array([5, 5]), np.array([0, 4]), np.array([-30, -30]), 3, largest)
    plan = layer([[1], [1]], made, 1)
    dut = NeuronUnit.of(plan.neurons)(plan.neurons)
    bench = Bench(dut)

    async def drive(ctx: Any) -> None:
        ctx.set(dut.first, 1)
        for total in range(-30, 121):
            # Steps of 8 come from the current, the rest from the initial potential.
            current, initial = divmod(total + 30, 8)
            if current not in plan.ranges.accumulator or initial > 4:
                continue
            ctx.set(dut.parameters, {"threshold": 5, "initial": initial, "bias": -30})
            ctx.set(dut.current, current)
            spike = min(max(total // 5, 0), largest)
            assert (ctx.get(dut.spike), ctx.get(dut.count)) == (spike, spike)
            assert ctx.get(dut.potential) == total - 5 * spike

    bench.simulator.add_testbench(drive)
    bench.run()
