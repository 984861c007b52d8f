"""What timesteps cost: the prediction of the network that the model would become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.models.small import Residual, normed, prepared, random_images
from support.networks.examples import every_kind
from torch import fx

from spikeloom.hw.planning.config import HardwareConfig
from spikeloom.hw.planning.plan import plan
from spikeloom.hw.prediction import cost as module
from spikeloom.hw.prediction import predict
from spikeloom.hw.prediction.cost import CycleCost, activity
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.quantized.prepare import activation_of, layers_of

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


def test_is_the_prediction_for_the_converted_model(model: fx.GraphModule) -> None:
    cost = CycleCost(model, IMAGES)
    first, second, *_ = names(model)
    for timesteps in ({}, {first: 2}, {first: 3, second: 11}):
        predicted = cost.predict(timesteps)
        now = cost(timesteps)
        network = convert(at(model, **timesteps))
        expected = predict(plan(network), activity(network, IMAGES))
        assert [x.cycles.tolist() for x in predicted.layers] == [
            x.cycles.tolist() for x in expected.layers
        ]
        assert now == max(x.cycles.mean() for x in expected.layers)
        at(model, **dict.fromkeys(names(model), 4))


def test_sum_is_of_all_layers(model: fx.GraphModule) -> None:
    predicted = CycleCost(model, IMAGES).predict({})
    total = CycleCost(model, IMAGES, measure="sum")({})
    assert total == pytest.approx(sum(layer.cycles.mean() for layer in predicted.layers))
    assert total > CycleCost(model, IMAGES)({})


def test_longer_neurons_cost_more_events_behind_them(model: fx.GraphModule) -> None:
    cost = CycleCost(model, IMAGES, measure="sum")
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
    cost = CycleCost(model.train(), IMAGES)
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
    assert CycleCost(model, seen)({}) == CycleCost(model, IMAGES)({})


def test_follows_hardware_and_conversion(model: fx.GraphModule) -> None:
    one = CycleCost(model, IMAGES, HardwareConfig(lanes=1))
    assert one({}) > CycleCost(model, IMAGES)({})
    every = dict.fromkeys(names(model), 16)
    fast = CycleCost(model, IMAGES, HardwareConfig(time="loop"), measure="sum")
    slow = CycleCost(model, IMAGES, HardwareConfig(time="loop"), measure="sum", neuron="if")
    assert slow(every) > fast(every), "a ladder takes several timesteps in a cycle"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "mean"}, "measure must be slowest or sum, not 'mean'"),
        ({"transport": "spikes"}, "leave transport out"),
        ({"timesteps": 3}, "leave timesteps out"),
    ],
)
def test_options_that_make_no_sense(
    model: fx.GraphModule, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CycleCost(model, IMAGES, **options)


def test_unknown_layer(model: fx.GraphModule) -> None:
    with pytest.raises(ConfigError, match="timesteps are given for nothing, but the layers that"):
        CycleCost(model, IMAGES)({"nothing": 3})


def test_activity_is_what_golden_sends() -> None:
    network = every_kind()
    pixels = np.random.default_rng(0).integers(0, 3, (2, *network.input.image_shape))
    result = Golden(network).run(pixels, trace=True)
    assert result.trace is not None
    sent = activity(network, pixels)
    assert set(sent) == {"input", "twice", "signs", "bursts", "steps"}
    assert np.array_equal(sent["input"], pixels.swapaxes(0, 1))
    assert all(
        np.array_equal(sent[name], result.trace[name].spikes) for name in sent if name != "input"
    )
