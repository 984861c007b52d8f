"""Absorption: integer neurons count what the real ones count, over whole ranges of A."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.conversion.absorption import (
    Absorber,
    BurstAbsorber,
    DualAbsorber,
    IfAbsorber,
    LadderAbsorber,
    SignedAbsorber,
)
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.golden import Dynamics
from spikeloom.sw.network import (
    Burst,
    Connection,
    Dual,
    If,
    Ladder,
    Layer,
    Linear,
    Neuron,
    Range,
    Signed,
)
from spikeloom.sw.network.neuron import Integrator
from spikeloom.sw.spiking.population import Population, leak_grid

REALS = st.floats(-8, 8, allow_nan=False).map(Fraction)
POSITIVE = st.floats(2**-8, 4).map(Fraction)


@st.composite
def populations(draw: st.DrawFn, constant: bool = True) -> Population:
    channels = draw(st.integers(1, 3))
    reach = [Range(-draw(st.integers(0, 60)), draw(st.integers(0, 60))) for _ in range(channels)]
    return Population(
        name="layer",
        timesteps=draw(st.integers(1, 9)),
        thresholds=[draw(POSITIVE) for _ in range(channels)],
        units=[draw(POSITIVE) for _ in range(channels)],
        biases=[draw(REALS) for _ in range(channels)],
        reach=reach,
        constant=constant,
    )


def ideal(population: Population, channel: int, mean: Fraction) -> int:
    """Return the quantized ANN's count for a mean A, in exact arithmetic."""
    real = mean * population.units[channel] + population.biases[channel]
    steps = population.timesteps
    return min(
        max(math.floor(real / population.thresholds[channel] * steps + Fraction(1, 2)), 0), steps
    )


def fire(neuron: If, channel: int, currents: list[int]) -> int:
    """Return how often an IF neuron fires: the contract's rule, step by step."""
    v, n = int(neuron.initial[channel]), 0
    for current in currents:
        v += (current << neuron.fraction_bits) + int(neuron.bias[channel])
        if v >= neuron.threshold[channel]:
            v -= int(neuron.threshold[channel])
            n += 1
    return n


@given(populations())
def test_a_ladder_counts_exactly(population: Population) -> None:
    ladder = LadderAbsorber().absorb(population, None)
    assert isinstance(ladder, Ladder)
    for c, reach in enumerate(population.reach):
        for a in range(reach.low, reach.high + 1):
            assert int((ladder.levels[c] <= a).sum()) == ideal(population, c, Fraction(a))


@given(populations())
def test_levels_never_leave_the_range_by_more_than_one(population: Population) -> None:
    ladder = LadderAbsorber().absorb(population, None)
    assert isinstance(ladder, Ladder)
    for levels, reach in zip(ladder.levels, population.reach, strict=True):
        assert all(reach.low <= level <= reach.high + 1 for level in levels)


@given(populations())
def test_an_if_neuron_counts_exactly_under_constant_current(population: Population) -> None:
    neuron = IfAbsorber().absorb(population, None)
    assert isinstance(neuron, If)
    assert np.array_equal(neuron.initial, neuron.threshold >> 1)
    idle = IfAbsorber().idle(population)
    for c, reach in enumerate(population.reach):
        # The converter removes the weights of a channel whose count is the same for every A.
        values = [0] if idle[c] else range(reach.low, reach.high + 1)
        for a in values:
            assert fire(neuron, c, [a] * population.timesteps) == ideal(population, c, Fraction(a))


def one(threshold: float, unit: float, bias: float, reach: Range, steps: int = 4) -> Population:
    return Population(
        "conv1", steps, [Fraction(threshold)], [Fraction(unit)], [Fraction(bias)], [reach], True
    )


def test_the_levels_of_the_worked_example() -> None:
    # Θ = 8, B = 0, T = 4: levels at (k - 1/2)·2 = 1, 3, 5, 7.
    neuron = LadderAbsorber().absorb(one(8, 1, 0, Range(-20, 20)), None)
    assert isinstance(neuron, Ladder)
    assert neuron.levels.tolist() == [[1, 3, 5, 7]]
    biased = LadderAbsorber().absorb(one(8, 1, 2.5, Range(-20, 20)), None)
    assert isinstance(biased, Ladder)
    assert biased.levels.tolist() == [[-1, 1, 3, 5]]


