"""Rules for pools, flattening, and what is left out."""

from __future__ import annotations

import builtins
import operator
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.nodes import (
    SCALAR,
    UNKNOWN,
    Pending,
    Pooling,
    RefusalError,
    Tap,
    Value,
    Walk,
)
from spikeloom.sw.graph.rules import options_of, rule


@rule(nn.AvgPool2d, functional.avg_pool2d)
def _avg_pool(walk: Walk, node: fx.Node, module: nn.AvgPool2d | None) -> Value:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
    options = options_of(node, module, (*names, "divisor_override"))
    if options.get("divisor_override"):
        raise RefusalError("divisor_override is not supported: leave it out")
    return _pool(walk, node, Pooling("sum", _window(options)))


@rule(nn.MaxPool2d, functional.max_pool2d, torch.max_pool2d)
def _max_pool(walk: Walk, node: fx.Node, module: nn.MaxPool2d | None) -> Value:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    options = options_of(node, module, names)
    if options.get("return_indices"):
        raise RefusalError("return_indices is not supported: leave it out")
    return _pool(walk, node, Pooling("max", _window(options)))


@rule(nn.AdaptiveAvgPool2d, functional.adaptive_avg_pool2d)
def _adaptive_avg_pool(walk: Walk, node: fx.Node, module: nn.AdaptiveAvgPool2d | None) -> Value:
    return _pool(walk, node, Pooling("sum", _adaptive_window(walk, node, module)))


@rule(nn.AdaptiveMaxPool2d, functional.adaptive_max_pool2d)
def _adaptive_max_pool(walk: Walk, node: fx.Node, module: nn.AdaptiveMaxPool2d | None) -> Value:
    return _pool(walk, node, Pooling("max", _adaptive_window(walk, node, module)))


@rule(torch.mean, "mean")
def _mean(walk: Walk, node: fx.Node, module: None) -> Value:
    options = options_of(node, None, ("dim", "keepdim"))
    axes = options.get("dim")
    if sorted(axes if isinstance(axes, (tuple, list)) else ()) not in ([2, 3], [-2, -1]):
        raise RefusalError(f"only the mean over the whole feature map, dim=(2, 3), not dim={axes}")
    shape = _feature_map(walk, node)
    value = _pool(walk, node, Pooling("sum", (shape[1], shape[2])))
    if not isinstance(value, Tap) or options.get("keepdim"):
        return value
    return replace(value, flat=True)


def _pool(walk: Walk, node: fx.Node, pooling: Pooling) -> Value:
    value = walk.value(node)
    if not isinstance(value, (Tap, Pending)) or pooling.size == (1, 1):
        return value
    if isinstance(value, Pending) and pooling.kind != "max":
        raise RefusalError(
            f"averages the sums of layer {value.name!r} before they fire: put the activation "
            f"between them"
        )
    pool = value.pool
    if pool is not None:
        if pool.kind != pooling.kind:
            raise RefusalError(
                f"follows a {pool.kind}-pool, and one connection has one kind of pool: use the "
                f"same kind for both"
            )
        size = (pool.size[0] * pooling.size[0], pool.size[1] * pooling.size[1])
        pooling = Pooling(pooling.kind, size)
    walk.note = f"{pooling.kind}-pool of {pooling.size}"
    return replace(value, pool=pooling)


def _window(options: dict[str, Any]) -> tuple[int, int]:
    size = _pair(options.get("kernel_size"), "kernel_size")
    stride = options.get("stride")
    if stride is not None and stride != () and _pair(stride, "stride") != size:
        raise RefusalError(
            f"stride {stride} must equal the window {size}: windows must not overlap"
        )
    if any(_pair(options.get("padding", 0), "padding")):
        raise RefusalError(
            f"padding must be 0, not {options['padding']}: pad the convolution instead"
        )
    if _pair(options.get("dilation", 1), "dilation") != (1, 1):
        raise RefusalError(f"dilation must be 1, not {options['dilation']}")
    if options.get("ceil_mode"):
        raise RefusalError("ceil_mode must be False: choose a window that fits the feature map")
    return size


