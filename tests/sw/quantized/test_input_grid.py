"""Prepared models whose input is rounded to pixels: conversion loses nothing."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeloom.sw.conversion import convert, reference
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, DataError, UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.graph import Affine
from spikeloom.sw.network import DirectInput, Logits, Network
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.quantized.input_grid import InputGrid, input_grid_of

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHAPE = (3, 8, 8)
NORMALISED = Pixels.normalised(MEAN, STD)


def conv_net(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, **options), nn.ReLU(), nn.Flatten(), nn.Linear(384, 4)
    )


def linear_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(48, 9), nn.ReLU(), nn.Linear(9, 4)
    )


class Inside(nn.Module):
    """A model that normalises by buffers."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1))
        self.rest = conv_net()

    def forward(self, x: Tensor) -> Tensor:
        return self.rest((x - self.mean) / self.std)


def raw_images(pixels: Pixels, number: int = 40, shape: tuple[int, ...] = SHAPE) -> Tensor:
    ends = pixels.range()
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(ends.low, ends.high + 1, (number, *shape)))


def converted(
    model: nn.Module, pixels: Pixels | None, shown: Pixels, **options: Any
) -> tuple[Any, Network, Tensor]:
    """Return a prepared model, its network, and integer images."""
    raw = raw_images(shown, shape=options.pop("shape", SHAPE))
    prepared = prepare(model, input_shape=tuple(raw.shape[1:]), pixels=pixels, **options)
    initialise(prepared, shown.real(raw))
    prepared.eval()
    return prepared, convert(prepared), raw


@pytest.mark.parametrize(
    ("model", "pixels", "shown"),
    [
        (conv_net(), NORMALISED, NORMALISED),
        (conv_net(groups=3), NORMALISED, NORMALISED),
        (linear_net(), NORMALISED, NORMALISED),
        (conv_net(), Pixels(signed=True), Pixels(signed=True)),
        (conv_net(), Pixels(4), Pixels(4)),
        (conv_net(), Pixels(12, 0.01, (1.5, -7, 3), signed=True), None),
        (Inside(), None, Pixels()),
        (nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(3), rest=conv_net())), None, Pixels()),
        (
            nn.Sequential(OrderedDict(scale=nn.Conv2d(3, 3, 1, groups=3), rest=conv_net())),
            None,
            Pixels(),
        ),
    ],
    ids=["mean", "grouped", "pooled", "signed", "4 bits", "all", "inside", "norm", "depthwise"],
)
def test_conversion_loses_nothing(
    model: nn.Module, pixels: Pixels | None, shown: Pixels | None
) -> None:
    prepared, network, raw = converted(model, pixels, shown or pixels or Pixels())
    grid = input_grid_of(prepared)
    assert grid is not None
    found, expected = Golden(network).run(raw), reference(prepared, raw, grid.unit)
    assert torch.equal(found.labels, expected.labels)
    for name, counts in expected.counts.items():
        assert torch.equal(found.counts[name], counts), name
    exact = copy.deepcopy(prepared).double()
    with torch.no_grad():
        logits = exact((shown or pixels or Pixels()).real(raw, torch.float64))
    assert torch.equal(logits.argmax(1), found.labels)


@pytest.mark.parametrize("model", [conv_net(), conv_net(groups=3), linear_net()])
def test_fine_weights_and_many_timesteps_follow_the_float_model(model: nn.Module) -> None:
    raw = raw_images(NORMALISED)
    images = NORMALISED.real(raw)
    prepared = prepare(model, input_shape=SHAPE, pixels=NORMALISED, weight_bits=16, timesteps=256)
    initialise(prepared, images, percentile=100)
    with torch.no_grad():
        rounded, real = prepared(images), model(images)
    # The mean is rounded by at most half a step, of pixels that are up to 255 steps apart.
    assert (rounded - real).abs().max() < 0.03 * real.abs().max()


def test_the_network_has_the_zero_points_and_the_sign() -> None:
    _, network, _ = converted(conv_net(), NORMALISED, NORMALISED)
    assert network.input == DirectInput(SHAPE, 8, zero=(124, 116, 104))
    _, network, _ = converted(conv_net(), Pixels(6, signed=True), Pixels(6, signed=True))
    assert network.input == DirectInput(SHAPE, 6, signed=True)


