"""A prepared model in two lines, for people at a prompt."""

from __future__ import annotations

from torch import fx

from spikeloom.sw.names import shortened
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.weights import QuantizedWeights


def summary(prepared: fx.GraphModule) -> str:
    """Return the layers that fire with their levels, and the bits of all weights."""
    named = list(prepared.named_modules())
    layers = [
        f"{name.rpartition('.')[2]} (T={module.levels})"
        for name, module in named
        if isinstance(module, Activation)
    ]
    bits = sorted({module.bits for _, module in named if isinstance(module, QuantizedWeights)})
    return (
        f"<prepared model: weights of {', '.join(map(str, bits))} bits\n"
        f"  {len(layers)} layers that fire: {shortened(layers)}>"
    )
