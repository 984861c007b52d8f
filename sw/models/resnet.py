"""Residual networks for CIFAR-10 and data sets of its shape, colour images of 32x32.

Where a block changes the shape, its shortcut is a projection, a convolution of 1x1 with
batch-norm: it converts into a connection with weights, as the other branch does. The models whose
names end in ``-a`` have shortcuts without parameters there, and names of layers as in most
published weights.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.models.layers import NamedLayer, Residual, Stack, convolution
from spikeloom.sw.models.registry import model


class ResNet(Stack):
    """A first layer, stages of residual blocks, global average pooling, a linear layer.

    Parameters
    ----------
    widths : sequence of int
        Channels of each stage; all but the first halve the map's size.
    blocks : int
        Number of blocks in each stage.
    classes : int
    first : sequence of named layers, optional
        By default a convolution of 3x3 without stride.
    """

    input_shape = (3, 32, 32)

    def __init__(
        self,
        widths: Sequence[int],
        blocks: int,
        classes: int = 10,
        first: Sequence[NamedLayer] | None = None,
    ) -> None:
        inside, number = widths[0], 1
        layers = list(convolution(1, 3, inside) if first is None else first)
        for width in widths:
            for _ in range(blocks):
                stride = 1 if width == inside else 2
                layers.append((f"block{number}", Residual(inside, width, stride)))
                inside, number = width, number + 1
        super().__init__(
            *layers,
            ("pool", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(inside, classes)),
        )


@model("resnet18")
class ResNet18(ResNet):
    """Four stages of two blocks, of 64 to 512 channels; 11,173,962 parameters.

    The form for ImageNet, with a first convolution of 3x3 without stride and no pool behind it.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__([64, 128, 256, 512], 2, classes)


@model("resnet18-imagenet")
class ResNet18ImageNet(ResNet):
    """resnet18 with the paper's first layers: 7x7 with stride 2, and a max-pool of 3x3.

    For images of 224x224; 11,689,512 parameters with a thousand classes. The last layers' maps have
    a 32nd of the image's height and width.
    """

    input_shape = (3, 224, 224)

    def __init__(self, classes: int = 10) -> None:
        first = [*convolution(1, 3, 64, 7, stride=2), ("pool1", nn.MaxPool2d(3, 2, 1))]
        super().__init__([64, 128, 256, 512], 2, classes, first)


@model("resnet20")
class ResNet20(ResNet):
    """Three stages of three blocks, of 16 to 64 channels; 272,474 parameters.

    The paper's network for CIFAR-10 (section 4.2), with projections (its option B).
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__([16, 32, 64], 3, classes)


class BlockA(nn.Module):
    """Two convolutions and a shortcut without parameters: the paper's option A.

    Where the shape changes, the shortcut takes every second row and column, and has zeros as new
    channels, half of them ahead of the others.
    """

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.relu2 = nn.ReLU()
        self.new = (outside - inside) // 2
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's activations; both branches are added up ahead of the last ReLU."""
        main = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            taken = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(taken, (0, 0, 0, 0, self.new, self.new))
        return self.relu2(main + x)  # type: ignore[no-any-return]


class ResNetA(Stack):
    """Stages of residual blocks whose shortcuts have no parameters.

    Parameters
    ----------
    blocks : int
        Number of blocks in each of the three stages.
    classes : int
    """

    input_shape = (3, 32, 32)

    def __init__(self, blocks: int, classes: int = 10) -> None:
        stages: list[NamedLayer] = []
        inside = 16
        for number, width in enumerate((16, 32, 64), 1):
            layers = []
            for _ in range(blocks):
                layers.append(BlockA(inside, width, 1 if inside == width else 2))
                inside = width
            stages.append((f"layer{number}", nn.Sequential(*layers)))
        super().__init__(
            ("conv1", nn.Conv2d(3, 16, 3, padding=1, bias=False)),
            ("bn1", nn.BatchNorm2d(16)),
            ("relu1", nn.ReLU()),
            *stages,
            ("pool", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("linear", nn.Linear(64, classes)),
        )


@model("resnet20-a")
class ResNet20A(ResNetA):
    """Three stages of three blocks, of 16 to 64 channels; 269,722 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(3, classes)


@model("resnet56-a")
class ResNet56A(ResNetA):
    """Three stages of nine blocks, of 16 to 64 channels; 853,018 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(9, classes)
