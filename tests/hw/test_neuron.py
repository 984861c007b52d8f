"""Neuron units against the contract in plain Python, at the ends of every range."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest
from components import Bench, plan_of
from naive import step as contract

from spikeloom.hw.neuron import NeuronUnit
from spikeloom.hw.plan import LayerPlan
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import If, Ladder, Linear, Logits, Neuron, Range

HUGE = 1 << 46


def sequences(reach: Range, timesteps: int) -> list[list[int]]:
    """Return currents of T steps: the ends of the range for ever and in turn, and random ones."""
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


def check(plan: LayerPlan, constant: bool = False) -> list[int]:
    """Run every channel's neuron through all sequences; return how often each channel fired."""
    neuron, timesteps = plan.layer.neuron, plan.layer.timesteps
    kind = NeuronUnit.of(plan)
    values = {name: v.reshape(neuron.channels, -1) for name, v in kind.values(plan).items()}
    dut = kind(plan)
    bench = Bench(dut)
    fired = [0] * neuron.channels
    rng = random.Random(1)
    together = plan.steps_per_cycle

    def shown(value: Any) -> list[int]:
        return list(value) if together > 1 else [value]

    async def drive(ctx: Any) -> None:
        for c in range(neuron.channels):
            for currents in sequences(plan.ranges.accumulator, timesteps):
                potential, count = None, 0
                for first in range(0, timesteps, together):
                    spikes, potentials, parameters = [], [], []
                    for t in range(first, first + together):
                        current = currents[0] if constant else currents[t]
                        spike, potential = contract(neuron, c, t, potential, current)
                        assert potential in plan.ranges.potential
                        spikes.append(spike)
                        potentials.append(potential)
                        step = t if kind.per_step else 0
                        parameters.append({name: int(v[c, step]) for name, v in values.items()})
                    count += sum(spikes)
                    fired[c] += sum(spikes)
                    several = together > 1 and kind.per_step
                    ctx.set(dut.parameters, parameters if several else parameters[0])
                    ctx.set(dut.current, current)
                    ctx.set(dut.first, first == 0)
                    ctx.set(dut.enable, 1)
                    assert shown(ctx.get(dut.spike)) == spikes
                    assert shown(ctx.get(dut.potential)) == potentials
                    assert ctx.get(dut.count) == count
                    await ctx.tick()
                    ctx.set(dut.enable, 0)
                    for _ in range(rng.randrange(3)):
                        # What is not enabled leaves no trace.
                        ctx.set(dut.current, plan.ranges.accumulator.high)
                        await ctx.tick()

    bench.simulator.add_testbench(drive)
    bench.run()
    return fired


def layer(weight: Any, neuron: Neuron, timesteps: int) -> LayerPlan:
    return plan_of((1,), Linear(np.array(weight)), neuron, timesteps=timesteps)["layer"]


@pytest.mark.parametrize("fraction_bits", [0, 5, 16])
@pytest.mark.parametrize("weight", [127, -128])
@pytest.mark.parametrize("timesteps", [1, 3, 8])
def test_if(timesteps: int, weight: int, fraction_bits: int) -> None:
    # Every accumulator from one weight and 4 bits; thresholds of 1, around the most that one
    # step brings, and out of reach; initial potentials at both ends; biases of either sign.
    most = (15 * 128) << fraction_bits
    thresholds = [1, 1, 2, most - 1, most, most + 1, 9 * most, HUGE, HUGE]
    initials = [0, 0, 1, most - 2, 0, most, 0, 0, 9 * most]
    biases = [0, -1, 1, -most, most, 0, 7, 0, -3]
    neuron = If(
        np.array(thresholds), np.array(initials), np.array(biases), fraction_bits=fraction_bits
    )
    fired = check(layer([[weight]] * len(thresholds), neuron, timesteps))
    assert (fired[0] > 0) == (weight > 0), "a threshold of 1 fires as soon as anything comes"
    assert fired[-2:] == [0, 0], "a threshold beyond reach does not"


def test_if_fires_at_its_threshold_and_not_below() -> None:
    # Weight 1, pixels up to 15: v is 0, 1, ..., 15 at the only timestep.
    channels = 16
    neuron = If(
        np.full(channels, 8), np.zeros(channels, np.int64), np.arange(16) - 15, fraction_bits=0
    )
    plan = layer([[1]] * channels, neuron, 1)
    dut = NeuronUnit.of(plan)(plan)
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


def test_if_at_the_end_of_its_reach() -> None:
    # With nothing but the highest current, the potential ends at the highest of its range.
    plan = layer([[127]], If(np.array([HUGE]), np.array([0]), np.array([0]), fraction_bits=2), 3)
    assert plan.ranges.potential.high == 3 * 15 * 127 << 2
    assert check(plan) == [0]


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
    fired = check(plan, constant=True)
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
    assert check(plan) == [0] * len(biases)


def test_parameters_are_no_wider_than_what_makes_a_difference() -> None:
    neuron = If(np.array([HUGE]), np.array([0]), np.array([0]), fraction_bits=0)
    plan = layer([[1]], neuron, 2)
    assert plan.ranges.potential.high == 30
    assert NeuronUnit.of(plan).layout(plan)["threshold"].width == 5
    plan = layer([[1]], Ladder(np.array([[-HUGE, HUGE]])), 2)
    assert NeuronUnit.of(plan).layout(plan)["level"].width == 5, "0 to 16"


def test_kinds_without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Neuron, "kinds", dict(Neuron.kinds))

    class Burst(If, kind="burst"):
        def __init__(self) -> None:
            super().__init__(np.array([5]), np.array([0]), np.array([0]), fraction_bits=0)

    expected = "no hardware for neurons of kind 'burst'; there is: if, ladder, logits$"
    with pytest.raises(UnsupportedError, match=f"^{expected}"):
        NeuronUnit.of_kind("burst")
    with pytest.raises(UnsupportedError, match=f"^layer 'layer': {expected}"):
        layer([[1]], Burst(), 1)
