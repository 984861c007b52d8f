"""Lowering: weights behind a view of a source, as weights of the contract on the whole source.

A contract's convolution has a stride and the same padding on both sides, and reads all channels of
its source. Everything else that a model can ask for is a larger kernel, with zeros in it: dilation,
padding on one side, slices, averages of windows that overlap, and averages of the sums. A fully
connected layer gets zeros for the values that it does not read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikeloom.sw.graph import Axis, Tap
from spikeloom.sw.network.record import IntArray


@dataclass(frozen=True, eq=False)
class Lowered:
    """A convolution of the contract.

    Parameters
    ----------
    weight : array of int64, shape (out, in / groups, kernel height, kernel width)
    stride, padding : (int, int)
    groups : int
    """

    weight: IntArray
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int


def convolution(
    weight: IntArray,
    tap: Tap,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    average: tuple[int, int] = (1, 1),
    source: tuple[int, ...] | None = None,
) -> Lowered:
    """Return a convolution of what a tap shows as one of the tap's whole (pooled) source.

    Parameters
    ----------
    weight : array of int64, shape (out, in / groups, kernel height, kernel width)
    tap : Tap
    stride, dilation : (int, int)
    padding : pair of (int, int)
        Before and after, of rows and of columns.
    groups : int
    average : (int, int)
        Window of an average over the sums, of which the sum is taken.
    source : tuple of int, optional
        Shape of the pooled source; only needed where the padding is not the same on both sides, or
        as large as the kernel.
    """
    view = tap.view
    if view is not None and view.channels is not None:
        dense = _ungrouped(weight, groups)
        weight = np.zeros((len(dense), view.channels.size, *dense.shape[2:]), dtype=np.int64)
        for place, channel in enumerate(view.channels.chosen):
            if channel is not None:
                weight[:, channel] += dense[:, place]
        groups = 1
    strides, pads = [], []
    for number, axis in enumerate((None, None) if view is None else (view.rows, view.columns)):
        at = 2 + number
        weight, step = _spread(weight, at, dilation[number]), stride[number]
        weight = _summed(weight, at, average[number], step)
        step *= average[number]
        before, after = padding[number]
        if axis is None and before == after < weight.shape[at]:
            strides.append(step)
            pads.append(before)
            continue
        if axis is None:
            assert source is not None
            axis = Axis(source[1 + number], source[1 + number])
        weight, pad = _on_source(weight, at, step, before, after, axis)
        strides.append(step * axis.step)
        pads.append(pad)
    return Lowered(weight, (strides[0], strides[1]), (pads[0], pads[1]), groups)


def linear(weight: IntArray, tap: Tap, source: tuple[int, ...]) -> IntArray:
    """Return fully connected weights for all values of a tap's (pooled) source.

    Parameters
    ----------
    weight : array of int64, shape (out, features)
    tap : Tap
    source : tuple of int
        Shape of the pooled source.
    """
    features, view = tap.features, tap.view
    if features is not None:
        weight = _scattered(weight, 1, features.chosen, features.size)
    if view is None:
        return weight
    channels, height, width = source
    shown = channels if view.channels is None else len(view.channels.chosen)
    rows = view.rows or Axis(height, height)
    columns = view.columns or Axis(width, width)
    maps = weight.reshape(len(weight), shown, rows.count, columns.count)
    for at, axis in ((2, rows), (3, columns)):
        places = [
            [axis.first + axis.step * i + j for i in range(axis.count)] for j in range(axis.width)
        ]
        inside = [[p if 0 <= p < axis.size else None for p in each] for each in places]
        found = [_scattered(maps, at, each, axis.size) for each in inside]
        maps = np.sum(found, axis=0)
    if view.channels is not None:
        maps = _scattered(maps, 1, view.channels.chosen, view.channels.size)
    return maps.reshape(len(weight), math.prod(source))


def _scattered(
    values: IntArray, axis: int, places: tuple[int | None, ...] | list[int | None], size: int
) -> IntArray:
    """Return values added up at their places along an axis of the given size, 0 elsewhere."""
    moved = np.moveaxis(values, axis, 0)
    found = np.zeros((size, *moved.shape[1:]), dtype=np.int64)
    kept = [i for i, place in enumerate(places) if place is not None]
    np.add.at(found, [place for place in places if place is not None], moved[kept])
    return np.moveaxis(found, 0, axis)


def _ungrouped(weight: IntArray, groups: int) -> IntArray:
    """Return the weights of a convolution in one group."""
    outs, each = len(weight) // groups, weight.shape[1]
    dense = np.zeros((len(weight), each * groups, *weight.shape[2:]), dtype=np.int64)
    for group in range(groups):
        rows = slice(group * outs, (group + 1) * outs)
        dense[rows, group * each : (group + 1) * each] = weight[rows]
    return dense


def _spread(weight: IntArray, at: int, step: int) -> IntArray:
    """Return a kernel with ``step - 1`` zeros between its values along an axis."""
    if step == 1:
        return weight
    shape = list(weight.shape)
    shape[at] = step * (shape[at] - 1) + 1
    spread = np.zeros(shape, dtype=np.int64)
    places: list[slice] = [slice(None)] * weight.ndim
    places[at] = slice(None, None, step)
    spread[tuple(places)] = weight
    return spread


def _summed(weight: IntArray, at: int, count: int, step: int) -> IntArray:
    """Return the kernel of the sum of ``count`` windows that are ``step`` apart."""
    if count == 1:
        return weight
    length = weight.shape[at]
    total = length + step * (count - 1)
    return sum(
        (_padded(weight, at, step * i, total - length - step * i) for i in range(count)),
        np.zeros((), dtype=np.int64),
    )


def _padded(weight: IntArray, at: int, before: int, after: int) -> IntArray:
    sides = [(0, 0)] * weight.ndim
    sides[at] = (before, after)
    return np.pad(weight, sides)


def _on_source(
    weight: IntArray, at: int, step: int, before: int, after: int, axis: Axis
) -> tuple[npt.NDArray[np.int64], int]:
    """Return a kernel on a view's source, and its padding, the same on both sides.

    Parameters
    ----------
    weight : array
    at : int
        Axis of the kernel.
    step : int
        Stride on the view.
    before, after : int
        Padding of the view.
    axis : Axis
    """
    count = (axis.count + before + after - weight.shape[at]) // step + 1
    weight = _summed(_spread(weight, at, axis.step), at, axis.width, 1)
    step *= axis.step
    pad = before * axis.step - axis.first
    if pad < 0:
        weight, pad = _padded(weight, at, -pad, 0), 0
    # The longest kernel that still has all its windows; a row more on both sides is a zero more at
    # the kernel's beginning, and lets it be longer by two.
    longest = axis.size + 2 * pad - step * (count - 1)
    more = max(weight.shape[at] - longest, pad - longest + 1, 0)
    weight, pad, longest = _padded(weight, at, more, 0), pad + more, longest + 2 * more
    shortest = max(pad, longest - step) + 1
    return _padded(weight, at, 0, max(shortest - weight.shape[at], 0)), pad
