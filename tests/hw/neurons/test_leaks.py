"""Units with leaks, and with resets of their own, at the ends of all ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.hw.neuron_bench import HUGE, check, layer

from spikeloom.hw.neurons import NeuronUnit
from spikeloom.sw.network import Burst, Cuba, Dual, If, Logits, Neuron

#: Decays of one shift and of three, one that does not keep the order of values, and a gain.
LEAKS = [(1,), (2, -4, 5), (31, 1, 1), (-3,)]


def parameters(most: int) -> dict[str, Any]:
    """Return thresholds from 1 to beyond reach, and initial potentials and biases of either sign.

    The neurons are on channels of their own.
    """
    return {
        "threshold": np.array([1, 1, most - 1, most, HUGE, 3]),
        "initial": np.array([0, 0, most - 2, most // 2, 7, 2]),
        "bias": np.array([0, -1, -most, 0, most, -8]),
    }


def neurons(kind: str, bits: int, leak: tuple[int, ...], reset: str) -> Neuron:
    most = (15 * 128) << bits
    given = parameters(most)
    resets: dict[str, Any] = {
        "threshold": {},
        "amount": {"reset_amount": np.array([1, 2 * most, most - 2, most + 1, HUGE, 1])},
        "value": {"reset_value": np.array([0, -most, most, most - 1, HUGE // 2**12, -5])},
    }[reset]
    if kind == "cuba":
        given["initial"] -= most
        return Cuba(**given, fraction_bits=bits, leak=leak, current_leak=leak[:1], **resets)
    return If(**given, fraction_bits=bits, leak=leak, **resets)


@pytest.mark.parametrize("kind", ["if", "cuba"])
@pytest.mark.parametrize("leak", [(), *LEAKS])
@pytest.mark.parametrize("reset", ["threshold", "amount", "value"])
@pytest.mark.parametrize(("weight", "fraction_bits"), [(127, 0), (-128, 8)])
def test_if_and_cuba_at_the_ends(
    weight: int, fraction_bits: int, reset: str, leak: tuple[int, ...], kind: str
) -> None:
    neuron = neurons(kind, fraction_bits, leak, reset)
    fired = check(layer([[weight]] * neuron.channels, neuron, 5))
    assert 1 in fired[0] or weight < 0
    assert not any(fired[4]), "a threshold beyond reach does not fire"


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize(("weight", "fraction_bits"), [(127, 0), (-128, 8)])
def test_others_at_the_ends(weight: int, fraction_bits: int, leak: tuple[int, ...]) -> None:
    given = parameters((15 * 128) << fraction_bits)
    for neuron, most in (
        (Dual(**given, fraction_bits=fraction_bits, leak=leak), 1),
        (Burst(**given, fraction_bits=fraction_bits, largest=5, leak=leak), 5),
        (Logits(given["bias"], fraction_bits, leak), 0),
    ):
        fired = check(layer([[weight]] * neuron.channels, neuron, 6))
        assert max(fired[0]) == most or weight < 0


@pytest.mark.parametrize("leak", LEAKS[:3])
@pytest.mark.parametrize("kind", [If, Dual, Cuba])
def test_potentials_of_the_full_width(kind: type[If | Dual], leak: tuple[int, ...]) -> None:
    bias = (1 << 44) - (1 << 12)
    threshold = np.array([1, bias, 4 * bias, HUGE])
    for sign in (-1, 1):
        # A current that leaks all but its last input drives v as that input alone would.
        rest: dict[str, Any] = {"current_leak": (1, 1)} if kind is Cuba else {}
        neuron = kind(threshold, np.zeros(4, int), np.full(4, sign * bias), 0, leak, **rest)
        plan = layer([[1], [-1], [1], [-1]], neuron, 8)
        assert plan.ranges.potential.width >= 45
        assert (1 in check(plan)[0]) == (sign > 0)


@pytest.mark.parametrize("timesteps", [1, 4])
def test_a_neuron_that_fires_above_its_threshold(timesteps: int) -> None:
    # Threshold 9 and amount 8 are a strict comparison with 8.
    neuron = If(np.array([9]), np.array([0]), np.array([0]), 0, reset_amount=np.array([8]))
    plan = layer([[8]], neuron, timesteps)
    assert plan.ranges.potential.low == 0
    assert set(check(plan)[0]) == {0, 1}


def test_resets_of_neurons_that_never_fire_take_no_bits() -> None:
    amount, value = np.array([HUGE, 3]), np.array([1 << 40, -3])
    both: list[dict[str, Any]] = [{"reset_amount": amount}, {"reset_value": value}]
    for resets in both:
        neuron = If(np.array([HUGE, 1]), np.zeros(2, int), np.zeros(2, int), 0, **resets)
        planned = layer([[1], [1]], neuron, 2)
        layout = NeuronUnit.of(planned.neurons).layout(planned.neurons)
        assert layout["reset"].width <= 3
