"""Integer weights and activations with levels: QDQ, QONNX and Brevitas.

Of weights, the integers are kept as they are. An activation becomes one with as many levels as it
has integers, whose λ is the largest of them; rounded half up where the file rounds half to even.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.importing.onnx.calls import MAX_COMPUTED, Call
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import Constant, Grid, Levels, Signal, Value
from spikeloom.sw.quantized.activations import QCFS, SignedQCFS

#: Domains of Brevitas' and QONNX' operators, and of their predecessors.
DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
#: Least and largest integer of each integer type of ``TensorProto.DataType``, and its bits.
_RANGES = {
    2: (0, 255, 8),
    3: (-128, 127, 8),
    4: (0, 65535, 16),
    5: (-32768, 32767, 16),
    6: (-(1 << 31), (1 << 31) - 1, 32),
    21: (0, 15, 4),
    22: (-8, 7, 4),
}
#: Layers that leave each value as it is, or choose among values.
_CHOOSING = (torch.flatten, torch.reshape)


class Quant(Operator):
    """Rounding to integers of any number of bits, times a scale."""

    op_type = "Quant"
    domains = DOMAINS
    becomes = "of weights: integer weights; of activations: `QCFS` with 2^bits - 1 levels"

    def read(self, call: Call) -> Value:
        scale, bits = call.weights(1), call.number("bit_width", None, 3)
        if call.needed(2).value.any():
            raise call.refusal("its zero point must be 0: quantize symmetrically")
        if bits is None or bits != int(bits) or not 1 <= bits <= 16:
            raise call.refusal(f"has {bits} bits: use a whole number from 1 to 16")
        mode = call.text("rounding_mode", "ROUND")
        if mode.upper() not in ("ROUND", "HALF_EVEN"):
            raise call.refusal(f"rounds by {mode}: use ROUND")
        signed, narrow = bool(call.integer("signed", 1)), bool(call.integer("narrow", 0))
        high = (1 << (int(bits) - 1)) - 1 if signed else (1 << int(bits)) - 1 - narrow
        low = -high - (not narrow) if signed else 0
        value = call.value(0)
        if isinstance(value, Constant):
            scale, axis = _per_channel(call, scale, value.value)
            return gridded(call, value, scale, axis, low, high, int(bits))
        if scale.numel() != 1:
            raise call.refusal("has a scale for each channel: activations need one for all")
        return levelled(call, Levels(call.signal(), float(scale), low, high, 0))


class IntQuant(Quant):
    """:class:`Quant` under its newer name."""

    op_type = "IntQuant"


class BipolarQuant(Operator):
    """Weights of -1 and 1, times a scale."""

    op_type = "BipolarQuant"
    domains = DOMAINS
    becomes = "of weights: integer weights of -1 and 1"

    def read(self, call: Call) -> Value:
        if isinstance(call.value(0), Signal):
            raise call.refusal(
                "makes values -1 or 1, which spike counts cannot follow: use ReLU with a Quant"
            )
        weight = call.needed(0)
        scale, axis = _per_channel(call, call.weights(1), weight.value)
        integers = torch.where(call.floats(weight) >= 0, 1, -1)
        return _of_integers(integers, scale, axis, 2, weight)


class QuantizeLinear(Operator):
    """Rounding to integers: the first half of QDQ."""

    op_type = "QuantizeLinear"
    becomes = "with the `DequantizeLinear` behind it, as `Quant`"

    def read(self, call: Call) -> Value:
        kind, zero = _zero(call)
        low, high, _ = _range(call, kind)
        value = call.value(0)
        if isinstance(value, Constant):
            if zero:
                raise call.refusal("its zero point must be 0: quantize weights symmetrically")
            scale, axis = _along(call, value.value)
            found = _rounded(call, value, scale, axis, low, high)
            return Constant(found, kind, value.name)
        scale = call.weights(1)
        if scale.numel() != 1:
            raise call.refusal("has a scale for each channel: activations need one for all")
        return Levels(call.signal(), float(scale), low - zero, high - zero, zero)


class DequantizeLinear(Operator):
    """Integers, times a scale: the second half of QDQ."""

    op_type = "DequantizeLinear"
    becomes = "of weights: integer weights; of activations: as `Quant`"

    def read(self, call: Call) -> Value:
        value, (kind, zero) = call.value(0), _zero(call)
        if isinstance(value, Levels):
            scale = call.weights(1)
            if scale.numel() != 1 or float(scale) != value.scale or zero != value.zero:
                raise call.refusal("has another scale than its QuantizeLinear: use the same")
            return levelled(call, value)
        found = call.needed(0)
        if found.value.is_floating_point():
            raise call.refusal("reads no integers: export the model again")
        if zero:
            raise call.refusal("its zero point must be 0: quantize weights symmetrically")
        scale, axis = _along(call, found.value)
        _, _, bits = _range(call, found.kind if found.kind in _RANGES else kind)
        return _of_integers(found.value, scale, axis, bits, found)


def levelled(call: Call, levels: Levels) -> Signal:
    """Return values as multiples of a scale: an activation, or the input on its grid."""
    read = levels.source
    if call.final:
        warnings.warn(
            f"{call.title}: rounds the outputs, which no network does; it is left out",
            stacklevel=6,
        )
        return read
    if read.node.op == "placeholder":
        return _pixels(call, levels)
    low = levels.low
    if read.node.target is functional.relu:
        low = max(low, 0)
        before = call.builder.behind(read)
        if before is not None and read.readers == 1:
            read = before  # the activation cuts off what is below 0 itself
    if _has_levels(call, read, levels, low):
        return read
    if low == 0 < levels.high:
        made: Any = QCFS(levels.high, levels.scale * levels.high)
    elif low == -levels.high < 0:
        made = SignedQCFS(levels.high, levels.scale * levels.high, slope=1.0)
    else:
        raise call.refusal(
            f"has levels from {low} to {levels.high}, and spikes need levels from 0, or as many "
            f"below 0 as above: put a ReLU ahead of it, or use narrow ranges"
        )
    made.given = True
    return call.module(lambda: made, read)[1]


def _has_levels(call: Call, read: Signal, levels: Levels, low: int) -> bool:
    """Return whether values have these levels already, possibly behind a max-pool."""
    found: Signal | None = read
    while found is not None:
        module = call.builder.called(found)
        if isinstance(module, (QCFS, SignedQCFS)):
            same = module.levels == levels.high and module.signed == (low < 0)
            return same and abs(module.threshold / (levels.scale * levels.high) - 1) < 1e-6
        chooses = isinstance(module, (torch.nn.MaxPool1d, torch.nn.MaxPool2d))
        if not chooses and found.node.target not in _CHOOSING:
            return False
        found = call.builder.behind(found)
    return False


def _pixels(call: Call, levels: Levels) -> Signal:
    """Return the input, whose pixels are then known."""
    number = levels.high - levels.low + 1
    bits = number.bit_length() - 1
    signed = levels.low < 0 and levels.zero == 0
    if number != 1 << bits or (signed and levels.low != -(number >> 1)):
        raise call.refusal(
            f"rounds the input to {levels.low} to {levels.high} times its scale, and pixels have "
            f"all values of their bits: leave narrow ranges out"
        )
    offset = 0.0 if signed else float(-levels.low)
    try:
        call.builder.pixels = Pixels(bits, levels.scale, offset, signed)
    except ConfigError as error:
        raise call.refusal(f"rounds the input to a grid that pixels cannot have: {error}") from None
    return levels.source


def gridded(
    call: Call, value: Constant, scale: Tensor, axis: int, low: int, high: int, bits: int
) -> Constant:
    """Return weights, rounded to integers from ``low`` to ``high`` times their scale."""
    integers = _rounded(call, value, scale, axis, low, high)
    return _of_integers(integers, scale, axis, bits, value)


def _rounded(call: Call, value: Constant, scale: Tensor, axis: int, low: int, high: int) -> Tensor:
    """Return weights as integers, rounded half to even, as the file's operators do."""
    return (call.floats(value) / _spread(scale, axis, value.value)).round().clamp(low, high).long()


