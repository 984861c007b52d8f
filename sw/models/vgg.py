"""VGG networks for CIFAR-10, colour images of 32x32.

As usual in the papers on conversion, with batch-norm behind each convolution, average pools
instead of maxima, and without dropout. The classifiers' hidden layers have 512 neurons, whereas
the original's have 4,096: those would hold 19 million more weights, which hardware must store.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from spikeloom.sw.models.layers import NamedLayer, Stack, classifier, convolution
from spikeloom.sw.models.registry import model


class VGG(Stack):
    """Stages of convolutions, each with a pool behind it, and a classifier.

    Parameters
    ----------
    stages : sequence of sequences of int
        Channels of each convolution in each stage.
    hidden : sequence of int
        Sizes of the classifier's hidden layers.
    classes : int
    """

    input_shape = (3, 32, 32)

    def __init__(
        self, stages: Sequence[Sequence[int]], hidden: Sequence[int], classes: int = 10
    ) -> None:
        layers: list[NamedLayer] = []
        inside, size, number = 3, 32, 1
        for index, stage in enumerate(stages, start=1):
            for outside in stage:
                layers += convolution(number, inside, outside)
                inside, number = outside, number + 1
            layers.append((f"pool{index}", nn.AvgPool2d(2)))
            size //= 2
        super().__init__(*layers, *classifier([inside * size * size, *hidden, classes], number))


@model("vgg9")
class VGG9(VGG):
    """Seven convolutions, of 64 to 256 channels, and two linear layers; 3,839,434 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__([[64, 64], [128, 128], [256, 256, 256]], [512], classes)


@model("vgg11")
class VGG11(VGG):
    """Eight convolutions, of 64 to 512 channels, and three linear layers; 9,753,674 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__([[64], [128], [256] * 2, [512] * 2, [512] * 2], [512, 512], classes)


@model("vgg16")
class VGG16(VGG):
    """13 convolutions, of 64 to 512 channels, and three linear layers; 15,249,354 parameters."""

    def __init__(self, classes: int = 10) -> None:
        stages = [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3]
        super().__init__(stages, [512, 512], classes)
