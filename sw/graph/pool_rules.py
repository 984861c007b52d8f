"""Rules for pools: average and maximum, also over the whole feature map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from spikeloom.sw.graph.context import Context
from spikeloom.sw.graph.pooling import Pooling
from spikeloom.sw.graph.reports import RefusalError
from spikeloom.sw.graph.rules import options_of, rule
from spikeloom.sw.graph.values import (
    Axis,
    Joined,
    Pending,
    SynapseSpec,
    Tap,
    Value,
    View,
    map_shape,
)


@dataclass(frozen=True)
class _Window:
    """Windows of a pool, in rows and columns."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)
    ceil: bool = False

    @property
    def plain(self) -> bool:
        """Whether windows neither overlap nor leave gaps."""
        return self.size == self.stride and self.padding == (0, 0) and not self.ceil

    def pooling(self, kind: str) -> Pooling:
        """Return the pool of one kind over these windows."""
        return Pooling(kind, self.size, self.stride, self.padding, self.ceil)

    def counts(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return rows and columns of averages, for an input of (channels, height, width)."""
        found = []
        for n, k, s, p in zip(shape[1:], self.size, self.stride, self.padding, strict=True):
            found.append((n + 2 * p - k) // s + 1)
            if self.ceil and (n + 2 * p - k) % s:
                raise RefusalError(
                    "ceil_mode must be False: choose a window that fits the feature map"
                )
        return found[0], found[1]


_NAMES = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


@rule(nn.AvgPool1d, nn.AvgPool2d, functional.avg_pool1d, functional.avg_pool2d)
def _avg_pool(context: Context, node: fx.Node, module: nn.AvgPool2d | None) -> Value:
    options = options_of(node, module, _NAMES)
    if options.get("divisor_override"):
        raise RefusalError("divisor_override is not supported: leave it out")
    window = _window(node, module, options)
    if any(window.padding) and not options.get("count_include_pad", True):
        raise RefusalError(
            "count_include_pad=False divides by another number at the edges: leave it out, or use "
            "padding=0"
        )
    if window.ceil:
        shape = context.input_shape(node)
        if shape is None:
            raise RefusalError("ceil_mode must be False: choose a window that fits the feature map")
        window.counts(map_shape(shape))
        window = replace(window, ceil=False)
    return _average(context, node, window)


@rule(
    nn.MaxPool1d,
    nn.MaxPool2d,
    functional.max_pool1d,
    functional.max_pool2d,
    torch.max_pool1d,
    torch.max_pool2d,
)
def _max_pool(context: Context, node: fx.Node, module: nn.MaxPool2d | None) -> Value:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    options = options_of(node, module, names)
    if options.get("return_indices"):
        raise RefusalError("return_indices is not supported: leave it out")
    dilation = options.get("dilation", 1)
    if _pair(dilation, "dilation", 1) != (1, 1):
        raise RefusalError(f"dilation must be 1, not {dilation}: leave it out")
    window = _window(node, module, options)
    return _maximum(context, node, _floored(window, context.input_shape(node)))


def _floored(window: _Window, shape: tuple[int, ...] | None) -> _Window:
    """Return the windows of a max-pool without ``ceil_mode``, if this changes nothing."""
    if not window.ceil or shape is None:
        return window
    lengths = zip(map_shape(shape)[1:], window.size, window.stride, window.padding, strict=True)
    return replace(window, ceil=any((n + 2 * p - k) % s for n, k, s, p in lengths))


@rule(
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
)
def _adaptive_avg_pool(
    context: Context, node: fx.Node, module: nn.AdaptiveAvgPool2d | None
) -> Value:
    return _average(context, node, _adaptive_window(context, node, module))


@rule(
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    functional.adaptive_max_pool1d,
    functional.adaptive_max_pool2d,
)
def _adaptive_max_pool(
    context: Context, node: fx.Node, module: nn.AdaptiveMaxPool2d | None
) -> Value:
    return _maximum(context, node, _adaptive_window(context, node, module))


@rule(torch.mean, "mean")
def _mean(context: Context, node: fx.Node, module: None) -> Value:
    options = options_of(node, None, ("dim", "keepdim"))
    axes = options.get("dim")
    shape = context.input_shape(node)
    if shape is not None and len(shape) == 2:
        wanted: tuple[list[int], ...] = ([2], [-1])
    else:
        wanted = ([2, 3], [-2, -1])
    given = axes if isinstance(axes, (tuple, list)) else () if axes is None else (axes,)
    if sorted(given) not in wanted:
        raise RefusalError(
            f"only the mean over the whole feature map, dim=(2, 3), not dim={axes}: use that"
        )
    shape = _feature_map(context, node)
    size = (shape[1], shape[2])
    value = _average(context, node, _Window(size, size))
    if options.get("keepdim"):
        return value
    return flattened(value, 1)


def flattened(value: Value, positions: int | None) -> Value:
    """Return values behind a flattening of feature maps with this number of positions."""
    if isinstance(value, (Tap, Pending)):
        return replace(value, flat=True)
    if not isinstance(value, Joined) or value.flat:
        return value
    if positions is None:
        raise RefusalError("needs a feature map of known size: give input_shape")
    return Joined(
        tuple(replace(tap, flat=True) for tap in value.taps),
        tuple(
            None if place is None else (place[0], place[1] * positions + position)
            for place in value.places
            for position in range(positions)
        ),
        tuple(size * positions for size in value.sizes),
    )


def _average(context: Context, node: fx.Node, window: _Window) -> Value:
    """Return the input's value behind an average pool."""
    value = context.input_value(node)
    if isinstance(value, Pending) and window.plain and not value.pool:
        if window.size == (1, 1):
            return value
        # Sums are linear: the average goes into the weights, or to the source of 1x1 weights.
        synapses = [_averaged(synapse, window.size, context) for synapse in value.synapses]
        if None not in synapses:
            context.note = f"average of {window.size} of the sums of layer {value.name}"
            return replace(value, synapses=tuple(s for s in synapses if s is not None))
    return _of_taps(context, node, "sum", window)


def _averaged(synapse: SynapseSpec, size: tuple[int, int], context: Context) -> SynapseSpec | None:
    """Return a synapse whose sums are averaged, None if its weights cannot do that."""
    module = None if synapse.target is None else context.module.get_submodule(synapse.target)
    module = getattr(module, "like", module)  # of several parts
    average = synapse.average
    tap = synapse.tap
    plain = module is None or getattr(module, "shortcut", False)
    if plain or (average is None and module is not None and _pointwise(module)):
        if tap.view is None and (tap.pool is None or tap.pool.kind == "sum") and not tap.flat:
            before = (1, 1) if tap.pool is None else tap.pool.size
            pool = Pooling("sum", (before[0] * size[0], before[1] * size[1]))
            return replace(synapse, tap=replace(tap, pool=pool))
        if plain:
            return None
    if isinstance(module, nn.Linear):
        return None
    before = (1, 1) if average is None else average.size
    return replace(synapse, average=Pooling("sum", (before[0] * size[0], before[1] * size[1])))


def _pointwise(module: nn.Module) -> bool:
    if not isinstance(module, (nn.Conv1d, nn.Conv2d)):
        return False
    sizes = (*module.kernel_size, *module.stride)
    return set(sizes) == {1} and module.padding in ("same", "valid", (0,), (0, 0))


def _maximum(context: Context, node: fx.Node, window: _Window) -> Value:
    """Return the input's value behind a max-pool."""
    value = context.input_value(node)
    if not isinstance(value, Pending):
        return _of_taps(context, node, "max", window)
    return replace(value, pool=_one_pool(context, node, value.pool, window.pooling("max")))


def _one_pool(context: Context, node: fx.Node, before: Pooling | None, pool: Pooling) -> Pooling:
    """Return the pool that two in a row are, or a first one."""
    shape = context.input_shape(node)
    if before is None and shape is not None and len(shape) in (2, 3):
        rows, columns = map_shape(shape)[1:]
        pool = replace(pool, source=(rows, columns))
    one = pool if before is None else before.then(pool)
    if one is None:
        raise RefusalError(
            f"the {pool} follows a {before}, and no single pool is the same as both: use one of "
            f"them, or put a convolution with an activation in between"
        )
    context.note = str(one)
    return one


def _of_taps(context: Context, node: fx.Node, kind: str, window: _Window) -> Value:
    """Return spikes behind a pool; pools of one kind in a row become one."""
    value = context.fired(node.all_input_nodes[0])
    if window.plain and window.size == (1, 1):
        return value
    if isinstance(value, Joined):
        taps = tuple(_pooled(context, node, tap, kind, window) for tap in value.taps)
        return replace(value, taps=taps)
    return _pooled(context, node, value, kind, window) if isinstance(value, Tap) else value


def _pooled(context: Context, node: fx.Node, tap: Tap, kind: str, window: _Window) -> Tap:
    pool, view = tap.pool, tap.view
    cut = view is not None and not (view.rows is None and view.columns is None)
    alike = pool is None or pool.kind == kind
    if alike and not cut and (window.plain or kind == "max"):
        return replace(tap, pool=_one_pool(context, node, pool, window.pooling(kind)))
    if kind == "max":
        if cut:
            raise RefusalError(
                "follows a feature map that was cut, padded or averaged by windows that overlap: "
                "put the max-pool first"
            )
        raise RefusalError(
            f"follows a {pool.kind if pool else 'sum'}-pool, and one connection has one kind of "
            f"pool: use the same kind for both"
        )
    shape = map_shape(context.known_shape(node.all_input_nodes[0]))
    counts = window.counts(shape)
    axes = []
    given = (None, None) if view is None else (view.rows, view.columns)
    for i in (0, 1):
        axis = given[i] or Axis(shape[i + 1], shape[i + 1])
        try:
            axes.append(
                axis.sums(window.size[i], -window.padding[i], window.stride[i], counts[i])
                if window.size[i] > 1
                else axis.part(-window.padding[i], window.stride[i], counts[i])
            )
        except ValueError:
            raise RefusalError(
                "averages windows that overlap, or that are padded, of values that were cut or "
                "averaged so before: use one average pool, with stride equal to its window"
            ) from None
    context.note = f"averages of windows of {window.size}"
    return replace(tap, view=replace(view or View(), rows=axes[0], columns=axes[1]))


def _window(node: fx.Node, module: nn.Module | None, options: dict[str, Any]) -> _Window:
    """Return a pool's windows, from the options of the pool."""
    flat = node.target in _OF_SIGNALS or isinstance(module, (nn.AvgPool1d, nn.MaxPool1d))
    size = _pair(options.get("kernel_size"), "kernel_size", 1, flat)
    stride = options.get("stride")
    step = size if stride is None or stride == () else _pair(stride, "stride", 1, flat)
    padding = _pair(options.get("padding", 0), "padding", 0, flat)
    return _Window(size, step, padding, bool(options.get("ceil_mode")))


#: Functions that pool signals, whose options have no rows.
_OF_SIGNALS = (
    functional.avg_pool1d,
    torch.avg_pool1d,
    functional.max_pool1d,
    torch.max_pool1d,
)


def _pair(value: Any, what: str, other: int, flat: bool = False) -> tuple[int, int]:
    """Return an option for rows and columns; of pools of signals, rows are ``other``."""
    pair = (value, value) if isinstance(value, int) else value
    if not (isinstance(pair, (tuple, list)) and all(isinstance(n, int) for n in pair)):
        raise RefusalError(f"{what} must be a constant number or pair, not {value}")
    return (other if flat else pair[0], pair[-1])


def _feature_map(context: Context, node: fx.Node) -> tuple[int, ...]:
    """Return the (channels, height, width) of a node's input."""
    shape = context.known_shape(node.all_input_nodes[0])
    if len(shape) not in (2, 3):
        raise RefusalError(f"needs a feature map (channels, height, width), not {shape}")
    return map_shape(shape)


def _adaptive_window(context: Context, node: fx.Node, module: nn.Module | None) -> _Window:
    """Return the windows that an adaptive pool has for its input."""
    options = options_of(node, module, ("output_size", "return_indices"))
    if options.get("return_indices"):
        raise RefusalError("return_indices is not supported: leave it out")
    wanted = options.get("output_size")
    shape = _feature_map(context, node)
    pair = wanted if isinstance(wanted, (tuple, list)) else (wanted, wanted)
    if len(context.known_shape(node.all_input_nodes[0])) == 2:
        pair = (1, pair[-1])
    size = []
    for have, want in zip(shape[1:], pair, strict=True):
        if want is not None and have % want:
            raise RefusalError(
                f"{have} rows or columns do not divide into {want} windows of one size: choose a "
                f"number that divides them"
            )
        size.append(1 if want is None else have // want)
    return _Window((size[0], size[1]), (size[0], size[1]))
