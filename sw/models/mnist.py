"""Models for MNIST and data sets of its shape, grey images of 28x28.

Pools are average pools behind the activation: sums of counts, or of single spikes, are exact in
every transport, whereas a maximum is in count transport only.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from spikeloom.sw.models.layers import NamedLayer, Stack, classifier, convolution, leaky
from spikeloom.sw.models.registry import model


class _MNIST(Stack):
    input_shape = (1, 28, 28)


@model("mnist-mlp")
class MNISTMLP(_MNIST):
    """Two hidden layers, 784-256-128-10; 235,146 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(*classifier([784, 256, 128, classes]))


@model("mnist-small")
class MNISTSmall(_MNIST):
    """8c3s2-16c3s2-10 with batch-norm, for the smallest FPGAs; 9,122 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            *convolution(1, 1, 8, stride=2),
            *convolution(2, 8, 16, stride=2),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(16 * 7 * 7, classes)),
        )


@model("lenet5")
class LeNet5(_MNIST):
    """LeNet-5 with ReLU: 6c5-p2-16c5-p2-120-84-10; 61,728 parameters.

    As in the paper, but for rectifiers, batch-norm behind the convolutions, a second convolution
    that reads all channels, and linear layers at the end. The first convolution pads the images to
    the paper's 32x32.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            *convolution(1, 1, 6, 5),
            ("pool1", nn.AvgPool2d(2)),
            *convolution(2, 6, 16, 5, padding=0),
            ("pool2", nn.AvgPool2d(2)),
            *classifier([400, 120, 84, classes], number=3),
        )


@model("net4")
class Net4(_MNIST):
    """32c5-p2-64c5-p2-1024-10 with batch-norm; 3,274,730 parameters.

    The network of the negative-spikes paper's tables 1, 3 and 4, there called Net4 after Yu et
    al., 2022. The papers do not say how convolutions pad; here they keep the map's size.
    """

    def __init__(self, classes: int = 10, act: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__(
            *convolution(1, 1, 32, 5, act=act),
            ("pool1", nn.AvgPool2d(2)),
            *convolution(2, 32, 64, 5, act=act),
            ("pool2", nn.AvgPool2d(2)),
            *classifier([64 * 7 * 7, 1024, classes], number=3, act=act),
        )


@model("net4-leaky")
class Net4Leaky(Net4):
    """net4 with LeakyReLU, for neurons that fire negative spikes of an eighth."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(classes, leaky)


@model("mnist-deep")
class MNISTDeep(_MNIST):
    """Eight plain convolutions: deep enough for the order of spikes to matter at few timesteps."""

    def __init__(self, classes: int = 10) -> None:
        layers: list[NamedLayer] = []
        inside = 1
        for number, (outside, stride) in enumerate(
            [(8, 2), (8, 1), (16, 2), (16, 1), (16, 1), (16, 1), (32, 2), (32, 1)], start=1
        ):
            layers += convolution(number, inside, outside, stride=stride)
            inside = outside
        super().__init__(*layers, ("flatten", nn.Flatten()), ("fc", nn.Linear(512, classes)))
