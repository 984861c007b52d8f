"""Rules for channels that a view splits into groups, and that are exchanged and joined again.

This is how ShuffleNets are usually written: ``x.view(n, groups, c // groups, h, w)``, then
``transpose(1, 2)`` and ``view(n, c, h, w)``, which only puts the channels into another order.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.joining import Grouped, beside, together
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import TAKE_GROUPS, rule
from spikeloom.sw.graph.values import UNKNOWN, Joined, Tap, Value


def regrouped(context: Context, node: fx.Node) -> Value | None:
    """Return the value behind a view that splits the channels, or joins split ones again.

    Parameters
    ----------
    context : Context
    node : fx.Node
        The view; it keeps the order of all values in memory.

    Returns
    -------
    Value or None
        None if it does anything else.
    """
    shape, before = context.shape(node), context.input_shape(node)
    value = context.input_value(node)
    if shape is None or before is None or value is UNKNOWN:
        return None
    spatial = before[len(value.grid) :] if isinstance(value, Grouped) else before[1:]
    grid = shape[: len(shape) - len(spatial)]
    channels = math.prod(before) // math.prod(spatial)
    if not spatial or shape[len(grid) :] != spatial or math.prod(grid) != channels:
        return None
    if isinstance(value, Grouped):
        if len(grid) > 1:
            return replace(value, grid=grid)
        context.note = "the channels in another order"
        joined = Joined(value.taps, value.places, value.sizes)
        return together([joined], ((0, place) for place in range(channels)))
    if len(grid) < 2:
        context.note = "left out: the shape stays as it is"
        return value
    fired = context.fired(node.all_input_nodes[0])
    if not isinstance(fired, (Tap, Joined)):
        return None
    context.note = f"the channels in groups of {grid}"
    split = beside(fired, channels)
    return Grouped(split.taps, split.places, split.sizes, grid)


@rule("transpose", torch.transpose, "swapaxes", torch.swapaxes)
def _transpose(context: Context, node: fx.Node, module: None) -> Value:
    rank = len(context.known_shape(node)) + 1
    names = ("dim0", "axis0", "dim1", "axis1")
    given: list[Any] = [*node.args[1:], *(node.kwargs[k] for k in names if k in node.kwargs)]
    dims = list(range(rank))
    first, second = given
    dims[first], dims[second] = dims[second], dims[first]
    return _ordered(context, node, dims)


@rule("permute", torch.permute)
def _permute(context: Context, node: fx.Node, module: None) -> Value:
    given: Any = (*node.args[1:], *node.kwargs.values())
    dims = list(given if len(given) > 1 else given[0])
    return _ordered(context, node, [dim % len(dims) for dim in dims])


def _ordered(context: Context, node: fx.Node, dims: list[int]) -> Value:
    """Return a value whose axes, that of the batch included, are put into another order."""
    value = context.input_value(node)
    if dims == list(range(len(dims))):
        context.note = "left out: the axes stay in their order"
        return value
    if value is UNKNOWN:
        return UNKNOWN
    axes = 1 + len(value.grid) if isinstance(value, Grouped) else 0
    kept = list(range(axes, len(dims)))
    if not axes or dims[0] != 0 or dims[axes:] != kept:
        raise RefusalError(
            f"puts the axes into the order {tuple(dims)}, but feature maps stay (channels, height, "
            f"width): bring the images into that order before they enter the model"
        )
    assert isinstance(value, Grouped)
    order = torch.arange(len(value.places)).reshape(value.grid)
    order = order.permute([dim - 1 for dim in dims[1:axes]])
    context.note = "the groups of channels in another order"
    places = tuple(value.places[place] for place in order.flatten().tolist())
    return replace(value, places=places, grid=tuple(order.shape))


TAKE_GROUPS.update({"transpose", torch.transpose, "swapaxes", torch.swapaxes})
TAKE_GROUPS.update({"permute", torch.permute})
