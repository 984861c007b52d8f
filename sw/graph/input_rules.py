"""Rules for a model that normalises its input itself: ``(x - mean) / std`` and the like.

Arithmetic with numbers, buffers and a batch-norm or depthwise 1x1 convolution ahead of the first
layer makes a factor and a shift for each channel: an :class:`.Affine` of the input. It becomes part
of the description of the network's pixels, so that it costs no layer.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.hints import HINTS
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import TAKE_CONSTANTS, refuse_constants, rule
from spikeloom.sw.graph.values import UNKNOWN, Affine, Constant, Tap, Value
from spikeloom.sw.network import INPUT

#: Modules that can follow a normalisation; behind a depthwise 1x1 convolution, any other module
#: makes it a layer of its own.
_READERS = (nn.Conv2d, nn.Conv1d, nn.Linear, nn.Flatten, nn.BatchNorm2d, nn.BatchNorm1d)


def normalises(value: Value) -> bool:
    """Return whether a value is the input, with nothing but a normalisation behind it."""
    return isinstance(value, Tap) and value == Tap(INPUT, flat=value.flat, affine=value.affine)


def arithmetic(context: Context, node: fx.Node) -> Value | None:
    """Return the value of arithmetic on the input; None if it is of something else.

    Raises
    ------
    RefusalError
        If it is no normalisation by channel, or computes with a buffer but not with the input.
    """
    operands = _operands(node)
    nodes = [x for x in operands if isinstance(x, fx.Node)]
    values = [context.value(x) for x in nodes]
    taps = [x for x, value in zip(nodes, values, strict=True) if normalises(value)]
    others = [value for value in values if not normalises(value)]
    if len(taps) != 1 or not all(isinstance(value, Constant) for value in others):
        refuse_constants(context, node)
        return None
    options = dict(node.kwargs)
    if options.get("rounding_mode") is not None:
        raise RefusalError("rounds the input: round the images beforehand, and leave it out")
    if options.get("alpha", 1) != 1:
        raise RefusalError(f"alpha must be 1, not {options['alpha']}: multiply beforehand")
    (tap,) = taps
    name = _NAMES[node.target]
    if len(operands) == 1:
        return _normalised(context, node, tap, -1.0, 0.0)
    reverse = operands[1] is tap
    constant = _constant(context, operands[0] if reverse else operands[1], context.shape(tap))
    if name == "add":
        return _normalised(context, node, tap, 1.0, constant)
    if name == "sub":
        return _normalised(
            context, node, tap, -1.0 if reverse else 1.0, constant if reverse else -constant
        )
    if name == "mul":
        return _normalised(context, node, tap, constant, 0.0)
    if not reverse and not torch.as_tensor(constant).all():
        raise RefusalError("divides by 0: use a standard deviation that is not 0")
    if reverse:
        raise RefusalError("divides by the input, which is not linear: remove it")
    return _normalised(context, node, tap, 1.0 / constant, 0.0)


_NAMES: dict[Any, str] = {
    operator.add: "add",
    torch.add: "add",
    "add": "add",
    operator.sub: "sub",
    torch.sub: "sub",
    "sub": "sub",
    operator.mul: "mul",
    torch.mul: "mul",
    "mul": "mul",
    operator.truediv: "div",
    torch.div: "div",
    "div": "div",
    operator.neg: "neg",
    torch.neg: "neg",
    "neg": "neg",
}


TAKE_CONSTANTS.update(_NAMES)


@rule(operator.sub, torch.sub, "sub", operator.truediv, torch.div, "div")
@rule(operator.neg, torch.neg, "neg", torch.mul, "mul")
def _arithmetic(context: Context, node: fx.Node, module: None) -> Value:
    value = arithmetic(context, node)
    if value is not None:
        return value
    if any(value is UNKNOWN for value in context.input_values(node)):
        return UNKNOWN
    inside = (
        "computes with values inside the network: put the factor into the weights of a layer, and "
        "the summand into its bias"
    )
    raise RefusalError(HINTS.get(node.target, inside))


@rule("get_attr")
def _get_attr(context: Context, node: fx.Node, module: None) -> Value:
    tensor = _attribute(context.module, str(node.target))
    if isinstance(tensor, nn.Parameter) or not isinstance(tensor, Tensor):
        raise RefusalError(
            f"uses the tensor {node.target!r} directly: use modules such as nn.Linear, or "
            f"register_buffer() for a constant"
        )
    context.note = "a constant"
    return Constant(str(node.target))


def normalise_by_batch_norm(context: Context, node: fx.Node, module: nn.BatchNorm2d) -> Value:
    """Return the input behind a batch-norm ahead of all layers, whose statistics are then fixed."""
    assert module.running_mean is not None
    assert module.running_var is not None
    deviation = (module.running_var.detach().double() + module.eps).sqrt()
    ones = torch.ones_like(deviation)
    weight = ones if module.weight is None else module.weight.detach().double()
    bias = 0 * ones if module.bias is None else module.bias.detach().double()
    factor = weight / deviation
    shift = bias - module.running_mean.detach().double() * factor
    return _normalised(context, node, node.all_input_nodes[0], factor, shift)


def normalise_by_depthwise(
    context: Context, node: fx.Node, module: nn.Conv1d | nn.Conv2d
) -> Value | None:
    """Return the input behind a depthwise 1x1 convolution; None if that is a layer of its own."""
    size = set(module.kernel_size) | set(module.stride)
    depthwise = module.groups == module.in_channels == module.out_channels
    if size != {1} or not depthwise or conv_pads(module):
        return None
    users = [context.called(user) for user in node.users]
    if not users or not all(isinstance(user, _READERS) for user in users):
        return None
    factor = module.weight.detach().double().flatten()
    shift = 0 * factor if module.bias is None else module.bias.detach().double()
    return _normalised(context, node, node.all_input_nodes[0], factor, shift)


def conv_pads(module: nn.Conv1d | nn.Conv2d) -> bool:
    """Return whether a 1x1 convolution pads its input."""
    return not isinstance(module.padding, str) and any(module.padding)


def _normalised(
    context: Context, node: fx.Node, source: fx.Node, factor: Tensor | float, shift: Tensor | float
) -> Value:
    """Return the input behind ``factor * value + shift``."""
    value = context.value(source)
    assert isinstance(value, Tap)
    shape = context.shape(source)
    factors, shifts = _per_channel(factor, shape), _per_channel(shift, shape)
    number = max(len(factors), len(shifts))
    if value.flat and number > 1 and not _single_pixels(context, source):
        raise RefusalError("normalises by channel behind flattening: do it ahead of nn.Flatten()")
    if not all(factors):
        raise RefusalError("multiplies a channel of the input by 0: leave that channel out")
    affine = value.affine or Affine((1.0,), (0.0,))
    context.normalising[node.name] = source.name
    context.note = "normalises the input: part of the description of its pixels, and fixed"
    return replace(value, affine=affine.then(factors, shifts))


def _single_pixels(context: Context, node: fx.Node) -> bool:
    """Return whether the features of a flat node are the channels of images of one pixel."""
    image = next(x for x in node.graph.nodes if x.op == "placeholder")
    shape, features = context.shape(image), context.shape(node)
    if shape is None or features is None:
        return False
    return len(features) == 1 and features[0] == shape[0]


def _per_channel(values: Tensor | float, shape: tuple[int, ...] | None) -> tuple[float, ...]:
    """Return one number for all channels, or one for each.

    Parameters
    ----------
    values : tensor or float
        A number; a buffer, as torch broadcasts it against a batch of images; or, with one axis, the
        numbers of a module for the channels.
    shape : tuple of int or None
        Of one image.
    """
    if not isinstance(values, Tensor) or values.numel() == 1:
        return (float(values),)
    # A buffer may have the axis of the batch.
    single = values[0] if values.ndim in (2, 4) and values.shape[0] == 1 else values
    if any(size != 1 for size in single.shape[1:]):
        raise RefusalError(
            f"normalises by a tensor of shape {tuple(values.shape)}: only one number for all "
            f"pixels, or one for each channel, can be taken"
        )
    if shape is not None and single.numel() != shape[0]:
        raise RefusalError(
            f"normalises {shape[0]} channels by {single.numel()} numbers: give one for each"
        )
    return tuple(single.flatten().tolist())


def _operands(node: fx.Node) -> tuple[Any, ...]:
    options = dict(zip(("input", "other"), node.args, strict=False)) | dict(node.kwargs)
    return tuple(options[key] for key in ("input", "other") if key in options)


def _constant(context: Context, operand: Any, shape: tuple[int, ...] | None) -> Tensor | float:
    """Return the number, or the buffer, that a node computes with beside images of a shape."""
    if isinstance(operand, fx.Node):
        value = context.value(operand)
        assert isinstance(value, Constant)
        tensor: Tensor = _attribute(context.module, value.target)
        if tensor.ndim == 1 and tensor.numel() > 1 and shape is not None and len(shape) == 3:
            raise RefusalError(
                f"computes with a buffer of shape ({tensor.numel()},), which torch applies to the "
                f"columns of an image: give it the shape (1, channels, 1, 1)"
            )
        return tensor.detach().double()
    if isinstance(operand, bool) or not isinstance(operand, (int, float)):
        raise RefusalError(f"computes with {operand!r}: only numbers and buffers can be taken")
    return float(operand)


def _attribute(module: nn.Module, path: str) -> Any:
    parent, _, name = path.rpartition(".")
    return getattr(module.get_submodule(parent), name)