def test_signals_of_16_bits() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(40, 12), nn.ReLU(), nn.Linear(12, 3))
    pixels = Pixels(16, signed=True)
    prepared, network, raw = converted(model, pixels, pixels, shape=(40,))
    found = Golden(network).run(raw)
    grid = input_grid_of(prepared)
    assert grid is not None
    assert torch.equal(found.labels, reference(prepared, raw, grid.unit).labels)
    assert network.input.pixels().low == -32768


def test_padding_stands_for_the_mean() -> None:
    """As in the user's model, where 0 is padded behind the normalisation."""
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(conv.weight)
    model = nn.Sequential(conv, nn.Flatten())
    pixels = Pixels(offset=100)
    prepared = prepare(model, input_shape=(1, 2, 2), pixels=pixels)
    raw = torch.tensor([[[[100, 130], [100, 100]]]])
    network = convert(prepared.eval())
    neuron = network.output.neuron
    assert isinstance(neuron, Logits)
    # A weight of 1 is 127 in 8 bits.
    expected = [[(30 * 127) << neuron.fraction_bits] * 4]
    assert Golden(network).run(raw).logits.tolist() == expected


def test_a_grid_adds_nothing_to_the_state() -> None:
    prepared, _, _ = converted(conv_net(), NORMALISED, NORMALISED)
    plain = prepare(conv_net(), input_shape=SHAPE)
    assert prepared.state_dict().keys() == plain.state_dict().keys()


def test_values_on_the_grid_stay_as_they_are() -> None:
    raw = raw_images(Pixels())
    images = Pixels().real(raw)
    assert torch.equal(InputGrid(Pixels().channels(3))(images), images)


def test_a_grid_is_as_exact_as_its_images_whatever_type_it_once_had() -> None:
    pixels = Pixels.normalised(MEAN, STD, bits=16)
    raw = raw_images(pixels)
    for dtype in (torch.float32, torch.float64):
        images = pixels.real(raw, dtype)
        grid = InputGrid(pixels)
        found = [grid(images), grid.bfloat16()(images), grid.to(dtype)(images)]
        zeros = torch.tensor(grid.zeros).reshape(3, 1, 1)
        for values in found:
            assert values.dtype == dtype
            assert torch.equal((values / grid.unit).round().long(), raw - zeros)
        # Half a step above a pixel, where only the exact numbers round to the same side.
        halves = pixels.real(raw.double() + 0.5, dtype)
        assert torch.equal(grid(halves), InputGrid(pixels)(halves))


def test_the_numbers_of_a_grid_follow_the_model_to_its_device() -> None:
    grid = InputGrid(NORMALISED).to("meta")
    assert {buffer.device.type for buffer in grid.buffers()} == {"meta"}
    assert {buffer.dtype for buffer in grid.double().buffers()} == {torch.float64}


def test_shortcuts_from_channels_of_different_scales_are_refused() -> None:
    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(192, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(torch.relu(self.conv(x) + x).flatten(1))

    with pytest.raises(UnsupportedError, match="put a 1x1 convolution into that shortcut"):
        prepare(Shortcut(), input_shape=SHAPE, pixels=NORMALISED)
    prepare(Shortcut(), input_shape=SHAPE, pixels=Pixels(offset=(1, 2, 3)))


def test_maxima_of_negative_pixels_are_refused() -> None:
    model = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 3))
    grid = InputGrid(Pixels().channels(3), Affine((-1.0,), (0.0,)))
    assert grid.ratios == (-1.0,) * 3
    prepare(model, input_shape=SHAPE, pixels=NORMALISED)

    class Negated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rest = model

        def forward(self, x: Tensor) -> Tensor:
            return self.rest(1 - x)

    with pytest.raises(UnsupportedError, match="which makes it a minimum: multiply by its magnit"):
        prepare(Negated(), input_shape=SHAPE)


def test_zero_points_have_a_limit() -> None:
    with pytest.raises(UnsupportedError, match="the pixel 70000 stands for 0, but a zero point is"):
        prepare(conv_net(), input_shape=SHAPE, pixels=Pixels(offset=70000))


