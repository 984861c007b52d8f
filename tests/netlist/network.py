"""Small networks to synthesise, of the digits and of signed pixels; images for any network."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from spikeloom.hw.build import Images
from spikeloom.sw import datasets
from spikeloom.sw.conversion import convert
from spikeloom.sw.network import (
    Connection,
    Conv2d,
    DirectInput,
    If,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
)
from spikeloom.sw.training import train


@functools.cache
def digits() -> Network:
    """Return a network of 64-24-10, small enough for the smallest board."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    data = datasets.load("digits", "train")
    trained = train(model, data, epochs=20, tune_epochs=20, weight_bits=6, timesteps=3, shift=1)
    return convert(trained.model, name="digits-24")


def signed() -> Network:
    """Return a network of signed pixels, with a zero point of its own in each of two channels.

    The convolution is padded, so that the border reads the zero points. Parameters are random, but
    always the same.
    """
    rng = np.random.default_rng(11)
    threshold = rng.integers(200, 400, 4)
    neurons = If(threshold, threshold // 2, rng.integers(-99, 100, 4), fraction_bits=1)
    conv = Conv2d(rng.integers(-7, 8, (4, 2, 3, 3)), padding=(1, 1))
    linear = Linear(rng.integers(-7, 8, (5, 36)))
    logits = Logits(rng.integers(-9, 10, 5), fraction_bits=1)
    layers = (
        Layer("conv", 3, neurons, (Connection("input", "count", conv),)),
        Layer("out", 3, logits, (Connection("conv", "count", linear, MaxPool((2, 2))),)),
    )
    source = DirectInput((2, 6, 6), bits=6, signed=True, zero=(-11, 19))
    return Network(source, layers, name="signed-pixels")


def own_images(network: Network, number: int, data: Path | None) -> Images:
    """Return the first test images of a network's own data set.

    Without a folder of data sets, only those of the digits are there, since they come with
    scikit-learn; images for other networks are then of random pixels, and so are those for a
    network that names no data set.
    """
    name = str(network.about.get("dataset", ""))
    if not name or (data is None and name != "digits"):
        return Images.random(network, number)
    return Images(datasets.first_images(name, network.input, number, data), name, real=True)
