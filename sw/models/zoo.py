"""The model zoo: ordinary torch modules, as a user would write them.

A model's name is what the command line and checkpoints call it. All take images of
``input_shape`` with pixels scaled to [0, 1], and return the logits of ten classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError

#: Models by name.
MODELS: dict[str, type[nn.Module]] = {}


def model(name: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Enter a class in the zoo under ``name``."""

    def enter(cls: type[nn.Module]) -> type[nn.Module]:
        MODELS[name] = cls
        return cls

    return enter


def build(name: str) -> nn.Module:
    """Return a fresh, untrained model of the zoo.

    Raises
    ------
    ConfigError
        If no model has this name.
    """
    if name not in MODELS:
        raise ConfigError(f"no model is called {name!r}; the zoo has {', '.join(MODELS)}")
    return MODELS[name]()


class _Stack(nn.Module):
    """A chain of layers."""

    input_shape: ClassVar[tuple[int, int, int]] = (1, 8, 8)

    def __init__(self, *layers: tuple[str, nn.Module]) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (N, classes)."""
        for layer in self.children():
            x = layer(x)
        return x


@model("digits-mlp")
class DigitsMLP(_Stack):
    """Two hidden layers, 64-128-64-10."""

    def __init__(self) -> None:
        super().__init__(
            ("flatten", nn.Flatten()),
            ("fc1", nn.Linear(64, 128)),
            ("relu1", nn.ReLU()),
            ("fc2", nn.Linear(128, 64)),
            ("relu2", nn.ReLU()),
            ("fc3", nn.Linear(64, 10)),
        )


@model("digits-conv")
class DigitsConv(_Stack):
    """Three convolutions with batch-norm, the second with stride 2: the demonstration network."""

    def __init__(self) -> None:
        super().__init__(
            ("conv1", nn.Conv2d(1, 16, 3, padding=1, bias=False)),
            ("norm1", nn.BatchNorm2d(16)),
            ("relu1", nn.ReLU()),
            ("conv2", nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)),
            ("norm2", nn.BatchNorm2d(32)),
            ("relu2", nn.ReLU()),
            ("conv3", nn.Conv2d(32, 32, 3, padding=1, bias=False)),
            ("norm3", nn.BatchNorm2d(32)),
            ("relu3", nn.ReLU()),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(512, 10)),
        )


@model("digits-pool")
class DigitsPool(_Stack):
    """Two convolutions, with a max-pool (ahead of the activation) and an average pool."""

    def __init__(self) -> None:
        super().__init__(
            ("conv1", nn.Conv2d(1, 16, 3, padding=1)),
            ("pool1", nn.MaxPool2d(2)),
            ("relu1", nn.ReLU()),
            ("conv2", nn.Conv2d(16, 32, 3, padding=1)),
            ("relu2", nn.ReLU()),
            ("pool2", nn.AvgPool2d(2)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(128, 10)),
        )


class _Residual(nn.Module):
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


@model("digits-residual")
class DigitsResidual(_Stack):
    """A small ResNet: an identity block, a block with a 1x1 projection, global average pooling."""

    def __init__(self) -> None:
        super().__init__(
            ("conv1", nn.Conv2d(1, 16, 3, padding=1, bias=False)),
            ("norm1", nn.BatchNorm2d(16)),
            ("relu1", nn.ReLU()),
            ("block1", _Residual(16, 16)),
            ("block2", _Residual(16, 32, stride=2)),
            ("pool", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(32, 10)),
        )


def _separable(number: int, inside: int, outside: int, stride: int) -> list[tuple[str, nn.Module]]:
    """Return a depthwise convolution, which looks around, and a pointwise one, which mixes."""
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
class DigitsDepthwise(_Stack):
    """Depthwise separable convolutions, as in MobileNet: few weights, one input channel each."""

    def __init__(self) -> None:
        super().__init__(
            ("conv", nn.Conv2d(1, 16, 3, padding=1, bias=False)),
            ("norm", nn.BatchNorm2d(16)),
            ("relu", nn.ReLU()),
            *_separable(1, 16, 32, stride=2),
            *_separable(2, 32, 32, stride=1),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(512, 10)),
        )


@model("digits-leaky")
class DigitsLeaky(_Stack):
    """digits-conv with LeakyReLU, for neurons that fire negative spikes of an eighth."""

    def __init__(self) -> None:
        super().__init__(
            ("conv1", nn.Conv2d(1, 16, 3, padding=1, bias=False)),
            ("norm1", nn.BatchNorm2d(16)),
            ("relu1", nn.LeakyReLU(0.125)),
            ("conv2", nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)),
            ("norm2", nn.BatchNorm2d(32)),
            ("relu2", nn.LeakyReLU(0.125)),
            ("conv3", nn.Conv2d(32, 32, 3, padding=1, bias=False)),
            ("norm3", nn.BatchNorm2d(32)),
            ("relu3", nn.LeakyReLU(0.125)),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(512, 10)),
        )


@model("nmnist-conv")
class NMNISTConv(_Stack):
    """Three strided convolutions for frames of events, one channel for each polarity."""

    input_shape = (2, 34, 34)

    def __init__(self) -> None:
        super().__init__(
            ("conv1", nn.Conv2d(2, 16, 3, stride=2, padding=1, bias=False)),
            ("norm1", nn.BatchNorm2d(16)),
            ("relu1", nn.ReLU()),
            ("conv2", nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)),
            ("norm2", nn.BatchNorm2d(32)),
            ("relu2", nn.ReLU()),
            ("conv3", nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False)),
            ("norm3", nn.BatchNorm2d(48)),
            ("relu3", nn.ReLU()),
            ("flatten", nn.Flatten()),
            ("fc", nn.Linear(1200, 10)),
        )


@model("mnist-deep")
class MNISTDeep(_Stack):
    """Eight plain convolutions: deep enough for the order of spikes to matter at few timesteps."""

    input_shape = (1, 28, 28)

    def __init__(self) -> None:
        layers: list[tuple[str, nn.Module]] = []
        inside = 1
        for number, (outside, stride) in enumerate(
            [(8, 2), (8, 1), (16, 2), (16, 1), (16, 1), (16, 1), (32, 2), (32, 1)], start=1
        ):
            layers += [
                (f"conv{number}", nn.Conv2d(inside, outside, 3, stride, 1, bias=False)),
                (f"norm{number}", nn.BatchNorm2d(outside)),
                (f"relu{number}", nn.ReLU()),
            ]
            inside = outside
        super().__init__(*layers, ("flatten", nn.Flatten()), ("fc", nn.Linear(512, 10)))
