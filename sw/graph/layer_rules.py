"""Rules for layers: weights and batch-norm."""

from __future__ import annotations

from dataclasses import replace

from torch import fx, nn

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.input_rules import (
    normalise_by_batch_norm,
    normalise_by_depthwise,
    normalises,
)
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import rule
from spikeloom.sw.graph.shortcuts import require_apart, shortcuts
from spikeloom.sw.graph.values import UNKNOWN, Joined, Pending, SynapseSpec, Tap, Value
from spikeloom.sw.network import INPUT

Convolution = nn.Conv1d | nn.Conv2d


@rule(nn.Conv1d, nn.Conv2d)
def convolution(context: Context, node: fx.Node, module: Convolution) -> Value:
    """Return a new layer with the weights of a convolution."""
    if normalises(context.input_value(node)):
        normalised = normalise_by_depthwise(context, node, module)
        if normalised is not None:
            return normalised
    padding = conv_padding(module)
    if any(map(any, padding)) and module.padding_mode != "zeros":
        raise RefusalError(
            f"padding_mode must be 'zeros', not {module.padding_mode!r}: use padding_mode='zeros'"
        )
    value = context.fired(node.all_input_nodes[0])
    for tap in value.taps if isinstance(value, Joined) else (value,):
        if isinstance(tap, Tap) and tap.view is not None:
            for axis, (before, after) in zip(
                (tap.view.rows, tap.view.columns), padding, strict=True
            ):
                if axis is not None:
                    try:
                        axis.part(-before, 1, before + axis.count + after)
                    except ValueError:
                        raise RefusalError(
                            "pads with 0 what was cut out of a larger feature map, or summed with "
                            "padding: use padding=0 here, or cut behind the convolution"
                        ) from None
    return synapses(context, node)


def conv_padding(module: Convolution) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a convolution's padding in rows and columns, each before and after."""
    if isinstance(module.padding, str):
        pads = [
            d * (k - 1) if module.padding == "same" else 0
            for k, d in zip(module.kernel_size, module.dilation, strict=True)
        ]
        sides = [(total // 2, total - total // 2) for total in pads]
    else:
        sides = [(int(p), int(p)) for p in module.padding]
    return (sides[0], sides[1]) if len(sides) == 2 else ((0, 0), sides[0])


@rule(nn.Linear)
def linear(context: Context, node: fx.Node, module: nn.Linear) -> Value:
    """Return a new layer with fully connected weights."""
    shape = context.input_shape(node)
    if shape is not None and len(shape) != 1:
        raise RefusalError(
            f"is applied to the last axis of a feature map {shape}: put nn.Flatten() before it"
        )
    return synapses(context, node)


def synapses(context: Context, node: fx.Node) -> Value:
    """Return a new layer whose synapses have the weights of the module that is called."""
    target = str(node.target)
    context.use_once(target)
    value = context.fired(node.all_input_nodes[0]) if node.all_input_nodes else UNKNOWN
    name = context.layer_name(target)
    if isinstance(value, Joined):
        context.note = f"layer {name}, reading {value} side by side"
        return Pending(
            name,
            tuple(
                SynapseSpec(target, tap, part=part, columns=columns)
                for part, (tap, columns) in enumerate(value.split())
            ),
        )
    tap = value if isinstance(value, Tap) else Tap("what was not understood")
    context.note = f"layer {name}, reading {tap}"
    return Pending(name, (SynapseSpec(target, tap),))


@rule(nn.BatchNorm1d, nn.BatchNorm2d)
def _batch_norm(context: Context, node: fx.Node, module: nn.BatchNorm2d) -> Value:
    if module.running_mean is None or module.running_var is None:
        raise RefusalError("has no running statistics to fold: set track_running_stats=True")
    target = str(node.target)
    context.use_once(target)
    value = context.input_value(node)
    if normalises(value):
        return normalise_by_batch_norm(context, node, module)
    if isinstance(value, (Tap, Joined)):
        taps = value.taps if isinstance(value, Joined) else (value,)
        if INPUT in {tap.source for tap in taps}:
            raise RefusalError(
                "batch-norm must follow Conv2d or Linear directly, ahead of the activation: move "
                "it there"
            )
        if value.flat:
            raise RefusalError("batch-norm must come ahead of flattening: move it there")
        name = context.layer_name(target)
        context.note = f"layer {name}, which normalises {value}"
        normed = shortcuts(value, (node.name, node.all_input_nodes[0].name))
        return Pending(name, tuple(replace(s, norm=target) for s in normed))
    if not isinstance(value, Pending):
        return UNKNOWN
    if value.pool or value.flat:
        raise RefusalError("batch-norm must come ahead of pooling and flattening: move it there")
    if any(synapse.norm for synapse in value.synapses):
        if len(value.synapses) > 1:
            raise RefusalError(
                f"follows the addition in layer {value.name!r}, whose summands have a batch-norm "
                f"already: remove one of the two"
            )
        raise RefusalError("follows another batch-norm: remove one of the two")
    context.note = f"folded into layer {value.name}"
    normed = tuple(replace(synapse, norm=target) for synapse in value.synapses)
    require_apart(normed)
    return replace(value, synapses=normed)
