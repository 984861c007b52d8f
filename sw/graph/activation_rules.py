"""Rules for activations, which close a layer: it fires."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.layers import LayerSpec, Rectifier
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.graph.shortcuts import shortcuts
from spikeloom.sw.graph.values import UNKNOWN, Joined, Pending, Tap, Value
from spikeloom.sw.network import INPUT
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


@rule(nn.ReLU6, functional.relu6)
def _relu6(context: Context, node: fx.Node, module: nn.ReLU6 | None) -> Value:
    return _rectify(context, node, Rectifier(limit=6.0))


@rule(nn.Hardtanh, functional.hardtanh, functional.hardtanh_)
def _hardtanh(context: Context, node: fx.Node, module: nn.Hardtanh | None) -> Value:
    options = options_of(node, module, ("min_val", "max_val"))
    return _clip(context, node, options.get("min_val", -1.0), options.get("max_val", 1.0))


@rule(torch.clamp, torch.clamp_, torch.clip, torch.clip_, "clamp", "clamp_", "clip", "clip_")
def _clamp(context: Context, node: fx.Node, module: None) -> Value:
    options = options_of(node, None, ("min", "max"))
    return _clip(context, node, options.get("min"), options.get("max"))


@rule(torch.clamp_min, torch.clamp_min_, "clamp_min", "clamp_min_")
def _clamp_min(context: Context, node: fx.Node, module: None) -> Value:
    return _clip(context, node, options_of(node, None, ("min",)).get("min"), None)


@rule(nn.Threshold, functional.threshold, torch.threshold, torch.threshold_)
def _threshold(context: Context, node: fx.Node, module: nn.Threshold | None) -> Value:
    options = options_of(node, module, ("threshold", "value"))
    if options.get("threshold") != 0 or options.get("value") != 0:
        raise RefusalError(
            f"must be Threshold(0, 0), not ({options.get('threshold')}, {options.get('value')}): "
            f"use nn.ReLU(), with the threshold in the bias of the layer before it"
        )
    return _rectify(context, node, Rectifier())


def _clip(context: Context, node: fx.Node, low: Any, high: Any) -> Value:
    """Close a layer by a clip from ``low`` to ``high``, each a number or None."""
    for bound in (low, high):
        if bound is not None and not isinstance(bound, (int, float)):
            raise RefusalError("clips by a tensor: use constants, as in nn.Hardtanh(0, 1)")
    if low == 0 and (high is None or high > 0):
        limit = None if high is None or math.isinf(high) else float(high)
        return _rectify(context, node, Rectifier(limit=limit))
    if low is not None and high is not None and 0 < high == -low:
        return _rectify(context, node, Rectifier(1.0, float(high)))
    raise RefusalError(
        f"clips from {low} to {high}, which spike counts cannot follow: clip from 0, as in "
        f"nn.Hardtanh(0, 1), or on both sides alike, as in nn.Hardtanh(-1, 1)"
    )


def _rectify(context: Context, node: fx.Node, rectifier: Rectifier) -> Value:
    """Close a layer by a rectifier, or leave the rectifier out where it changes nothing."""
    value = context.input_value(node)
    if not isinstance(value, (Tap, Joined)):
        return close_layer(context, node, rectifier)
    taps = value.taps if isinstance(value, Joined) else (value,)
    found = {tap.source: context.layer(tap.source) for tap in taps}
    limits = [
        None if x is None or x.rectifier is None else x.rectifier.limit for x in found.values()
    ]
    sums = any(tap.divisor > tap.area for tap in taps if tap.pool is None or tap.pool.kind == "max")
    limit = rectifier.limit
    kept = limit is None or (not sums and all(x is not None and x <= limit for x in limits))
    if not value.signed and kept:
        context.redundant.append(node.name)
        context.note = "left out: its input is never negative"
        return value
    if not value.signed:
        raise RefusalError(
            f"clips the spikes of {taps[0].source!r}, which has fired: put the clip in the "
            f"activation, as in nn.Hardtanh(0, {limit:g})"
        )
    if not any(x is not None and x.implied for x in found.values()):
        raise RefusalError(
            f"follows the spikes of {taps[0].source!r}, which can be negative, and cannot change "
            f"them any more: keep one of the two activations"
        )
    return relay(context, node, rectifier)


def relay(context: Context, node: fx.Node, rectifier: Rectifier, about: str = "") -> Value:
    """Return the values of a layer that adds nothing to those of others, and add the layer.

    Parameters
    ----------
    context : Context
    node : fx.Node
        The activation; its input are values that layers fire.
    rectifier : Rectifier
    about : str
        Text to be added to the report.
    """
    value = context.input_value(node)
    taps = value.taps if isinstance(value, Joined) else (value,)
    if (
        not isinstance(value, (Tap, Joined))
        or value.flat
        or INPUT in {tap.source for tap in taps if isinstance(tap, Tap)}
    ):
        raise RefusalError("must follow a layer such as Conv2d or Linear: move it there")
    name = context.layer_name(node.name)
    relayed = shortcuts(value, (node.name, node.all_input_nodes[0].name))
    return _close(context, node, rectifier, Pending(name, relayed), about)


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
    return _close(context, node, rectifier, value, about)


def _close(
    context: Context, node: fx.Node, rectifier: Rectifier, value: Pending, about: str = ""
) -> Value:
    kind = "signed spikes" if rectifier.signed else "spikes"
    context.note = f"{kind} of layer {value.name}{about}"
    context.add_layer(LayerSpec(value.name, value.synapses, node.name, rectifier))
    return Tap(value.name, value.pool, value.flat, rectifier.signed)