def test_no_more_fraction_bits_than_needed() -> None:
    whole = IfAbsorber().absorb(one(8, 1, 0, Range(-20, 20)), None)
    assert isinstance(whole, If)
    assert whole.fraction_bits == 0
    fine = IfAbsorber().absorb(one(10, 1, 0.3, Range(-20, 20), steps=16), None)
    assert isinstance(fine, If)
    assert fine.fraction_bits > 0


def test_given_fraction_bits_are_used() -> None:
    neuron = IfAbsorber().absorb(one(3.3, 0.1, 0.5, Range(-200, 200)), 6)
    assert isinstance(neuron, If)
    assert neuron.fraction_bits == 6
    assert abs(int(neuron.threshold[0]) - 33 * 64) <= 2
    assert abs(int(neuron.bias[0]) - 5 * 64) <= 2


def test_thresholds_that_round_to_zero() -> None:
    population = one(0.4, 1, -0.9, Range(-5, 5))
    ladder = LadderAbsorber().absorb(population, None)
    assert isinstance(ladder, Ladder)
    assert ladder.levels.tolist() == [[1, 2, 2, 2]]
    with pytest.raises(ConfigError, match=r"conv1', channel 0, rounds to 0 .* use at least 1"):
        IfAbsorber().absorb(population, 0)
    neuron = IfAbsorber().absorb(population, None)
    assert isinstance(neuron, If)
    for a in range(-5, 6):
        assert fire(neuron, 0, [a] * 4) == ideal(population, 0, Fraction(a))


@pytest.mark.parametrize(("bias", "count"), [(-3.0, 0), (0.0, 0), (0.4, 2), (0.75, 3), (9.0, 4)])
def test_channels_without_weights_keep_their_count(bias: float, count: int) -> None:
    population = one(1, 1e-30, bias, Range(0, 0))
    assert IfAbsorber().idle(population) == LadderAbsorber().idle(population) == [True]
    neuron = IfAbsorber().absorb(population, None)
    assert isinstance(neuron, If)
    assert fire(neuron, 0, [0] * 4) == count
    ladder = LadderAbsorber().absorb(population, None)
    assert isinstance(ladder, Ladder)
    assert int((ladder.levels[0] <= 0).sum()) == count


def test_ladders_have_no_fraction_bits() -> None:
    with pytest.raises(ConfigError, match="'ladder' neurons have no fraction bits"):
        LadderAbsorber().absorb(one(8, 1, 0, Range(0, 9)), 4)


def test_parameters_beyond_the_width() -> None:
    population = one(1.0, 2.0**-70, 1.0 - 2.0**-60, Range(-(2**40), 2**40))
    population = replace(population, thresholds=[Fraction(1) + Fraction(2) ** -61])
    narrow = replace(population, biases=[Fraction(7, 8) - Fraction(2) ** -60])
    assert IfAbsorber().idle(narrow) == [False]
    with pytest.raises(UnsupportedError, match=r"conv1', channel 0: .* do not fit 48 bits"):
        IfAbsorber().absorb(narrow, None)


def test_kinds_are_found_by_name() -> None:
    assert Absorber.kinds["if"] is IfAbsorber
    assert Absorber.kinds["ladder"] is LadderAbsorber


def real_spikes(population: Population, kind: str, channel: int, values: list[int]) -> list[int]:
    """Return what the real-valued neuron fires, in exact fractions: written from the contract."""
    unit, bias = population.units[channel], population.biases[channel]
    quantum, largest = population.quanta[channel], population.largest
    spikes, m = [], 0
    share = Fraction(1, 2) if population.shares is None else population.shares[channel]
    v = Fraction(0) if kind == "signed" else quantum * share
    for a in values:
        v += a * unit + bias
        if kind == "signed":
            assert population.negative_thresholds is not None
            negative = population.negative_thresholds[channel]
            up, down = (quantum if m >= 0 else negative), (negative if m <= 0 else quantum)
            plus, minus = population.amplitudes
            if 2 * v >= up:
                s, v, m = (plus if m >= 0 else minus), v - up, m + 1
            elif 2 * v <= -down:
                s, v, m = -(minus if m <= 0 else plus), v + down, m - 1
            else:
                s = 0
        else:
            s = min(max(math.floor(v / quantum), 0), largest)
            if kind == "dual" and v < 0 and m > 0:
                s = -1
            v, m = v - s * quantum, m + s
        spikes.append(s)
    return spikes


