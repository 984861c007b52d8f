"""Base class of trainable activations, and functions of their forward and backward passes.

A trace keeps each activation whole (:func:`spikeloom.sw.graph.keep_whole`): a symbolic trace
*through* an ``autograd.Function`` would keep the forward pass and silently lose its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Neuron
from spikeloom.sw.quantized.activations.timesteps import Timesteps, timesteps_named


class Activation(nn.Module):
    """Base of quantized activations, which have L levels up to a threshold λ.

    Parameters
    ----------
    levels : int
        L, 1 to 4096: number of timesteps that the activation is trained for.
    threshold : float
        Initial λ, positive and finite.
    learn : str, optional
        How L is learned, by the name of a parameterisation in :mod:`.timesteps`: ``"n,d"``,
        ``"n,alpha"``, ``"d,alpha"`` or ``"t,alpha"``, for which L is at most 64; ``"clip"`` for an
        activation that only clips, until it gets its levels. By default L is fixed.

    Attributes
    ----------
    log_threshold : Parameter, shape ()
        ln λ (but ln(λ/L) if ``learn`` is "n,d"). λ is positive by construction, and a step of the
        optimizer changes it by a proportion, whatever the range of the layer. A shape
        (channels, 1, 1) would broadcast.
    timesteps : Timesteps
        Determines L; has a parameter of its own if L is learned.
    signed : bool
        Whether its values, and so its spikes, can be negative.
    slope : float
        Slope of the activation below zero; 0 unless it is signed.
    limit : float or None
        Largest λ that :meth:`initialise_from` sets: the clip of the activation that it stands for.
    given : bool
        Whether L and λ come from a file of another toolkit, so that by default
        :func:`~spikeloom.sw.quantized.prepare` and :func:`~spikeloom.sw.quantized.initialise`
        leave them.
    default_neuron : mapping of str to str
        Kind of neuron that it becomes unless the user chooses one, by transport: "count" or
        "spikes".

    Raises
    ------
    ConfigError
        If a parameter is outside its range.
    """

    signed: ClassVar[bool] = False
    slope: float = 0.0
    limit: float | None = None
    given: bool = False
    default_neuron: ClassVar[Mapping[str, str]]

    timesteps: Timesteps

    def __init__(
        self, levels: int = 4, threshold: float = 1.0, *, learn: str | None = None
    ) -> None:
        super().__init__()
        self.log_threshold = nn.Parameter(torch.zeros(()))
        self.timesteps = timesteps_named(learn, levels)
        self.set_threshold(threshold)

    @property
    def neurons(self) -> tuple[str, ...]:
        """Kinds of neurons that can stand for the activation, those used by default first."""
        able = (kind for kind, neuron in Neuron.firing().items() if neuron.signed == self.signed)
        return tuple(dict.fromkeys((*self.default_neuron.values(), *able)))

    @property
    def levels(self) -> int:
        """L = T, the number of timesteps: a whole number at any time, also while it is learned."""
        return self.timesteps.levels(self.log_threshold)

    def set_levels(self, levels: int) -> None:
        """Set L, an integer from 1 to 4096, or to 64 if L is learned. λ stays."""
        self.timesteps.set(levels, self.log_threshold)

    @property
    def threshold(self) -> float:
        """λ as conversion takes it, computed in float64; infinite if it has grown beyond that."""
        with torch.no_grad():
            log_threshold = self.timesteps.resolve(self.log_threshold.double())[0].item()
        try:
            return math.exp(log_threshold)
        except OverflowError:
            return math.inf

    def set_threshold(self, threshold: float) -> None:
        """Set λ, which must be positive and finite. L stays."""
        if not 0 < threshold < math.inf:
            raise ConfigError(f"a threshold must be positive and finite, not {threshold}")
        self.timesteps.set(self.levels, self.log_threshold, threshold)

    def learn(self, name: str | None) -> None:
        """Choose how L is learned from now on, or fix it. λ and L keep their values.

        Parameters
        ----------
        name : str or None
            As for the constructor.

        Raises
        ------
        ConfigError
            If there is no such name, or L is above 64.
        """
        timesteps, threshold = timesteps_named(name, self.levels), self.threshold
        like = self.log_threshold
        del self.timesteps  # torch refuses to replace a submodule by an object that is no module
        self.timesteps = timesteps
        self.to(like.device, like.dtype)
        self.set_threshold(threshold)

    def settle(self) -> None:
        """Fix L, and whatever else is learned but comes in whole numbers. λ keeps its value."""
        self.learn(None)

    def scale(self) -> tuple[Tensor, Tensor | int | None]:
        """Return λ and L, with the gradients by which they are learned.

        Returns
        -------
        threshold : tensor, shape ()
        levels : tensor of shape (), int or None
            A whole number: a tensor if L is learned. None if the activation only clips.
        """
        log_threshold, levels = self.timesteps.resolve(self.log_threshold)
        return log_threshold.exp(), levels

    @property
    def negative_threshold(self) -> float | None:
        """N, the magnitude at which negative inputs saturate; None if they all give 0."""
        return None

    @property
    def negative_reach(self) -> Tensor | float:
        """N/λ; 0 if negative inputs all give 0."""
        return 0.0

    @property
    def amplitudes(self) -> tuple[int, int]:
        """Spike values ``(a_P, a_N)`` of a positive and of a negative quantum."""
        return (1, 1)

    def initialise_from(self, values: Tensor, percentile: float) -> None:
        """Set λ so that ``percentile`` per cent of the values that are not cut off fit in range.

        Parameters
        ----------
        values : tensor
            Inputs of the activation, of any shape. A layer that never fires keeps its λ.
        percentile : float
            Above 0, up to 100.
        """
        reach = self._reach(values.detach())
        if reach.numel():
            found = float(np.percentile(reach.float().cpu().numpy(), percentile))
            self.set_threshold(found if self.limit is None else min(found, self.limit))

    def counts(self, x: Tensor) -> Tensor:
        """Return the counts of a neuron with ``L`` timesteps under the constant current x.

        Parameters
        ----------
        x : tensor of float64
            Inputs of the activation.

        Returns
        -------
        tensor of int64, shape of ``x``
            ``L · a_P · y / λ``, where y is the activation of x.
        """
        raise NotImplementedError

    def _reach(self, values: Tensor) -> Tensor:
        """Return the smallest λ at which each value is in range, but for values that give 0."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Describe the layer in ``repr``."""
        return f"levels={self.levels}, threshold={self.threshold:.4g}"


def levelled(share: Tensor, levels: Tensor | int | None) -> Tensor:
    """Return shares in [0, 1], rounded to the nearest of L levels; unchanged if L is None."""
    return share if levels is None else (share * levels).add_(0.5).floor_().div_(levels)


def within(values: Tensor, share: Tensor) -> Tensor:
    """Return the values where ``share`` is in [0, 1], ends included, and 0 elsewhere."""
    number = torch.finfo(share.dtype)
    # One pass of a kernel that leaves the ends out: so they lie just outside.
    result: Tensor = torch.ops.aten.hardtanh_backward(values, share, -number.tiny, 1 + number.eps)
    return result


def by_levels(by_threshold: Tensor, inside: Tensor, levels: Tensor, threshold: Tensor) -> Tensor:
    """Return the gradient by L at constant λ: ``-(y - x)/L`` inside the range, 0 outside.

    Parameters
    ----------
    by_threshold : tensor
        The gradient by λ at constant L, elementwise; inside it is ``(y - x)/λ``.
    inside : tensor of bool
    levels : tensor, shape ()
    threshold : tensor
    """
    return -(by_threshold * inside * threshold).sum() / levels
