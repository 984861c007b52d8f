"""Trainable neurons: their rules, written out by hand, and gradients that reach everything."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spikeloom.sw.network import Neuron
from spikeloom.sw.quantized import QCFS, Activation, SignedQCFS
from spikeloom.sw.spiking import SpikingNeuron
from spikeloom.sw.spiking.neurons import (
    BurstNeuron,
    DualNeuron,
    IfNeuron,
    LadderNeuron,
    SignedNeuron,
    burst,
)
from spikeloom.sw.spiking.surrogates import CORE, DEFAULT


def run(neuron: SpikingNeuron, *currents: float) -> list[float]:
    values = torch.tensor(currents, dtype=torch.float64).reshape(-1, 1)
    spikes: list[float] = neuron(values).flatten().tolist()
    return spikes


def test_every_kind_that_fires_can_be_trained() -> None:
    assert SpikingNeuron.kinds.keys() == Neuron.firing().keys()


def test_worked_examples() -> None:
    # λ = 8, from v = 4
    assert run(IfNeuron(QCFS(4, 8.0)), 3, 3, 3, -9, 20) == [0, 1, 0, 0, 1]
    # 4+9=13 fires, 5-9=-4 takes it back, 4-9=-5 has nothing to take back
    assert run(DualNeuron(QCFS(4, 8.0)), 9, -9, -9, 20) == [1, -1, 0, 1]
    assert run(LadderNeuron(QCFS(4, 8.0)), 4.9, 4.9, 4.9, 4.9) == [1, 1, 0, 0]
    # Δ = 2, from v = 1: 1+6=7 -> 3, 1-5=-4 -> 0, -4+20=16 -> 4 at most
    assert run(BurstNeuron(QCFS(4, 8.0), largest=4), 6, -5, 20) == [3, 0, 4]
    # Δ = 2, from v = 0, halved: 5 -> 2, rest 1; 0.5+4=4.5 -> 2
    assert run(BurstNeuron(QCFS(4, 8.0), largest=4, leak=1), 5, 4) == [2, 2]


def freed(neuron: SpikingNeuron, share: float | None, gain: float | None) -> SpikingNeuron:
    """Return the neuron with v0 = share · Θ and Θ = gain · λ / largest."""
    for what, value in (("start", share), ("threshold", gain)):
        if value is not None:
            (parameter,) = neuron.free(what)
            nn.init.constant_(parameter, value if what == "start" else math.log(value))
    return neuron.double()


def test_worked_examples_of_what_is_free() -> None:
    # λ = 8, Θ = 4, v0 = 1: 4.5 fires, 0.5; 3.5; 6.5 fires, 2.5; -6.5; 13.5 fires
    assert run(freed(IfNeuron(QCFS(4, 8.0)), 0.25, 0.5), 3.5, 3, 3, -9, 20) == [1, 0, 1, 0, 1]
    # Θ = 8, v0 = 0: 9 fires, 1; -8 takes it back, 0; -9; 11 fires
    assert run(freed(DualNeuron(QCFS(4, 8.0)), 0.0, None), 9, -9, -9, 20) == [1, -1, 0, 1]
    # Δ = 1, v0 = 3/4: 6.75 -> 4 at most, 2.75; -2.25; 1.75 -> 1
    burst_neuron = BurstNeuron(QCFS(4, 8.0), largest=4)
    assert run(freed(burst_neuron, 0.75, 0.5), 6, -5, 4) == [4, 0, 1]
    # Δ = 2, v0 = 1, halved: 5.5 -> 2, rest 1.5; 0.75 + 4 = 4.75 -> 2
    assert run(freed(BurstNeuron(QCFS(4, 8.0), 4, leak=1), 0.5, None), 5, 4) == [2, 2]
    # 4·3/8 + 3/4 = 2.25 against 1, 2, 3, 4
    assert run(freed(LadderNeuron(QCFS(4, 8.0)), 0.75, None), 3, 3, 3, 3) == [1, 1, 0, 0]
    # P = 4, N = 8: 5 >= 2 fires +2, rest 1
    signed = SignedNeuron(SignedQCFS(4, 8.0, slope=0.25, ratio=0.5))
    assert run(freed(signed, None, 0.5), 5, 0.5) == [2, 0]


@given(st.floats(-3, 3))
def test_starts_stay_below_their_threshold(share: float) -> None:
    neuron = freed(IfNeuron(QCFS(4, 8.0)), share, None)
    used = neuron.shares()
    assert used is not None
    assert used.item() == pytest.approx(min(max(share, 0), 1 - 2**-10), abs=1e-6)
    assert 0 <= used.item() < 1
    used.sum().backward()
    # Beyond the limits, too: what has strayed can come back.
    assert neuron.start_share is not None
    assert neuron.start_share.grad is not None
    assert neuron.start_share.grad.item() == 1


@pytest.mark.parametrize("neuron", [IfNeuron, DualNeuron, BurstNeuron, LadderNeuron])
def test_gradients_reach_every_channel_of_what_is_free(neuron: type[SpikingNeuron]) -> None:
    torch.manual_seed(0)
    made = neuron(QCFS(4, 1.1), channels=5)
    free = made.free("start", "threshold")
    made(torch.randn(3, 8, 5, 4, 4)).sum().backward()
    for parameter in free:
        assert parameter.shape == (5,)
        assert parameter.grad is not None
        assert bool((parameter.grad != 0).all())


def test_core_and_tails_are_both_reached_by_potentials() -> None:
    torch.manual_seed(0)
    x = torch.rand(10_000, dtype=torch.float64) * 4 - 0.5
    x.requires_grad_()
    burst(x, 3).sum().backward()
    assert x.grad is not None
    in_core = (x.grad == 1).double().mean().item()
    # Half the width around each of three thresholds, of a range of four.
    assert in_core == pytest.approx(3 * 2 * CORE / 4, abs=0.02)
    assert x.grad.min().item() < 0.1


def test_signed_worked_example() -> None:
    # P = 8, N = 0.5·8/0.25 = 16, a_P = 2, a_N = 1. 5 >= 4 fires +2, v = -3; -3-2=-5 <= -4 takes
    # P back, v = 3; 3-12=-9 <= -8 fires -1, v = 7; 7+1=8 >= 8 takes N back, v = -8
    neuron = SignedNeuron(SignedQCFS(4, 8.0, slope=0.25, ratio=0.5))
    assert run(neuron, 5, -2, -12, 1) == [2, -2, -1, 1]


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=4), st.integers(1, 8))
def test_constant_currents_give_the_activations_counts(values: list[float], levels: int) -> None:
    x = torch.tensor(values, dtype=torch.float64) + 1e-3 * math.pi  # no ties
    currents = x.expand(levels, -1)
    plain = QCFS(levels, 1.3)
    for kind in (IfNeuron, DualNeuron, LadderNeuron):
        assert torch.equal(kind(plain)(currents).sum(0).long(), plain.counts(x))
    assert torch.equal(BurstNeuron(plain, levels)(currents[:1]).sum(0).long(), plain.counts(x))
    signed = SignedQCFS(levels, 1.3, 0.2)
    assert torch.equal(SignedNeuron(signed)(currents).sum(0).long(), signed.counts(x))


def test_leaks_on_a_grid_round_down() -> None:
    neuron = BurstNeuron(QCFS(4, 4.0), largest=1, leak=1)
    currents = torch.tensor([[-3.2], [0.0], [0.0], [3.0]], dtype=torch.float64)
    grid = torch.tensor([1.0], dtype=torch.float64)
    # -3, then -3 - floor(-1.5) = -1, then -1 - floor(-0.5) = 0, then 3 < 4
    assert neuron(currents, grid).flatten().tolist() == [0, 0, 0, 0]
    # With a threshold of 3 it would fire only where the leak leaves nothing behind.
    neuron = BurstNeuron(QCFS(4, 3.0), largest=1, leak=1)
    assert neuron(currents, grid).flatten().tolist() == [0, 0, 0, 1]
    assert neuron(currents).flatten().tolist() == [0, 0, 0, 0]


def test_the_surrogate_has_a_core_and_tails() -> None:
    x = torch.linspace(-2, 6, 801, dtype=torch.float64, requires_grad=True)
    burst(x, 3).sum().backward()
    assert x.grad is not None
    slope = dict(zip([round(v, 2) for v in x.tolist()], x.grad.tolist(), strict=True))
    for threshold in (1, 2, 3):
        assert slope[threshold] == slope[threshold - 0.2] == slope[threshold + 0.24] == 1
    # Between two thresholds, below the first and beyond the last it falls off, but not to 0.
    for between in (0.5, 1.5, 2.5, 3.5):
        assert slope[between] == pytest.approx(math.exp(-3 * (0.5 - CORE)))
    assert 0 < slope[6] < slope[5] < slope[4] < slope[3.5]
    assert 0 < slope[-2] < slope[-1] < slope[0]
    assert DEFAULT.derivative(torch.tensor(CORE)).item() == 1


@pytest.mark.parametrize(
    ("neuron", "activation"),
    [
        (IfNeuron, QCFS(4, 1.1)),
        (LadderNeuron, QCFS(4, 1.1)),
        (DualNeuron, QCFS(4, 1.1)),
        (BurstNeuron, QCFS(4, 1.1)),
        (SignedNeuron, SignedQCFS(4, 1.1, 0.25)),
    ],
)
def test_gradients_reach_thresholds_and_every_timestep(
    neuron: type[SpikingNeuron], activation: Activation
) -> None:
    torch.manual_seed(0)
    made = neuron(activation, 3 if neuron is BurstNeuron else 1)
    assert made.log_threshold is activation.log_threshold
    currents = torch.randn(5, 40, dtype=torch.float64, requires_grad=True)
    # Of the last timestep only: what came before reaches it through the potential.
    spikes = made(currents)
    weights = torch.rand(40, dtype=torch.float64)
    (spikes[-1 if neuron is not LadderNeuron else slice(None)] * weights).sum().backward()
    assert currents.grad is not None
    assert bool((currents.grad != 0).any(dim=1).all())
    assert activation.log_threshold.grad is not None
    assert activation.log_threshold.grad.item() != 0


def test_a_current_is_given_once() -> None:
    # What the surrogate gives to one spike, the reset takes from the later ones.
    currents = torch.full((6, 1), 0.3, dtype=torch.float64, requires_grad=True)
    IfNeuron(QCFS(4, 1.0)).double()(currents).sum().backward()
    assert currents.grad is not None
    assert 0 < currents.grad[0].item() <= 1


@pytest.mark.parametrize("gain", [None, 0.25])
def test_the_negative_gain_begins_as_that_of_both(gain: float | None) -> None:
    neuron = SignedNeuron(SignedQCFS(4, 8.0), channels=2)
    if gain is not None:
        (both,) = neuron.free("threshold", per="layer")
        nn.init.constant_(both, math.log(gain))
    (negative,) = neuron.free("negative")
    assert negative.tolist() == pytest.approx([math.log(gain or 1)] * 2)
