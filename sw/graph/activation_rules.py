"""Rules for activations, by which a layer fires."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.nodes import (
    UNKNOWN,
    Pending,
    Rectifier,
    RefusalError,
    Tap,
    Value,
    Walk,
)
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.network.neurons import MAX_SPIKE

#: The smallest ratio of a negative to a positive spike that the contract has.
_LEAST_SLOPE = 1 / MAX_SPIKE
_DEFAULT_SLOPE = nn.LeakyReLU().negative_slope


@rule(nn.ReLU, functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_")
def _relu(walk: Walk, node: fx.Node, module: nn.ReLU | None) -> Value:
    return _rectify(walk, node, Rectifier())


@rule(nn.LeakyReLU, functional.leaky_relu, functional.leaky_relu_)
def _leaky_relu(walk: Walk, node: fx.Node, module: nn.LeakyReLU | None) -> Value:
    options = options_of(node, module, ("negative_slope",))
    slope = options.get("negative_slope", _DEFAULT_SLOPE)
    if slope == 0:
        return _rectify(walk, node, Rectifier())
    if not isinstance(slope, (int, float)) or not _LEAST_SLOPE <= slope < 1:
        raise RefusalError(
            f"negative_slope must be 0, or a constant from {_LEAST_SLOPE:g} to less than 1, not "
            f"{slope}: use a power of two such as 0.125, which is exact"
        )
    return _rectify(walk, node, Rectifier(float(slope)))


def _rectify(walk: Walk, node: fx.Node, rectifier: Rectifier) -> Value:
    value = walk.value(node)
    if not isinstance(value, Tap):
        return fire(walk, node, rectifier)
    if value.signed:
        raise RefusalError(
            f"follows the spikes of {value.source!r}, which can be negative, and cannot change "
            f"them any more: keep one of the two activations"
        )
    walk.redundant.append(node.name)
    walk.note = "left out: its input is never negative"
    return value


def fire(walk: Walk, node: fx.Node, rectifier: Rectifier, about: str = "") -> Value:
    """Close the layer that waits for the activation ``node``, and note ``about`` it."""
    value = walk.value(node)
    if not isinstance(value, Pending):
        return UNKNOWN
    kind = "signed spikes" if rectifier.signed else "spikes"
    walk.note = f"{kind} of layer {value.name}{about}"
    return walk.fire(node, rectifier)
