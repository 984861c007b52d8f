"""Rules for activations, which close a layer: it fires."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.layers import LayerSpec, Rectifier
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.graph.values import UNKNOWN, Pending, Tap, Value
from spikeloom.sw.network.neurons import MAX_SPIKE

#: Smallest ratio of a negative spike to a positive one in the contract.
_LEAST_SLOPE = 1 / MAX_SPIKE
_DEFAULT_SLOPE = nn.LeakyReLU().negative_slope


@rule(nn.ReLU, functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_")
def _relu(context: Context, node: fx.Node, module: nn.ReLU | None) -> Value:
    return _rectify(context, node, Rectifier())


@rule(nn.LeakyReLU, functional.leaky_relu, functional.leaky_relu_)
def _leaky_relu(context: Context, node: fx.Node, module: nn.LeakyReLU | None) -> Value:
    options = options_of(node, module, ("negative_slope",))
    slope = options.get("negative_slope", _DEFAULT_SLOPE)
    if slope == 0:
        return _rectify(context, node, Rectifier())
    if not isinstance(slope, (int, float)) or not _LEAST_SLOPE <= slope < 1:
        raise RefusalError(
            f"negative_slope must be 0, or a constant from {_LEAST_SLOPE:g} to less than 1, not "
            f"{slope}: use a power of two such as 0.125, which is exact"
        )
    return _rectify(context, node, Rectifier(float(slope)))


def _rectify(context: Context, node: fx.Node, rectifier: Rectifier) -> Value:
    """Close a layer by a rectifier, or leave the rectifier out where it changes nothing."""
    value = context.input_value(node)
    if not isinstance(value, Tap):
        return close_layer(context, node, rectifier)
    if value.signed:
        raise RefusalError(
            f"follows the spikes of {value.source!r}, which can be negative, and cannot change "
            f"them any more: keep one of the two activations"
        )
    context.redundant.append(node.name)
    context.note = "left out: its input is never negative"
    return value


def close_layer(context: Context, node: fx.Node, rectifier: Rectifier, about: str = "") -> Value:
    """Return the values that a layer fires by its activation ``node``, and add the layer.

    Parameters
    ----------
    context : Context
    node : fx.Node
        The activation; its input is the sum of a layer.
    rectifier : Rectifier
        Function of the activation.
    about : str
        Text to be added to the report.

    Returns
    -------
    Value
        `UNKNOWN` if the input is not the sum of a layer.
    """
    value = context.input_value(node)
    if not isinstance(value, Pending):
        return UNKNOWN
    kind = "signed spikes" if rectifier.signed else "spikes"
    context.note = f"{kind} of layer {value.name}{about}"
    context.add_layer(LayerSpec(value.name, value.synapses, node.name, rectifier))
    return Tap(value.name, value.pool, value.flat, rectifier.signed)
