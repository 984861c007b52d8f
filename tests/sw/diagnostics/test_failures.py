"""Each failure is caused for real, and recognised; healthy trainings show none."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.models import small
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw import models
from spikeloom.sw.conversion import convert
from spikeloom.sw.diagnostics import (
    Failure,
    Finding,
    LayerHealth,
    Monitor,
    findings,
    measure,
)
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.quantized import QCFS, Activation, activations_of, initialise, prepare
from spikeloom.sw.spiking import spiking
from spikeloom.sw.training import fit, param_groups

SHAPE = (1, 8, 8)
INPUT: dict[str, Any] = {"input_bits": 5, "input_scale": 1 / 16}
Groups = Callable[[nn.Module], list[dict[str, Any]]]


@functools.cache
def pretrained(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = models.build(name)
    fit(model, small.digits("train"), epochs=3)
    return model


def prepared_of(name: str, **options: Any) -> fx.GraphModule:
    prepared = prepare(pretrained(name), input_shape=SHAPE, **options)
    initialise(prepared, small.digits("train").inputs()[:256])
    return prepared


def activations(prepared: fx.GraphModule) -> list[Activation]:
    return list(activations_of(prepared).values())


def scale_thresholds(prepared: fx.GraphModule, factor: float, which: slice = slice(None)) -> None:
    for activation in activations(prepared)[which]:
        activation.set_threshold(activation.threshold * factor)


def usual(model: nn.Module) -> list[dict[str, Any]]:
    return param_groups(model, 4e-3)


def train(model: nn.Module, groups: Groups = usual, epochs: int = 2) -> list[list[LayerHealth]]:
    data = small.digits("train")
    inputs, targets = data.inputs()[:640], data.targets()[:640]
    optimizer = torch.optim.AdamW(groups(model))
    monitor = Monitor(model, every=4)
    generator = torch.Generator().manual_seed(0)
    history = []
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs), generator=generator).split(32):
            monitor.start_batch()
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
            monitor.after_backward()
            optimizer.step()
        history.append(monitor.epoch())
    return history


def found(history: list[list[LayerHealth]]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings(history)}


@pytest.mark.parametrize("name", ["digits-mlp", "digits-conv", "digits-leaky"])
@pytest.mark.parametrize("timesteps", [1, 4])
def test_healthy_trainings_have_no_findings(name: str, timesteps: int) -> None:
    assert findings(train(prepared_of(name, timesteps=timesteps))) == []


def test_a_training_from_scratch_has_no_findings() -> None:
    torch.manual_seed(0)
    prepared = prepare(models.build("digits-residual"), input_shape=SHAPE)
    initialise(prepared, small.digits("train").inputs()[:256])
    assert findings(train(prepared)) == []


def test_a_spiking_training_has_no_findings() -> None:
    network = spiking(prepared_of("digits-mlp"), transport="spikes", neuron="dual", **INPUT)
    assert findings(train(network, epochs=1)) == []


def test_a_small_rate_alone_is_no_failure() -> None:
    history = train(prepared_of("digits-mlp"), lambda model: param_groups(model, 1e-6))
    assert all(abs(layer.moved or 0) < 1e-3 for layer in history[-1])
    assert findings(history) == []


class Floor(QCFS):
    """The levels of QCFS through torch's own floor, whose derivative is 0."""

    def forward(self, x: Tensor) -> Tensor:
        threshold = self.log_threshold.exp()
        return (
            torch.floor((x / threshold).clamp(0, 1) * self.levels + 0.5) / self.levels * threshold
        )


class Detached(Floor):
    """Levels whose λ is a number to the graph."""

    def forward(self, x: Tensor) -> Tensor:
        return x + (super().forward(x) - x).detach()


