"""Prepared models: their layers, their task, the images that they take, and fixed timesteps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from spikeloom.sw import models
from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.quantized import initialise, prepare, requantized, settle
from spikeloom.sw.quantized.prepared import (
    META,
    activation_of,
    activations_of,
    layers_of,
    require_images,
    task_of,
)
from spikeloom.sw.training.checkpoint import weight_bits

SHAPE = (1, 8, 8)
LEARNED = ("n,d", "n,alpha", "d,alpha", "t,alpha", "clip")


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))


def test_what_was_not_prepared_is_told() -> None:
    with pytest.raises(UnsupportedError, match="Sequential has not been prepared: call prepare"):
        layers_of(small())


def test_copies_are_still_prepared() -> None:
    prepared = prepare(small(), input_shape=(3,))
    names = [layer.name for layer in layers_of(prepared)]
    assert [layer.name for layer in layers_of(copy.deepcopy(prepared))] == names
    assert len(names) == 3


def test_activations_are_those_of_the_layers_that_fire() -> None:
    prepared = prepare(small(), input_shape=(3,), timesteps={"first": 7, "last": 2})
    layers, found = layers_of(prepared), activations_of(prepared)
    assert list(found) == [layer.name for layer in layers[:-1]]
    assert [activation.levels for activation in found.values()] == [7, 2]
    assert list(found.values()) == [activation_of(prepared, layer) for layer in layers[:-1]]


def test_the_task_is_kept() -> None:
    assert task_of(prepare(small(), input_shape=(3,), task="values")) == "values"
    assert task_of(prepare(small(), input_shape=(3,))) is None
    assert task_of(small()) is None


def test_images_are_compared_with_the_pixels_as_far_as_they_are_known() -> None:
    known = prepare(small(), input_shape=(3,), pixels=Pixels(4))
    require_images(known, torch.tensor([[0.0, 0.5, 1.0]]))
    with pytest.raises(DataError, match=r"hold values from 0 to 2, .* stand for 0 to 1"):
        require_images(known, torch.tensor([[0.0, 0.5, 2.0]]))
    unknown = prepare(small(), input_shape=(3,))
    require_images(unknown, torch.tensor([[0.0, 0.5, 2.0]]))
    require_images(unknown, torch.tensor([[-1.0, 0.5, 1.0]]))
    assert unknown.meta[META]["seen"] == (-1, 2)


@pytest.mark.parametrize("learn", LEARNED)
def test_settling_fixes_what_was_learned(learn: str) -> None:
    prepared = prepare(models.build("digits-conv"), input_shape=SHAPE, learn=learn)
    images = torch.rand(32, *SHAPE)
    initialise(prepared, images)
    first = activation_of(prepared, layers_of(prepared)[0])
    for parameter in first.timesteps.learned():
        with torch.no_grad():
            parameter.add_(-0.3)
    settled = settle(prepared)
    fixed = activation_of(settled, layers_of(settled)[0])
    assert (fixed.levels, fixed.threshold) == (first.levels, pytest.approx(first.threshold))
    assert (first.timesteps.name, fixed.timesteps.name) == (learn, "fixed")
    plain = prepare(models.build("digits-conv"), input_shape=SHAPE)
    assert settled.state_dict().keys() == plain.state_dict().keys()
    if learn != "clip":
        with torch.no_grad():
            expected = prepared.double().eval()(images.double())
            assert torch.allclose(settled.double().eval()(images.double()), expected, rtol=1e-5)


@pytest.mark.parametrize("value", [-1000.0, 1000.0, math.nan])
def test_a_diverged_threshold_is_not_settled(value: float) -> None:
    prepared = prepare(small(), input_shape=(3,), learn="t,alpha")
    name, activation = list(activations_of(prepared).items())[1]
    with torch.no_grad():
        activation.log_threshold.fill_(value)
    lost = rf"λ of layer '{name}' is (0\.0|inf|nan): its training has diverged; .* lower .* \(lr\)"
    with pytest.raises(UnsupportedError, match=lost):
        settle(prepared)


class _Sums(nn.Module):
    """A shortcut, and a layer that reads two layers side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 4)
        self.last = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = torch.relu(self.first(x))
        second = torch.relu(self.second(first) + first)
        logits: torch.Tensor = self.last(torch.cat([first, second], 1))
        return logits


@pytest.mark.parametrize("model", [small, _Sums])
def test_weights_of_other_bits_are_those_that_preparing_with_them_gives(
    model: Callable[[], nn.Module],
) -> None:
    original, images = model(), torch.rand(16, 3)
    prepared = prepare(original, input_shape=(3,), timesteps=3, weight_bits=8)
    changed = requantized(prepared, 4)
    expected = prepare(original, input_shape=(3,), timesteps=3, weight_bits=4)
    for activation in (*activations_of(changed).values(), *activations_of(expected).values()):
        with torch.no_grad():
            activation.log_threshold.fill_(-0.5)
    digests = [
        convert(settle(one), input_bits=8, input_scale=1 / 255).digest
        for one in (changed, expected)
    ]
    assert digests[0] == digests[1]
    for a, b in zip(changed.state_dict().items(), expected.state_dict().items(), strict=True):
        assert (a[0], a[1].tolist()) == (b[0], b[1].tolist())
    assert torch.equal(changed.eval()(images), expected.eval()(images))
    assert set(weight_bits(prepared).values()) == {8}


def test_layers_that_are_left_out_keep_their_bits() -> None:
    bits = {"first": 8, "default": 4}
    prepared = prepare(small(), input_shape=(3,), weight_bits=bits)
    names = [layer.name for layer in layers_of(prepared)]
    changed = requantized(prepared, {"last": 3})
    assert list(weight_bits(changed).values()) == [8, 4, 3]
    assert list(weight_bits(requantized(changed, {names[1]: 5})).values()) == [8, 5, 3]
    kept = [key for key in changed.state_dict() if not key.startswith("4.")]
    for key in kept:
        assert torch.equal(changed.state_dict()[key], prepared.state_dict()[key])
    with pytest.raises(ConfigError, match=r"weight_bits names 'no', but the layers are"):
        requantized(prepared, {"no": 4})
    with pytest.raises(ConfigError, match="weight bits must be from 2 to 16, not 1"):
        requantized(prepared, 1)