def test_pixels_have_a_scale() -> None:
    with pytest.raises(ConfigError, match="pixels have a scale already: leave input_scale out"):
        prepare(conv_net(), input_shape=SHAPE, pixels=Pixels(), input_scale=0.1)
    with pytest.raises(ConfigError, match="the images have 3 channels, but their pixels have 2"):
        prepare(conv_net(), input_shape=SHAPE, pixels=Pixels(offset=(1, 2)))


class TestGuards:
    def test_initialise_knows_the_pixels(self) -> None:
        prepared = prepare(conv_net(), input_shape=SHAPE, pixels=Pixels())
        with pytest.raises(DataError, match=r"hold values from -2\.1.* stand for 0 to 1"):
            initialise(prepared, NORMALISED.real(raw_images(NORMALISED)))

    def test_a_model_that_normalises_is_given_unnormalised_images(self) -> None:
        prepared = prepare(Inside(), input_shape=SHAPE)
        with pytest.raises(DataError, match="stand for 0 to 1"):
            initialise(prepared, NORMALISED.real(raw_images(NORMALISED)))

    def test_convert_compares_with_the_images_that_set_the_thresholds(self) -> None:
        prepared = prepare(conv_net(), input_shape=SHAPE)
        initialise(prepared, NORMALISED.real(raw_images(NORMALISED)))
        with pytest.raises(DataError, match=r"hold values from -2\.1.* stand for 0 to 1") as error:
            convert(prepared, input_bits=8, input_scale=1 / 255)
        assert "pixels=Pixels.normalised(mean=..., std=...)" in str(error.value)

    def test_the_remedy_of_the_message_works(self) -> None:
        _, network, raw = converted(conv_net(), NORMALISED, NORMALISED)
        assert len(Golden(network).run(raw).labels) == len(raw)

    def test_images_of_several_calls_count(self) -> None:
        prepared = prepare(conv_net(), input_shape=SHAPE)
        initialise(prepared, torch.full((2, *SHAPE), 255.0))
        initialise(prepared, torch.rand(2, *SHAPE))
        with pytest.raises(DataError, match=r"to 255, but .* stand for 0 to 1"):
            convert(prepared, input_bits=8, input_scale=1 / 255)
        convert(prepared, input_bits=8, input_scale=1)

    def test_options_of_conversion_must_not_contradict_the_pixels(self) -> None:
        prepared, network, _ = converted(Inside(), None, Pixels())
        assert convert(prepared, input_bits=8, input_scale=1 / 255).digest == network.digest
        with pytest.raises(ConfigError, match="input_bits is 4, but the model was prepared for 8"):
            convert(prepared, input_bits=4)
        with pytest.raises(ConfigError, match="input_scale is 1, but the model was prepared for"):
            convert(prepared, input_scale=1)
        with pytest.raises(ConfigError, match="prepared for pixels, which enter as they are: use"):
            convert(prepared, input="count")


def test_a_number_behind_a_flattening() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(48, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.relu(self.first((x.flatten(1) - 0.5) / 0.25)))

    torch.manual_seed(0)
    images = raw_images(Pixels(), shape=(3, 4, 4))
    model = Net()
    prepared = prepare(model, input_shape=(3, 4, 4), timesteps=64, weight_bits=16)
    seen = Pixels().real(images)
    initialise(prepared, seen)
    with torch.no_grad():
        assert (prepared(seen) - model(seen)).abs().max() < 0.1
    network = convert(prepared, check=images)
    assert isinstance(network.input, DirectInput)
    assert network.input.zeros == (128, 128, 128)
    assert network.about["agreement"]["network_as_prepared"] == len(images)


def test_another_normalisation_than_the_model_has_now() -> None:
    class Net(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.BatchNorm2d(3), conv_net())

    known = Affine((2.0, 3.0, 4.0), (-1.0, -1.5, -0.5))
    prepared = prepare(Net(), input_shape=SHAPE, affine=known)
    grid = input_grid_of(prepared)
    assert grid is not None
    assert grid.affine == known
    assert grid.zeros == (128, 128, 32)
