"""Folded time is the loop over timesteps, to the same count and the same potential."""

from __future__ import annotations

import numpy as np
import pytest
from support.hw.neuron_bench import HUGE, check_folded, layer

from spikeloom.sw.network import Burst, Dual, If, Neuron, Signed

#: T of every pattern of bits: all set, one set, and such where a quotient must be clipped within.
TIMESTEPS = [1, 2, 3, 5, 6, 7, 8, 10, 100]


def parameters(timesteps: int, step: int) -> tuple[list[int], list[int], list[int]]:
    """Return thresholds, initial potentials and biases around what T steps of ``step`` bring."""
    thresholds = [1, 1, 2, 3, step, step + 1, timesteps * step, timesteps * step + 1, HUGE, 7]
    initials = [0, 0, 1, 2, step - 1, step // 2, 0, timesteps * step, HUGE // 2**24, 3]
    biases = [0, 1, -1, -step, 0, step, -7, 7, -step, -3]
    return thresholds, initials, biases


def neuron(kind: str, timesteps: int, fraction_bits: int) -> Neuron:
    given = parameters(timesteps, (15 * 128) << fraction_bits)
    thresholds, initials, biases = map(np.array, given)
    if kind == "signed":
        return Signed(thresholds, thresholds[::-1], biases, fraction_bits, 4, 2)
    if kind == "burst":
        return Burst(thresholds, initials, biases, fraction_bits, 3)
    kinds: dict[str, type[If] | type[Dual]] = {"if": If, "dual": Dual}
    return kinds[kind](thresholds, initials, biases, fraction_bits)


@pytest.mark.parametrize("kind", ["if", "dual", "signed", "burst"])
@pytest.mark.parametrize(("weight", "fraction_bits"), [(127, 0), (-128, 3)])
@pytest.mark.parametrize("timesteps", TIMESTEPS)
def test_at_the_ends(timesteps: int, weight: int, fraction_bits: int, kind: str) -> None:
    made = neuron(kind, timesteps, fraction_bits)
    counts = check_folded(layer([[weight]] * made.channels, made, timesteps, folded=True))
    largest = {"signed": 4, "burst": 3}.get(kind, 1) * timesteps
    assert (max(counts[0]) == largest) == (weight > 0), "a threshold of 1 fires at every step"
    assert (min(counts[-1]) == -2 * timesteps) == (kind == "signed"), "so does a quantum of 1"


@pytest.mark.parametrize("timesteps", [3, 5, 8])
@pytest.mark.parametrize("largest", [2, 5, 4096])
def test_bursts(largest: int, timesteps: int) -> None:
    made = Burst(np.array([1, 2, 50, 127]), np.array([0, 1, 49, 0]), np.zeros(4, int), 0, largest)
    counts = check_folded(layer([[127], [1], [33], [-5]], made, timesteps, folded=True))
    assert max(counts[0]) == timesteps * min(1905, largest)


@pytest.mark.parametrize("kind", ["if", "dual", "signed", "burst"])
@pytest.mark.parametrize("timesteps", [5, 8])
def test_potentials_of_the_full_width(timesteps: int, kind: str) -> None:
    bias = (1 << 47) // timesteps - (1 << 12)
    thresholds = np.array([1, bias // 3, bias, 7 * bias // 2, HUGE])
    zeros, weights = np.zeros(5, int), [[1], [-1], [1], [-1], [1]]
    for sign in (-1, 1):
        biases = np.full(5, sign * bias)
        made: dict[str, Neuron] = {
            "if": If(thresholds, zeros, biases, 0),
            "dual": Dual(thresholds, zeros, biases, 0),
            "signed": Signed(thresholds, thresholds, biases, 0),
            "burst": Burst(thresholds, zeros, biases, 0, 5),
        }
        plan = layer(weights, made[kind], timesteps, folded=True)
        assert plan.ranges.potential.width == (48 if sign < 0 or kind == "signed" else 47)
        counts = check_folded(plan)
        assert any(counts[1] - {0}) == (sign > 0 or kind == "signed")


@pytest.mark.parametrize("kind", ["if", "signed"])
def test_no_current_at_all(kind: str) -> None:
    zero, one = np.array([0]), np.array([1])
    made = {"if": If(one, zero, zero, 0), "signed": Signed(one, one, zero, 0)}[kind]
    plan = layer([[0]], made, 3, folded=True)
    assert check_folded(plan) == [{0}]
