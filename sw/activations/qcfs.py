"""Trainable activations that turn into spiking neurons.

Each is a leaf of :class:`spikeloom.sw.graph.walk.Tracer`: a symbolic trace *through* an
``autograd.Function`` would keep the forward pass and silently lose its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network.inputs import MAX_TIMESTEPS
from spikeloom.sw.network.neurons import MAX_SPIKE


class Activation(nn.Module):
    """What quantized activations have in common: levels L, a threshold λ, and their neurons.

    Parameters
    ----------
    levels : int
        L, 1 to 4096: the timesteps that the activation is trained for.
    threshold : float
        Initial λ, positive and finite.

    Attributes
    ----------
    log_threshold : Parameter, shape ()
        ln λ. λ is positive by construction, and a step of the optimizer changes it by a
        proportion, whatever the range of the layer. A shape (channels, 1, 1) would broadcast.
    signed : bool
        Whether its values, and so its spikes, can be negative.
    neurons : tuple of str
        Kinds of neurons that can stand for the activation.
    default_neuron : mapping of str to str
        The kind that does, unless the user chooses: by transport, "count" or "spikes".

    Raises
    ------
    ConfigError
        If a parameter is outside its range.
    """

    signed: ClassVar[bool] = False
    neurons: ClassVar[tuple[str, ...]]
    default_neuron: ClassVar[Mapping[str, str]]

    def __init__(self, levels: int = 4, threshold: float = 1.0) -> None:
        super().__init__()
        self.set_levels(levels)
        self.log_threshold = nn.Parameter(torch.zeros(()))
        self.set_threshold(threshold)

    def set_levels(self, levels: int) -> None:
        """Set L, which must be an integer from 1 to 4096."""
        if isinstance(levels, bool) or not isinstance(levels, int):
            raise ConfigError(f"timesteps must be an integer, not {levels!r}")
        if not 1 <= levels <= MAX_TIMESTEPS:
            raise ConfigError(f"timesteps must be from 1 to {MAX_TIMESTEPS}, not {levels}")
        self.levels = levels

    @property
    def threshold(self) -> float:
        """λ, the value at which conversion takes it (computed in float64)."""
        return math.exp(self.log_threshold.item())

    def set_threshold(self, threshold: float) -> None:
        """Set λ, which must be positive and finite."""
        if not 0 < threshold < math.inf:
            raise ConfigError(f"a threshold must be positive and finite, not {threshold}")
        with torch.no_grad():
            self.log_threshold.fill_(math.log(threshold))

    @property
    def negative_threshold(self) -> float | None:
        """N, at which the negative side saturates, in units of the input; None if there is none."""
        return None

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
            self.set_threshold(float(np.percentile(reach.float().cpu().numpy(), percentile)))

    def counts(self, x: Tensor) -> Tensor:
        """Return the counts that a neuron with ``L`` timesteps has under the constant current x.

        Parameters
        ----------
        x : tensor of float64
            Inputs of the activation.

        Returns
        -------
        tensor of int64, shape of ``x``
            ``L · a_P · y / λ``, of the activation's value y.
        """
        raise NotImplementedError

    def _reach(self, values: Tensor) -> Tensor:
        """Return, for each value that is not cut off, the λ with which it just fits."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Describe the layer in ``repr``."""
        return f"levels={self.levels}, threshold={self.threshold:.4g}"


class _QuantClipFloorShift(torch.autograd.Function):
    """Forward in exact levels, backward as if the floor were the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: Tensor, levels: int) -> Tensor:
        ratio = x / threshold
        quantized = torch.floor(ratio.clamp(0, 1) * levels + 0.5) / levels
        ctx.save_for_backward(ratio, quantized, threshold)
        return quantized * threshold

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        ratio, quantized, threshold = ctx.saved_tensors
        inside = (ratio >= 0) & (ratio <= 1)
        slope = quantized - ratio * inside  # q - x/λ inside; q is 1 above and 0 below
        return grad * inside, (grad * slope).sum_to_size(threshold.shape), None


class QCFS(Activation):
    """Quantization clip-floor-shift: what an integrate-and-fire layer does to a constant input.

    ``y = λ · floor(clip(x/λ, 0, 1) · L + 1/2) / L``, with a straight-through floor: ∂y/∂x is 1
    inside [0, λ] and 0 outside; ∂y/∂λ is ``q - x/λ`` inside, 1 above and 0 below, where
    ``q = y/λ``. After conversion ``n = L·q`` is the layer's spike count over ``T = L`` timesteps.

    Parameters and errors are those of :class:`Activation`.

    References
    ----------
    Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
    networks", ICLR 2022, eq. 14 to 16.
    """

    neurons = ("ladder", "if", "dual", "burst")
    default_neuron = MappingProxyType({"count": "ladder", "spikes": "if"})

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantized activation of ``x``, elementwise."""
        result: Tensor = _QuantClipFloorShift.apply(  # type: ignore[no-untyped-call]
            x, self.log_threshold.exp(), self.levels
        )
        return result

    def counts(self, x: Tensor) -> Tensor:
        """Return ``floor(clip(x/λ, 0, 1) · L + 1/2)``."""
        return torch.floor((x / self.threshold).clamp(0, 1) * self.levels + 0.5).long()

    def _reach(self, values: Tensor) -> Tensor:
        return values[values > 0]