def integer_spikes(neuron: Any, channel: int, values: list[int]) -> list[int]:
    """Return what the golden model fires."""
    c = channel
    signed = isinstance(neuron, Signed)
    names = (
        ("threshold", "negative_threshold", "bias") if signed else ("threshold", "initial", "bias")
    )
    one_channel = replace(neuron, **{name: getattr(neuron, name)[c : c + 1] for name in names})
    connection = Connection("x", "spikes", Linear(np.array([[1]])))
    layer = Layer("layer", len(values), one_channel, (connection,))
    dynamics = Dynamics.of(layer, 1, torch.device("cpu"))
    currents = torch.tensor(values)
    state = dynamics.start(currents[:1])
    spikes = []
    for t, current in enumerate(currents):
        fired, state = dynamics.step(t, current[None], state)
        spikes.append(int(fired))
    return spikes


KINDS: dict[str, type[Absorber]] = {
    "if": IfAbsorber,
    "dual": DualAbsorber,
    "burst": BurstAbsorber,
    "signed": SignedAbsorber,
}


@st.composite
def spiking_populations(draw: st.DrawFn, kind: str, constant: bool) -> Population:
    made = draw(populations(constant))
    return replace(
        made,
        counted=False,
        largest=draw(st.integers(1, 4)) if kind == "burst" else 1,
        negative_thresholds=[draw(POSITIVE) for _ in made.units] if kind == "signed" else None,
        amplitudes=(4, 1) if kind == "signed" else (1, 1),
    )


def check_spikes(population: Population, kind: str, data: st.DataObject) -> Neuron:
    """Check some inputs' spikes in every channel, and return the integer neurons."""
    absorber = KINDS[kind]()
    neuron = absorber.absorb(population, None)
    idle = absorber.idle(population)
    for c, reach in enumerate(population.reach):
        a = st.integers(reach.low, reach.high)
        steps = population.timesteps
        constant = population.constant
        values = [data.draw(a)] * steps if constant else data.draw(st.tuples(*[a] * steps))
        seen = [0] * steps if idle[c] else list(values)  # a converter silences idle channels
        assert integer_spikes(neuron, c, seen) == real_spikes(population, kind, c, list(values))
    return neuron


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("constant", [True, False])
@given(data=st.data())
def test_every_spike_is_the_real_neurons(kind: str, constant: bool, data: st.DataObject) -> None:
    check_spikes(data.draw(spiking_populations(kind, constant)), kind, data)


SHARES = st.floats(0, 1 - 2**-10).map(Fraction)


@pytest.mark.parametrize("kind", ["if", "dual", "burst"])
@pytest.mark.parametrize("constant", [True, False])
@given(data=st.data())
def test_every_spike_from_a_start_of_its_own(
    kind: str, constant: bool, data: st.DataObject
) -> None:
    population = data.draw(spiking_populations(kind, constant))
    shares = [data.draw(SHARES) for _ in population.units]
    neuron = check_spikes(replace(population, shares=shares), kind, data)
    assert isinstance(neuron, Integrator)
    assert (neuron.initial >= 0).all()
    assert (neuron.initial < neuron.threshold).all()


@given(populations(), st.data())
def test_a_ladder_from_a_start_of_its_own(population: Population, data: st.DataObject) -> None:
    shares = [data.draw(SHARES) for _ in population.units]
    population = replace(population, shares=shares)
    ladder = LadderAbsorber().absorb(population, None)
    assert isinstance(ladder, Ladder)
    steps = population.timesteps
    for c, reach in enumerate(population.reach):
        for a in range(reach.low, reach.high + 1):
            current = a * population.units[c] + population.biases[c]
            count = math.floor(current * steps / population.thresholds[c] + shares[c])
            assert int((ladder.levels[c] <= a).sum()) == min(max(count, 0), steps)


def test_starts_in_given_fraction_bits() -> None:
    population = replace(one(3.3, 0.1, 0.5, Range(-200, 200)), shares=[Fraction(99, 100)])
    for bits, threshold in ((0, 33), (6, 33 * 64)):
        neuron = IfAbsorber().absorb(population, bits)
        assert isinstance(neuron, If)
        assert abs(int(neuron.initial[0]) - 0.99 * threshold) <= 3
        assert neuron.initial[0] < neuron.threshold[0]


