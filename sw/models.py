"""The model zoo: ordinary torch modules, as a user would write them.

A model's name is what the command line and checkpoints call it. All take images of
``input_shape`` with pixels scaled to [0, 1].
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
