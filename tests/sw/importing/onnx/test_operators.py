"""Each operator computes as ONNX's reference implementation does.

Numbers are small integers, of which every sum is exact in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from support.models.onnx_graphs import node, proto

from spikeloom.sw.importing.onnx import Operator, from_onnx
from spikeloom.sw.importing.onnx.quantization import DOMAINS

RNG = np.random.default_rng(0)


def ints(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.integers(-3, 4, shape).astype(np.float32)


def n(values: Sequence[int]) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.int64)


def f(value: float) -> np.ndarray[Any, Any]:
    return np.array(value, dtype=np.float32)


MAP, SIGNAL, FEATURES = (2, 6, 7), (2, 9), (6,)
#: By a name that begins with the operator: nodes, shape of an image, initialisers, opset.
CASES: dict[str, tuple[list[onnx.NodeProto], tuple[int, ...], dict[str, Any], int]] = {
    "Conv": ([node("Conv", "x w b")], MAP, {"w": ints(3, 2, 3, 3), "b": ints(3)}, 18),
    "Conv options": (
        [node("Conv", "x w", group=2, strides=[2, 1], dilations=[1, 2], pads=[1, 2, 1, 2])],
        MAP,
        {"w": ints(4, 1, 3, 3)},
        18,
    ),
    "Conv padded on one side": (
        [node("Conv", "x w", pads=[0, 2, 1, 0], kernel_shape=[3, 3])],
        MAP,
        {"w": ints(3, 2, 3, 3)},
        18,
    ),
    "Conv SAME_UPPER": (
        [node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])],
        MAP,
        {"w": ints(3, 2, 2, 3)},
        18,
    ),
    "Conv SAME_LOWER": (
        [node("Conv", "x w", auto_pad="SAME_LOWER")],
        MAP,
        {"w": ints(3, 2, 2, 4)},
        18,
    ),
    "Conv VALID of a signal": (
        [node("Conv", "x w", auto_pad="VALID")],
        SIGNAL,
        {"w": ints(3, 2, 3)},
        18,
    ),
    "Gemm": (
        [node("Gemm", "x w b", transB=1)],
        FEATURES,
        {"w": ints(4, 6), "b": ints(4)},
        18,
    ),
    "Gemm options": (
        [node("Gemm", "x w b", alpha=2.0, beta=0.5)],
        FEATURES,
        {"w": ints(6, 4), "b": f(3.0)},
        18,
    ),
    "MatMul": ([node("MatMul", "x w")], FEATURES, {"w": ints(6, 4)}, 18),
    "MatMul and its bias": (
        [node("MatMul", "x w", "a"), node("Add", "b a")],
        FEATURES,
        {"w": ints(6, 4), "b": ints(1, 4)},
        18,
    ),
    "MatMul, read before its bias": (
        [
            node("MatMul", "x w", "a"),
            node("Add", "a b", "c"),
            node("Add", "a c"),
        ],
        FEATURES,
        {"w": ints(6, 4), "b": ints(4)},
        18,
    ),
    "BatchNormalization": (
        [node("BatchNormalization", "x s b m v", epsilon=0.0)],
        MAP,
        {"s": ints(2), "b": ints(2), "m": ints(2), "v": np.array([4.0, 0.25], np.float32)},
        18,
    ),
    "BatchNormalization of features": (
        [node("BatchNormalization", "x s b m v", epsilon=0.0)],
        FEATURES,
        {"s": ints(6), "b": ints(6), "m": ints(6), "v": np.full(6, 4.0, np.float32)},
        15,
    ),
    "Relu": ([node("Relu")], MAP, {}, 18),
    "LeakyRelu": ([node("LeakyRelu", alpha=0.125)], MAP, {}, 18),
    "Clip": ([node("Clip", "x lo hi")], MAP, {"lo": f(0), "hi": f(2)}, 18),
    "Clip from below": ([node("Clip", "x lo")], MAP, {"lo": f(0)}, 18),
    "Clip of opset 10": ([node("Clip", min=-1.0, max=1.0)], MAP, {}, 10),
    "Clip without bounds": ([node("Clip")], MAP, {}, 18),
    "Max": ([node("Max", "x zero")], MAP, {"zero": f(0)}, 18),
    "Min": ([node("Max", "zero x", "a"), node("Min", "a hi")], MAP, {"zero": f(0), "hi": f(2)}, 18),
    "Min behind Relu": ([node("Relu", "x", "a"), node("Min", "hi a")], MAP, {"hi": f(2)}, 18),
    "MaxPool": ([node("MaxPool", kernel_shape=[2, 3], strides=[2, 1])], MAP, {}, 18),
    "MaxPool options": (
        [node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)],
        MAP,
        {},
        18,
    ),
    "MaxPool of a signal": ([node("MaxPool", kernel_shape=[2], strides=[2])], SIGNAL, {}, 18),
    "AveragePool": ([node("AveragePool", kernel_shape=[2, 2], strides=[2, 2])], MAP, {}, 18),
    "AveragePool padded": (
        [
            node(
                "AveragePool",
                kernel_shape=[2, 2],
                strides=[2, 2],
                pads=[1, 1, 0, 0],
                count_include_pad=1,
            )
        ],
        MAP,
        {},
        18,
    ),
    "AveragePool, padding not counted": (
        [node("AveragePool", kernel_shape=[2, 2], strides=[1, 1], pads=[1, 1, 1, 1])],
        MAP,
        {},
        18,
    ),
    "AveragePool of a signal": (
        [node("AveragePool", kernel_shape=[4], strides=[1])],
        SIGNAL,
        {},
        18,
    ),
    "GlobalAveragePool": ([node("GlobalAveragePool")], (2, 4, 8), {}, 18),
    "GlobalAveragePool of a signal": ([node("GlobalAveragePool")], (2, 8), {}, 18),
    "GlobalMaxPool": ([node("GlobalMaxPool")], MAP, {}, 18),
    "ReduceMean": ([node("ReduceMean", "x axes", keepdims=0)], (2, 4, 8), {"axes": n([2, -1])}, 18),
    "ReduceMean of opset 13": ([node("ReduceMean", axes=[-1, -2])], (2, 4, 8), {}, 13),
    "ReduceMean of a signal": ([node("ReduceMean", "x axes")], (2, 8), {"axes": n([2])}, 18),
    "Flatten": ([node("Flatten")], MAP, {}, 18),
    "Reshape": ([node("Reshape", "x shape")], MAP, {"shape": n([0, -1])}, 18),
    "Reshape of channels": (
        [
            node("Reshape", "x to", "a"),
            node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "b back"),
        ],
        (4, 2, 3),
        {"to": n([-1, 2, 2, 2, 3]), "back": n([-1, 4, 2, 3])},
        18,
    ),
    "Transpose of nothing": ([node("Transpose", perm=[0, 1, 2, 3])], MAP, {}, 18),
    "Transpose of weights": (
        [node("Transpose", "w", "t"), node("MatMul", "x t")],
        FEATURES,
        {"w": ints(4, 6)},
        18,
    ),
    "Squeeze": ([node("Squeeze", "x axes")], (3, 1, 1), {"axes": n([2, 3])}, 18),
    "Squeeze of opset 11": ([node("Squeeze", axes=[2])], (3, 1, 5), {}, 11),
    "Unsqueeze": ([node("Unsqueeze", "x axes")], SIGNAL, {"axes": n([2])}, 18),
    "Unsqueeze of opset 11": ([node("Unsqueeze", axes=[-1, 2])], SIGNAL, {}, 11),
    "Add": ([node("Relu", "x", "a"), node("Add", "a x")], MAP, {}, 18),
    "Add of a constant": ([node("Add", "c x")], MAP, {"c": ints(1, 2, 1, 1)}, 18),
    "Add of a convolution's bias": (
        [node("Conv", "x w", "a"), node("Add", "a b")],
        MAP,
        {"w": ints(3, 2, 1, 1), "b": ints(3, 1, 1)},
        18,
    ),
    "Sub": ([node("Sub", "x c")], MAP, {"c": ints(2, 1, 1)}, 18),
    "Sub from a constant": ([node("Sub", "c x")], MAP, {"c": f(1)}, 18),
    "Mul": ([node("Mul", "x c")], MAP, {"c": f(2)}, 18),
    "Div": ([node("Div", "x c")], MAP, {"c": np.array([[[[2]], [[4]]]], np.float32)}, 18),
    "Neg": ([node("Neg")], MAP, {}, 18),
    "Concat": ([node("Relu", "x", "a"), node("Concat", "x a", axis=-3)], MAP, {}, 18),
    "Split": (
        [node("Split", "x sizes", "a b", axis=1), node("Add", "a b")],
        (4, 3, 3),
        {"sizes": n([2, 2])},
        18,
    ),
    "Split evenly": (
        [node("Split", "x", "a b", axis=1, num_outputs=2), node("Add", "a b")],
        (4, 3, 3),
        {},
        18,
    ),
    "Slice": (
        [node("Slice", "x from to axes steps")],
        (4, 6, 7),
        {
            "from": n([1, 0, -5]),
            "to": n([3, 1 << 62, -1]),
            "axes": n([1, 2, 3]),
            "steps": n([1, 2, 1]),
        },
        18,
    ),
    "Slice of opset 9": ([node("Slice", starts=[1], ends=[2], axes=[1])], MAP, {}, 9),
    "Pad": (
        [node("Pad", "x pads _ axes")],
        MAP,
        {"pads": n([1, 2, 0, 3]), "axes": n([2, -1])},
        18,
    ),
    "Pad of channels": ([node("Pad", "x pads")], MAP, {"pads": n([0, 1, 0, 0, 0, 0, 0, 0])}, 13),
    "Pad of opset 9": ([node("Pad", pads=[0, 0, 1, 0, 0, 0, 0, 0], value=0.0)], MAP, {}, 9),
    "Identity": ([node("Identity")], MAP, {}, 18),
    "Dropout": ([node("Dropout")], MAP, {}, 18),
    "Cast": ([node("Cast", to=1)], MAP, {}, 18),
    "Constant": (
        [node("Constant", "", "c", value_float=2.0), node("Mul", "x c")],
        MAP,
        {},
        18,
    ),
    "Constant of a tensor": (
        [
            node("Constant", "", "c", value=onnx.numpy_helper.from_array(ints(2, 1, 1))),
            node("Add", "x c"),
        ],
        MAP,
        {},
        18,
    ),
    "Shape": (
        [
            node("Shape", "x", "s", start=1),
            node("ReduceMean", "x axes", "a"),
            node("Cast", "s", "float", to=1),
            node("Gather", "float first", "rows"),
            node("Mul", "a rows"),
        ],
        (2, 4, 8),
        {"axes": n([2, 3]), "first": n([1])},
        18,
    ),
    "Gather": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "batch"),
            node("Unsqueeze", "batch axis", "wide"),
            node("Concat", "wide rest", "shape", axis=0),
            node("Reshape", "x shape", allowzero=1),
        ],
        MAP,
        {"zero": np.array(0), "axis": n([0]), "rest": n([-1])},
        18,
    ),
    "ConstantOfShape": (
        [
            node("ConstantOfShape", "size", "z", value=onnx.numpy_helper.from_array(n([1]))),
            node("Concat", "edge z", "pads", axis=0),
            node("Neg", "pads", "less"),
            node("Add", "pads pads", "more"),
            node("Add", "less more", "same"),
            node("Pad", "x same"),
        ],
        MAP,
        {"size": n([2]), "edge": n([0, 0, 1, 1, 0, 0])},
        18,
    ),
    "Softmax": ([node("Softmax", axis=-1)], FEATURES, {}, 18),
    "Softmax of opset 11": ([node("Softmax")], FEATURES, {}, 11),
    "LogSoftmax": ([node("LogSoftmax", axis=1)], FEATURES, {}, 18),
    "Sigmoid": ([node("Sigmoid")], FEATURES, {}, 18),
}
#: Operators whose results are not exact in any order of operations.
ROUNDED = ("Softmax", "LogSoftmax", "Sigmoid")


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_as_the_reference(name: str) -> None:
    nodes, shape, tensors, opset = CASES[name]
    model = proto(nodes, shape, tensors, opset=opset)
    images = ints(3, *shape)
    expected: Any
    (expected,) = ReferenceEvaluator(model).run(None, {"x": images})
    read = from_onnx(model.SerializeToString())
    with torch.no_grad():
        found = read(torch.from_numpy(images))
    assert found.shape == expected.shape
    if name.startswith(ROUNDED):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)
    else:
        assert np.array_equal(found.numpy(), expected)


def test_every_operator_has_a_case() -> None:
    quantizing = {"QuantizeLinear", "DequantizeLinear"}  # test_quantization.py has theirs
    own = {
        name
        for name, operator in Operator.kinds.items()
        if operator.domains != DOMAINS and name not in quantizing
    }
    assert own == {name.partition(" ")[0].rstrip(",") for name in CASES}


def test_a_bias_becomes_that_of_the_layer_before() -> None:
    nodes, shape, tensors, _ = CASES["Add of a convolution's bias"]
    read = from_onnx(proto(nodes, shape, tensors).SerializeToString())
    assert [node.op for node in read.graph.nodes] == ["placeholder", "call_module", "output"]


def test_numbers_are_those_that_the_model_had() -> None:
    slope = proto([node("LeakyRelu", alpha=0.1)], MAP)
    (call,) = (x for x in from_onnx(slope.SerializeToString()).graph.nodes if "relu" in x.name)
    assert call.args[1] == 0.1
    statistics = dict.fromkeys("sbm", ints(2)) | {"v": np.ones(2, np.float32)}
    norm = proto([node("BatchNormalization", "x s b m v")], MAP, statistics)
    (module,) = from_onnx(norm.SerializeToString()).children()
    assert module.eps == 1e-5  # which float32 has not
