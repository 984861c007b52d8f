"""Small models, trained or not. Each is trained only once in a process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from spikeloom.sw import datasets, models
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.diagnostics import LayerHealth
from spikeloom.sw.models.vgg import VGG
from spikeloom.sw.quantized import initialise, prepare
from spikeloom.sw.quantized.prepared import META
from spikeloom.sw.training import Trained, train

#: Models of the zoo that take seconds to prepare and convert. Only test_data_sets.py uses them,
#: with their data sets; the other models have the same kinds of layers.
LARGE = (
    *("net4", "net4-leaky", "vgg9", "vgg11", "vgg16", "resnet18", "resnet20-a", "resnet56-a"),
    *("resnet18-imagenet", "dvs-conv", "shd-mlp"),
)
#: Builders of the zoo's other models, and of a narrow VGG with as many layers as the deepest one.
MODELS: dict[str, Callable[[], nn.Module]] = {
    **{name: build for name, build in models.MODELS.items() if name not in LARGE},
    "narrow VGG-16": lambda: VGG([[2] * 2, [3] * 2, [4] * 3, [5] * 3, [6] * 3], [7, 8]),
}

#: Measurements of a layer as an example, none of them suspicious.
HEALTH = LayerHealth(
    name="conv1",
    timesteps=4,
    largest=1,
    steps=10,
    start=1.0,
    threshold=1.25,
    wanted=1.5,
    gradient=0.5,
    weight_gradient=4.0,
    clipped=0.25,
    below=0.125,
    zero=0.5,
    dead=0.0,
    rate=0.25,
    saturation=0.0625,
)


@functools.cache
def digits(split: str) -> Dataset:
    return datasets.load("digits", split)


@functools.cache
def trained(name: str, weight_bits: int = 8) -> Trained:
    """Return a model of the zoo after a few epochs: not accurate, but far from random."""
    torch.manual_seed(0)
    return train(
        models.build(name),
        digits("train"),
        digits("test"),
        weight_bits=weight_bits,
        epochs=2,
        tune_epochs=2,
        shift=1,
        spec=name,
    )


def prepared(model: nn.Module, shape: tuple[int, ...], **choices: Any) -> fx.GraphModule:
    """Return a prepared, untrained model whose thresholds come from random 4-bit images."""
    module = prepare(model, input_shape=shape, input_scale=1 / 16, **choices)
    module.meta[META]["input_bits"] = 4
    initialise(module, torch.from_numpy(random_images(64, shape)).float() / 16)
    return module.eval()


def random_images(count: int, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype]:
    return np.random.default_rng(count).integers(0, 16, (count, *shape))


class Residual(nn.Module):
    """Residual model for images of shape (2, 6, 6).

    It has batch-norm, a depthwise convolution, an identity and a projected shortcut, and a pool.
    """

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
    """Return the model in eval mode, with batch-norm statistics from random images."""
    with torch.no_grad():
        model.train()(torch.from_numpy(random_images(64, shape)).float() / 16)
    return model.eval()
