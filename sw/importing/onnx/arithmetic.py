"""Additions, and arithmetic with constants, by which models normalise their input."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from spikeloom.sw.importing.onnx.calls import MAX_COMPUTED, Call, shortest
from spikeloom.sw.importing.onnx.layers import with_bias
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import Constant, Signal, Value


class _Arithmetic(Operator):
    """Base of operators with two operands."""

    function: ClassVar[Callable[..., Any]]
    #: Whether both operands may depend on the images.
    of_signals: ClassVar[bool] = False

    def read(self, call: Call) -> Value:
        constants = call.constants()
        if len(call.inputs) != 2:
            raise call.refusal("needs two operands: export the model again")
        if constants is not None:
            return self.computed(call, constants[0], constants[1])
        signals = [value for value in call.inputs if isinstance(value, Signal)]
        if len(signals) == 2:
            if not self.of_signals:
                raise call.refusal(
                    "computes with two values of the network, and these can only be added: put "
                    "signs and factors into the weights of a layer"
                )
            return call.apply(self.function, *signals)
        index = 0 if isinstance(call.value(0), Signal) else 1
        return self.with_constant(call, call.signal(index), call.needed(1 - index), index)

    def with_constant(self, call: Call, signal: Signal, constant: Constant, index: int) -> Signal:
        """Return the result for one operand that depends on the images, and a constant."""
        number = constant.value
        if number.numel() == 1:
            other: Any = shortest(float(number))
            probed = other
        else:
            other, probed = call.builder.buffer(number), number.to("meta")
        operands = (signal.probe, probed)[:: 1 if index == 0 else -1]
        try:
            result = self.function(*operands)
        except RuntimeError:
            result = None
        if result is None or result.shape != signal.probe.shape:
            raise call.refusal(
                f"computes with a constant of shape {tuple(number.shape)}, which does not fit "
                f"values of shape {signal.shape}: use one number, or one for each channel"
            )
        nodes = (signal.node, other)[:: 1 if index == 0 else -1]
        return call.builder.computed(self.function, nodes, result)

    def computed(self, call: Call, first: Constant, second: Constant) -> Constant:
        """Return the result for two constants."""
        a, b = first.value, second.value
        try:
            shape = np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
        except ValueError:
            raise call.refusal("its two constants differ in shape: export it again") from None
        if math.prod(shape) > max(MAX_COMPUTED, a.numel(), b.numel()):
            raise call.refusal("makes a large tensor of small ones: let the exporter fold it")
        return Constant(self.of_constants(call, a, b), first.kind)

    def of_constants(self, call: Call, first: Tensor, second: Tensor) -> Tensor:
        """Return the result for the numbers of two constants."""
        result: Tensor = self.function(first, second)
        return result


class Add(_Arithmetic):
    """Addition of branches, of a bias, or of a shift of the input."""

    op_type = "Add"
    becomes = "`+`: of branches; of a constant behind weights, as their bias, or ahead of them"
    function = staticmethod(operator.add)
    of_signals = True

    def with_constant(self, call: Call, signal: Signal, constant: Constant, index: int) -> Signal:
        if constant.value.dtype == torch.float32 and with_bias(call, signal, constant.value):
            return signal
        return super().with_constant(call, signal, constant, index)


class Sub(_Arithmetic):
    """Subtraction of a constant, to normalise the input."""

    op_type = "Sub"
    becomes = "`-` with a constant, ahead of the first layer"
    function = staticmethod(operator.sub)


class Mul(_Arithmetic):
    """Multiplication by a constant, to normalise the input."""

    op_type = "Mul"
    becomes = "`*` with a constant, ahead of the first layer"
    function = staticmethod(operator.mul)


class Div(_Arithmetic):
    """Division by a constant, to normalise the input."""

    op_type = "Div"
    becomes = "`/` by a constant, ahead of the first layer"
    function = staticmethod(operator.truediv)

    def of_constants(self, call: Call, first: Tensor, second: Tensor) -> Tensor:
        if first.is_floating_point() or second.is_floating_point():
            return first / second
        if not second.all():
            raise call.refusal("divides by 0: export the model again")
        return torch.div(first, second, rounding_mode="trunc")


class Neg(Operator):
    """Change of sign, to normalise the input."""

    op_type = "Neg"
    becomes = "`-x`, ahead of the first layer"

    def read(self, call: Call) -> Value:
        constants = call.constants()
        if constants is not None:
            return Constant(-constants[0].value, constants[0].kind)
        return call.apply(operator.neg, call.signal())