def _pair(value: Any, what: str) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else value
    if not (isinstance(pair, (tuple, list)) and all(isinstance(n, int) for n in pair)):
        raise RefusalError(f"{what} must be a constant number or pair, not {value}")
    return (pair[0], pair[-1])


def _feature_map(walk: Walk, node: fx.Node) -> tuple[int, ...]:
    shape = walk.shape_in(node)
    if shape is None or len(shape) != 3:
        raise RefusalError(
            "needs a feature map of known size: give input_shape"
            if shape is None
            else f"needs a feature map (channels, height, width), not {shape}"
        )
    return shape


def _adaptive_window(walk: Walk, node: fx.Node, module: nn.Module | None) -> tuple[int, int]:
    options = options_of(node, module, ("output_size", "return_indices"))
    if options.get("return_indices"):
        raise RefusalError("return_indices is not supported: leave it out")
    wanted = options.get("output_size")
    pair = wanted if isinstance(wanted, (tuple, list)) else (wanted, wanted)
    shape = _feature_map(walk, node)
    size = []
    for have, want in zip(shape[1:], pair, strict=True):
        if want is not None and have % want:
            raise RefusalError(
                f"{have} rows or columns do not divide into {want} windows of one size"
            )
        size.append(1 if want is None else have // want)
    return (size[0], size[1])


@rule(nn.Flatten, torch.flatten, "flatten", "view", "reshape", torch.reshape, "squeeze")
def _flatten(walk: Walk, node: fx.Node, module: nn.Flatten | None) -> Value:
    value = walk.value(node)
    shape, before = walk.shapes.get(node.name), walk.shape_in(node)
    if shape is not None and before is not None:
        # With all shapes known, the result says more than the arguments.
        flattens = len(shape) == 1 and shape == (_product(before),)
    else:
        flattens = _flattens(node, module)
    if not flattens:
        raise RefusalError(
            f"only flattening to (N, -1) is supported, not {before or 'the input'} to "
            f"{shape or node.args[1:]}: use nn.Flatten()"
        )
    if not isinstance(value, (Tap, Pending)):
        return value
    if before is not None and len(before) == 1:
        walk.note = "left out: its input is flat"
        return value
    walk.note = "row by row, channel by channel"
    return replace(value, flat=True)


def _flattens(node: fx.Node, module: nn.Flatten | None) -> bool:
    name = str(getattr(node.target, "__name__", node.target))
    if module is not None or name == "flatten":
        options = options_of(node, module, ("start_dim", "end_dim"))
        default = 0 if module is None else 1
        return bool(options.get("start_dim", default) == 1 and options.get("end_dim", -1) == -1)
    sizes = node.args[1:]
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    return name != "squeeze" and len(sizes) == 2 and -1 in sizes


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


@rule(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, "contiguous")
def _identity(walk: Walk, node: fx.Node, module: nn.Module | None) -> Value:
    walk.note = "left out: does nothing when the model is used"
    return walk.value(node)


@rule(functional.dropout, functional.dropout1d, functional.dropout2d, functional.alpha_dropout)
def _dropout_call(walk: Walk, node: fx.Node, module: None) -> Value:
    # A trace fixes `training=` at the value that it had then, so the call has to go for good.
    walk.redundant.append(node.name)
    walk.note = "left out: use nn.Dropout to keep it in training"
    return walk.value(node)


@rule("size")
def _size(walk: Walk, node: fx.Node, module: None) -> Value:
    return SCALAR


@rule(builtins.getattr)
def _getattr(walk: Walk, node: fx.Node, module: None) -> Value:
    if node.args[1] != "shape":
        raise RefusalError(f"the attribute {node.args[1]!r} of a tensor is not supported")
    return SCALAR


@rule(operator.getitem, operator.mul, operator.floordiv)
def _scalar_arithmetic(walk: Walk, node: fx.Node, module: None) -> Value:
    if any(value is not SCALAR for value in walk.values(node)):
        if any(value is UNKNOWN for value in walk.values(node)):
            return UNKNOWN
        raise RefusalError("tensors can be neither indexed nor multiplied: use modules")
    return SCALAR
