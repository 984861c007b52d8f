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
from spikeloom.sw.graph.values import UNKNOWN, Pending, SynapseSpec, Tap, Value


@rule(nn.Conv2d)
def _conv2d(context: Context, node: fx.Node, module: nn.Conv2d) -> Value:
    if normalises(context.input_value(node)):
        normalised = normalise_by_depthwise(context, node, module)
        if normalised is not None:
            return normalised
    if tuple(module.dilation) != (1, 1):
        raise RefusalError(
            f"dilation must be 1, not {module.dilation}: use a larger kernel or a stride"
        )
    padding = conv_padding(module)
    if any(padding) and module.padding_mode != "zeros":
        raise RefusalError(f"padding_mode must be 'zeros', not {module.padding_mode!r}")
    if any(p >= k for p, k in zip(padding, module.kernel_size, strict=True)):
        raise RefusalError(
            f"padding {padding} must be smaller than the kernel {module.kernel_size}: the "
            f"outermost windows would hold nothing"
        )
    return _synapses(context, node)


def conv_padding(module: nn.Conv2d) -> tuple[int, int]:
    """Return a convolution's padding in rows and columns, the same on both sides.

    Raises
    ------
    RefusalError
        If ``padding="same"`` needs different padding on the two sides.
    """
    if module.padding == "valid":
        return (0, 0)
    if module.padding == "same":
        if any(size % 2 == 0 for size in module.kernel_size):
            raise RefusalError(
                f"padding 'same' of the even kernel {module.kernel_size} is not the same on both "
                f"sides: use an odd kernel, or pad by a number"
            )
        return (module.kernel_size[0] // 2, module.kernel_size[1] // 2)
    return (int(module.padding[0]), int(module.padding[1]))


@rule(nn.Linear)
def _linear(context: Context, node: fx.Node, module: nn.Linear) -> Value:
    shape = context.input_shape(node)
    if shape is not None and len(shape) != 1:
        raise RefusalError(
            f"is applied to the last axis of a feature map {shape}: put nn.Flatten() before it"
        )
    return _synapses(context, node)


def _synapses(context: Context, node: fx.Node) -> Value:
    """Return a new layer whose one synapse has the weights of the module that is called."""
    target = str(node.target)
    context.use_once(target)
    value = context.input_value(node)
    if isinstance(value, Pending):
        raise RefusalError(
            f"follows layer {value.name!r} without an activation between them: put nn.ReLU() "
            f"there, or merge the two"
        )
    tap = value if isinstance(value, Tap) else Tap("what was not understood")
    name = context.layer_name(target)
    context.note = f"layer {name}, reading {tap}"
    return Pending(name, (SynapseSpec(target, tap),))


@rule(nn.BatchNorm1d, nn.BatchNorm2d)
def _batch_norm(context: Context, node: fx.Node, module: nn.BatchNorm2d) -> Value:
    if module.running_mean is None or module.running_var is None:
        raise RefusalError("has no running statistics to fold: set track_running_stats=True")
    context.use_once(str(node.target))
    value = context.input_value(node)
    if normalises(value):
        return normalise_by_batch_norm(context, node, module)
    if isinstance(value, Tap):
        raise RefusalError(
            "batch-norm must follow Conv2d or Linear directly, ahead of the activation: move it "
            "there"
        )
    if not isinstance(value, Pending):
        return UNKNOWN
    if value.pool or value.flat:
        raise RefusalError("batch-norm must come ahead of pooling and flattening: move it there")
    if len(value.synapses) > 1:
        raise RefusalError(
            f"follows the addition in layer {value.name!r}, whose summands it would scale: give "
            f"each convolution a batch-norm of its own, ahead of the addition"
        )
    if value.synapses[0].norm:
        raise RefusalError("follows another batch-norm: remove one of the two")
    context.note = f"folded into layer {value.name}"
    return replace(value, synapses=(replace(value.synapses[0], norm=str(node.target)),))
