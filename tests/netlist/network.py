"""A small network for the digits, trained in seconds; images for it and for other networks."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from spikeloom.hw.build import Images
from spikeloom.sw import datasets
from spikeloom.sw.conversion import convert
from spikeloom.sw.network import Network
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.training import train


@functools.cache
def digits() -> Network:
    """Return a network of 64-24-10, small enough for the smallest board."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    data = datasets.load("digits", "train")
    trained = train(model, data, epochs=20, tune_epochs=20, weight_bits=6, timesteps=3, shift=1)
    return convert(trained.model, name="digits-24")


def images(network: Network, number: int) -> IntArray:
    """Return the first test images of the digits, in the shape of the network's input."""
    pixels = np.asarray(datasets.load("digits", "test").images[:number], np.int64)
    return pixels.reshape(number, *network.input.image_shape)


def own_images(network: Network, number: int, data: Path | None) -> Images:
    """Return the first test images of a network's own data set.

    Without a folder of data sets, only those of the digits are there, since they come with
    scikit-learn; images for other networks are then of random pixels.
    """
    name = str(network.about["dataset"])
    if data is None and name != "digits":
        return Images.random(network, number)
    return Images(datasets.first_images(name, network.input, number, data), name, real=True)
