"""Models for recordings of event cameras, in the form of frames of counted events."""

from __future__ import annotations

from torch import nn

from spikeloom.sw.models.layers import Stack, convolution
from spikeloom.sw.models.registry import model


@model("nmnist-conv")
class NMNISTConv(Stack):
    """Three strided convolutions for frames of events, one channel for each polarity."""

    input_shape = (2, 34, 34)

    def __init__(self) -> None:
        super().__init__(
            *convolution(1, 2, 16, stride=2),
            *convolution(2, 16, 32, stride=2),
            *convolution(3, 32, 48, stride=2),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(1200, 10)),
        )
