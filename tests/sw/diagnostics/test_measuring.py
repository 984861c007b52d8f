"""Measures without training."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from support.models import small

from spikeloom.sw.conversion import convert
from spikeloom.sw.diagnostics import measure, measure_network
from spikeloom.sw.golden import Golden
from spikeloom.sw.spiking import spiking


@pytest.mark.parametrize("through_time", [False, True])
def test_a_model_is_left_as_it_was(through_time: bool) -> None:
    model: Any = copy.deepcopy(small.trained("digits-conv").model)
    if through_time:
        model = spiking(model, transport="spikes", neuron="dual")
    model.eval()
    first = next(model.parameters())
    first.grad = torch.ones_like(first)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    data = small.digits("train").head(100)
    layers = measure(model, data.inputs(), data.targets(), start={"conv1": 0.5})
    assert [layer.name for layer in layers] == ["conv1", "conv2", "conv3"]
    assert [layer.start for layer in layers] == [0.5, None, None]
    assert all(layer.gradient and layer.steps == 0 for layer in layers)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert not any(part.training for part in model.modules())
    assert torch.equal(first.grad, torch.ones_like(first))
    assert all(p.grad is None for p in list(model.parameters())[1:])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transport": "spikes", "neuron": "dual"},
        {"transport": "spikes", "neuron": "burst", "largest": 2, "timesteps": 3},
    ],
)
def test_a_network_is_measured_by_its_counts(options: dict[str, Any]) -> None:
    network = convert(small.trained("digits-conv").model, **options)
    images = small.digits("test").images[:70]
    counts = Golden(network).run(images).counts
    layers = measure_network(network, images, batch_size=32)
    assert [layer.name for layer in layers] == list(counts)
    for layer in layers:
        count = counts[layer.name].double()
        assert layer.largest == options.get("largest", 1)
        assert layer.zero == pytest.approx(float((count == 0).double().mean()))
        assert layer.rate == pytest.approx(float(count.mean()) / layer.timesteps)
        if layer.largest == 1:
            full = (count == layer.timesteps).double().mean()
            assert layer.saturation == pytest.approx(float(full))
        assert layer.threshold is layer.gradient is layer.clipped is None


def test_signed_spikes_are_counted_without_their_amplitudes() -> None:
    network = convert(small.trained("digits-leaky").model)
    images = small.digits("test").images[:40]
    counts = Golden(network).run(images).counts
    for layer in measure_network(network, images):
        neuron: Any = next(x.neuron for x in network.layers if x.name == layer.name)
        count = counts[layer.name].double()
        quanta = torch.where(count < 0, -count / neuron.negative_amplitude, count)
        quanta = torch.where(count > 0, count / neuron.amplitude, quanta)
        assert layer.largest == 1
        assert layer.rate == pytest.approx(float(quanta.mean()) / layer.timesteps)
        assert 0 < layer.rate <= 1


def test_a_network_and_its_model_agree() -> None:
    """In count transport, a network's counts are those of the model."""
    trained = small.trained("digits-conv")
    data = small.digits("test").head(60)
    model = measure(copy.deepcopy(trained.model), data.inputs(), data.targets())
    for left, right in zip(
        model, measure_network(convert(trained.model), data.images), strict=True
    ):
        assert left.name == right.name
        assert left.rate == pytest.approx(right.rate, rel=1e-4)
        assert left.zero == pytest.approx(right.zero, rel=1e-4)
        assert left.saturation == pytest.approx(right.saturation, abs=1e-4)
        assert left.dead == right.dead
