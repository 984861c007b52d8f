"""Cost of timesteps: the cycles of the network that the model would become."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from support.models.small import Residual, normed, prepared, random_images
from torch import fx

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.prediction import slowest, total
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized.prepared import activation_of, layers_of
from spikeloom.sw.training import cost as module
from spikeloom.sw.training.cost import CycleCost, cost_of

SHAPE = (2, 6, 6)
IMAGES = random_images(6, SHAPE)


@pytest.fixture
def model() -> fx.GraphModule:
    torch.manual_seed(0)
    return prepared(normed(Residual(), SHAPE), SHAPE, timesteps=4)


def at(model: fx.GraphModule, **timesteps: int) -> fx.GraphModule:
    """Give the model's layers other timesteps."""
    for layer in layers_of(model):
        if layer.name in timesteps:
            activation_of(model, layer).set_levels(timesteps[layer.name])
    return model


def names(model: fx.GraphModule) -> list[str]:
    return [layer.name for layer in layers_of(model)][:-1]


def test_is_the_measure_of_the_converted_model(model: fx.GraphModule) -> None:
    seen: list[tuple[Network, IntArray]] = []

    def cycles(network: Network, pixels: IntArray) -> float:
        seen.append((network, pixels))
        return 7.0

    cost = CycleCost(model, IMAGES, cycles)
    first, second, *_ = names(model)
    for timesteps in ({}, {first: 2}, {first: 3, second: 11}):
        assert cost(timesteps) == 7
        network, pixels = seen[-1]
        assert network.digest == convert(at(model, **timesteps)).digest
        assert np.array_equal(pixels, IMAGES)
        at(model, **dict.fromkeys(names(model), 4))


def test_longer_neurons_cost_more_events_behind_them(model: fx.GraphModule) -> None:
    cost = CycleCost(model, IMAGES, total)
    every = names(model)
    few, many = (cost(dict.fromkeys(every, steps)) for steps in (1, 15))
    assert few < many


def test_leaves_the_model_as_it_is_and_keeps_results(
    model: fx.GraphModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counted(*arguments: Any, **choices: Any) -> Any:
        calls.append(1)
        return convert(*arguments, **choices)

    monkeypatch.setattr(module, "convert", counted)
    cost = CycleCost(model.train(), IMAGES, slowest)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = names(model)[0]
    assert cost({first: 7}) == cost({first: 7})
    assert len(calls) == 1
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        next(iter(model.parameters())).mul_(2)
    cost({first: 7})
    assert len(calls) == 2, "other weights, other counts"


def test_images_as_the_model_sees_them(model: fx.GraphModule) -> None:
    seen = torch.from_numpy(IMAGES).float() / 16
    assert CycleCost(model, seen, total)({}) == CycleCost(model, IMAGES, total)({})


def test_follows_hardware_and_conversion(model: fx.GraphModule) -> None:
    one_lane = partial(slowest, config=HardwareConfig(lanes=1))
    assert CycleCost(model, IMAGES, one_lane)({}) > CycleCost(model, IMAGES, slowest)({})
    every = dict.fromkeys(names(model), 16)
    loop = partial(total, config=HardwareConfig(time="loop"))
    fast = CycleCost(model, IMAGES, loop)
    slow = CycleCost(model, IMAGES, loop, neuron="if")
    assert slow(every) > fast(every), "a ladder takes several timesteps in a cycle"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "spikes"}, "leave transport out"),
        ({"timesteps": 3}, "leave timesteps out"),
    ],
)
def test_options_that_make_no_sense(
    model: fx.GraphModule, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CycleCost(model, IMAGES, slowest, **options)


def test_a_recipes_options(model: fx.GraphModule) -> None:
    images = torch.from_numpy(IMAGES)
    expected = CycleCost(model, images, total, neuron="if")({})
    assert cost_of(model, images, {"transport": "count", "neuron": "if"}, total)({}) == expected
    for options in ({"transport": "spikes"}, {"timesteps": 3}):
        with pytest.raises(ConfigError, match=r"leave transport and timesteps out of \[conversion"):
            cost_of(model, images, options, total)


def test_unknown_layer(model: fx.GraphModule) -> None:
    with pytest.raises(ConfigError, match="timesteps are given for nothing, but the layers that"):
        CycleCost(model, IMAGES, slowest)({"nothing": 3})
