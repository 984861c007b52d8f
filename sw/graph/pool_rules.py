"""Rules for pools: average and maximum, also over the whole feature map."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.graph.values import Pending, Pooling, Tap, Value


@rule(nn.AvgPool2d, functional.avg_pool2d)
def _avg_pool(context: Context, node: fx.Node, module: nn.AvgPool2d | None) -> Value:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
    options = options_of(node, module, (*names, "divisor_override"))
    if options.get("divisor_override"):
        raise RefusalError("divisor_override is not supported: leave it out")
    return _pool(context, node, Pooling("sum", _window(options)))


@rule(nn.MaxPool2d, functional.max_pool2d, torch.max_pool2d)
def _max_pool(context: Context, node: fx.Node, module: nn.MaxPool2d | None) -> Value:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    options = options_of(node, module, names)
    if options.get("return_indices"):
        raise RefusalError("return_indices is not supported: leave it out")
    return _pool(context, node, Pooling("max", _window(options)))


@rule(nn.AdaptiveAvgPool2d, functional.adaptive_avg_pool2d)
def _adaptive_avg_pool(
    context: Context, node: fx.Node, module: nn.AdaptiveAvgPool2d | None
) -> Value:
    return _pool(context, node, Pooling("sum", _adaptive_window(context, node, module)))


@rule(nn.AdaptiveMaxPool2d, functional.adaptive_max_pool2d)
def _adaptive_max_pool(
    context: Context, node: fx.Node, module: nn.AdaptiveMaxPool2d | None
) -> Value:
    return _pool(context, node, Pooling("max", _adaptive_window(context, node, module)))


@rule(torch.mean, "mean")
def _mean(context: Context, node: fx.Node, module: None) -> Value:
    options = options_of(node, None, ("dim", "keepdim"))
    axes = options.get("dim")
    if sorted(axes if isinstance(axes, (tuple, list)) else ()) not in ([2, 3], [-2, -1]):
        raise RefusalError(f"only the mean over the whole feature map, dim=(2, 3), not dim={axes}")
    shape = _feature_map(context, node)
    value = _pool(context, node, Pooling("sum", (shape[1], shape[2])))
    if not isinstance(value, Tap) or options.get("keepdim"):
        return value
    return replace(value, flat=True)


def _pool(context: Context, node: fx.Node, pooling: Pooling) -> Value:
    """Return the input's value behind a pool; pools of one kind in a row become one."""
    value = context.input_value(node)
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
    context.note = f"{pooling.kind}-pool of {pooling.size}"
    return replace(value, pool=pooling)


def _window(options: dict[str, Any]) -> tuple[int, int]:
    """Return rows and columns of a pool's window, from the options of the pool."""
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


def _feature_map(context: Context, node: fx.Node) -> tuple[int, ...]:
    """Return the (channels, height, width) of a node's input."""
    shape = context.input_shape(node)
    if shape is None or len(shape) != 3:
        raise RefusalError(
            "needs a feature map of known size: give input_shape"
            if shape is None
            else f"needs a feature map (channels, height, width), not {shape}"
        )
    return shape


def _adaptive_window(context: Context, node: fx.Node, module: nn.Module | None) -> tuple[int, int]:
    """Return rows and columns of the window that an adaptive pool has for its input."""
    options = options_of(node, module, ("output_size", "return_indices"))
    if options.get("return_indices"):
        raise RefusalError("return_indices is not supported: leave it out")
    wanted = options.get("output_size")
    pair = wanted if isinstance(wanted, (tuple, list)) else (wanted, wanted)
    shape = _feature_map(context, node)
    size = []
    for have, want in zip(shape[1:], pair, strict=True):
        if want is not None and have % want:
            raise RefusalError(
                f"{have} rows or columns do not divide into {want} windows of one size"
            )
        size.append(1 if want is None else have // want)
    return (size[0], size[1])
