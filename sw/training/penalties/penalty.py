"""Base class of penalties."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.quantized import Activation, activations_of
from spikeloom.sw.registry import Registered
from spikeloom.sw.spiking import SpikingNetwork


class Penalty(Registered, ABC):
    """A term of the loss; a subclass is found by its ``name``.

    Parameters
    ----------
    model : nn.Module
        The model that is trained. Of a spiking network, the penalty takes the prepared model, which
        has its thresholds and weights.
    weight : float
        Factor of the term, not negative.

    Raises
    ------
    ConfigError
        If a parameter is out of range, or the model has nothing to penalise.
    """

    kinds: ClassVar[dict[str, type[Penalty]]] = {}
    name_attribute = "name"
    name: ClassVar[str]
    #: Kinds of a recipe's phases that may have the penalty.
    phases: ClassVar[tuple[str, ...]] = ("quantized",)

    def __init__(self, model: nn.Module, *, weight: float = 1.0) -> None:
        self.network = model if isinstance(model, SpikingNetwork) else None
        self.model = model if self.network is None else self.network.prepared
        self.weight = self._require("weight", weight, 0.0)
        self._sum: Tensor | float = 0.0
        self._calls = 0

    def __enter__(self) -> Self:
        """Start watching the model's forward passes, if the penalty needs that."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop watching."""
        return

    def __call__(self, loss: Tensor) -> Tensor:
        """Return the term, a scalar, after a forward pass in training mode.

        Parameters
        ----------
        loss : tensor, shape ()
            The loss without penalties; some penalties are a share of it. No gradient flows into
            it.
        """
        term = self._term(loss.detach())
        self._sum = self._sum + term.detach()
        self._calls += 1
        return term

    def start_epoch(self) -> None:
        """Begin a new summary."""
        self._sum, self._calls = 0.0, 0

    def summary(self) -> dict[str, float]:
        """Return figures of this epoch for a log: the mean of the term."""
        return {f"{self.name}_penalty": float(self._sum) / max(self._calls, 1)}

    @abstractmethod
    def _term(self, loss: Tensor) -> Tensor:
        """Return the term that is added to the loss."""

    def _require(self, what: str, value: float, least: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{what} of the penalty {self.name!r} must be a number, not {value}")
        if not least <= value < math.inf:
            raise ConfigError(
                f"{what} of the penalty {self.name!r} must be at least {least:g} and finite, not "
                f"{value}"
            )
        return float(value)

    def _firing(self) -> dict[str, Activation]:
        """Return the activations of the layers of a prepared model that fire, by layer."""
        return activations_of(self.model)

    def _learning(self) -> dict[str, Activation]:
        """Return the same activations, and require that at least one learns its timesteps."""
        layers = self._firing()
        if not any(activation.timesteps.learned() for activation in layers.values()):
            raise ConfigError(
                f"the penalty {self.name!r} steers timesteps that are learned, and here they are "
                f"fixed: use prepare(..., learn='t,alpha'), or say so under [levels] of a recipe"
            )
        return layers
