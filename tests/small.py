"""Small trained models that several tests share; each is trained once per process."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import fx, nn

from spikeloom.sw import datasets, models
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.prepare import META, initialise, prepare
from spikeloom.sw.training import Trained, train


@functools.cache
def digits(split: str) -> Dataset:
    return datasets.load("digits", split)


@functools.cache
def trained(name: str, weight_bits: int = 8) -> Trained:
    """Return a model of the zoo after a few epochs: not good, but not random either."""
    torch.manual_seed(0)
    return train(
        models.build(name),
        digits("train"),
        digits("test"),
        weight_bits=weight_bits,
        epochs=2,
        tune_epochs=2,
        spec=name,
    )


def prepared(model: nn.Module, shape: tuple[int, ...], **choices: int) -> fx.GraphModule:
    """Return an untrained model, prepared, with thresholds from random images of 4 bits."""
    module = prepare(model, input_shape=shape, **choices)
    module.meta[META] |= {"input_bits": 4, "input_scale": 1 / 16}
    initialise(module, torch.from_numpy(random_images(64, shape)).float() / 16)
    return module.eval()


def random_images(count: int, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype]:
    return np.random.default_rng(count).integers(0, 16, (count, *shape))
