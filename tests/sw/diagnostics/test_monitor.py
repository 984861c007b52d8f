"""Measurements of the monitor, which changes nothing."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from support.models import small
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw import models
from spikeloom.sw.diagnostics import LayerHealth, Monitor
from spikeloom.sw.diagnostics.monitor import EVERY
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import param_groups


def identity(activation: nn.Module, timesteps: int = 4) -> fx.GraphModule:
    """Two inputs through an activation with λ = 1, and out again."""
    layers = nn.Linear(2, 2), nn.Linear(2, 2)
    model = nn.Sequential(layers[0], activation, layers[1])
    with torch.no_grad():
        for layer in layers:
            layer.weight.copy_(torch.eye(2))
            layer.bias.zero_()
    return prepare(model, input_shape=(2,), timesteps=timesteps, weight_bits=16)


def watched(model: nn.Module, images: Tensor, **options: Any) -> list[LayerHealth]:
    monitor = Monitor(model, **options)
    monitor.start_batch()
    model(images).sum().backward()
    monitor.after_backward()
    return monitor.epoch()


# Of the second neuron, which never fires, nothing passes.
IMAGES = torch.tensor([[-1.0, -1.0], [0.05, -1.0], [0.5, -1.0], [3.0, -1.0]])


def test_measures_of_a_layer_are_those_computed_by_hand() -> None:
    (health,) = watched(identity(nn.ReLU()), IMAGES)
    assert (health.timesteps, health.largest, health.steps) == (4, 1, 1)
    assert health.start == health.threshold == 1
    assert health.moved == 0
    assert health.clipped == pytest.approx(1 / 3)  # 3
    assert health.below == pytest.approx(1 / 3)  # 0.05 is less than half a level
    assert health.zero == 6 / 8
    assert health.dead == 1 / 2
    assert health.rate == pytest.approx((0.5 + 1) / 8)
    assert health.saturation == 1 / 8
    # By λ: q - x/λ inside, 1 above; by the weights: the inputs of what is inside.
    assert health.gradient == pytest.approx(-0.05 + 0 + 1, rel=1e-3)
    assert health.weight_gradient == pytest.approx(math.hypot(0.05 + 0.5, 2), rel=1e-3)
    assert health.ratio == pytest.approx(math.hypot(0.55, 2) / 0.95, rel=1e-3)
    expected = np.percentile([0.05, 0.5, 3.0], 99.7)  # of what is above 0
    assert health.wanted == pytest.approx(expected, rel=1e-3)


def test_the_gradient_is_that_by_lambda_not_by_its_logarithm() -> None:
    model = identity(nn.ReLU())
    layer: Any
    (layer,) = (m for m in model.modules() if hasattr(m, "log_threshold"))
    layer.set_threshold(2.0)
    (health,) = watched(model, IMAGES)
    assert health.start == health.threshold == pytest.approx(2)
    # 0.05/2 is cut to 0; 0.5/2 is a level; 3 is clipped
    assert health.gradient == pytest.approx(-0.025 + 0 + 1, rel=1e-3)


@pytest.mark.parametrize("learn", ["n,d", "n,alpha", "d,alpha", "t,alpha"])
@pytest.mark.parametrize("clipped", [False, True])
def test_the_gradient_is_that_at_constant_timesteps_however_they_are_learned(
    learn: str, clipped: bool
) -> None:
    images = torch.tensor([[0.05, -1.0], [0.62, -1.0], [1.9, -1.0], [3.0, -1.0]])
    fixed, learned = identity(nn.ReLU()), identity(nn.ReLU())
    layer: Any
    for model in (fixed, learned):
        (layer,) = (m for m in model.modules() if hasattr(m, "log_threshold"))
        layer.set_threshold(2.0)
    layer.learn(learn)
    (expected,), (health,) = (watched(m, images[: 3 + clipped]) for m in (fixed, learned))
    assert health.threshold == pytest.approx(2)
    assert health.gradient == pytest.approx(expected.gradient, rel=1e-4)
    # q - x/λ, and 1 of what is clipped
    by_hand = (0 - 0.025) + (0.25 - 0.31) + (1 - 0.95) + clipped
    assert expected.gradient == pytest.approx(abs(by_hand), rel=1e-4)


def test_signed_layers_are_measured_on_both_sides() -> None:
    images = torch.tensor([[-3.0, 0.0], [-0.5, 0.0], [0.05, 0.0], [1.5, 0.0]])
    (health,) = watched(identity(nn.LeakyReLU(0.125)), images)  # N = P = λ = 1
    assert health.clipped == 2 / 4
    assert health.below == 1 / 4
    assert health.zero == 5 / 8
    assert health.dead == 1 / 2
    assert health.rate == pytest.approx((1 + 0.5 + 1) / 8)
    assert health.saturation == 2 / 8


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("neuron", "options"), [("if", {}), ("dual", {}), ("burst", {"largest": 2, "timesteps": 3})]
)
def test_spikes_are_counted_as_they_are(
    neuron: str, options: dict[str, Any], training: bool
) -> None:
    model: Any = copy.deepcopy(small.trained("digits-conv").model)
    network = spiking(
        model,
        transport="spikes",
        neuron=neuron,
        **options,
    ).train(training)
    images = small.digits("test").inputs()[:16]
    with torch.no_grad():
        spikes = copy.deepcopy(network).run(images)[1]
    monitor = Monitor(network)
    monitor.start_batch()
    network(images)
    monitor.after_backward()
    layers = monitor.epoch()
    assert [layer.name for layer in layers] == list(spikes)
    largest = options.get("largest", 1)
    for layer in layers:
        fired = spikes[layer.name].double()
        counts = fired.sum(0)
        assert (layer.timesteps, layer.largest) == (len(fired), largest)
        assert layer.zero == pytest.approx(float((counts == 0).double().mean()))
        assert layer.rate == pytest.approx(float(counts.mean() / len(fired)))
        channels = (counts != 0).transpose(0, 1).flatten(1).any(1)
        assert layer.dead == pytest.approx(1 - float(channels.double().mean()))
        full = fired == largest if largest > 1 else counts == len(fired)
        assert layer.saturation == pytest.approx(float(full.double().mean()))


def test_gradients_of_spiking_networks_are_seen() -> None:
    model: Any = copy.deepcopy(small.trained("digits-mlp").model)
    network = spiking(model, transport="spikes", neuron="dual").train()
    for layer in watched(network, small.digits("train").inputs()[:32]):
        assert layer.gradient
        assert layer.weight_gradient
        assert layer.clipped is not None


def train(model: nn.Module, monitor: Monitor | None, batches: int) -> list[LayerHealth]:
    data = small.digits("train")
    inputs, targets = data.inputs(), data.targets()
    optimizer = torch.optim.AdamW(param_groups(model, 5e-3))
    model.train()
    for batch in range(batches):
        if monitor is not None:
            monitor.start_batch()
        part = slice(32 * batch, 32 * batch + 32)
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[part]), targets[part]).backward()
        if monitor is not None:
            monitor.after_backward()
        optimizer.step()
    return [] if monitor is None else monitor.epoch()


class WithDropout(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(256, 10),
        )


@pytest.mark.parametrize("learn", [None, "t,alpha"])
def test_training_is_the_same_to_the_bit(learn: str | None) -> None:
    torch.manual_seed(1)
    plain = prepare(WithDropout(), input_shape=(1, 8, 8), learn=learn)
    initialise(plain, small.digits("train").inputs()[:64])
    other = copy.deepcopy(plain)
    torch.manual_seed(2)
    train(plain, None, 6)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert train(other, Monitor(other, every=2), 6)
    assert torch.equal(torch.get_rng_state(), state)
    for (name, left), right in zip(
        plain.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(left, right), name


def test_some_batches_are_looked_at_and_no_hook_is_left() -> None:
    model = identity(nn.ReLU())
    (layer,) = (m for m in model.modules() if hasattr(m, "log_threshold"))
    monitor = Monitor(model)
    hooked = []
    for _ in range(2 * EVERY + 1):
        monitor.start_batch()
        hooked.append(bool(layer._forward_hooks))
        model(IMAGES).sum().backward()
        monitor.after_backward()
        assert not layer._forward_hooks
    assert [batch for batch, there in enumerate(hooked) if there] == [0, EVERY, 2 * EVERY]
    (health,) = monitor.epoch()
    assert health.steps == 2 * EVERY + 1
    assert monitor.epoch() == []


def test_an_epoch_ends_what_was_begun() -> None:
    model = identity(nn.ReLU())
    (layer,) = (m for m in model.modules() if hasattr(m, "log_threshold"))
    monitor = Monitor(model)
    monitor.start_batch()
    model(IMAGES)
    (health,) = monitor.epoch()
    assert health.gradient is None
    assert not layer._forward_hooks


def test_movement_is_since_the_start_that_is_given() -> None:
    prepared = copy.deepcopy(small.trained("digits-mlp").model)
    monitor = Monitor(prepared, start={"fc1": 2.0, "unknown": 1.0})
    assert set(monitor.start) == {"fc1", "fc2"}
    first, second = train(prepared, monitor, 3)
    assert first.start == 2.0
    assert second.start == monitor.start["fc2"]
    assert first.moved == pytest.approx((first.threshold or 0) / 2 - 1)


def test_frozen_parameters_have_no_gradient_to_speak_of() -> None:
    model = identity(nn.ReLU())
    (layer,) = (m for m in model.modules() if hasattr(m, "log_threshold"))
    layer.requires_grad_(False)
    (health,) = watched(model, IMAGES)
    assert health.gradient is None
    assert health.weight_gradient


def test_wrapped_models_are_looked_into() -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    prepared = prepare(models.build("digits-conv"), input_shape=(1, 8, 8))
    initialise(prepared, small.digits("train").inputs()[:64])
    model = fabric.setup(prepared)
    monitor = Monitor(model)
    monitor.start_batch()
    fabric.backward(model(small.digits("train").inputs()[:32]).square().sum())
    monitor.after_backward()
    layers = monitor.epoch()
    assert [layer.name for layer in layers] == ["conv1", "conv2", "conv3"]
    assert all(layer.gradient and layer.weight_gradient for layer in layers)


def test_what_is_not_prepared_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Linear has no prepared model in it"):
        Monitor(nn.Linear(2, 2))
