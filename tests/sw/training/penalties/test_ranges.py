"""Penalties on ranges: eq. 23 from batch-norm and from the batch, eq. 24 by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw import models
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import activations_of, prepare
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training.penalties import ClippingPenalty, VariancePenalty, penalty_named

LOSS = torch.tensor(2.0)


def normed(batches: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)]
    return nn.Sequential(*(layers if batches else [layers[0], *layers[2:]]))


def set_norm(model: nn.Module, scale: list[float], shift: list[float]) -> Any:
    norm: Any = model.get_submodule("1")
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(scale))
        norm.bias.copy_(torch.tensor(shift))
    return norm


@pytest.mark.parametrize("prepared", [False, True])
def test_the_variance_of_a_layer_with_batch_norm(prepared: bool) -> None:
    model: nn.Module = normed()
    if prepared:
        model = prepare(model, input_shape=(1, 8, 8))
    norm = set_norm(model, [0.5, -1.5], [1.0, 2.0])
    penalty = VariancePenalty(model, weight=0.7, epsilon=0.1)
    with penalty:
        penalty.start_epoch()
        model.train()(torch.rand(4, 1, 8, 8))
        term = penalty(LOSS)
    mean, square = 1.5, (0.25 + 2.25) / 2 + 0.25
    expected = 0.7 * math.sqrt(square) ** 3 / (mean + 0.1) ** 3
    assert term.item() == pytest.approx(expected, rel=1e-6)
    term.backward()
    # by hand: η falls as the mean rises, -3η/(m + ε) for each half of it, and var by (b - m)
    slope = [expected * (-3 / 1.6 / 2 + 1.5 / square * (2 / 2) * (b - mean)) for b in (1.0, 2.0)]
    assert norm.bias.grad.tolist() == pytest.approx(slope, rel=1e-5)
    assert norm.weight.grad.tolist() == pytest.approx(
        [expected * 1.5 / square * g for g in (0.5, -1.5)], rel=1e-5
    )


def test_batch_norm_says_what_the_batch_would() -> None:
    # In training mode a batch-norm's outputs have these very moments, but for its ε.
    model = normed()
    norm = set_norm(model, [0.5, 1.5], [1.0, -0.3])
    norm.eps = 1e-12
    with VariancePenalty(model, weight=1.0) as penalty:
        term = penalty(LOSS).item()
    values = model[:2].train()(torch.rand(64, 1, 8, 8, dtype=torch.float32))
    expected = values.std(correction=0) ** 3 / (values.mean().abs() + 1e-2) ** 3
    assert term == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("prepared", [False, True])
def test_the_variance_of_a_layer_without_batch_norm(prepared: bool) -> None:
    model: nn.Module = normed(batches=False)
    if prepared:
        model = prepare(model, input_shape=(1, 8, 8), learn="clip")
    images = torch.rand(4, 1, 8, 8)
    penalty = VariancePenalty(model, weight=1.0, epsilon=0.5)
    with penalty:
        model.train()(images)
        term = penalty(LOSS)
        model(2 * images)
        second = penalty(LOSS)
    values = model.get_submodule("0")(images)
    expected = values.std(correction=0) ** 3 / (values.mean().abs() + 0.5) ** 3
    assert term.item() == pytest.approx(expected.item(), rel=1e-5)
    assert second.item() != term.item()
    weight = next(model.get_submodule("0").parameters())
    assert torch.allclose(
        torch.autograd.grad(term, weight)[0], torch.autograd.grad(expected, weight)[0], rtol=1e-4
    )
    model(images)
    with pytest.raises(RuntimeError, match="non-empty"):
        penalty(LOSS)  # it no longer looks


def test_validation_in_between_leaves_no_trace() -> None:
    model = normed(batches=False)
    with VariancePenalty(model, weight=1.0) as penalty:
        model.train()(torch.ones(1, 1, 8, 8))
        expected = penalty(LOSS).item()
        model.eval()(torch.rand(9, 1, 8, 8))
        model.train()(torch.ones(1, 1, 8, 8))
        assert penalty(LOSS).item() == expected


def test_the_share_of_the_loss() -> None:
    model = normed()
    norm = set_norm(model, [0.5, 1.5], [1.0, 2.0])
    fixed = VariancePenalty(model, weight=1.0)(LOSS)
    (by_fixed,) = torch.autograd.grad(fixed, norm.weight)
    term = VariancePenalty(model, share=0.2)(LOSS)
    assert term.item() == pytest.approx(0.2 * 2.0)
    (by_share,) = torch.autograd.grad(term, norm.weight)
    # λ1 = share·|loss|/η is a constant to gradients (eq. 31).
    assert torch.allclose(by_share, by_fixed * 0.2 * 2.0 / fixed.item())


def test_no_spread_is_no_penalty() -> None:
    model = normed()
    norm = set_norm(model, [0.0, 0.0], [1.0, 1.0])
    term = VariancePenalty(model)(LOSS)
    term.backward()
    assert term.item() == 0
    assert norm.weight.grad.tolist() == [0, 0]


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(4, 3)
        self.last = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(functional.relu(self.hidden(x)))

    def hidden(self, x: Tensor) -> Tensor:
        return self.first(x)


class Summed(Functional):
    def hidden(self, x: Tensor) -> Tensor:
        return self.first(x) + self.second(x)


def test_activations_that_are_functions() -> None:
    model, images = Functional(), torch.rand(5, 4)
    with VariancePenalty(model, weight=1.0) as penalty:
        model.train()(images)
        values = model.first(images)
        term = penalty(LOSS).item()
    # The line above has been seen as well; both are the same.
    expected = values.std(correction=0) ** 3 / (values.mean().abs() + 1e-2) ** 3
    assert term == pytest.approx(expected.item(), rel=1e-5)
    with pytest.raises(ConfigError, match="cannot see what enters relu, the activation of layer"):
        VariancePenalty(Summed())
    prepared = prepare(Summed(), input_shape=(4,))
    with VariancePenalty(prepared) as penalty:
        prepared.train()(images)
        assert penalty(LOSS).item() == pytest.approx(0.2)


def test_a_model_without_activations() -> None:
    with pytest.raises(ConfigError, match="'variance' needs a layer with an activation"):
        VariancePenalty(nn.Sequential(nn.Linear(4, 2)))


def test_residual_networks_are_seen_whole() -> None:
    model = prepare(models.build("digits-residual"), input_shape=(1, 8, 8))
    with VariancePenalty(model) as penalty:
        model.train()(torch.rand(8, 1, 8, 8))
        penalty(LOSS).backward()
    assert penalty.summary()["variance_penalty"] == pytest.approx(0.2)


@pytest.mark.parametrize("learn", [None, "clip", "n,d"])
def test_clipping_is_the_sum_of_squares(learn: str | None) -> None:
    model = nn.Sequential(
        nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.LeakyReLU(0.2), nn.Linear(4, 2)
    )
    prepared = prepare(model, input_shape=(3,), learn=learn)
    first: Any
    second: Any
    first, second = (prepared.get_submodule(f"activations.layer_{i}") for i in (0, 2))
    first.set_threshold(3.0)
    second.set_threshold(2.0)
    assert second.negative_threshold == pytest.approx(0.25 * 2 / 0.2)
    term = penalty_named("clipping", prepared, weight=0.1)(LOSS)
    assert term.item() == pytest.approx(0.1 * (9 + 4 + 2.5**2), rel=1e-6)
    term.backward()
    # d(λ²)/d(ln λ) = 2λ²
    assert first.log_threshold.grad.item() == pytest.approx(0.1 * 18, rel=1e-6)
    assert second.log_threshold.grad.item() == pytest.approx(0.1 * 2 * (4 + 6.25), rel=1e-6)


def test_clipping_weighs_little_unless_asked() -> None:
    prepared = prepare(models.build("digits-conv"), input_shape=(1, 8, 8))
    layers = sum(1 for name, _ in prepared.named_parameters() if name.endswith("log_threshold"))
    assert ClippingPenalty(prepared)(LOSS).item() == pytest.approx(1e-4 * layers)


@pytest.mark.parametrize("batches", [False, True])
def test_spiking_networks_have_penalties_of_their_own_currents(batches: bool) -> None:
    torch.manual_seed(0)
    prepared = prepare(normed(batches), input_shape=(1, 8, 8), timesteps=3)
    known: dict[str, Any] = {"input_bits": 8, "input_scale": 1 / 255}
    network = spiking(prepared, transport="spikes", **known).train()
    images = torch.rand(4, 1, 8, 8)
    seen: list[Tensor] = []
    (neuron,) = network.neurons.values()
    neuron.register_forward_pre_hook(lambda _, args: seen.append(args[0].mean(0)))
    with VariancePenalty(network, weight=0.7, epsilon=0.1) as penalty:
        network(images)
        term = penalty(LOSS)
    if batches:
        with VariancePenalty(prepared, weight=0.7, epsilon=0.1) as plain:
            prepared(images)
            assert term == plain(LOSS)
    else:
        deviation, mean = seen[0].std(correction=0), seen[0].mean()
        expected = 0.7 * deviation**3 / (mean.abs() + 0.1) ** 3
        assert term.item() == pytest.approx(expected.item(), rel=1e-5)
    clipping = ClippingPenalty(network, weight=0.5)
    (activation,) = activations_of(prepared).values()
    assert clipping(LOSS).item() == pytest.approx(0.5 * activation.threshold**2)
