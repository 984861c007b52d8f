"""Trainable activations that turn into spiking neurons.

Each is a leaf of :class:`spikeloom.sw.graph.walk.Tracer`: a symbolic trace *through* an
``autograd.Function`` would keep the forward pass and silently lose its gradient.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network.network import MAX_TIMESTEPS


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


class QCFS(nn.Module):
    """Quantization clip-floor-shift: what an integrate-and-fire layer does to a constant input.

    ``y = λ · floor(clip(x/λ, 0, 1) · L + 1/2) / L``, with a straight-through floor: ∂y/∂x is 1
    inside [0, λ] and 0 outside; ∂y/∂λ is ``q - x/λ`` inside, 1 above and 0 below, where
    ``q = y/λ``. After conversion ``n = L·q`` is the layer's spike count over ``T = L`` timesteps.

    Parameters
    ----------
    levels : int
        L, 1 to 4096.
    threshold : float
        Initial λ, positive and finite.

    Attributes
    ----------
    log_threshold : Parameter, shape ()
        ln λ. λ is positive by construction, and a step of the optimizer changes it by a
        proportion, whatever the range of the layer. A shape (channels, 1, 1) would broadcast.

    Raises
    ------
    ConfigError
        If a parameter is outside its range.

    References
    ----------
    Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
    networks", ICLR 2022, eq. 14 to 16.
    """

    def __init__(self, levels: int = 4, threshold: float = 1.0) -> None:
        super().__init__()
        if isinstance(levels, bool) or not isinstance(levels, int):
            raise ConfigError(f"timesteps must be an integer, not {levels!r}")
        if not 1 <= levels <= MAX_TIMESTEPS:
            raise ConfigError(f"timesteps must be from 1 to {MAX_TIMESTEPS}, not {levels}")
        self.levels = levels
        self.log_threshold = nn.Parameter(torch.zeros(()))
        self.set_threshold(threshold)

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

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantized activation of ``x``, elementwise."""
        result: Tensor = _QuantClipFloorShift.apply(  # type: ignore[no-untyped-call]
            x, self.log_threshold.exp(), self.levels
        )
        return result

    def extra_repr(self) -> str:
        """Describe the layer in ``repr``."""
        return f"levels={self.levels}, threshold={self.threshold:.4g}"
