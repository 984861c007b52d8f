"""Identities 2, 3, 4 and 6: burst, dual and signed neurons, each over its whole small domain.

Expected values come from closed forms and exact fractions, never from the golden model.
Identities 1, 4 and 5 of `if` and `ladder` neurons are in :mod:`test_identities`.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support.networks.examples import counted, ints, logits_layer

from spikeloom.sw.golden import Golden, LayerTrace
from spikeloom.sw.network import (
    Burst,
    Connection,
    Conv2d,
    DirectInput,
    Dual,
    If,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Neuron,
    Signed,
    SpikeInput,
)

Array = np.ndarray[Any, Any]
TIMESTEPS = range(1, 7)


def constant(neuron: Neuron, timesteps: int, scale: int = 1) -> tuple[LayerTrace, Array]:
    """Run neurons under every constant current from -15 to 15.

    Returns
    -------
    trace : LayerTrace
        By timestep, current and channel.
    accumulators : array, shape (number of currents, 1)
        A / ``scale``, by which the weights are multiplied.
    """
    pixels = np.arange(16)
    images = np.concatenate([np.stack([pixels, 0 * pixels], 1), np.stack([0 * pixels, pixels], 1)])
    weight = np.tile([scale, -scale], (neuron.channels, 1))
    network = Network(
        DirectInput((2,), 4),
        (
            Layer("hidden", timesteps, neuron, (counted("input", weight),)),
            logits_layer("hidden", np.ones((1, neuron.channels), np.int64)),
        ),
    )
    trace = Golden(network).run(images, trace=True).trace
    assert trace is not None
    return trace["hidden"], images[:, :1] - images[:, 1:]


def varying(neuron: Neuron, highest: int, timesteps: int) -> tuple[LayerTrace, Array]:
    """Run neurons under every sequence of currents from ``-highest`` to ``highest``.

    Returns
    -------
    trace : LayerTrace
        By timestep, sequence and channel.
    currents : array, shape (timesteps, number of sequences, 1)
    """
    span = range(-highest, highest + 1)
    currents = np.array(list(itertools.product(span, repeat=timesteps)))
    images = np.stack([np.maximum(currents, 0), np.maximum(-currents, 0)], 2)
    weight = np.tile([1, -1], (neuron.channels, 1))
    network = Network(
        SpikeInput((2,), timesteps, highest),
        (
            Layer("hidden", timesteps, neuron, (Connection("input", "spikes", Linear(weight)),)),
            logits_layer("hidden", np.ones((1, neuron.channels), np.int64)),
        ),
    )
    trace = Golden(network).run(images, trace=True).trace
    assert trace is not None
    return trace["hidden"], currents.T[..., None]


def rectified(largest: int, biases: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Return a channel for every threshold up to ``largest``, v0 below it, and bias."""
    channels = [
        (threshold, initial, bias)
        for threshold in range(1, largest + 1)
        for initial in range(threshold)
        for bias in biases
    ]
    return dict(zip(("threshold", "initial", "bias"), np.array(channels).T, strict=True))


# --- 2 and the closed form of burst neurons -------------------------------------------------------


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_2_one_burst_step_does_what_all_if_steps_do(timesteps: int) -> None:
    parameters = rectified(10, (-1, 0, 2))
    stepwise, _ = constant(If(**parameters, fraction_bits=0), timesteps)
    at_once = parameters | {"bias": parameters["bias"] * timesteps}
    burst, _ = constant(Burst(**at_once, fraction_bits=0, largest=timesteps), 1, timesteps)
    np.testing.assert_array_equal(burst.spikes[0], stepwise.spikes.sum(0))
    np.testing.assert_array_equal(burst.potentials[0], stepwise.potentials[-1])
    assert set(np.unique(burst.spikes)) == set(range(timesteps + 1))


