"""Operators with weights: convolutions, fully connected layers, batch-norm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.importing.onnx.calls import Call, module_name
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import Constant, Grid, Signal
from spikeloom.sw.quantized import QuantConv1d, QuantConv2d, QuantLinear
from spikeloom.sw.quantized.weights import MAX_BITS, largest

_QUANTIZED: dict[type[nn.Module], Any] = {
    nn.Conv1d: QuantConv1d,
    nn.Conv2d: QuantConv2d,
    nn.Linear: QuantLinear,
}


class Conv(Operator):
    """Convolution of feature maps or signals."""

    op_type = "Conv"
    becomes = "`Conv1d`, `Conv2d`, with padding, stride, dilation and groups"

    def read(self, call: Call) -> Signal:
        read, found = call.signal(), call.needed(1)
        weight = call.floats(found)
        sizes = list(weight.shape[2:])
        if read.rank != weight.ndim or len(sizes) not in (1, 2):
            raise call.refusal(
                f"has weights of {weight.ndim} axes for values of {read.rank}: use Conv1d for "
                f"signals and Conv2d for images"
            )
        if call.whole("kernel_shape", sizes) != sizes:
            raise call.refusal("kernel_shape is not that of its weights: export the model again")
        ones = [1] * len(sizes)
        stride = call.whole("strides", ones)
        dilation = call.whole("dilations", ones)
        reach = [d * (k - 1) + 1 for k, d in zip(sizes, dilation, strict=True)]
        before, after = paddings(call, read, reach, stride)
        if before != after:
            read = call.apply(functional.pad, read, interleaved(before, after))
            before = [0] * len(sizes)
        kind = nn.Conv1d if len(sizes) == 1 else nn.Conv2d
        groups = call.integer("group", 1)

        def make() -> nn.Module:
            return kind(
                weight.shape[1] * groups,
                weight.shape[0],
                tuple(sizes),  # type: ignore[arg-type]
                tuple(stride),  # type: ignore[arg-type]
                tuple(before),  # type: ignore[arg-type]
                tuple(dilation),  # type: ignore[arg-type]
                groups,
                call.value(2) is not None,
                device="meta",
            )

        return _with_weights(call, make, read, found, call.constant(2))


class Gemm(Operator):
    """Fully connected layer."""

    op_type = "Gemm"
    becomes = "`Linear`"

    def read(self, call: Call) -> Signal:
        if call.integer("transA", 0):
            raise call.refusal("transposes its input: put Flatten ahead of it instead")
        found = call.needed(1)
        if not call.integer("transB", 0):
            found = transposed(call, found)
        factors = [call.real(name, 1.0) for name in ("alpha", "beta")]
        bias = call.constant(2)
        if factors[0] != 1:
            if found.grid is not None:
                raise call.refusal("alpha must be 1 for integer weights: export it so")
            found = Constant(call.floats(found) * factors[0], found.kind, found.name)
        if bias is not None and factors[1] != 1:
            bias = Constant(call.floats(bias) * factors[1], bias.kind)
        return linear(call, found, bias)


class MatMul(Operator):
    """Fully connected layer without a bias; an ``Add`` behind it becomes its bias."""

    op_type = "MatMul"
    becomes = "`Linear`; an `Add` of a constant behind it is its bias"

    def read(self, call: Call) -> Signal:
        if all(isinstance(value, Signal) for value in call.inputs):
            raise call.refusal(
                "multiplies values by values, which no connection does: use convolutions"
            )
        call.signal()
        return linear(call, transposed(call, call.needed(1)), None)


class BatchNormalization(Operator):
    """Batch-norm with fixed statistics."""

    op_type = "BatchNormalization"
    becomes = "`BatchNorm1d`, `BatchNorm2d`"

    def read(self, call: Call) -> Signal:
        read = call.signal()
        if call.integer("training_mode", 0):
            raise call.refusal("is exported for training: call model.eval() before the export")
        tensors = [call.weights(i) for i in (1, 2, 3, 4)]
        kind = nn.BatchNorm2d if read.rank == 4 else nn.BatchNorm1d
        eps = call.real("epsilon", 1e-5)
        channels = tensors[0].numel()
        made, result = call.module(
            lambda: kind(channels, eps, device="meta").eval(),
            read,
            module_name(call.name, call.needed(1).name),
        )
        if any(tensor.shape != (channels,) for tensor in tensors):
            raise call.refusal("its parameters differ in number: export the model again")
        made.weight, made.bias = (nn.Parameter(tensor) for tensor in tensors[:2])
        made.running_mean, made.running_var = tensors[2:]
        # Statistics that count as measured.
        made.num_batches_tracked = torch.tensor(1)
        return result


def linear(call: Call, weight: Constant, bias: Constant | None) -> Signal:
    """Return the result of a fully connected layer with weights (out, in)."""
    if call.floats(weight).ndim != 2:
        raise call.refusal(f"has weights of {weight.value.ndim} axes, not of two: use Linear")
    outs, ins = weight.value.shape

    def make() -> nn.Module:
        return nn.Linear(ins, outs, bias is not None, device="meta")

    return _with_weights(call, make, call.signal(), weight, bias)


def transposed(call: Call, found: Constant) -> Constant:
    """Return a matrix with its axes exchanged, and the integers behind it likewise."""
    if found.value.ndim != 2:
        raise call.refusal(
            f"has weights of {found.value.ndim} axes: use Linear, or Conv2d for feature maps"
        )
    grid = found.grid
    if grid is not None:
        grid = Grid(grid.integers.T.contiguous(), grid.scale, 1 - grid.axis, grid.bits)
    return Constant(found.value.T.contiguous(), found.kind, found.name, grid)


def paddings(
    call: Call, read: Signal, reach: list[int], stride: list[int]
) -> tuple[list[int], list[int]]:
    """Return how many zeros windows need before and after each axis of rows and columns.

    Parameters
    ----------
    call : Call
    read : Signal
    reach : list of int
        Values from the first to the last of a window.
    stride : list of int
    """
    auto = call.text("auto_pad", "NOTSET")
    number = len(reach)
    if auto == "NOTSET":
        pads = call.whole("pads", [0] * 2 * number)
        if len(pads) != 2 * number or min(pads) < 0:
            raise call.refusal(f"pads {pads} are not one for each side: export the model again")
        return pads[:number], pads[number:]
    if auto == "VALID":
        return [0] * number, [0] * number
    if auto not in ("SAME_UPPER", "SAME_LOWER") or min(stride) < 1:
        raise call.refusal(f"auto_pad {auto!r} is not known: give pads")
    totals = [
        max((-(-size // step) - 1) * step + width - size, 0)
        for size, step, width in zip(read.probe.shape[2:], stride, reach, strict=True)
    ]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def interleaved(before: list[int], after: list[int]) -> list[int]:
    """Return paddings in torch's order, from the last axis to the first."""
    pairs = list(zip(before, after, strict=True))[::-1]
    return [n for pair in pairs for n in pair]


