"""Layers and blocks of which the zoo's models are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

#: A layer with the name of its attribute.
NamedLayer = tuple[str, nn.Module]


class Stack(nn.Module):
    """A chain of layers."""

    input_shape: ClassVar[tuple[int, int, int]]

    def __init__(self, *layers: NamedLayer) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (N, classes)."""
        for layer in self.children():
            x = layer(x)
        return x


def leaky() -> nn.Module:
    """Return a LeakyReLU with the slope 1/8: as a power of two, signed neurons have it exactly."""
    return nn.LeakyReLU(0.125)


def convolution(
    number: int,
    inside: int,
    outside: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    padding: int | None = None,
    act: Callable[[], nn.Module] = nn.ReLU,
) -> list[NamedLayer]:
    """Return a convolution with batch-norm and activation.

    Parameters
    ----------
    number : int
        Suffix of the layers' names: ``conv1``, ``norm1`` and ``relu1``.
    inside, outside : int
        Channels.
    kernel, stride : int
    padding : int, optional
        By default half the kernel: the map keeps its size.
    act : callable
        Returns a new activation.
    """
    padding = kernel // 2 if padding is None else padding
    return [
        (f"conv{number}", nn.Conv2d(inside, outside, kernel, stride, padding, bias=False)),
        (f"norm{number}", nn.BatchNorm2d(outside)),
        (f"relu{number}", act()),
    ]


def classifier(
    sizes: Sequence[int], number: int = 1, act: Callable[[], nn.Module] = nn.ReLU
) -> list[NamedLayer]:
    """Return linear layers between vectors of these ``sizes``, with activations between them.

    The first layer, ``flatten``, makes a vector of a feature map. Linear layers are called ``fc1``,
    ``fc2``, ...; the numbers of their activations begin with ``number``: ``relu3``, ....
    """
    layers: list[NamedLayer] = [("flatten", nn.Flatten())]
    last = len(sizes) - 2
    for index, (inside, outside) in enumerate(pairwise(sizes)):
        layers.append((f"fc{index + 1}", nn.Linear(inside, outside)))
        if index < last:
            layers.append((f"relu{number + index}", act()))
    return layers


class Residual(nn.Module):
    """Two convolutions and a shortcut: the identity, or a projection where the shape changes."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's activations; both branches are added up ahead of the last ReLU."""
        main = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(main + self.shortcut(x))  # type: ignore[no-any-return]