def three_layers(activation: type[QCFS]) -> fx.GraphModule:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 32),
        activation(),
        nn.Linear(32, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    prepared = prepare(model, input_shape=SHAPE)
    initialise(prepared, small.digits("train").inputs()[:256])
    return prepared


def test_a_missing_estimator_is_recognised_by_the_weights_that_get_nothing() -> None:
    history = train(three_layers(Floor), epochs=1)
    first, second, third = history[-1]
    assert (first.gradient, first.weight_gradient, second.weight_gradient) == (0, 0, 0)
    finding = found(history)["no-gradient"]
    assert finding.layers == (first.name, second.name)
    assert "|∇W| 0" in finding.what
    assert "The last layer named is the cause" in finding.advice
    assert third.name not in str(finding)


def test_a_threshold_without_gradient_is_recognised() -> None:
    history = train(three_layers(Detached), epochs=1)
    _, second, _ = history[-1]
    assert second.gradient == 0
    assert found(history)["no-gradient"].layers == (second.name,)
    assert second.moved == 0


def test_a_threshold_that_is_far_off_with_a_tiny_rate_is_frozen() -> None:
    prepared = prepared_of("digits-mlp")
    scale_thresholds(prepared, 8.0)
    history = train(prepared, lambda model: param_groups(model, 1e-6))
    assert all((layer.gradient or 0) > 0 for layer in history[-1])
    finding = found(history)["frozen-threshold"]
    assert finding.layers == ("fc1", "fc2")
    assert "lambda_lr_factor" in finding.advice
    assert "inputs want" in finding.what


def test_a_few_steps_are_no_evidence_of_freezing() -> None:
    prepared = prepared_of("digits-mlp")
    scale_thresholds(prepared, 8.0)
    history = train(prepared, lambda model: param_groups(model, 1e-6), epochs=1)
    early = [[replace(layer, steps=19) for layer in history[0]]]
    assert "frozen-threshold" not in found(early)
    assert "frozen-threshold" in found([early[0], early[0]])


def test_early_layers_that_are_stuck_are_told_from_all_that_are() -> None:
    """The first layers' rate is tiny, as it is with rates that fall from layer to layer."""
    prepared = prepared_of("digits-conv")
    scale_thresholds(prepared, 8.0)

    def groups(model: nn.Module) -> list[dict[str, Any]]:
        early = [*model.get_submodule("conv1").parameters(), activations(prepared)[0].log_threshold]
        known = {id(p) for p in early}
        late = [p for p in model.parameters() if id(p) not in known]
        return [{"params": early, "lr": 1e-7}, {"params": late, "lr": 1e-2}]

    named = found(train(prepared, groups))
    assert named["stuck-early-layers"].layers == ("conv1",)
    assert "staged(prepared, teacher, images)" in named["stuck-early-layers"].advice
    assert "frozen-threshold" not in named


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_an_initialisation_far_off_the_range_is_recognised(factor: float) -> None:
    prepared = prepared_of("digits-conv")
    scale_thresholds(prepared, factor, slice(0, 1))
    history = train(prepared, epochs=1)
    finding = found(history)["far-threshold"]
    assert finding.layers[0] == "conv1"
    assert "initialise(prepared, images)" in finding.advice


def test_an_untouched_initialisation_is_recognised() -> None:
    """λ is 1 where inputs reach 100: the images were not scaled."""
    prepared = prepare(pretrained("digits-mlp"), input_shape=SHAPE)
    data = small.digits("train")
    layers = measure(prepared, data.inputs()[:256] * 255, data.targets()[:256])
    assert "fc1" in found([layers])["far-threshold"].layers


def test_dead_layers_are_recognised() -> None:
    prepared = prepared_of("digits-mlp")
    layer: Any = prepared.get_submodule("fc1")
    with torch.no_grad():
        layer.bias[40:] = -100.0
    finding = found(train(prepared, epochs=1))["dead-layer"]
    assert finding.layers == ("fc1",)
    assert "dead" in finding.what


def test_a_dead_layer_takes_no_blame_for_a_missing_estimator() -> None:
    prepared = prepared_of("digits-mlp")
    layer: Any = prepared.get_submodule("fc2")
    with torch.no_grad():
        layer.bias.fill_(-100.0)
    history = train(prepared, epochs=1)
    assert [layer.gradient for layer in history[-1]] == [0, 0]
    assert set(found(history)) == {"dead-layer"}


def test_silent_layers_are_recognised() -> None:
    prepared = prepared_of("digits-mlp", timesteps=64)
    scale_thresholds(prepared, 80.0, slice(0, 1))
    data = small.digits("train")
    layers = measure(prepared, data.inputs(), data.targets())
    finding = found([layers])["silent-layer"]
    assert finding.layers == ("fc1",)
    assert "raise T" in finding.advice


def test_saturated_bursts_are_recognised() -> None:
    prepared = prepared_of("digits-mlp")
    scale_thresholds(prepared, 0.1, slice(0, 1))
    network = spiking(prepared, transport="spikes", neuron="burst", largest=2, timesteps=3, **INPUT)
    finding = found(train(network, epochs=1))["saturated-bursts"]
    assert finding.layers[0] == "fc1"
    assert "2 spikes in" in finding.what
    assert "raise `largest`" in finding.advice
    # The same share of neurons that are full is no failure where one spike is the most there is.
    single = spiking(copy.deepcopy(prepared), transport="spikes", neuron="if", **INPUT)
    assert "saturated-bursts" not in found(train(single, epochs=1))


def test_nothing_measured_is_nothing_found() -> None:
    assert findings([]) == []
    assert findings([[]]) == []


def test_findings_read_as_text_and_as_json() -> None:
    finding = Finding("far-threshold", ("a", "b"), "what", "Advice")
    assert str(finding) == "far-threshold: what. Advice."
    assert finding.to_json() == {
        "name": "far-threshold",
        "layers": ["a", "b"],
        "what": "what",
        "advice": "Advice",
    }
    assert all(kind.name == name for name, kind in Failure.kinds.items())


def test_a_threshold_that_is_lost_is_named() -> None:
    prepared = prepared_of("digits-mlp")
    first = activations(prepared)[0]
    with torch.no_grad():
        first.log_threshold.fill_(-1e4)
    assert first.threshold == 0
    monitor = Monitor(prepared)
    monitor.start_batch()
    prepared(small.digits("train").inputs()[:8]).sum().backward()
    monitor.after_backward()
    lost = [f for f in findings([monitor.epoch()]) if f.name == "lost-threshold"]
    assert len(lost) == 1
    assert len(lost[0].layers) == 1
    with pytest.raises(UnsupportedError, match=rf"λ of layer '{lost[0].layers[0]}' is 0.0"):
        convert(prepared, **INPUT)
