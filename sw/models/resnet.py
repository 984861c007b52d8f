"""Residual networks for CIFAR-10, colour images of 32x32.

Where a block changes the shape, its shortcut is a projection, a convolution of 1x1 with
batch-norm: it converts into a connection with weights, as the other branch does.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from spikeloom.sw.models.layers import NamedLayer, Residual, Stack, convolution
from spikeloom.sw.models.registry import model


class ResNet(Stack):
    """A convolution, stages of residual blocks, global average pooling, a linear layer.

    Parameters
    ----------
    widths : sequence of int
        Channels of each stage; all but the first halve the map's size.
    blocks : int
        Number of blocks in each stage.
    """

    input_shape = (3, 32, 32)

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        inside, number = widths[0], 1
        layers: list[NamedLayer] = convolution(1, 3, inside)
        for width in widths:
            for _ in range(blocks):
                stride = 1 if width == inside else 2
                layers.append((f"block{number}", Residual(inside, width, stride)))
                inside, number = width, number + 1
        super().__init__(
            *layers,
            ("pool", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(inside, 10)),
        )


@model("resnet18")
class ResNet18(ResNet):
    """Four stages of two blocks, of 64 to 512 channels; 11,173,962 parameters.

    The form for ImageNet, with a first convolution of 3x3 without stride and no pool behind it.
    """

    def __init__(self) -> None:
        super().__init__([64, 128, 256, 512], 2)


@model("resnet20")
class ResNet20(ResNet):
    """Three stages of three blocks, of 16 to 64 channels; 272,474 parameters.

    The paper's network for CIFAR-10 (section 4.2), with projections (its option B).
    """

    def __init__(self) -> None:
        super().__init__([16, 32, 64], 3)
