"""Bench for neuron units: compares them with the naive contract, at the ends of all ranges."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.hw.planning import LayerPlan
from spikeloom.sw.network import Linear, Neuron, Range
from support.hw.components import Bench, plan_of
from support.networks.naive import step as contract

#: Largest threshold of a signed register of the contract's 48 bits.
HUGE = (1 << 47) - 1


def layer(weight: Any, neuron: Neuron, timesteps: int, folded: bool = False) -> LayerPlan:
    """Return the plan of a layer that reads one 4-bit pixel, with a weight for each channel."""
    planned = plan_of((1,), Linear(np.array(weight)), neuron, timesteps=timesteps)["layer"]
    return dataclasses.replace(planned, folded=folded, steps_per_cycle=1)


def sequences(reach: Range, timesteps: int) -> list[list[int]]:
    """Return currents over time: all highest, all lowest, both in turn, and random ones."""
    rng = random.Random(0)
    ends = [reach.high, reach.low]
    return [
        [reach.high] * timesteps,
        [reach.low] * timesteps,
        [ends[t % 2] for t in range(timesteps)],
        [ends[1 - t % 2] for t in range(timesteps)],
        [reach.low] * (timesteps - 1) + [reach.high],
        *([rng.randint(reach.low, reach.high) for _ in range(timesteps)] for _ in range(4)),
    ]


def check(plan: LayerPlan, constant: bool = False) -> list[list[int]]:
    """Run and compare every channel's neuron for all sequences; return each channel's spikes.

    With ``constant``, only the first current of a sequence is used, at all timesteps.
    """
    neuron, timesteps = plan.layer.neuron, plan.layer.timesteps
    kind = NeuronUnit.of(plan.neurons)
    dut = kind(plan.neurons)
    bench = Bench(dut)
    fired: list[list[int]] = [[] for _ in range(neuron.channels)]
    rng = random.Random(1)
    together = plan.steps_per_cycle

    def shown(value: Any) -> list[int]:
        return list(value) if together > 1 else [value]

    async def drive(ctx: Any) -> None:
        for c in range(neuron.channels):
            for currents in sequences(plan.ranges.accumulator, timesteps):
                state, count = None, 0
                for first in range(0, timesteps, together):
                    spikes, potentials, parameters = [], [], []
                    for t in range(first, first + together):
                        current = currents[0] if constant else currents[t]
                        spike, state = contract(neuron, c, t, state, current)
                        assert state[0] in plan.ranges.potential
                        spikes.append(spike)
                        potentials.append(state[0])
                        parameters.append(parameters_of(plan, c, t if kind.per_step else 0))
                    count += sum(spikes)
                    fired[c] += spikes
                    several = together > 1 and kind.per_step
                    ctx.set(dut.parameters, parameters if several else parameters[0])
                    ctx.set(dut.current, current)
                    ctx.set(dut.first, first == 0)
                    ctx.set(dut.enable, 1)
                    assert shown(ctx.get(dut.spike)) == spikes
                    assert shown(ctx.get(dut.potential)) == potentials
                    assert ctx.get(dut.count) == count
                    await ctx.tick()
                    await _pause(ctx, dut, rng)

    bench.simulator.add_testbench(drive)
    bench.run()
    return fired


def check_folded(plan: LayerPlan) -> list[set[int]]:
    """Run and compare every channel's neuron for constant currents; return its counts."""
    neuron, reach = plan.layer.neuron, plan.ranges.accumulator
    dut = NeuronUnit.of(plan.neurons)(plan.neurons)
    bench = Bench(dut)
    counts: list[set[int]] = [set() for _ in range(neuron.channels)]
    rng = random.Random(1)

    async def drive(ctx: Any) -> None:
        for c in range(neuron.channels):
            some = [rng.randint(reach.low, reach.high) for _ in range(8)]
            for current in (reach.high, reach.low, 0, 1, -1, *some):
                if current not in reach:
                    continue
                state, count = None, 0
                for t in range(plan.layer.timesteps):
                    spike, state = contract(neuron, c, t, state, current)
                    count += spike
                assert state is not None
                counts[c].add(count)
                ctx.set(dut.parameters, parameters_of(plan, c, 0))
                for cycle in range(plan.cycles):
                    # The unit reads the current in the first cycle only.
                    ctx.set(dut.current, reach.high if cycle else current)
                    ctx.set(dut.first, cycle == 0)
                    ctx.set(dut.enable, 1)
                    if cycle == plan.cycles - 1:
                        case = f"channel {c}, current {current}"
                        assert ctx.get(dut.count) == ctx.get(dut.spike) == count, case
                        assert ctx.get(dut.potential) == state[0], case
                    await ctx.tick()
                    await _pause(ctx, dut, rng)

    bench.simulator.add_testbench(drive)
    bench.run()
    return counts


def parameters_of(plan: LayerPlan, channel: int, step: int) -> dict[str, int]:
    """Return a channel's parameters at a timestep, as the unit's input takes them."""
    values = NeuronUnit.of(plan.neurons).values(plan.neurons)
    return {
        name: int(v.reshape(plan.layer.neuron.channels, -1)[channel, step])
        for name, v in values.items()
    }


async def _pause(ctx: Any, dut: Any, rng: random.Random) -> None:
    """Wait for some cycles without ``enable``, in which the unit's state must not change."""
    ctx.set(dut.enable, 0)
    for _ in range(rng.randrange(3)):
        ctx.set(dut.current, dut.spec.ranges.accumulator.high)
        await ctx.tick()
