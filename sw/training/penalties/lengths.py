"""Penalties on the length of a network: its timesteps, and its cycles in hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from spikeloom.sw.quantized import Activation
from spikeloom.sw.training.penalties.penalty import Penalty

#: Predicted cycles per image, from T by layer name.
Cost = Callable[[Mapping[str, int]], float]


def steps_of(activation: Activation) -> Tensor:
    """Return T as a tensor of shape (), with a gradient if it is learned."""
    steps = activation.scale()[1]
    if isinstance(steps, Tensor):
        return steps
    return torch.tensor(float(activation.levels), device=activation.log_threshold.device)


class TimestepPenalty(Penalty):
    """``weight · max(0, average T - target)``.

    As in the papers, the average is the plain mean over the layers that fire. T are the whole
    numbers of the forward pass, so that the penalty is 0 exactly when the network that would be
    converted is short enough; gradients are those of learned T, see
    :mod:`~spikeloom.sw.quantized.activations.timesteps`. The gradient is the same for every layer
    and at every distance from the target. Only the loss tells layers apart, so the weight should be
    small: a penalty that outweighs the loss takes all layers down together, past the target.

    Parameters
    ----------
    model : fx.GraphModule
        Prepared.
    target : float
        Average T, at least 1.
    weight : float

    Raises
    ------
    ConfigError
        If a parameter is out of range, or no layer learns its timesteps.
    """

    name = "timesteps"

    def __init__(self, model: nn.Module, *, target: float, weight: float = 0.1) -> None:
        super().__init__(model, weight=weight)
        self.target = self._require("target", target, 1.0)
        self._activations = list(self._learning().values())

    def summary(self) -> dict[str, float]:
        """Return the mean of the term, and the average T now."""
        return super().summary() | {"average_timesteps": self._average().item()}

    def _term(self, loss: Tensor) -> Tensor:
        return self.weight * (self._average() - self.target).clamp(min=0)

    def _average(self) -> Tensor:
        return torch.stack([steps_of(activation) for activation in self._activations]).mean()


class CyclePenalty(Penalty):
    """``weight · max(0, cycles / target - 1)``: steers the hardware's clock cycles per image.

    Cycles are a function of whole T only, so the gradient by a layer's T is the forward
    difference: the cost of one more timestep there. In a pipeline, this is 0 except in the slowest
    layers. Cost and differences are computed at the first step, and again after T has changed,
    which is checked every few steps; in between, the cost is continued linearly.

    Parameters
    ----------
    model : fx.GraphModule
        Prepared.
    cost : callable
        Returns the predicted cycles per image for T by layer name, for instance a
        :class:`~spikeloom.sw.training.cost.CycleCost`. Whenever a T has changed, it is called once
        per layer, and once more.
    target : float
        Cycles per image, at least 1.
    weight : float
    every : int
        Number of steps after which T is checked for changes.

    Raises
    ------
    ConfigError
        If a parameter is out of range, or no layer learns its timesteps.
    """

    name = "cycles"

    def __init__(
        self,
        model: nn.Module,
        *,
        cost: Cost,
        target: float,
        weight: float = 0.1,
        every: int = 10,
    ) -> None:
        super().__init__(model, weight=weight)
        self.cost = cost
        self.target = self._require("target", target, 1.0)
        self.every = int(self._require("every", every, 1))
        self._activations = self._learning()
        self._at: dict[str, int] = {}
        self._base = 0.0
        self._differences: list[float] = []

    def start_epoch(self) -> None:
        """Begin a new summary, from the cost of the present T."""
        super().start_epoch()
        self._refresh()

    def summary(self) -> dict[str, float]:
        """Return the mean of the term, and the predicted cycles per image now."""
        self._refresh()
        return super().summary() | {"cycles": self._base}

    def _term(self, loss: Tensor) -> Tensor:
        if self._calls % self.every == 0:
            self._refresh()
        steps = torch.stack([steps_of(activation) for activation in self._activations.values()])
        beyond = steps - steps.new_tensor(list(self._at.values()))
        cycles = self._base + (beyond * steps.new_tensor(self._differences)).sum()
        return self.weight * (cycles / self.target - 1).clamp(min=0)

    def _refresh(self) -> None:
        now = {name: activation.levels for name, activation in self._activations.items()}
        if now == self._at:
            return
        self._base = self.cost(now)
        self._differences = [self.cost(now | {name: now[name] + 1}) - self._base for name in now]
        self._at = now
