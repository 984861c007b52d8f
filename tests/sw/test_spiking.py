"""Spiking networks: in eval mode the golden model's spikes, one by one; in training they learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import small
import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.convert import convert
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.network import Identity
from spikeloom.sw.prepare import META, initialise, prepare
from spikeloom.sw.spiking import SpikingNetwork, spiking

SHAPE = (2, 6, 6)


def plain(act: type[nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        act(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1),
        act(),
        nn.Flatten(),
        nn.Linear(45, 6),
        act(),
        nn.Linear(6, 3),
    )


def make(structure: str, signed: bool = False, **choices: Any) -> fx.GraphModule:
    torch.manual_seed(5)
    act = nn.LeakyReLU if signed else nn.ReLU
    model = {"plain": plain, "residual": small.Residual}[structure](act)
    return small.prepared(small.normed(model, SHAPE), SHAPE, **choices)


def assert_equal(network: SpikingNetwork, images: np.ndarray[Any, Any]) -> None:
    """Compare all spikes, of which there must be some in every layer, and the labels.

    Where the current is constant and only counts are read, absorption gives the counts only.
    """
    made = convert(network)
    golden = Golden(made).run(images, trace=True)
    assert golden.trace is not None
    scale = float(network.coding.input_scale)
    logits, spikes = network.eval().run(torch.from_numpy(images).double() * scale)
    assert spikes.keys() == golden.counts.keys()
    for name, fired in spikes.items():
        expected = golden.trace[name].spikes
        layer = network.coding.layers[name]
        if layer.counted and layer.constant:
            fired, expected = fired.sum(0), expected.sum(0)
        different = int((fired.long() != expected).sum())
        assert different == 0, f"{different} of {expected.numel()} spikes of {name} differ"
        assert bool((expected != 0).any())
    assert torch.equal(logits.argmax(1), golden.labels)


@pytest.mark.parametrize("structure", ["plain", "residual"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"neuron": "if"},
        {"neuron": "dual", "timesteps": 3},
        {"neuron": "burst"},
        {"neuron": "burst", "largest": 3, "timesteps": 5, "tau": 4},
        {"transport": "spikes"},
        {"transport": "spikes", "neuron": "dual"},
        {"transport": "spikes", "neuron": "dual", "timesteps": 7},
        {"transport": "spikes", "neuron": "burst", "largest": 2, "timesteps": 4},
        {"transport": "spikes", "neuron": "burst", "largest": 3, "timesteps": 6, "tau": 2},
        {"transport": "spikes", "neuron": {"default": "dual", "last": "burst"}, "timesteps": 4},
    ],
)
def test_every_spike_is_the_golden_models(structure: str, options: dict[str, Any]) -> None:
    network = spiking(make(structure), **options)
    assert_equal(network, small.random_images(24, SHAPE))


@pytest.mark.parametrize("structure", ["plain", "residual"])
@pytest.mark.parametrize("transport", ["count", "spikes"])
@pytest.mark.parametrize("timesteps", [None, 7])
def test_every_signed_spike_is_the_golden_models(
    structure: str, transport: str, timesteps: int | None
) -> None:
    network = spiking(make(structure, signed=True), transport=transport, timesteps=timesteps)
    assert_equal(network, small.random_images(24, SHAPE))


@pytest.mark.parametrize("alignment", ["repl+aver", "repl+trunc", "aver+trunc", "aver+aver"])
@pytest.mark.parametrize("neuron", ["if", "dual", "burst"])
@pytest.mark.parametrize("structure", ["plain", "residual"])
def test_every_alignment(structure: str, neuron: str, alignment: str) -> None:
    model = make(structure)
    names = list(convert(model).layers)
    steps = {layer.name: t for layer, t in zip(names[:-1], (3, 6, 4, 5), strict=False)}
    network = spiking(
        model, transport="spikes", neuron=neuron, alignment=alignment, timesteps=steps
    )
    kinds = {t for layer in network.coding.layers.values() for t in layer.transports}
    first, _, second = alignment.partition("+")
    expected = {"repl": "replicate", "trunc": "truncate", "aver": "count"}
    assert {expected[first], expected[second]} <= kinds
    assert_equal(network, small.random_images(24, SHAPE))


@pytest.mark.parametrize("options", [{}, {"transport": "spikes", "timesteps": 5}])
def test_inputs_with_a_time_axis(options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model = small.prepared(plain(), SHAPE)
    network = spiking(model, input="spikes", input_timesteps=5, input_highest=2, **options)
    assert_equal(network, np.random.default_rng(0).integers(0, 3, (24, 5, *SHAPE)))


def test_inputs_of_counts() -> None:
    network = spiking(make("plain"), input="count", input_highest=40)
    assert_equal(network, np.random.default_rng(0).integers(0, 41, (24, *SHAPE)))


def test_parameters_are_shared_with_the_prepared_model() -> None:
    model = make("residual")
    network = spiking(model, transport="spikes", neuron="dual")
    assert {id(p) for p in network.parameters()} == {id(p) for p in model.parameters()}


def test_a_shortcut_in_integers() -> None:
    network = convert(make("residual"))
    shortcut = network["conv1"].connections[1].synapses
    assert isinstance(shortcut, Identity)
    assert (shortcut.weight > 1).all()


def test_a_spiking_network_has_its_coding() -> None:
    network = spiking(make("plain"))
    with pytest.raises(ConfigError, match="has its coding already: give timesteps to spiking"):
        convert(network, timesteps=3)


@pytest.mark.parametrize(
    "options",
    [
        {"neuron": "if"},
        {"neuron": "dual"},
        {"neuron": "burst", "largest": 3, "timesteps": 3},
        {"neuron": "burst", "largest": 3, "timesteps": 3, "tau": 2},
    ],
)
def test_training_through_time(options: dict[str, Any]) -> None:
    torch.manual_seed(2)
    data = small.digits("train").head(256)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    images = torch.from_numpy(data.images).float() * data.scale
    made = prepare(model, input_shape=(1, 8, 8))
    made.meta[META] |= {"input_bits": data.bits, "input_scale": data.scale}
    initialise(made, images)
    network = spiking(made, transport="spikes", **options).train()
    before = [p.detach().clone() for p in network.parameters()]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(images), data.targets())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    # Every parameter has moved, thresholds included.
    for old, new in zip(before, network.parameters(), strict=True):
        assert not torch.equal(old, new)
    assert_equal(network, data.images[:32])


def test_signed_networks_train_through_time() -> None:
    model = make("plain", signed=True)
    network = spiking(model, transport="spikes").train()
    images = torch.from_numpy(small.random_images(32, SHAPE)).float() / 16
    functional.cross_entropy(network(images), torch.arange(32) % 3).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


def test_training_and_evaluation_mean_the_same() -> None:
    # One connection per layer: no weight is rounded twice, and only float32 lies between.
    model = make("plain")
    network = spiking(model, transport="spikes", neuron="dual")
    images = torch.from_numpy(small.random_images(24, SHAPE)).double() / 16
    whole, spikes = network.eval().run(images)
    model.double()
    network.train()
    real, fired = network.run(images)
    assert all(torch.equal(spikes[name], fired[name]) for name in spikes)
    assert torch.allclose(whole, real, rtol=1e-5, atol=1e-5)
