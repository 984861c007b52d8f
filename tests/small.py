"""Small trained models that several tests share; each is trained once per process."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, fx, nn

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


class Residual(nn.Module):
    """For (2, 6, 6) images: batch-norm, a depthwise convolution, two kinds of shortcut, a pool."""

    def __init__(self, act: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.conv1, self.norm1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.project, self.norm2 = nn.Conv2d(4, 6, 1, stride=2, bias=False), nn.BatchNorm2d(6)
        self.acts = nn.ModuleList(act() for _ in range(4))
        self.pool = nn.AvgPool2d(3)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.acts[0](self.norm0(self.stem(x)))
        y = self.acts[1](self.depthwise(x))
        x = self.acts[2](self.norm1(self.conv1(y)) + x)
        x = self.acts[3](self.conv2(x) + self.norm2(self.project(x)))
        return self.fc(self.pool(x).flatten(1))


def normed(model: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Return a model whose batch-norms have seen something, in eval mode."""
    with torch.no_grad():
        model.train()(torch.from_numpy(random_images(64, shape)).float() / 16)
    return model.eval()
