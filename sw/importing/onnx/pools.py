"""Pools: averages and maxima, also over the whole feature map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from spikeloom.sw.importing.onnx.calls import Call
from spikeloom.sw.importing.onnx.layers import interleaved, paddings
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import Signal


class _Pool(Operator):
    """Base of pools with windows."""

    def windows(self, call: Call) -> tuple[list[int], list[int], list[int]]:
        """Return the size of windows, their stride and their dilation."""
        size = call.whole("kernel_shape", None)
        ones = [1] * len(size)
        if call.signal().rank != 2 + len(size) or len(size) not in (1, 2):
            raise call.refusal(
                f"has windows of {len(size)} axes for values of {call.signal().rank}: use pools of "
                f"signals or images"
            )
        return size, call.whole("strides", ones), call.whole("dilations", ones)


class MaxPool(_Pool):
    """Maximum of each window."""

    op_type = "MaxPool"
    becomes = "`MaxPool1d`, `MaxPool2d`"

    def read(self, call: Call) -> Signal:
        if len(call.outputs) > 1:
            raise call.refusal("returns indices, which unpooling needs: use no unpooling")
        size, stride, dilation = self.windows(call)
        reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
        before, after = paddings(call, call.signal(), reach, stride)
        if before != after:
            raise call.refusal(
                f"pads by {before} on one side and {after} on the other: pad equally, or put the "
                f"padding into the convolution before it"
            )
        kind: Any = nn.MaxPool1d if len(size) == 1 else nn.MaxPool2d
        ceil = bool(call.integer("ceil_mode", 0))
        options = [_option(values) for values in (size, stride, before, dilation)]
        return call.module(lambda: kind(*options, ceil_mode=ceil), call.signal())[1]


class AveragePool(_Pool):
    """Average of each window."""

    op_type = "AveragePool"
    becomes = "`AvgPool1d`, `AvgPool2d`"

    def read(self, call: Call) -> Signal:
        size, stride, dilation = self.windows(call)
        if set(dilation) != {1}:
            raise call.refusal(f"dilations must be 1, not {dilation}: leave them out")
        read = call.signal()
        before, after = paddings(call, read, size, stride)
        counted = bool(call.integer("count_include_pad", 0)) or not any(before + after)
        if before != after:
            if not counted:
                raise call.refusal(
                    "divides by another number at the edges: export it with count_include_pad=True"
                )
            read = call.apply(functional.pad, read, interleaved(before, after))
            before = [0] * len(size)
        kind: Any = nn.AvgPool1d if len(size) == 1 else nn.AvgPool2d
        ceil = bool(call.integer("ceil_mode", 0))
        options = [_option(values) for values in (size, stride, before)]
        return call.module(lambda: kind(*options, ceil, counted), read)[1]


class _Global(Operator):
    """Base of pools over the whole feature map."""

    functions: ClassVar[Mapping[int, Callable[..., Any]]]

    def read(self, call: Call) -> Signal:
        read = call.signal()
        if read.rank not in self.functions:
            raise call.refusal(
                f"pools values of {read.rank} axes: use it behind convolutions of signals or images"
            )
        return call.apply(self.functions[read.rank], read, 1)


class GlobalAveragePool(_Global):
    """Average of each feature map."""

    op_type = "GlobalAveragePool"
    becomes = "`adaptive_avg_pool2d(x, 1)`"
    functions = MappingProxyType(
        {3: functional.adaptive_avg_pool1d, 4: functional.adaptive_avg_pool2d}
    )


class GlobalMaxPool(_Global):
    """Maximum of each feature map."""

    op_type = "GlobalMaxPool"
    becomes = "`adaptive_max_pool2d(x, 1)`"
    functions = MappingProxyType(
        {3: functional.adaptive_max_pool1d, 4: functional.adaptive_max_pool2d}
    )


class ReduceMean(Operator):
    """Mean over rows and columns."""

    op_type = "ReduceMean"
    becomes = "`mean((2, 3))`"

    def read(self, call: Call) -> Signal:
        read = call.signal()
        axes = sorted(call.axis(axis, read.rank) for axis in call.whole("axes", [], 1))
        if not axes and call.integer("noop_with_empty_axes", 0):
            return read
        if axes != list(range(2, read.rank)) or not axes:
            raise call.refusal(
                f"is over the axes {axes or 'of the batch, too'}, and only the mean over the whole "
                f"feature map can be taken: use mean((2, 3))"
            )
        return call.apply(torch.mean, read, axes, bool(call.integer("keepdims", 1)))


def _option(values: list[int]) -> int | tuple[int, ...]:
    """Return an option as torch's modules take it: one number for signals."""
    return values[0] if len(values) == 1 else tuple(values)