def test_a_half_that_is_free_is_the_half_that_is_not() -> None:
    bound = one(8, 1, 0.3, Range(-20, 20))
    free = IfAbsorber().absorb(replace(bound, shares=[Fraction(1, 2)]), None)
    made = IfAbsorber().absorb(bound, None)
    for name in ("threshold", "initial", "bias"):
        assert np.array_equal(getattr(free, name), getattr(made, name))


def test_a_leaky_start_in_units_of_its_grid() -> None:
    constant = one(2, 0.01, 0.0, Range(-300, 300))
    population = replace(constant, constant=False, leak=1, shares=[Fraction(3, 8)])
    neuron = BurstAbsorber().absorb(population, None)
    assert isinstance(neuron, Burst)
    # Θ = 200 units of A needs 256 at least: one fraction bit.
    assert (neuron.fraction_bits, *neuron.threshold, *neuron.initial) == (1, 400, 150)
    full = BurstAbsorber().absorb(replace(population, shares=[Fraction(1023, 1024)]), None)
    assert isinstance(full, Burst)
    assert full.initial.tolist() == [399]


@pytest.mark.parametrize("kind", list(KINDS))
def test_more_timesteps_than_can_be_exact(kind: str) -> None:
    population = Population(
        "layer",
        64,
        [Fraction(1.7)],
        [Fraction(0.013)],
        [Fraction(0.003)],
        [Range(-900, 900)],
        constant=False,
        counted=False,
        negative_thresholds=[Fraction(1.1)],
    )
    assert population.tables == [True]
    neuron = KINDS[kind]().absorb(population, None)
    assert isinstance(neuron, (If, Dual, Burst, Signed))
    assert abs(int(neuron.threshold[0]) / 2**neuron.fraction_bits - 1.7 / 0.013) < 0.01
    assert KINDS[kind]().idle(population) == [False]


def test_a_burst_of_one_step_is_as_many_steps_of_if() -> None:
    base = one(8, 1, 0.3, Range(-20, 20), steps=4)
    burst = BurstAbsorber().absorb(replace(base, timesteps=1, largest=4), None)
    for a in range(-20, 21):
        assert sum(integer_spikes(burst, 0, [a])) == ideal(base, 0, Fraction(a))


@pytest.mark.parametrize("leak", [1, 3, 31])
def test_leaky_neurons_come_close(leak: int) -> None:
    population = Population(
        "layer",
        6,
        [Fraction(2.1)] * 2,
        [Fraction(0.05), Fraction(1)],
        [Fraction(0.02), Fraction(0.9)],
        [Range(-90, 90), Range(0, 0)],
        constant=False,
        largest=3,
        leak=leak,
    )
    neuron = BurstAbsorber().absorb(population, None)
    assert isinstance(neuron, Burst)
    assert (neuron.leak, neuron.largest, neuron.initial.tolist()) == ((leak,), 3, [0, 0])
    needed = 128 * min(1 << leak, 6)
    bits, grid = leak_grid(population, [True, False])
    assert bits == neuron.fraction_bits
    assert population.quanta[0] / grid[0] >= needed > population.quanta[0] / grid[0] / 2
    assert neuron.threshold[1] == needed
    scale = float(grid[0])
    assert abs(int(neuron.threshold[0]) * scale - 0.7) <= scale / 2
    assert abs(int(neuron.bias[0]) * scale - 0.02) <= scale / 2
    assert BurstAbsorber().idle(population) == [False, True]


def test_leaks_that_are_too_fine() -> None:
    coarse = replace(one(1, 2**10, 0, Range(-1, 1), steps=4000), constant=False, largest=1, leak=20)
    with pytest.raises(UnsupportedError, match=r"layer 'conv1': with a leak of tau = 1048576"):
        BurstAbsorber().absorb(coarse, None)
    with pytest.raises(ConfigError, match=r"layer 'conv1' rounds to 0 with fraction_bits 3"):
        BurstAbsorber().absorb(coarse, 3)
    chosen = BurstAbsorber().absorb(coarse, 14)
    assert isinstance(chosen, Burst)
    assert (chosen.fraction_bits, chosen.threshold.tolist()) == (14, [16])
