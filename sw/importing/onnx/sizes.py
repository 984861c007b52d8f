"""Constants, and sizes of tensors, which are computed while a file is read."""

from __future__ import annotations

import torch

from spikeloom.sw.importing.onnx.calls import MAX_COMPUTED, Call
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.values import BATCH, Constant, Signal, Value

#: Attributes of ``Constant`` with numbers, and the member of ``TensorProto.DataType`` for each.
_NUMBERS = {"value_float": 1, "value_floats": 1, "value_int": 7, "value_ints": 7}
_INT64 = 7


class ConstantNode(Operator):
    """Numbers that a node states."""

    op_type = "Constant"
    becomes = "numbers"

    def read(self, call: Call) -> Value:
        for name, value in call.attributes.items():
            if isinstance(value, Constant):
                return value
            if name in _NUMBERS:
                dtype = torch.float32 if _NUMBERS[name] == 1 else torch.int64
                return Constant(torch.tensor(value, dtype=dtype), _NUMBERS[name])
        raise call.refusal("holds no numbers: export the model again")


class ConstantOfShape(Operator):
    """One number, several times."""

    op_type = "ConstantOfShape"
    becomes = "numbers, computed at once"

    def read(self, call: Call) -> Value:
        sizes = call.whole("shape", None, 0)
        number = call.attributes.get("value")
        count = 1
        for size in sizes:
            count *= size
        if min(sizes, default=0) < 0 or count > MAX_COMPUTED:
            raise call.refusal("makes a large tensor: let the exporter fold constants")
        if not isinstance(number, Constant):
            return Constant(torch.zeros(sizes), 1)
        if number.value.numel() != 1:
            raise call.refusal("repeats more than one number: export the model again")
        return Constant(number.value.reshape(()).expand(sizes).clone(), number.kind)


class Shape(Operator):
    """The sizes of a tensor."""

    op_type = "Shape"
    becomes = "numbers, computed at once"

    def read(self, call: Call) -> Value:
        value = call.value(0)
        if isinstance(value, Constant):
            sizes = list(value.value.shape)
        else:
            sizes = list(call.signal().probe.shape)
            if call.builder.batch is None:
                sizes[0] = BATCH
        end = call.integer("end", len(sizes))
        picked = sizes[slice(call.integer("start", 0), end)]
        return Constant(torch.tensor(picked, dtype=torch.int64), _INT64)


class Gather(Operator):
    """Some of the numbers of a constant."""

    op_type = "Gather"
    becomes = "numbers of a constant, such as one of several sizes, computed at once"

    def read(self, call: Call) -> Value:
        if isinstance(call.value(0), Signal):
            raise call.refusal("picks values of the network: use slices, x[:, a:b]")
        data, chosen = call.needed(0).value, call.needed(1).value
        axis = call.axis(call.integer("axis", 0), max(1, data.ndim))
        try:
            size = data.shape[axis]
            picked = data.index_select(axis, chosen.reshape(-1) % max(1, size))
            if not ((chosen >= -size) & (chosen < size)).all():
                raise IndexError
            shape = (*data.shape[:axis], *chosen.shape, *data.shape[axis + 1 :])
            if picked.numel() > max(MAX_COMPUTED, data.numel()):
                raise IndexError
            return Constant(picked.reshape(shape), call.needed(0).kind)
        except (RuntimeError, IndexError):
            raise call.refusal("picks numbers that are not there: export it again") from None


class Cast(Operator):
    """Numbers in another type; values of the network stay floats."""

    op_type = "Cast"
    becomes = "nothing: values stay float32; constants are computed at once"

    def read(self, call: Call) -> Value:
        kind = call.integer("to", 0)
        value = call.value(0)
        if isinstance(value, Constant):
            whole = kind not in _FLOATS
            return Constant(
                value.value.to(torch.int64 if whole else torch.float32), kind, value.name
            )
        if kind != 1:
            raise call.refusal("gives values another type: export the model in float32")
        return call.signal()


#: Floating types of ``TensorProto.DataType``: float32, float16, float64, bfloat16.
_FLOATS = (1, 10, 11, 16)