def with_bias(call: Call, layer: Signal, summand: Tensor) -> bool:
    """Give a layer without a bias the summand behind it, if it is one number per channel."""
    module = call.builder.called(layer)
    if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)) or module.bias is not None:
        return False
    outs, axes = module.weight.shape[0], layer.rank - 1
    first = 0 if isinstance(module, nn.Linear) else axes - 1
    shape = list(summand.shape)
    while len(shape) > 1 + first and shape[0] == 1:
        shape.pop(0)
    if layer.readers != 1 or shape != [outs, *[1] * first]:
        return False
    module.bias = nn.Parameter(summand.reshape(outs))
    return True


def unquantized(layer: Any) -> nn.Module:
    """Return a layer with the real values of integer weights."""
    kind: Any = next(plain for plain in _QUANTIZED if isinstance(layer, plain))
    if kind is nn.Linear:
        made = kind(layer.in_features, layer.out_features, device="meta")
    else:
        options = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
        made = kind(layer.in_channels, layer.out_channels, *options, device="meta")
    made.weight, made.bias = layer.weight, layer.bias
    return made


def _with_weights(
    call: Call, make: Any, read: Signal, found: Constant, bias: Constant | None
) -> Signal:
    """Return the result of a new module, with weights and bias in the place of empty ones."""
    name = module_name(call.name, found.name)
    made, result = call.module(make, read, name)
    weight = call.floats(found)
    outs = weight.shape[0]
    made.weight = nn.Parameter(weight)
    if bias is not None:
        numbers = call.floats(bias)
        if numbers.numel() not in (1, outs) or numbers.numel() != max(numbers.shape, default=1):
            raise call.refusal(
                f"its bias has the shape {tuple(numbers.shape)}: use one number for each channel"
            )
        made.bias = nn.Parameter(numbers.reshape(-1).expand(outs).contiguous())
    if found.grid is not None:
        call.builder.parts[str(result.node.target)] = _quantized(call, made, found.grid)
    return result


def _quantized(call: Call, module: nn.Module, grid: Grid) -> nn.Module:
    """Return a module with integer weights, as :func:`~spikeloom.sw.quantized.prepare` keeps it."""
    if len(grid.scale) > 1 and grid.axis != 0:
        raise call.refusal(
            "the scales of its weights are not one for each output channel: quantize the weights "
            "per output channel or per tensor"
        )
    top = int(grid.integers.abs().max())
    bits = max(grid.bits, 2)
    while bits <= MAX_BITS and largest(bits) < top:
        bits += 1
    if bits > MAX_BITS:
        raise call.refusal(f"its integer weights reach {top:,}: use up to {MAX_BITS} bits")
    quantized: nn.Module = _QUANTIZED[type(module)].of(module, bits, scale=grid.scale)
    return quantized
