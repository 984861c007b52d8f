"""Models for recordings of events, in the form of frames of counted events."""

from __future__ import annotations

from torch import nn

from spikeloom.sw.models.layers import Stack, classifier, convolution
from spikeloom.sw.models.registry import model


@model("nmnist-conv")
class NMNISTConv(Stack):
    """Three strided convolutions for frames of events, one channel for each polarity."""

    input_shape = (2, 34, 34)

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            *convolution(1, 2, 16, stride=2),
            *convolution(2, 16, 32, stride=2),
            *convolution(3, 32, 48, stride=2),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(1200, classes)),
        )


@model("dvs-conv")
class DVSConv(Stack):
    """Five strided convolutions for frames of events of a DVS128, of 128x128 pixels."""

    input_shape = (2, 128, 128)

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            *convolution(1, 2, 16, stride=2),
            *convolution(2, 16, 32, stride=2),
            *convolution(3, 32, 64, stride=2),
            *convolution(4, 64, 64, stride=2),
            *convolution(5, 64, 64, stride=2),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(1024, classes)),
        )


@model("shd-mlp")
class SHDMLP(Stack):
    """Two hidden layers, 700-256-128, for the channels of an artificial inner ear."""

    input_shape = (1, 1, 700)

    def __init__(self, classes: int = 10) -> None:
        super().__init__(*classifier([700, 256, 128, classes]))
