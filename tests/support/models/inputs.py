"""Small models by their input: signals, and images that are normalised inside or outside."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.datasets.pixels import Pixels
from support.models.written import CLASSES, Written

S = nn.Sequential
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: As torchvision's Normalize(mean, std) gives them to a model.
NORMALISED = Pixels.normalised(MEAN, STD)


def audio() -> nn.Module:
    """Raw audio, in the form of M5: a long strided kernel, then pooled short ones."""
    first = [nn.Conv1d(1, 4, 16, stride=4), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2)]
    more = [nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(2)]
    return S(*first, *more, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, CLASSES))


def keywords() -> nn.Module:
    """Key words from MFCC, 12 frames of 10 coefficients: depthwise separable convolutions."""
    first = [nn.Conv2d(1, 4, (4, 3), stride=(2, 1), padding=(1, 1)), nn.BatchNorm2d(4), nn.ReLU()]
    depthwise = [nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4), nn.ReLU()]
    pointwise = [nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6), nn.ReLU()]
    pool = nn.AvgPool2d((6, 10))
    return S(*first, *depthwise, *pointwise, pool, nn.Flatten(), nn.Linear(6, CLASSES))


def heartbeats() -> nn.Module:
    """ECG of two leads: a residual network of signals."""

    def forward(m: Written, x: Tensor) -> Tensor:
        x = functional.relu(m.norm(m.stem(x)))
        y = m.b(functional.relu(m.a(x)))
        return m.fc(functional.relu(y + m.short(x)).mean(-1))

    return Written(
        forward,
        stem=nn.Conv1d(2, 4, 7, padding=3),
        norm=nn.BatchNorm1d(4),
        a=nn.Conv1d(4, 6, 5, stride=2, padding=2),
        b=nn.Conv1d(6, 6, 5, padding=2),
        short=nn.Conv1d(4, 6, 1, stride=2),
        fc=nn.Linear(6, CLASSES),
    )


def features() -> nn.Module:
    """A table of measured features, without an image's shape."""
    return S(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, CLASSES))


def plain() -> nn.Module:
    """A small network for colour images that are normalised before they enter."""
    first = [nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.AvgPool2d(2)]
    return S(*first, nn.Conv2d(5, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6, CLASSES))


class Normalise(nn.Module):
    """Normalises images by buffers."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def buffers() -> nn.Module:
    return S(Normalise(), plain())


def batch_norm_first() -> nn.Module:
    return S(nn.BatchNorm2d(3), plain())


def depthwise_first() -> nn.Module:
    first = nn.Conv2d(3, 3, 1, groups=3)
    with torch.no_grad():
        assert first.bias is not None
        first.weight.copy_(1 / torch.tensor(STD).view(3, 1, 1, 1))
        first.bias.copy_(-torch.tensor(MEAN) / torch.tensor(STD))
    return S(first, plain())


def two_x_minus_one() -> nn.Module:
    """Images from -1 to 1, and a model without convolution."""
    mlp = S(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, CLASSES))
    return Written(lambda m, x: m.mlp((2 * x - 1).flatten(1)), mlp=mlp)


def divided() -> nn.Module:
    """Images from 0 to 255."""
    return Written(lambda m, x: m.rest(x / 255), rest=plain())


#: By name: a builder, the shape of an image, and its pixels.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Pixels]] = {
    "M5: raw audio, 16 signed bits": (audio, (1, 128), Pixels(16, signed=True)),
    "DS-CNN: MFCC, 8 signed bits": (keywords, (1, 12, 10), Pixels(8, signed=True)),
    "residual network for ECG, 12 signed bits": (heartbeats, (2, 24), Pixels(12, signed=True)),
    "features without a shape": (features, (16,), Pixels()),
    "black and white images, 1 bit": (plain, (3, 6, 6), Pixels(1)),
    "(x - mean) / std outside": (plain, (3, 6, 6), NORMALISED),
    "(x - mean) / std outside, 4 bits": (plain, (3, 6, 6), NORMALISED.reduced(4)),
    "(x - mean) / std inside, by buffers": (buffers, (3, 6, 6), Pixels()),
    "(x - mean) / std inside, by 1x1 depthwise": (depthwise_first, (3, 6, 6), Pixels()),
    "batch-norm first": (batch_norm_first, (3, 6, 6), Pixels()),
    "2 * x - 1 inside": (two_x_minus_one, (1, 8, 8), Pixels()),
    "x / 255 inside": (divided, (3, 6, 6), Pixels(scale=1.0)),
}
