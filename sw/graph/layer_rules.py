"""Rules for the input, the output, weights and batch-norm."""

from __future__ import annotations

from dataclasses import replace

from torch import fx, nn

from spikeloom.sw.graph.nodes import (
    UNKNOWN,
    LayerSpec,
    Pending,
    RefusalError,
    SynapseSpec,
    Tap,
    Value,
    Walk,
)
from spikeloom.sw.graph.rules import rule
from spikeloom.sw.network import INPUT


@rule("placeholder")
def _placeholder(walk: Walk, node: fx.Node, module: None) -> Value:
    first = next(n for n in walk.module.graph.nodes if n.op == "placeholder")
    if node is not first:
        raise RefusalError("the model takes more than one input: only one image can enter")
    walk.note = "pixels"
    return Tap(INPUT)


@rule("output")
def _output(walk: Walk, node: fx.Node, module: None) -> Value:
    (result,) = node.args
    if not isinstance(result, fx.Node):
        raise RefusalError(
            "the model returns something else than one tensor: return the logits only"
        )
    value = walk.value(node)
    if isinstance(value, Tap):
        raise RefusalError(
            "the model ends without a final Linear or Conv2d whose sums are the logits: end with "
            "one, and with no activation or pool behind it"
        )
    if not isinstance(value, Pending):
        return UNKNOWN
    for synapse in value.synapses:
        if synapse.norm:
            raise RefusalError(
                f"the batch-norm {synapse.norm!r} follows the output layer, whose logits must "
                f"share one scale: remove it"
            )
    if value.pool:
        raise RefusalError("a max-pool follows the output layer: remove it")
    shape = walk.shape_in(node)
    if shape is not None and len(shape) != 1:
        raise RefusalError(f"the output has the shape {shape} per image: flatten it to the logits")
    walk.layers.append(LayerSpec(value.name, value.synapses, None))
    walk.note = f"logits of layer {value.name}"
    return value


@rule("get_attr")
def _get_attr(walk: Walk, node: fx.Node, module: None) -> Value:
    raise RefusalError(f"uses the tensor {node.target!r} directly: use modules such as nn.Linear")


@rule(nn.Conv2d)
def _conv2d(walk: Walk, node: fx.Node, module: nn.Conv2d) -> Value:
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
    return _synapses(walk, node)


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
def _linear(walk: Walk, node: fx.Node, module: nn.Linear) -> Value:
    shape = walk.shape_in(node)
    if shape is not None and len(shape) != 1:
        raise RefusalError(
            f"is applied to the last axis of a feature map {shape}: put nn.Flatten() before it"
        )
    return _synapses(walk, node)


def _synapses(walk: Walk, node: fx.Node) -> Value:
    target = str(node.target)
    walk.use_once(target)
    value = walk.value(node)
    if isinstance(value, Pending):
        raise RefusalError(
            f"follows layer {value.name!r} without an activation between them: put nn.ReLU() "
            f"there, or merge the two"
        )
    tap = value if isinstance(value, Tap) else Tap("what was not understood")
    name = walk.name(target)
    walk.note = f"layer {name}, reading {tap}"
    return Pending(name, (SynapseSpec(target, tap),))


@rule(nn.BatchNorm1d, nn.BatchNorm2d)
def _batch_norm(walk: Walk, node: fx.Node, module: nn.BatchNorm2d) -> Value:
    if module.running_mean is None or module.running_var is None:
        raise RefusalError("has no running statistics to fold: set track_running_stats=True")
    walk.use_once(str(node.target))
    value = walk.value(node)
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
    walk.note = f"folded into layer {value.name}"
    return replace(value, synapses=(replace(value.synapses[0], norm=str(node.target)),))
