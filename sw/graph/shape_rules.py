"""Rules for flattening, for sizes of tensors, and for nodes that are left out."""

from __future__ import annotations

import builtins
import math
import operator

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.group_rules import regrouped
from spikeloom.sw.graph.input_rules import arithmetic
from spikeloom.sw.graph.pool_rules import flattened
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import TAKE_GROUPS, options_of, refuse_groups, rule
from spikeloom.sw.graph.values import (
    SCALAR,
    UNKNOWN,
    Joined,
    Pending,
    Tap,
    Value,
    map_shape,
)

_VIEWS = (
    nn.Flatten,
    torch.flatten,
    "flatten",
    "view",
    "reshape",
    torch.reshape,
    "squeeze",
    torch.squeeze,
    "unsqueeze",
    torch.unsqueeze,
    nn.Unflatten,
    "unflatten",
)
_KEEP = (nn.Identity, "contiguous", "clone", torch.clone, "size", builtins.getattr)
TAKE_GROUPS.update((*_VIEWS, *_KEEP))


@rule(*_VIEWS)
def _flatten(context: Context, node: fx.Node, module: nn.Flatten | None) -> Value:
    value, shape, before = context.input_value(node), context.shape(node), context.input_shape(node)
    if isinstance(value, (Tap, Joined, Pending)) and _same_map(shape, before):
        context.note = "left out: a signal is a map of one row"
        return value
    groups = regrouped(context, node)
    if groups is not None:
        return groups
    refuse_groups(context, node)
    if shape is not None and before is not None:
        # With all shapes known, the result says more than the arguments.
        flattens = len(shape) == 1 and shape == (math.prod(before),)
    else:
        flattens = _flattens(node, module)
    if not flattens:
        raise RefusalError(
            f"only flattening to (N, -1) is supported, not {before or 'the input'} to "
            f"{shape or node.args[1:]}: {_remedy(before, shape)}"
        )
    if not isinstance(value, (Tap, Joined, Pending)):
        return value
    if before is not None and len(before) == 1:
        context.note = "left out: its input is flat"
        return value
    context.note = "row by row, channel by channel"
    return flattened(value, None if before is None else math.prod(before[1:]))


def _same_map(shape: tuple[int, ...] | None, before: tuple[int, ...] | None) -> bool:
    """Return whether a signal becomes a map of one row, or the other way round."""
    if shape is None or before is None or shape == before:
        return False
    return map_shape(shape) == map_shape(before)


def _remedy(before: tuple[int, ...] | None, shape: tuple[int, ...] | None) -> str:
    if before is not None and shape is not None and len(before) == 3 and len(shape) == 2:
        return (
            "layers across positions and attention have no counterpart, use convolutions; at the "
            "end, use nn.Flatten()"
        )
    return "use nn.Flatten()"


def _flattens(node: fx.Node, module: nn.Flatten | None) -> bool:
    """Return whether the arguments of a node say that it flattens all axes but the first."""
    name = str(getattr(node.target, "__name__", node.target))
    if module is not None or name == "flatten":
        options = options_of(node, module, ("start_dim", "end_dim"))
        default = 0 if module is None else 1
        return bool(options.get("start_dim", default) == 1 and options.get("end_dim", -1) == -1)
    sizes = node.args[1:]
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    return name != "squeeze" and len(sizes) == 2 and -1 in sizes


@rule(
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    "contiguous",
    "clone",
    torch.clone,
)
def _identity(context: Context, node: fx.Node, module: nn.Module | None) -> Value:
    context.note = "left out: does nothing when the model is used"
    return context.input_value(node)


@rule(functional.dropout, functional.dropout1d, functional.dropout2d, functional.alpha_dropout)
def _dropout_call(context: Context, node: fx.Node, module: None) -> Value:
    # A trace fixes `training=` at the value that it had then, so the call has to go for good.
    context.redundant.append(node.name)
    context.note = "left out: use nn.Dropout to keep it in training"
    return context.input_value(node)


@rule("size")
def _size(context: Context, node: fx.Node, module: None) -> Value:
    return SCALAR


@rule(builtins.getattr)
def _getattr(context: Context, node: fx.Node, module: None) -> Value:
    if node.args[1] != "shape":
        raise RefusalError(f"the attribute {node.args[1]!r} of a tensor is not supported")
    return SCALAR


@rule(operator.mul, operator.floordiv)
def _scalar_arithmetic(context: Context, node: fx.Node, module: None) -> Value:
    if node.target is operator.mul:
        normalised = arithmetic(context, node)
        if normalised is not None:
            return normalised
    if any(value is not SCALAR for value in context.input_values(node)):
        if any(value is UNKNOWN for value in context.input_values(node)):
            return UNKNOWN
        raise RefusalError(
            "tensors can be neither multiplied nor divided: put a factor into the weights of a "
            "layer, by a convolution or nn.BatchNorm2d"
        )
    return SCALAR
