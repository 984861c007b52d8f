"""``if`` and ``dual`` units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.components import Bench
from support.hw.neuron_bench import HUGE, check, layer

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.sw.network import Dual, If


def at_the_ends(kind: type[If] | type[Dual], fraction_bits: int) -> If | Dual:
    # Every accumulator from one weight and 4 bits; thresholds of 1, around the most that one
    # step brings, and out of reach; initial potentials at both ends; biases of either sign.
    most = (15 * 128) << fraction_bits
    thresholds = [1, 1, 2, most - 1, most, most + 1, 9 * most, HUGE, HUGE]
    initials = [0, 0, 1, most - 2, 0, most, 0, 0, 9 * most]
    biases = [0, -1, 1, -most, most, 0, 7, 0, -3]
    return kind(
        np.array(thresholds), np.array(initials), np.array(biases), fraction_bits=fraction_bits
    )


@pytest.mark.parametrize("kind", [If, Dual])
@pytest.mark.parametrize("fraction_bits", [0, 5, 16])
@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize("timesteps", [1, 3, 8])
def test_at_the_ends(
    timesteps: int, weight: int, fraction_bits: int, kind: type[If] | type[Dual]
) -> None:
    neuron = at_the_ends(kind, fraction_bits)
    fired = check(layer([[weight]] * neuron.channels, neuron, timesteps))
    assert (1 in fired[0]) == (weight > 0), "a threshold of 1 fires as soon as anything comes"
    assert not any(fired[-2] + fired[-1]), "a threshold beyond reach does not"


@pytest.mark.parametrize("kind", [If, Dual])
def test_fires_at_its_threshold_and_not_below(kind: type[If] | type[Dual]) -> None:
    # Weight 1, pixels up to 15: v is 0, 1, ..., 15 at the only timestep.
    channels = 16
    neuron = kind(
        np.full(channels, 8), np.zeros(channels, np.int64), np.arange(16) - 15, fraction_bits=0
    )
    plan = layer([[1]] * channels, neuron, 1)
    dut = NeuronUnit.of(plan.neurons)(plan.neurons)
    bench = Bench(dut)

    async def drive(ctx: Any) -> None:
        ctx.set(dut.first, 1)
        for current in range(16):
            ctx.set(dut.parameters, {"threshold": 8, "initial": 0, "bias": 0})
            ctx.set(dut.current, current)
            assert ctx.get(dut.spike) == (current >= 8)
            assert ctx.get(dut.potential) == current % 8

    bench.simulator.add_testbench(drive)
    bench.run()


@pytest.mark.parametrize("kind", [If, Dual])
def test_at_the_end_of_its_reach(kind: type[If] | type[Dual]) -> None:
    # With nothing but the highest current, the potential ends at the highest of its range.
    plan = layer([[127]], kind(np.array([HUGE]), np.array([0]), np.array([0]), fraction_bits=2), 3)
    assert plan.ranges.potential.high == 3 * 15 * 127 << 2
    assert set(check(plan)[0]) == {0}


@pytest.mark.parametrize("kind", [If, Dual])
def test_potentials_of_the_full_width(kind: type[If] | type[Dual]) -> None:
    # Currents of 44 bits add up to potentials of the contract's 48.
    bias = (1 << 44) - (1 << 12)
    thresholds = [1, bias, 4 * bias, 7 * bias, HUGE]
    for sign in (-1, 1):
        plan = layer(
            [[1], [-1], [1], [-1], [1]],
            kind(np.array(thresholds), np.zeros(5, int), np.full(5, sign * bias), fraction_bits=0),
            8,
        )
        assert plan.ranges.potential.width == (48 if sign < 0 else 47)
        fired = check(plan)
        assert (1 in fired[0]) == (1 in fired[3]) == (sign > 0)


def test_dual_takes_back_only_what_it_sent() -> None:
    # Up, up, down, down, down: the net count is 1, 2, 1, 0, 0.
    neuron = Dual(np.array([8, 8]), np.array([0, 0]), np.array([0, 0]), fraction_bits=0)
    plan = layer([[1], [-1]], neuron, 5)
    assert (plan.ranges.accumulator.low, plan.ranges.count.low) == (-15, 0)
    dut = NeuronUnit.of(plan.neurons)(plan.neurons)
    bench = Bench(dut)
    seen = []

    async def drive(ctx: Any) -> None:
        ctx.set(dut.enable, 1)
        ctx.set(dut.parameters, {"threshold": 8, "initial": 0, "bias": 0})
        for t, current in enumerate((15, 15, -15, -15, -15)):
            ctx.set(dut.first, t == 0)
            ctx.set(dut.current, current)
            seen.append((ctx.get(dut.spike), ctx.get(dut.potential), ctx.get(dut.count)))
            await ctx.tick()

    bench.simulator.add_testbench(drive)
    bench.run()
    assert seen == [(1, 7, 1), (1, 14, 2), (-1, 7, 1), (-1, 0, 0), (0, -15, 0)]
