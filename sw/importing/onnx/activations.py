"""Rectifiers, and functions at the end of a model."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch.nn import functional

from spikeloom.sw.importing.onnx.calls import Call
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import Constant, Levels, Signal, Value


class Relu(Operator):
    """ReLU."""

    op_type = "Relu"
    becomes = "`relu`"

    def read(self, call: Call) -> Signal:
        return call.apply(functional.relu, call.signal())


class LeakyRelu(Operator):
    """ReLU with a slope below zero."""

    op_type = "LeakyRelu"
    becomes = "`leaky_relu`"

    def read(self, call: Call) -> Signal:
        slope = call.real("alpha", 0.01)
        return call.apply(functional.leaky_relu, call.signal(), slope)


class Clip(Operator):
    """ReLU6, Hardtanh, clamp."""

    op_type = "Clip"
    becomes = "`clamp`: from 0, or on both sides alike; of integers, fewer of them"

    def read(self, call: Call) -> Value:
        low, high = call.number("min", None, 1), call.number("max", None, 2)
        value = call.value(0)
        if isinstance(value, Constant) and (low, high) != (None, None):
            kept = value.value.clamp(low, high).to(value.value.dtype)
            return replace(value, value=kept, grid=None)
        if isinstance(value, Levels):  # fewer bits than the integers' type has
            least = value.low if low is None else max(value.low, int(low) - value.zero)
            most = value.high if high is None else min(value.high, int(high) - value.zero)
            return replace(value, low=least, high=most)
        return clipped(call, call.signal(), low, high)


class _Bound(Operator):
    """Base of ``Max`` and ``Min``, which clip if one of two values is a number."""

    def read(self, call: Call) -> Signal:
        if len(call.inputs) != 2:
            raise call.refusal("compares other than two values: use ReLU, or clamp by a number")
        index = 0 if isinstance(call.value(0), Signal) else 1
        signal = call.signal(index)
        if isinstance(call.value(1 - index), Signal):
            raise call.refusal("compares two values of the network: use ReLU, or add the two")
        bound = call.number("bound", None, 1 - index)
        if bound is None:
            raise call.refusal("has no bound: export the model again")
        return self.bounded(call, signal, bound)

    @abstractmethod
    def bounded(self, call: Call, signal: Signal, bound: float) -> Signal:
        """Return the signal, clipped on one side."""


class Max(_Bound):
    """Clip from below."""

    op_type = "Max"
    becomes = "`clamp(min=0)`, where one of two values is the number 0"

    def bounded(self, call: Call, signal: Signal, bound: float) -> Signal:
        return clipped(call, signal, bound, None)


class Min(_Bound):
    """Clip from above; with a rectifier before it, one clip on both sides."""

    op_type = "Min"
    becomes = "`clamp(max=...)`, behind a ReLU, where one of two values is a number"

    def bounded(self, call: Call, signal: Signal, bound: float) -> Signal:
        node, before = signal.node, call.builder.behind(signal)
        clips = node.target is torch.clamp and dict(node.kwargs).keys() == {"min"}
        if before is not None and signal.readers == 1 and (clips or node.target is functional.relu):
            return clipped(call, before, node.kwargs.get("min", 0.0), bound)
        return clipped(call, signal, None, bound)


class _AtTheEnd(Operator):
    """Base of functions that keep the order of logits, and can be left out at the end."""

    function: ClassVar[Callable[..., Any]]

    def read(self, call: Call) -> Signal:
        read = call.signal()
        axis = call.axis(call.integer("axis", 1 if call.opset < 13 else -1), read.rank)
        if call.opset < 13 and read.rank != 2:
            raise call.refusal("is over several axes: put Flatten ahead of it")
        return call.apply(type(self).function, read, dim=axis)


class Softmax(_AtTheEnd):
    """Softmax over the classes."""

    op_type = "Softmax"
    becomes = "`softmax`, at the end, where conversion leaves it out"
    function = staticmethod(functional.softmax)


class LogSoftmax(_AtTheEnd):
    """Logarithm of the softmax over the classes."""

    op_type = "LogSoftmax"
    becomes = "`log_softmax`, at the end, where conversion leaves it out"
    function = staticmethod(functional.log_softmax)


class Sigmoid(Operator):
    """Sigmoid of each output."""

    op_type = "Sigmoid"
    becomes = "`sigmoid`, at the end, where conversion leaves it out"

    def read(self, call: Call) -> Signal:
        return call.apply(torch.sigmoid, call.signal())


def clipped(call: Call, signal: Signal, low: Any, high: Any) -> Signal:
    """Return a signal, clipped to a range; a bound of None or infinity does not clip."""
    bounds = {
        name: bound
        for name, bound in (("min", low), ("max", high))
        if bound is not None and abs(bound) < _MAX_FLOAT
    }
    if not bounds:
        return signal
    return call.apply(torch.clamp, signal, **bounds)


#: From here on, a bound is the largest number of float32, or infinite: it does not clip.
_MAX_FLOAT = math.ldexp(1.0, 127)
