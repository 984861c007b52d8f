"""Absorption: integer neurons count what the real ones count, over whole ranges of A."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.absorption import Absorber, IfAbsorber, LadderAbsorber, Population, absorb_logits
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import If, Ladder, Range

REALS = st.floats(-8, 8, allow_nan=False).map(Fraction)
POSITIVE = st.floats(2**-8, 4).map(Fraction)


@st.composite
def populations(draw: st.DrawFn, constant: bool = True) -> Population:
    channels = draw(st.integers(1, 3))
    reach = [Range(-draw(st.integers(0, 60)), draw(st.integers(0, 60))) for _ in range(channels)]
    return Population(
        name="layer",
        timesteps=draw(st.integers(1, 9)),
        threshold=draw(POSITIVE),
        units=[draw(POSITIVE) for _ in range(channels)],
        biases=[draw(REALS) for _ in range(channels)],
        reach=reach,
        constant=constant,
    )


def ideal(population: Population, channel: int, mean: Fraction) -> int:
    """Return the quantized ANN's count for a mean A, in exact arithmetic."""
    real = mean * population.units[channel] + population.biases[channel]
    steps = population.timesteps
    return min(max(math.floor(real / population.threshold * steps + Fraction(1, 2)), 0), steps)


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
    for levels, reach in zip(population.levels(), population.reach, strict=True):
        assert all(reach.low <= level <= reach.high + 1 for level in levels)


@given(populations())
def test_an_if_neuron_counts_exactly_under_constant_current(population: Population) -> None:
    neuron = IfAbsorber().absorb(population, None)
    assert isinstance(neuron, If)
    assert np.array_equal(neuron.initial, neuron.threshold >> 1)
    counts = population.constant_counts()
    for c, reach in enumerate(population.reach):
        # The converter removes the weights of a channel whose count is the same for every A.
        values = [0] if counts[c] is not None else range(reach.low, reach.high + 1)
        for a in values:
            assert fire(neuron, c, [a] * population.timesteps) == ideal(population, c, Fraction(a))


@given(populations(constant=False), st.data())
def test_an_if_neuron_counts_evenly_spread_spikes_exactly(
    population: Population, data: st.DataObject
) -> None:
    # Spikes bring any sum S, not only multiples of T. For a mean within [0, λ], spread so evenly
    # that no step overshoots, the closed form on S is what the integers were chosen for.
    neuron = IfAbsorber().absorb(population, None)
    assert isinstance(neuron, If)
    steps = population.timesteps
    c = data.draw(st.integers(0, len(population.reach) - 1))
    if population.constant_counts()[c] is not None:
        return
    reach = population.reach[c]
    total = data.draw(st.integers(steps * reach.low, steps * reach.high))
    shift = neuron.fraction_bits
    final = int(neuron.initial[c]) + (total << shift) + steps * int(neuron.bias[c])
    closed = min(max(final // int(neuron.threshold[c]), 0), steps)
    assert closed == ideal(population, c, Fraction(total, steps))


def one(threshold: float, unit: float, bias: float, reach: Range, steps: int = 4) -> Population:
    return Population(
        "conv1", steps, Fraction(threshold), [Fraction(unit)], [Fraction(bias)], [reach], True
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
    assert population.levels() == [[1, 2, 2, 2]]
    with pytest.raises(ConfigError, match=r"conv1', channel 0, rounds to 0 .* use at least 1"):
        IfAbsorber().absorb(population, 0)
    neuron = IfAbsorber().absorb(population, None)
    assert isinstance(neuron, If)
    for a in range(-5, 6):
        assert fire(neuron, 0, [a] * 4) == ideal(population, 0, Fraction(a))


@pytest.mark.parametrize(("bias", "count"), [(-3.0, 0), (0.0, 0), (0.4, 2), (0.75, 3), (9.0, 4)])
def test_channels_without_weights_keep_their_count(bias: float, count: int) -> None:
    population = one(1, 1e-30, bias, Range(0, 0))
    assert population.constant_counts() == [count]
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
    population = replace(population, threshold=Fraction(1) + Fraction(2) ** -61)
    assert population.constant_counts() == [4] or population.constant_counts() == [None]
    narrow = replace(population, biases=[Fraction(7, 8) - Fraction(2) ** -60])
    assert narrow.constant_counts() == [None]
    with pytest.raises(UnsupportedError, match=r"conv1', channel 0: .* do not fit 48 bits"):
        IfAbsorber().absorb(narrow, None)


def test_kinds_are_found_by_name() -> None:
    assert Absorber.kinds["if"] is IfAbsorber
    assert Absorber.kinds["ladder"] is LadderAbsorber


@given(
    st.lists(REALS, min_size=2, max_size=12),
    POSITIVE,
    st.lists(st.integers(-5, 5), min_size=12, max_size=12),
)
def test_logits_are_in_the_order_of_the_real_ones(
    biases: list[Fraction], unit: Fraction, values: list[int]
) -> None:
    logits = absorb_logits("fc", 1, unit, biases, [Range(-5, 5)] * len(biases))
    real = [a * unit + b for a, b in zip(values, biases, strict=False)]
    scale = 1 << logits.fraction_bits
    integers = [a * scale + int(b) for a, b in zip(values, logits.bias, strict=False)]
    for i, j in combinations(range(len(real)), 2):
        assert (real[i] > real[j]) == (integers[i] > integers[j])
        assert (real[i] == real[j]) == (integers[i] == integers[j])


def test_many_classes_with_close_biases_keep_their_order() -> None:
    biases = [Fraction(1, 2) + Fraction(i, 10**9) for i in range(200)]
    logits = absorb_logits("fc", 1, Fraction(1), biases, [Range(-9, 9)] * 200)
    assert (np.diff(logits.bias) > 0).all()
    assert logits.bias[-1] - logits.bias[0] < 1 << logits.fraction_bits


def test_logits_over_several_timesteps_are_rounded() -> None:
    logits = absorb_logits("fc", 4, Fraction(1, 2), [Fraction(1, 3)], [Range(-9, 9)])
    assert (logits.fraction_bits, logits.bias.tolist()) == (8, [round(256 * 2 / 3)])


def test_logits_give_up_fraction_bits_for_width() -> None:
    reach = [Range(-(2**42), 2**42)] * 2
    logits = absorb_logits("fc", 1, Fraction(1), [Fraction(0), Fraction(1)], reach)
    assert logits.fraction_bits < 8


def test_logits_that_fit_no_width() -> None:
    with pytest.raises(UnsupportedError, match=r"output layer 'fc'.* do not fit 48 bits"):
        absorb_logits("fc", 1, Fraction(2) ** -60, [Fraction(1), Fraction(0)], [Range(0, 1)] * 2)
