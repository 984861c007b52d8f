"""The model zoo: ordinary torch modules, as a user would write them.

A model's name is what the command line and checkpoints call it. All take images of
``input_shape`` with pixels scaled to [0, 1], and return the logits of ``classes`` classes, ten by
default.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from spikeloom.sw.errors import ConfigError

#: Models by name.
MODELS: dict[str, type[nn.Module]] = {}


def model(name: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Enter a class in the zoo under ``name``."""

    def enter(cls: type[nn.Module]) -> type[nn.Module]:
        MODELS[name] = cls
        return cls

    return enter


def build(name: str, classes: int | None = None) -> nn.Module:
    """Return a fresh, untrained model of the zoo.

    Parameters
    ----------
    name : str
    classes : int, optional
        Number of its outputs, ten by default.

    Raises
    ------
    ConfigError
        If no model has this name.
    """
    if name not in MODELS:
        raise ConfigError(f"no model is called {name!r}; the zoo has {', '.join(MODELS)}")
    return MODELS[name]() if classes is None else MODELS[name](classes)
