"""Models for scikit-learn's digits, images of 8x8: small enough to train in seconds."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from spikeloom.sw.models.layers import (
    NamedLayer,
    Residual,
    Stack,
    classifier,
    convolution,
    leaky,
)
from spikeloom.sw.models.registry import model


class _Digits(Stack):
    input_shape = (1, 8, 8)


@model("digits-mlp")
class DigitsMLP(_Digits):
    """Two hidden layers, 64-128-64-10."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(*classifier([64, 128, 64, classes]))


@model("digits-conv")
class DigitsConv(_Digits):
    """Three convolutions with batch-norm, the second with stride 2: the demonstration network."""

    def __init__(self, classes: int = 10, act: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__(
            *convolution(1, 1, 16, act=act),
            *convolution(2, 16, 32, stride=2, act=act),
            *convolution(3, 32, 32, act=act),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(512, classes)),
        )


@model("digits-pool")
class DigitsPool(_Digits):
    """Two convolutions, with a max-pool (ahead of the activation) and an average pool."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            ("conv1", nn.Conv2d(1, 16, 3, padding=1)),
            ("pool1", nn.MaxPool2d(2)),
            ("relu1", nn.ReLU()),
            ("conv2", nn.Conv2d(16, 32, 3, padding=1)),
            ("relu2", nn.ReLU()),
            ("pool2", nn.AvgPool2d(2)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(128, classes)),
        )


@model("digits-residual")
class DigitsResidual(_Digits):
    """A small ResNet: an identity block, a block with a 1x1 projection, global average pooling."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            *convolution(1, 1, 16),
            ("block1", Residual(16, 16)),
            ("block2", Residual(16, 32, stride=2)),
            ("pool", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(32, classes)),
        )


def _separable(number: int, inside: int, outside: int, stride: int) -> list[NamedLayer]:
    """Return a depthwise convolution, and a pointwise one that mixes its channels."""
    return [
        (
            f"depthwise{number}",
            nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False),
        ),
        (f"norm{number}a", nn.BatchNorm2d(inside)),
        (f"relu{number}a", nn.ReLU()),
        (f"pointwise{number}", nn.Conv2d(inside, outside, 1, bias=False)),
        (f"norm{number}b", nn.BatchNorm2d(outside)),
        (f"relu{number}b", nn.ReLU()),
    ]


@model("digits-depthwise")
class DigitsDepthwise(_Digits):
    """Depthwise separable convolutions, as in MobileNet: few weights, one input channel each."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            ("conv", nn.Conv2d(1, 16, 3, padding=1, bias=False)),
            ("norm", nn.BatchNorm2d(16)),
            ("relu", nn.ReLU()),
            *_separable(1, 16, 32, stride=2),
            *_separable(2, 32, 32, stride=1),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(512, classes)),
        )


@model("digits-leaky")
class DigitsLeaky(DigitsConv):
    """digits-conv with LeakyReLU, for neurons that fire negative spikes of an eighth."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(classes, leaky)
