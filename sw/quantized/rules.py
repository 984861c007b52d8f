"""Rules for the modules of a prepared model, which is analysed as the original is."""

from __future__ import annotations

from dataclasses import replace

from torch import fx, nn

from spikeloom.sw.graph import (
    Context,
    Joined,
    Rectifier,
    RefusalError,
    Tap,
    Value,
    close_layer,
    convolution,
    keep_whole,
    linear,
    relay,
    rule,
)
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.input_grid import InputGrid
from spikeloom.sw.quantized.weights import (
    QuantConv1d,
    QuantConv2d,
    QuantLinear,
    QuantParts,
    QuantShortcut,
)

keep_whole(Activation)
keep_whole(InputGrid)
keep_whole(QuantConv1d, like=nn.Conv1d)
keep_whole(QuantConv2d, like=nn.Conv2d)
keep_whole(QuantLinear, like=nn.Linear)
keep_whole(QuantParts)
keep_whole(QuantShortcut)


@rule(QuantParts)
def _parts(context: Context, node: fx.Node, module: QuantParts) -> Value:
    part = module.like
    if isinstance(part, nn.Linear):
        return linear(context, node, part)
    assert isinstance(part, (nn.Conv1d, nn.Conv2d))
    return convolution(context, node, part)


@rule(QuantShortcut)
def _shortcut(context: Context, node: fx.Node, module: QuantShortcut) -> Value:
    context.use_once(str(node.target))
    value = context.input_value(node)
    if not isinstance(value, Tap):
        raise RefusalError("a shortcut must read the values of a layer: prepare() the original")
    return replace(value, weights=str(node.target))


@rule(InputGrid)
def _input_grid(context: Context, node: fx.Node, module: InputGrid) -> Value:
    context.note = f"pixels of {module.pixels.bits} bits, from their zero point on"
    return context.input_value(node)


@rule(Activation)
def _activation(context: Context, node: fx.Node, module: Activation) -> Value:
    context.use_once(str(node.target))
    rectifier, about = Rectifier(module.slope, module.limit), f", T = {module.levels}"
    if isinstance(context.input_value(node), (Tap, Joined)):
        return relay(context, node, rectifier, about)
    return close_layer(context, node, rectifier, about)
