"""Rules for the modules of a prepared model, which is analysed as the original is."""

from __future__ import annotations

from torch import fx, nn

from spikeloom.sw.graph import (
    Context,
    Rectifier,
    RefusalError,
    Tap,
    Value,
    close_layer,
    keep_whole,
    rule,
)
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.input_grid import InputGrid
from spikeloom.sw.quantized.weights import QuantConv2d, QuantLinear

keep_whole(Activation)
keep_whole(InputGrid)
keep_whole(QuantConv2d, like=nn.Conv2d)
keep_whole(QuantLinear, like=nn.Linear)


@rule(InputGrid)
def _input_grid(context: Context, node: fx.Node, module: InputGrid) -> Value:
    context.note = f"pixels of {module.pixels.bits} bits, from their zero point on"
    return context.input_value(node)


@rule(Activation)
def _activation(context: Context, node: fx.Node, module: Activation) -> Value:
    context.use_once(str(node.target))
    if isinstance(context.input_value(node), Tap):
        raise RefusalError(f"{type(module).__name__} must follow Conv2d or Linear: remove it")
    return close_layer(context, node, Rectifier(module.slope), f", T = {module.levels}")