def _of_integers(
    integers: Tensor, scale: Tensor, axis: int, bits: int, source: Constant
) -> Constant:
    value = integers.float() * _spread(scale, axis, integers)
    return Constant(value, 1, source.name, Grid(integers, scale, axis, bits))


def _spread(scale: Tensor, axis: int, like: Tensor) -> Tensor:
    """Return a scale per channel in a shape that multiplies ``like``."""
    if len(scale) == 1:
        return scale.reshape([1] * like.ndim)
    return scale.reshape([-1 if i == axis else 1 for i in range(like.ndim)])


def _per_channel(call: Call, scale: Tensor, weight: Tensor) -> tuple[Tensor, int]:
    """Return scales with one axis, and the axis of the weights that they go with."""
    _require_positive(call, scale)
    if scale.numel() == 1:
        return scale.reshape(1), 0
    shape = [1] * (weight.ndim - scale.ndim) + list(scale.shape)
    wide = [i for i, size in enumerate(shape) if size != 1]
    if len(wide) != 1 or len(shape) != weight.ndim or shape[wide[0]] != weight.shape[wide[0]]:
        raise call.refusal(
            f"has scales of shape {tuple(scale.shape)}: use one for all, or one per output channel"
        )
    return scale.reshape(-1), wide[0]


def _along(call: Call, weight: Tensor) -> tuple[Tensor, int]:
    """Return the scales of a QDQ operator, and the axis of the weights that they go with."""
    scale = call.weights(1)
    _require_positive(call, scale)
    if call.integer("block_size", 0):
        raise call.refusal("has scales for blocks of weights: use one per output channel")
    if scale.numel() == 1:
        return scale.reshape(1), 0
    axis = call.axis(call.integer("axis", 1), max(1, weight.ndim))
    if scale.ndim != 1 or not weight.ndim or weight.shape[axis] != len(scale):
        raise call.refusal("its scales are not one per output channel: quantize the weights so")
    return scale, axis


def _require_positive(call: Call, scale: Tensor) -> None:
    if not ((scale > 0) & scale.isfinite()).all():
        raise call.refusal("has a scale that is not positive: export the model again")


def _zero(call: Call) -> tuple[int, int]:
    """Return the type of a QDQ operator's integers, and its zero point, 0 if any is."""
    found = call.constant(2)
    if found is None:
        return call.integer("output_dtype", 0) or 2, 0
    if found.value.is_floating_point() or found.value.numel() > max(
        MAX_COMPUTED, call.weights(1).numel()
    ):
        raise call.refusal("its zero points must be integers: export the model again")
    values = set(found.value.flatten().tolist())
    if len(values) > 1:
        raise call.refusal("has several zero points: quantize weights symmetrically")
    return found.kind, int(next(iter(values), 0))


def _range(call: Call, kind: int) -> tuple[int, int, int]:
    if kind not in _RANGES:
        raise call.refusal("has integers of a type that is not known: use int8")
    return _RANGES[kind]