class _SignedQuantClipFloorShift(torch.autograd.Function):
    """QCFS on both sides of zero; the levels of the negative one are ``ratio`` times as high."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, threshold: Tensor, levels: int, slope: float, ratio: float
    ) -> Tensor:
        ctx.slope, ctx.ratio = slope, ratio
        negative = x < 0
        share = torch.where(negative, -x * (slope / ratio), x) / threshold
        quantized = torch.floor(share.clamp(max=1) * levels + 0.5) / levels
        ctx.save_for_backward(share, quantized, negative, threshold)
        return torch.where(negative, -ratio * quantized, quantized) * threshold

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        (grad,) = grads
        share, quantized, negative, threshold = ctx.saved_tensors
        inside = share <= 1
        side = torch.where(negative, ctx.slope, 1.0).to(grad.dtype)
        # y = ±(1 or ratio) · λ · q(share), where share falls as 1/λ
        height = torch.where(negative, -ctx.ratio, 1.0).to(grad.dtype)
        by_threshold = height * (quantized - share * inside)
        return (
            grad * inside * side,
            (grad * by_threshold).sum_to_size(threshold.shape),
            None,
            None,
            None,
        )


class SignedQCFS(Activation):
    """Leaky ReLU in levels: what a signed neuron does to a constant input.

    ``y = λ/L · clip(floor(xL/λ + 1/2), 0, L)`` for x >= 0, and
    ``y = -βλ/L · clip(floor(-xL/N + 1/2), 0, L)`` below, where ``N = βλ/slope``. The gradient is
    straight-through: ∂y/∂x is 1 in [0, λ], ``slope`` in [-N, 0), and 0 outside.

    Parameters
    ----------
    levels : int
        L, 1 to 4096.
    threshold : float
        Initial λ, positive and finite.
    slope : float
        Of the negative side, positive and finite.
    ratio : float, optional
        β = a_N / a_P, the height of a negative quantum over that of a positive one; by default
        the power of two that is nearest to ``slope`` on a logarithmic scale. Others cannot be
        converted, since a spike's value is a shift.

    Raises
    ------
    ConfigError
        If a parameter is outside its range.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 10 to 18, where β is made the ratio of the source's own two spike values, and so a
    power of two.
    """

    signed = True
    neurons = ("signed",)
    default_neuron = MappingProxyType({"count": "signed", "spikes": "signed"})

    def __init__(
        self,
        levels: int = 4,
        threshold: float = 1.0,
        slope: float = 0.01,
        ratio: float | None = None,
    ) -> None:
        super().__init__(levels, threshold)
        if not 0 < slope < math.inf:
            raise ConfigError(f"the slope of a leaky ReLU must be positive and finite, not {slope}")
        if ratio is None:
            ratio = 2.0 ** round(math.log2(slope))
        if not 0 < ratio < math.inf:
            raise ConfigError(f"the ratio of spike values must be positive and finite, not {ratio}")
        self.slope = float(slope)
        self.ratio = float(ratio)

    @property
    def negative_threshold(self) -> float:
        """N = βλ/slope: the negative input at which the activation saturates."""
        return self.ratio * self.threshold / self.slope

    @property
    def amplitudes(self) -> tuple[int, int]:
        """Powers of two ``(a_P, a_N)`` with ``a_N / a_P = β``, the smaller of them 1.

        Raises
        ------
        ConfigError
            If β is no power of two, or beyond the contract's largest spike.
        """
        mantissa, exponent = math.frexp(self.ratio)
        if mantissa != 0.5:
            near = 2.0 ** round(math.log2(self.ratio))
            raise ConfigError(
                f"the ratio of negative to positive spike values must be a power of two, not "
                f"{self.ratio:g}, since a spike is one shifted addition: use "
                f"SignedQCFS(ratio={near:g})"
            )
        shift = exponent - 1
        if 1 << abs(shift) > MAX_SPIKE:
            raise ConfigError(
                f"the ratio {self.ratio:g} of negative to positive spike values needs a spike of "
                f"2^{abs(shift)}, and the largest is {MAX_SPIKE}: use a ratio from "
                f"{1 / MAX_SPIKE:g} to {MAX_SPIKE}"
            )
        return (1 << max(-shift, 0), 1 << max(shift, 0))

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantized activation of ``x``, elementwise."""
        result: Tensor = _SignedQuantClipFloorShift.apply(  # type: ignore[no-untyped-call]
            x, self.log_threshold.exp(), self.levels, self.slope, self.ratio
        )
        return result

    def counts(self, x: Tensor) -> Tensor:
        """Return ``a_P`` times the positive level, or minus ``a_N`` times the negative one."""
        up, down = self.amplitudes
        share = torch.where(x < 0, -x / self.negative_threshold, x / self.threshold)
        level = torch.floor(share.clamp(max=1) * self.levels + 0.5)
        return torch.where(x < 0, -down * level, up * level).long()

    def _reach(self, values: Tensor) -> Tensor:
        # In units of λ: a negative input fits if it is at most N.
        reach = torch.where(values < 0, -values * (self.slope / self.ratio), values)
        return reach[reach > 0]

    def extra_repr(self) -> str:
        """Describe the layer in ``repr``."""
        return f"{super().extra_repr()}, slope={self.slope:.4g}, ratio={self.ratio:.4g}"
