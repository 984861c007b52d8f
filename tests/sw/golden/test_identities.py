"""The contract's identities 1, 4 and 5 of `if` and `ladder`, each over its whole small domain.

Those of the other kinds are in :mod:`test_neuron_identities`.

Expected values come from closed forms and exact fractions, never from the golden model.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from support.networks.examples import counted, ints, logits_layer

from spikeloom.sw.golden import Golden
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    If,
    Ladder,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Neuron,
)

Array = np.ndarray[Any, Any]
TIMESTEPS = range(1, 7)


def if_count(initial: Array, current: Array, threshold: Array, timesteps: int) -> Array:
    """Return identity 1's closed form, clip(floor((v0 + T*I) / threshold), 0, T)."""
    return np.clip((initial + timesteps * current) // threshold, 0, timesteps)


def differences(high: int) -> tuple[DirectInput, Array, Array]:
    """Return an input of two pixels, all images of it, and their differences x0 - x1."""
    bits = high.bit_length()
    images = np.array(list(itertools.product(range(2**bits), repeat=2)))
    return DirectInput((2,), bits), images, images[:, 0] - images[:, 1]


def if_population(largest: int, fraction_bits: int = 0, biases: tuple[int, ...] = (0,)) -> If:
    """Return one channel for every threshold up to ``largest``, v0 below it, and bias."""
    channels = [
        (threshold, initial, bias)
        for threshold in range(1, largest + 1)
        for initial in range(threshold)
        for bias in biases
    ]
    threshold, initial, bias = (np.array(values) for values in zip(*channels, strict=True))
    return If(threshold, initial, bias, fraction_bits)


@pytest.mark.parametrize("timesteps", TIMESTEPS)
@pytest.mark.parametrize("fraction_bits", [0, 1, 2])
def test_1_if_under_constant_current_has_a_closed_form(timesteps: int, fraction_bits: int) -> None:
    source, images, accumulators = differences(15)
    neuron = if_population(10, fraction_bits, (-3, -1, 0, 1, 2))
    weight = np.tile([1, -1], (neuron.channels, 1))
    network = Network(
        source,
        (
            Layer("hidden", timesteps, neuron, (counted("input", weight),)),
            logits_layer("hidden", np.ones((1, neuron.channels), np.int64)),
        ),
    )
    current = accumulators[:, None] * 2**fraction_bits + neuron.bias
    expected = if_count(neuron.initial, current, neuron.threshold, timesteps)
    # The whole of 0 to T occurs, and so do currents that would leave it on either side.
    assert set(np.unique(expected)) == set(range(timesteps + 1))
    assert (current < 0).any()
    assert (current > neuron.threshold).any()
    counts = Golden(network).run(images).counts["hidden"]
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_1_half_a_threshold_rounds_half_up(timesteps: int) -> None:
    source, images, accumulators = differences(15)
    threshold = np.arange(1, 12)
    neuron = If(threshold, threshold >> 1, np.zeros_like(threshold), fraction_bits=0)
    weight = np.tile([1, -1], (neuron.channels, 1))
    network = Network(
        source,
        (
            Layer("hidden", timesteps, neuron, (counted("input", weight),)),
            logits_layer("hidden", np.ones((1, neuron.channels), np.int64)),
        ),
    )
    expected = [
        [
            min(
                max(math.floor(Fraction(timesteps * int(a), int(t)) + Fraction(1, 2)), 0), timesteps
            )
            for t in threshold
        ]
        for a in accumulators
    ]
    assert Golden(network).run(images).counts["hidden"].tolist() == expected


def pooled(neuron: Neuron, timesteps: int) -> tuple[Network, Array, Array, Array]:
    """Return a max-pool over two neurons' counts, all inputs of it, and the neurons' currents."""
    source = DirectInput((2, 1, 2), 2)
    images = np.array(list(itertools.product(range(4), repeat=4))).reshape(-1, 2, 1, 2)
    currents = images[:, 0, 0] - images[:, 1, 0]
    weight = np.tile(ints([1, -1]).reshape(1, 2, 1, 1), (neuron.channels, 1, 1, 1))
    identity = Linear(np.eye(neuron.channels, dtype=np.int64))
    network = Network(
        source,
        (
            Layer("hidden", timesteps, neuron, (Connection("input", "count", Conv2d(weight)),)),
            Layer(
                "out",
                1,
                Logits(np.zeros(neuron.channels, np.int64), fraction_bits=0),
                (Connection("hidden", "count", identity, MaxPool((1, 2))),),
            ),
        ),
    )
    return network, images, currents[:, 0], currents[:, 1]


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_4_maximum_of_if_counts_is_the_count_of_the_maximum(timesteps: int) -> None:
    neuron = if_population(7, biases=(-1, 0, 2))
    network, images, left, right = pooled(neuron, timesteps)
    current = np.maximum(left, right)[:, None] + neuron.bias
    expected = if_count(neuron.initial, current, neuron.threshold, timesteps)
    np.testing.assert_array_equal(Golden(network).run(images).logits, expected)


@pytest.mark.parametrize("timesteps", [1, 2, 3])
def test_4_maximum_of_ladder_counts_is_the_count_of_the_maximum(timesteps: int) -> None:
    ladders = itertools.combinations_with_replacement(range(-4, 5), timesteps)
    neuron = Ladder(np.array(list(ladders)))
    network, images, left, right = pooled(neuron, timesteps)
    expected = (np.maximum(left, right)[:, None, None] >= neuron.levels).sum(-1)
    np.testing.assert_array_equal(Golden(network).run(images).logits, expected)


def test_4_does_not_hold_timestep_by_timestep() -> None:
    # Why a max-pool is refused in spike transport: 2 of 3 and 1 of 3, but never at once.
    neuron = If(ints(3), ints(1), ints(0), fraction_bits=0)
    network, _, _, _ = pooled(neuron, 3)
    result = Golden(network).run([[[[2, 1]], [[0, 0]]]], trace=True)
    assert result.trace is not None
    spikes = result.trace["hidden"].spikes[:, 0, 0, 0]
    assert spikes.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert int(spikes.amax(1).sum()) == 3
    assert result.counts["hidden"].tolist() == [[[[2, 1]]]]


def qcfs(x: Fraction, limit: Fraction, levels: int) -> int:
    """Return QCFS's level, clip(floor(x*L/limit + 1/2), 0, L)."""
    return min(max(math.floor(x * levels / limit + Fraction(1, 2)), 0), levels)


def ladder_levels(threshold: Fraction, bias: Fraction, timesteps: int) -> list[int]:
    """Return tau_k = ceil((k - 1/2) * threshold / T - bias), from the real threshold and bias."""
    return [
        math.ceil((k - Fraction(1, 2)) * threshold / timesteps - bias)
        for k in range(1, timesteps + 1)
    ]


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_5_ladder_is_the_quantized_activation(timesteps: int) -> None:
    source, images, accumulators = differences(15)
    thresholds = sorted({Fraction(p, q) for p in range(1, 12) for q in (1, 2, 3, 5)})
    biases = sorted({Fraction(p, q) for p in range(-5, 6) for q in (1, 2, 3)})
    channels = list(itertools.product(thresholds, biases))
    neuron = Ladder(np.array([ladder_levels(t, b, timesteps) for t, b in channels]))
    network = Network(
        source,
        (
            Layer(
                "hidden",
                timesteps,
                neuron,
                (counted("input", np.tile([1, -1], (neuron.channels, 1))),),
            ),
            logits_layer("hidden", np.ones((1, neuron.channels), np.int64)),
        ),
    )
    values = range(int(accumulators.min()), int(accumulators.max()) + 1)
    # In units of u: the activation's input is A + bias, its limit lambda is the threshold.
    table = {a: [qcfs(a + b, t, timesteps) for t, b in channels] for a in values}
    expected = [table[int(a)] for a in accumulators]
    assert set(itertools.chain(*expected)) == set(range(timesteps + 1))
    assert Golden(network).run(images).counts["hidden"].tolist() == expected


class RealNetwork:
    """A quantized network of two hidden QCFS layers, in exact fractions, and its absorption."""

    levels = (4, 3)
    pixel = Fraction(1, 3)
    weight_scales = ((Fraction(1, 7), Fraction(2, 5)), (Fraction(3, 11), Fraction(1, 4)))
    limits = (Fraction(9, 10), Fraction(1, 2))
    biases = ((Fraction(1, 13), Fraction(-1, 6)), (Fraction(2, 9), Fraction(-3, 8)))
    weights = (ints([3, -2, 1], [-1, 2, 2]), ints([2, -3], [-1, 3]))
    output_scale = Fraction(1, 6)
    output_weights = ints([2, -1], [-2, 3], [1, 2])
    output_bias_steps = ints(1, -2, 0)

    def run(self, pixels: tuple[int, ...]) -> tuple[list[list[int]], int]:
        """Return both hidden layers' levels and the label."""
        values = [self.pixel * p for p in pixels]
        counts = []
        for index, levels in enumerate(self.levels):
            limit = self.limits[index]
            x = [
                sum((scale * int(w) * v for w, v in zip(row, values, strict=True)), bias)
                for row, scale, bias in zip(
                    self.weights[index], self.weight_scales[index], self.biases[index], strict=True
                )
            ]
            counts.append([qcfs(value, limit, levels) for value in x])
            values = [limit * n / levels for n in counts[-1]]
        unit = self.output_scale * self.limits[1] / self.levels[1]
        logits = [
            sum(self.output_scale * int(w) * v for w, v in zip(row, values, strict=True))
            + unit * int(steps)
            for row, steps in zip(self.output_weights, self.output_bias_steps, strict=True)
        ]
        return counts, logits.index(max(logits))

    def absorbed(self) -> Network:
        """Return the integer network, by the formulas of the contract's page."""
        source_unit, layers, source = self.pixel, [], "input"
        for index, levels in enumerate(self.levels):
            ladders = []
            for scale, bias in zip(self.weight_scales[index], self.biases[index], strict=True):
                unit = scale * source_unit
                ladders.append(ladder_levels(self.limits[index] / unit, bias / unit, levels))
            layers.append(
                Layer(
                    f"hidden{index}",
                    levels,
                    Ladder(np.array(ladders)),
                    (counted(source, self.weights[index]),),
                )
            )
            source_unit, source = self.limits[index] / levels, f"hidden{index}"
        neuron = Logits(self.output_bias_steps, fraction_bits=0)
        layers.append(Layer("out", 1, neuron, (counted(source, self.output_weights),)))
        return Network(DirectInput((3,), 3), tuple(layers))


def test_5_a_whole_network_keeps_every_count_and_label() -> None:
    real = RealNetwork()
    images = list(itertools.product(range(8), repeat=3))
    result = Golden(real.absorbed()).run(images)
    seen: tuple[set[int], set[int], set[int]] = (set(), set(), set())
    for n, image in enumerate(images):
        counts, label = real.run(image)
        assert result.counts["hidden0"][n].tolist() == counts[0]
        assert result.counts["hidden1"][n].tolist() == counts[1]
        assert result.labels[n] == label
        seen[0].update(counts[0])
        seen[1].update(counts[1])
        seen[2].add(label)
    assert seen == ({0, 1, 2, 3, 4}, {0, 1, 2, 3}, {0, 1, 2})


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_5_if_neurons_do_the_same_where_nothing_is_rounded(timesteps: int) -> None:
    source, images, accumulators = differences(15)
    neuron = if_population(12, fraction_bits=1, biases=(-3, 0, 1))
    neuron = If(neuron.threshold, neuron.threshold >> 1, neuron.bias, fraction_bits=1)
    weight = np.tile([1, -1], (neuron.channels, 1))
    network = Network(
        source,
        (
            Layer("hidden", timesteps, neuron, (counted("input", weight),)),
            logits_layer("hidden", np.ones((1, neuron.channels), np.int64)),
        ),
    )
    counts = Golden(network).run(images).counts["hidden"]
    for c in range(0, neuron.channels, 7):
        threshold, bias = Fraction(int(neuron.threshold[c]), 2), Fraction(int(neuron.bias[c]), 2)
        expected = [qcfs(int(a) + bias, threshold, timesteps) for a in accumulators]
        assert torch.equal(counts[:, c], torch.tensor(expected))
