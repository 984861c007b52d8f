"""QCFS: the activation that turns into an integrate-and-fire neuron."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from spikeloom.sw.quantized.activations.base import Activation, by_levels, levelled, within


class _QuantClipFloorShift(torch.autograd.Function):
    """Exact levels in the forward pass; in the backward pass, the floor counts as the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: Tensor, levels: Tensor | int | None) -> Tensor:
        ratio = x / threshold
        quantized = levelled(ratio.clamp(0, 1), levels)
        ctx.save_for_backward(ratio, quantized, threshold)
        ctx.levels = levels.detach() if isinstance(levels, Tensor) else None
        return quantized * threshold

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        (grad,) = grads
        ratio, quantized, threshold = ctx.saved_tensors
        by_x = within(grad, ratio)
        # q - x/λ inside; q is 1 above and 0 below. In few passes over memory, since this takes a
        # third of a training's time. grad comes first: its memory layout decides the order of the
        # sum, and so its rounding.
        by_threshold = grad * (quantized - within(ratio, ratio))
        levels = ctx.levels
        inside = None if levels is None else (ratio >= 0) & (ratio <= 1)
        return (
            by_x,
            by_threshold.sum_to_size(threshold.shape),
            None if inside is None else by_levels(by_threshold, inside, levels, threshold),
        )


class QCFS(Activation):
    """Quantization clip-floor-shift: the response of an integrate-and-fire layer to constant input.

    ``y = λ · floor(clip(x/λ, 0, 1) · L + 1/2) / L``, with a straight-through floor: ∂y/∂x is 1
    inside [0, λ] and 0 outside; ∂y/∂λ is ``q - x/λ`` inside, 1 above and 0 below, where
    ``q = y/λ``; ∂y/∂L, for an L that is learned, is ``-(y - x)/L`` inside. After conversion
    ``n = L·q`` is the layer's spike count over ``T = L`` timesteps.

    Parameters and errors are those of :class:`Activation`.

    References
    ----------
    Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
    networks", ICLR 2022, eq. 14 to 16.
    """

    default_neuron = MappingProxyType({"count": "ladder", "spikes": "if"})

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantized activation of ``x``, elementwise."""
        result: Tensor = _QuantClipFloorShift.apply(  # type: ignore[no-untyped-call]
            x, *self.scale()
        )
        return result

    def counts(self, x: Tensor) -> Tensor:
        """Return ``floor(clip(x/λ, 0, 1) · L + 1/2)``."""
        return torch.floor((x / self.threshold).clamp(0, 1) * self.levels + 0.5).long()

    def _reach(self, values: Tensor) -> Tensor:
        return values[values > 0]
