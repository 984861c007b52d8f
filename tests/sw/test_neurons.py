"""Trainable neurons: their rules, written out by hand, and gradients that reach everything."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.activations import QCFS, Activation, SignedQCFS
from spikeloom.sw.network import Neuron
from spikeloom.sw.neurons import (
    CORE,
    BurstNeuron,
    DualNeuron,
    IfNeuron,
    LadderNeuron,
    SignedNeuron,
    SpikingNeuron,
    burst,
    surrogate,
)


def run(neuron: SpikingNeuron, *currents: float) -> list[float]:
    values = torch.tensor(currents, dtype=torch.float64).reshape(-1, 1)
    spikes: list[float] = neuron(values).flatten().tolist()
    return spikes


def test_every_kind_that_fires_can_be_trained() -> None:
    assert SpikingNeuron.kinds.keys() == {k for k, n in Neuron.kinds.items() if n.fires}


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
    assert surrogate(torch.tensor(CORE)).item() == 1


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
