"""Layout: flattening, slices, concatenations, padding, and nodes that do nothing."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from spikeloom.sw.importing.onnx.calls import Call
from spikeloom.sw.importing.onnx.layers import interleaved
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import BATCH, Constant, Grid, Signal, Value


class Flatten(Operator):
    """Flattening of all axes but the first."""

    op_type = "Flatten"
    becomes = "`flatten(1)`"

    def read(self, call: Call) -> Signal:
        read = call.signal()
        axis = call.integer("axis", 1)
        if axis not in (1, 1 - read.rank):
            raise call.refusal(f"flattens from axis {axis} on, not from 1: use nn.Flatten()")
        return arranged(call, read, [read.probe.shape[0], read.probe[0].numel()])


class Reshape(Operator):
    """Another shape for the values of each image."""

    op_type = "Reshape"
    becomes = "`flatten(1)`, or `reshape` for channels in groups"

    def read(self, call: Call) -> Value:
        sizes = call.whole("shape", None, 1)
        if not call.integer("allowzero", 0):
            value = call.value(0)
            known = _shape(value)
            sizes = [known[i] if n == 0 and i < len(known) else n for i, n in enumerate(sizes)]
        constant = call.value(0)
        if isinstance(constant, Constant):
            return _reshaped(call, constant, sizes)
        read = call.signal()
        batch = read.probe.shape[0]
        if BATCH in sizes[1:]:
            raise call.refusal("moves the axis of the batch: keep it first")
        return arranged(call, read, [batch if n == BATCH else n for n in sizes])


class Squeeze(Operator):
    """Axes of size 1, left out."""

    op_type = "Squeeze"
    becomes = "`flatten(1)`, or `reshape` of (channels, 1, length)"

    def read(self, call: Call) -> Value:
        value = call.value(0)
        shape = list(_shape(value))
        axes = call.whole("axes", [i for i, n in enumerate(shape) if n == 1 and i], 1)
        axes = [call.axis(axis, len(shape)) for axis in axes]
        if any(shape[axis] != 1 for axis in axes):
            raise call.refusal(f"leaves out axes {axes} of {shape}, which are not 1: use Flatten")
        kept = [n for i, n in enumerate(shape) if i not in axes]
        if isinstance(value, Constant):
            return _reshaped(call, value, kept)
        if 0 in axes:
            raise call.refusal("leaves out the axis of the batch: keep it")
        return arranged(call, call.signal(), kept)


class Unsqueeze(Operator):
    """Further axes of size 1."""

    op_type = "Unsqueeze"
    becomes = "`reshape`, of (channels, length) to (channels, 1, length)"

    def read(self, call: Call) -> Value:
        value = call.value(0)
        shape = list(_shape(value))
        axes = call.whole("axes", None, 1)
        for axis in sorted(call.axis(axis, len(shape) + len(axes)) for axis in axes):
            shape.insert(axis, 1)
        if isinstance(value, Constant):
            return _reshaped(call, value, shape)
        return arranged(call, call.signal(), shape)


class Transpose(Operator):
    """Axes in another order: those of weights, or of channels in groups."""

    op_type = "Transpose"
    becomes = "`permute`, of channels in groups; of weights, computed at once"

    def read(self, call: Call) -> Value:
        value = call.value(0)
        rank = len(_shape(value))
        order = call.whole("perm", list(range(rank))[::-1])
        if sorted(order) != list(range(rank)):
            raise call.refusal(f"perm {order} is no order of {rank} axes: export the model again")
        if isinstance(value, Constant):
            grid = value.grid
            if grid is not None:
                axis = order.index(grid.axis)
                turned = grid.integers.permute(order).contiguous()
                grid = Grid(turned, grid.scale, axis, grid.bits)
            turned = value.value.permute(order).contiguous()
            return Constant(turned, value.kind, value.name, grid)
        if order == list(range(rank)):
            return call.signal()
        if order[0] != 0:
            raise call.refusal("moves the axis of the batch: keep it first")
        return call.apply(torch.permute, call.signal(), tuple(order))


class Concat(Operator):
    """Channels of several branches side by side."""

    op_type = "Concat"
    becomes = "`cat`, of channels"

    def read(self, call: Call) -> Value:
        axis = call.integer("axis", 1)
        if not call.inputs:
            raise call.refusal("joins nothing: export the model again")
        constants = call.constants()
        if constants is not None:
            joined = [constant.value for constant in constants]
            try:
                return Constant(torch.cat(joined, axis), constants[0].kind)
            except (RuntimeError, IndexError):
                raise call.refusal("its constants do not fit: export the model again") from None
        signals = [call.signal(i) for i in range(len(call.inputs))]
        axis = call.axis(axis, signals[0].rank)
        if axis == 0:
            raise call.refusal("joins images of a batch: join channels")
        return signals[0] if len(signals) == 1 else call.apply(torch.cat, signals, axis)


class Split(Operator):
    """Channels in several parts."""

    op_type = "Split"
    becomes = "`split`, of channels"

    def read(self, call: Call) -> tuple[Value, ...]:
        read = call.signal()
        axis = call.axis(call.integer("axis", 0), read.rank)
        size, number = read.probe.shape[axis], len(call.outputs)
        each = -(-size // call.integer("num_outputs", number))
        even = [min(each, size - first) for first in range(0, size, max(1, each))]
        sizes = call.whole("split", even, 1)
        if axis == 0 or sum(sizes) != size or min(sizes) < 1:
            raise call.refusal(f"splits {size} values of axis {axis} into {sizes}: split channels")
        firsts = [sum(sizes[:i]) for i in range(len(sizes))]
        return tuple(
            _sliced(call, read, axis, slice(first, first + n, None))
            for first, n in zip(firsts, sizes, strict=True)
        )


class Slice(Operator):
    """A part of channels, rows or columns."""

    op_type = "Slice"
    becomes = "`x[:, a:b, ::2, ::2]`"

    def read(self, call: Call) -> Value:
        value = call.value(0)
        shape = _shape(value)
        starts, ends = call.whole("starts", None, 1), call.whole("ends", None, 2)
        axes = call.whole("axes", list(range(len(starts))), 3)
        steps = call.whole("steps", [1] * len(starts), 4)
        if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
            raise call.refusal("its bounds are not one for each axis: export the model again")
        cuts = [slice(None)] * len(shape)
        for start, end, given, step in zip(starts, ends, axes, steps, strict=True):
            axis = call.axis(given, len(shape))
            # As Python: an end beyond the first value, backwards, is none at all.
            last = None if end >= shape[axis] or (step < 0 and end < -shape[axis]) else end
            cuts[axis] = slice(start or None, last, step)
        if isinstance(value, Constant):
            cut = torch.from_numpy(value.value.numpy()[tuple(cuts)].copy())
            return Constant(cut, value.kind)
        read = call.signal()
        if any((cut.step or 1) < 0 for cut in cuts) or read.probe[:, ...][tuple(cuts)].numel() == 0:
            raise call.refusal("turns an axis round, or takes nothing of it: leave it out")
        if cuts[0] not in (slice(None), slice(None, None, 1)):
            raise call.refusal("takes some images of a batch: only channels, rows and columns")
        return call.apply(operator.getitem, read, tuple(cuts))


class Pad(Operator):
    """Zeros around rows, columns or channels."""

    op_type = "Pad"
    becomes = "`pad` with zeros"

    def read(self, call: Call) -> Signal:
        read = call.signal()
        mode, value = call.text("mode", "constant"), call.number("value", 0.0, 2)
        if mode != "constant" or value:
            raise call.refusal(f"pads with {value if value else mode}: pad with zeros")
        given = call.whole("pads", None, 1)
        axes = call.whole("axes", list(range(read.rank)), 3)
        if len(given) != 2 * len(axes):
            raise call.refusal("pads are not two for each axis: export the model again")
        before, after = [0] * read.rank, [0] * read.rank
        for i, axis in enumerate(axes):
            place = call.axis(axis, read.rank)
            before[place], after[place] = given[i], given[i + len(axes)]
        if before[0] or after[0]:
            raise call.refusal("pads the batch: pad channels, rows or columns")
        first = next((i for i in range(read.rank) if before[i] or after[i]), None)
        if first is None:
            return read
        # Trailing axes only, as torch writes it.
        first = min(first, 2)
        return call.apply(functional.pad, read, interleaved(before[first:], after[first:]))


class _Same(Operator):
    """Base of operators that do nothing when the model is used."""

    def read(self, call: Call) -> Value:
        value = call.value(0)
        return value if isinstance(value, Constant) else call.signal()


class Identity(_Same):
    """Nothing."""

    op_type = "Identity"
    becomes = "nothing"


class Dropout(_Same):
    """Nothing, when the model is used."""

    op_type = "Dropout"
    becomes = "nothing"

    def read(self, call: Call) -> Value:
        if len(call.outputs) > 1:
            raise call.refusal("returns its mask: call model.eval() before the export")
        return super().read(call)


def arranged(call: Call, read: Signal, sizes: Sequence[int]) -> Signal:
    """Return a signal in another shape, whose first axis stays that of the batch.

    Parameters
    ----------
    call : Call
    read : Signal
    sizes : sequence of int
        The axis of the batch included; -1 for one that follows from the others.
    """
    try:
        shape = read.probe.reshape(list(sizes)).shape
    except RuntimeError:
        raise call.refusal(
            f"makes {list(sizes)} of values of shape {tuple(read.probe.shape)}, which does not "
            f"fit: export the model with a dynamic batch"
        ) from None
    if not len(shape) or shape[0] != read.probe.shape[0]:
        raise call.refusal(
            f"makes {tuple(shape)} of values of shape {tuple(read.probe.shape)}, and the first "
            f"axis must stay that of the batch: use nn.Flatten()"
        )
    if shape == read.probe.shape:
        return read
    if len(shape) == 2:
        return call.apply(torch.flatten, read, 1)
    return call.apply(torch.reshape, read, (-1, *shape[1:]))


def _sliced(call: Call, read: Signal, axis: int, cut: slice) -> Signal:
    cuts = [slice(None)] * read.rank
    cuts[axis] = cut
    return call.apply(operator.getitem, read, tuple(cuts))


def _shape(value: Any) -> tuple[int, ...]:
    if isinstance(value, Constant):
        return tuple(value.value.shape)
    return tuple(value.probe.shape) if isinstance(value, Signal) else ()


def _reshaped(call: Call, constant: Constant, sizes: Sequence[int]) -> Constant:
    if constant.grid is not None and len(constant.grid.scale) > 1:
        raise call.refusal("reshapes integer weights: let the exporter fold it")
    try:
        value = constant.value.reshape(list(sizes))
    except RuntimeError:
        raise call.refusal(f"makes {list(sizes)} of a constant: export the model again") from None
    grid = constant.grid
    if grid is not None:
        grid = Grid(grid.integers.reshape(value.shape), grid.scale, 0, grid.bits)
    return Constant(value, constant.kind, constant.name, grid)
