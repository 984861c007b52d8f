"""Rules for additions: residual connections, whose branches meet in one layer."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.input_rules import arithmetic, normalises
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import rule
from spikeloom.sw.graph.shortcuts import require_apart, shortcuts
from spikeloom.sw.graph.values import SCALAR, UNKNOWN, Joined, Pending, SynapseSpec, Tap, Value
from spikeloom.sw.network import INPUT


@rule(operator.add, torch.add, "add")
def _add(context: Context, node: fx.Node, module: None) -> Value:
    operands = _operands(node)
    nodes = [operand for operand in operands if isinstance(operand, fx.Node)]
    values = [context.value(operand) for operand in nodes]
    normalised = arithmetic(context, node)
    if normalised is not None:
        return normalised
    if all(value is SCALAR for value in values):
        return SCALAR
    if any(value is UNKNOWN for value in values):
        return UNKNOWN
    if len(nodes) < 2:
        return _add_constant(
            context, values[0], *(o for o in operands if not isinstance(o, fx.Node))
        )
    first, second = values
    kinds = (Tap, Joined, Pending)
    if not isinstance(first, kinds) or not isinstance(second, kinds):
        raise RefusalError("adds the size of a tensor to a tensor: remove it")
    if nodes[0] is nodes[1]:
        raise RefusalError("adds a tensor to itself: double the weights instead")
    _require_alike(context, nodes)
    return _sum(context, node, nodes)


@rule(operator.iadd, "add_")
def _add_in_place(context: Context, node: fx.Node, module: None) -> Value:
    changed = _operands(node)[0]
    if isinstance(changed, fx.Node) and normalises(context.value(changed)):
        return _add(context, node, module)
    value = context.value(changed) if isinstance(changed, fx.Node) else SCALAR
    if isinstance(value, Tap):
        raise RefusalError(
            f"changes what {value.source!r} sends in place, which others may read, too: write "
            f"x = x + y"
        )
    return _add(context, node, module)


def _operands(node: fx.Node) -> tuple[Any, Any]:
    """Return the two summands of an addition, nodes or constants."""
    options = dict(zip(("input", "other"), node.args, strict=False)) | dict(node.kwargs)
    alpha = options.get("alpha", 1)
    if alpha != 1:
        raise RefusalError(f"alpha must be 1, not {alpha}: put the factor into the weights")
    if options.get("out") is not None:
        raise RefusalError("writes into 'out': use the sum that it returns")
    return options["input"], options["other"]


def _add_constant(context: Context, value: Value, constant: Any) -> Value:
    if constant != 0:
        raise RefusalError(f"adds the constant {constant}: let a layer's bias do that")
    context.note = "adds 0, as sum() does at first"
    return value


def _require_alike(context: Context, nodes: list[fx.Node]) -> None:
    """Raise RefusalError unless two summands can be added element by element."""
    for node in nodes:
        value = context.value(node)
        if isinstance(value, Pending) and value.pool:
            raise RefusalError(
                f"adds maxima of the sums of layer {value.name!r}, but the maximum of a sum is "
                f"not the sum of the maxima: put the max-pool behind the activation that follows "
                f"the addition"
            )
        if isinstance(value, (Tap, Joined, Pending)) and value.flat:
            raise RefusalError(f"{node.name!r} has been flattened: add first, and flatten the sum")
    shapes = [context.shape(node) for node in nodes]
    if None not in shapes and shapes[0] != shapes[1]:
        raise RefusalError(
            f"the shapes {shapes[0]} of {nodes[0].name!r} and {shapes[1]} of {nodes[1].name!r} "
            f"differ: bring a shortcut to the shape of the main path by a 1x1 convolution with "
            f"its channels and stride"
        )


def _relay_joined(context: Context, node: fx.Node, summands: list[fx.Node]) -> None:
    """Give a concatenation a layer of its own if it is added to another shortcut.

    Side by side, its parts are worth different units, and none of them would be a whole number of
    the sum's units.
    """
    for one, other in (summands, summands[::-1]):
        value = context.value(one)
        if not isinstance(value, Joined) or INPUT in {tap.source for tap in value.taps}:
            continue
        beside = context.value(other)
        shortcut = isinstance(beside, (Tap, Joined)) or (
            isinstance(beside, Pending) and any(s.target is None for s in beside.synapses)
        )
        if shortcut and sum(user in context.used for user in one.users) == 1:
            synapses = shortcuts(value, (node.name, one.name))
            context.set_value(one, Pending(context.layer_name(one.name), synapses))
            context.fired(one)


def _sum(context: Context, node: fx.Node, summands: list[fx.Node]) -> Pending:
    """Return one layer with the synapses of both summands."""
    _relay_joined(context, node, summands)
    pending: list[Pending] = []
    synapses: list[SynapseSpec] = []
    others: list[str] = []
    for summand in summands:
        value = context.value(summand)
        if isinstance(value, Pending):
            pending.append(value)
            synapses += value.synapses
        elif isinstance(value, (Tap, Joined)):
            synapses += shortcuts(value, (node.name, summand.name))
            others.append(f"{value} as it is")
    # Stable: within each kind, the order of the additions stays.
    synapses.sort(key=lambda synapse: synapse.target is None)
    require_apart(synapses)
    if not pending:
        name = context.layer_name(node.name)
        context.note = f"layer {name} adds {' and '.join(others)}"
        return Pending(name, tuple(synapses))
    # The longer path is the main one, whichever comes first in the sum; of equals, the first is.
    main = max(pending, key=lambda branch: context.depth(branch.synapses))
    others += [f"the sums of {branch.name}" for branch in pending if branch is not main]
    context.note = f"layer {main.name} adds {others[0]}"
    return replace(main, synapses=tuple(synapses))