@pytest.mark.parametrize("timesteps", TIMESTEPS)
@pytest.mark.parametrize("largest", [1, 2, 3, 5])
def test_bursts_under_constant_current_have_a_closed_form(timesteps: int, largest: int) -> None:
    parameters = rectified(8, (-1, 0, 2))
    neuron = Burst(**parameters, fraction_bits=0, leak=None, largest=largest)
    trace, accumulators = constant(neuron, timesteps)
    total = parameters["initial"] + timesteps * (accumulators + parameters["bias"])
    expected = np.clip(total // parameters["threshold"], 0, timesteps * largest)
    np.testing.assert_array_equal(trace.spikes.sum(0), expected)
    np.testing.assert_array_equal(trace.potentials[-1], total - expected * parameters["threshold"])
    assert set(np.unique(trace.spikes)) == set(range(largest + 1))


# --- 3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_3_dual_under_constant_current_is_if(timesteps: int) -> None:
    parameters = rectified(10, (-3, -1, 0, 2))
    dual, _ = constant(Dual(**parameters, fraction_bits=0), timesteps)
    single, _ = constant(If(**parameters, fraction_bits=0), timesteps)
    np.testing.assert_array_equal(dual.spikes, single.spikes)
    np.testing.assert_array_equal(dual.potentials, single.potentials)
    assert set(np.unique(dual.spikes)) == {0, 1}


@pytest.mark.parametrize("timesteps", [2, 3, 4])
def test_dual_under_any_currents_never_counts_below_zero_and_errs_less(timesteps: int) -> None:
    parameters = rectified(4)
    misses = {}
    for kind in (Dual, If):
        trace, currents = varying(kind(**parameters, fraction_bits=0), 4, timesteps)
        partial = trace.spikes.numpy().cumsum(0)
        assert partial.min() == 0
        total = parameters["initial"] + currents.sum(0)
        ideal = np.clip(total // parameters["threshold"], 0, timesteps)
        misses[kind] = (partial[-1] != ideal).mean()
        # What is not counted is still there.
        left = trace.potentials[-1].numpy() + partial[-1] * parameters["threshold"]
        np.testing.assert_array_equal(left, total)
    assert 0 < misses[Dual] < misses[If] / 2


@pytest.mark.parametrize("timesteps", [1, 2, 3, 4])
def test_dual_is_exact_where_no_current_exceeds_the_threshold(timesteps: int) -> None:
    parameters = {k: v[rectified(6)["threshold"] >= 4] for k, v in rectified(6).items()}
    trace, currents = varying(Dual(**parameters, fraction_bits=0), 4, timesteps)
    total = parameters["initial"] + currents.cumsum(0)
    expected = np.maximum(total // parameters["threshold"], 0)
    np.testing.assert_array_equal(trace.spikes.numpy().cumsum(0), expected)
    assert (trace.spikes == -1).any() == (timesteps > 1)


def test_with_ever_fired_for_the_net_count_the_count_could_fall_below_zero() -> None:
    # Why the paper's condition is not the contract's: a spike would be taken back twice.
    (trace, _) = varying(Dual(ints(2), ints(1), ints(0), fraction_bits=0), 4, 3)
    spikes = trace.spikes[:, :, 0].numpy()
    potentials = trace.potentials[:, :, 0].numpy()
    fired_before = (spikes[:2] > 0).any(0)
    owes = fired_before & (spikes[:2].sum(0) == 0) & (potentials[2] < 0)
    assert owes.any()
    assert (spikes[2][owes] == 0).all()


# --- signed ---------------------------------------------------------------------------------------


def signed_population(amplitudes: tuple[int, int], biases: tuple[int, ...] = (0,)) -> Signed:
    """Return one channel for every pair of thresholds up to 9, and every bias."""
    channels = list(itertools.product(range(1, 10), range(1, 10), biases))
    positive, negative, bias = np.array(channels).T
    return Signed(positive, negative, bias, 0, *amplitudes)


def signed_count(neuron: Signed, current: Array, timesteps: int) -> Array:
    """Return the closed form: half away from zero, in quanta of P above zero and of N below."""

    def quanta(magnitude: Array, threshold: Array) -> Array:
        return np.clip((2 * timesteps * magnitude + threshold) // (2 * threshold), 0, timesteps)

    above = neuron.amplitude * quanta(current, neuron.threshold)
    below = neuron.negative_amplitude * quanta(-current, neuron.negative_threshold)
    return np.where(current >= 0, above, -below)


@pytest.mark.parametrize("timesteps", [*TIMESTEPS, 16])
@pytest.mark.parametrize("amplitudes", [(1, 1), (1, 4), (8, 1), (2, 2)])
def test_signed_under_constant_current_has_a_closed_form(
    timesteps: int, amplitudes: tuple[int, int]
) -> None:
    neuron = signed_population(amplitudes, (-2, 0, 1))
    trace, accumulators = constant(neuron, timesteps)
    expected = signed_count(neuron, accumulators + neuron.bias, timesteps)
    np.testing.assert_array_equal(trace.spikes.sum(0), expected)
    assert expected.max() == timesteps * amplitudes[0]
    assert expected.min() == -timesteps * amplitudes[1]


@pytest.mark.parametrize("timesteps", [1, 2, 3, 4])
def test_signed_counts_are_quanta_and_the_rest_is_left(timesteps: int) -> None:
    neuron = signed_population((1, 4))
    trace, currents = varying(neuron, 3, timesteps)
    counts = trace.spikes.numpy().cumsum(0)
    # One sign at a time: a count is whole quanta of P, or whole quanta of N.
    quanta = np.where(counts >= 0, counts, counts // 4)
    assert (counts[counts < 0] % 4 == 0).all()
    worth = np.where(quanta >= 0, quanta * neuron.threshold, quanta * neuron.negative_threshold)
    np.testing.assert_array_equal(trace.potentials.numpy() + worth, currents.cumsum(0) + 0 * worth)


# --- 4 --------------------------------------------------------------------------------------------


def pooled(neuron: Neuron, timesteps: int) -> tuple[Array, Array]:
    """Return the logits behind a max-pool of two neurons' counts, and the larger current."""
    images = np.array(list(itertools.product(range(4), repeat=4))).reshape(-1, 2, 1, 2)
    weight = np.tile(ints([1, -1]).reshape(1, 2, 1, 1), (neuron.channels, 1, 1, 1))
    copy = Linear(np.eye(neuron.channels, dtype=np.int64))
    silent = Logits(np.zeros(neuron.channels, np.int64), fraction_bits=0)
    network = Network(
        DirectInput((2, 1, 2), 2),
        (
            Layer("hidden", timesteps, neuron, (Connection("input", "count", Conv2d(weight)),)),
            Layer("out", 1, silent, (Connection("hidden", "count", copy, MaxPool((1, 2))),)),
        ),
    )
    currents = images[:, 0, 0] - images[:, 1, 0]
    return Golden(network).run(images).logits.numpy(), currents.max(1, keepdims=True)


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_4_maximum_of_dual_counts_is_the_count_of_the_maximum(timesteps: int) -> None:
    parameters = rectified(7, (-1, 0, 2))
    logits, current = pooled(Dual(**parameters, fraction_bits=0), timesteps)
    total = parameters["initial"] + timesteps * (current + parameters["bias"])
    np.testing.assert_array_equal(logits, np.clip(total // parameters["threshold"], 0, timesteps))


@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_4_maximum_of_burst_counts_is_the_count_of_the_maximum(timesteps: int) -> None:
    parameters = rectified(5, (-1, 0, 2))
    logits, current = pooled(Burst(**parameters, fraction_bits=0, leak=None, largest=3), timesteps)
    total = parameters["initial"] + timesteps * (current + parameters["bias"])
    expected = np.clip(total // parameters["threshold"], 0, 3 * timesteps)
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("timesteps", TIMESTEPS)
@pytest.mark.parametrize("amplitudes", [(1, 1), (1, 4), (8, 1)])
def test_4_maximum_of_signed_counts_is_the_count_of_the_maximum(
    timesteps: int, amplitudes: tuple[int, int]
) -> None:
    neuron = signed_population(amplitudes, (-1, 0, 2))
    logits, current = pooled(neuron, timesteps)
    np.testing.assert_array_equal(logits, signed_count(neuron, current + neuron.bias, timesteps))
    assert logits.min() < 0


# --- 6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leak", [1, 2, 3])
@pytest.mark.parametrize("timesteps", [1, 2, 3, 4])
def test_6_the_error_of_the_leak_is_bounded(leak: int, timesteps: int) -> None:
    parameters = rectified(4)
    neuron = Burst(**parameters, fraction_bits=0, largest=2, leak=leak)
    trace, currents = varying(neuron, 4, timesteps)
    spent = trace.spikes.numpy() * neuron.threshold
    # The real potential times 2^(leak * t) is an integer, and so is what it is compared with.
    kept, whole = (1 << leak) - 1, 1
    real = np.broadcast_to(neuron.initial, spent.shape[1:])
    for t in range(timesteps):
        whole <<= leak
        real = real * kept + (currents[t] - spent[t]) * whole
        error = trace.potentials[t].numpy() * whole - real
        bound = kept * (1 - Fraction(kept, 1 << leak) ** (t + 1))
        assert error.min() >= 0
        assert Fraction(int(error.max()), whole) <= bound <= kept
        assert bound <= (t + 1) * (1 - Fraction(1, 1 << leak))


@pytest.mark.parametrize("leak", [1, 2, 3, 4])
def test_6_the_bound_is_reached(leak: int) -> None:
    # The largest potential that does not leak, and no current: the real one falls towards 0.
    largest, timesteps = (1 << leak) - 1, 5
    neuron = Burst(ints(1 << leak), ints(largest), ints(0), fraction_bits=0, largest=1, leak=leak)
    trace, accumulators = constant(neuron, timesteps)
    kept = trace.potentials[:, int(np.flatnonzero(accumulators == 0)[0]), 0].tolist()
    assert kept == [largest] * timesteps
    for t in range(1, timesteps + 1):
        real = largest * (1 - Fraction(1, 1 << leak)) ** t
        bound = largest * (1 - (1 - Fraction(1, 1 << leak)) ** t)
        assert kept[t - 1] - real == bound
