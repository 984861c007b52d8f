"""What a file cannot have: one line, with operator, node and remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from support.models.onnx_graphs import content, node

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.importing.onnx import REFUSED, Operator, from_onnx

MAP, FEATURES = (2, 6, 6), (6,)


def f(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def n(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


#: By a test's name: nodes, shape of an image, initialisers, and a part of the message.
CASES: dict[str, tuple[list[onnx.NodeProto], tuple[int, ...], dict[str, Any], str]] = {
    "a stride of 0": (
        [node("Conv", "x w", strides=[0, 1])],
        (1, 4, 4),
        {"w": f(1, 1, 3, 3)},
        "does not fit values of shape",
    ),
    "convolution in space": (
        [node("Conv", "x w")],
        (1, 4, 4),
        {"w": f(1, 1, 2, 2, 2)},
        "has weights of 5 axes for values of 4",
    ),
    "kernel_shape": (
        [node("Conv", "x w", kernel_shape=[2, 2])],
        MAP,
        {"w": f(1, 2, 3, 3)},
        "kernel_shape is not that of its weights",
    ),
    "pads": (
        [node("Conv", "x w", pads=[1, 1])],
        MAP,
        {"w": f(1, 2, 3, 3)},
        "pads [1, 1] are not one for each side",
    ),
    "auto_pad": (
        [node("Conv", "x w", auto_pad="SAME")],
        MAP,
        {"w": f(1, 2, 3, 3)},
        "auto_pad 'SAME' is not known: give pads",
    ),
    "channels": ([node("Conv", "x w")], MAP, {"w": f(1, 3, 3, 3)}, "does not fit values of shape"),
    "groups": (
        [node("Conv", "x w", group=2)],
        MAP,
        {"w": f(3, 1, 1, 1)},
        "out_channels must be divisible by groups",
    ),
    "bias": (
        [node("Conv", "x w b")],
        MAP,
        {"w": f(4, 2, 1, 1), "b": f(3)},
        "its bias has the shape (3,): use one number for each channel",
    ),
    "transA": ([node("Gemm", "x w", transA=1)], FEATURES, {"w": f(6, 2)}, "transposes its input"),
    "doubles": (
        [node("Gemm", "x w")],
        FEATURES,
        {"w": np.ones((6, 2))},
        "its weights are of torch.float64: export the model in float32, by model.float()",
    ),
    "no weights": ([node("Gemm", "x w")], FEATURES, {"w": f(6, 0)}, "its weights are empty"),
    "weights that follow from the image": (
        [node("Conv", "x x")],
        MAP,
        {},
        "its input 2 is computed from the image, and hardware holds it as a constant",
    ),
    "weights left out": ([node("Conv", "x")], MAP, {}, "its input 2 is missing"),
    "attention": (
        [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t")],
        (3, 4),
        {},
        "multiplies values by values, which no connection does: use convolutions",
    ),
    "weights of three axes": (
        [node("MatMul", "x w")],
        (3, 4),
        {"w": f(1, 4, 2)},
        "has weights of 3 axes: use Linear, or Conv2d for feature maps",
    ),
    "training": (
        [node("BatchNormalization", "x s s s s", "y", training_mode=1)],
        MAP,
        {"s": f(2)},
        "is exported for training: call model.eval() before the export",
    ),
    "a bound for each channel": (
        [node("Clip", "x lo")],
        MAP,
        {"lo": f(2)},
        "min must be one number: use one for all channels",
    ),
    "the larger of two values": (
        [node("Relu", "x", "a"), node("Max", "a x")],
        MAP,
        {},
        "compares two values of the network: use ReLU, or add the two",
    ),
    "the largest of three": (
        [node("Relu", "x", "a"), node("Max", "a x x")],
        MAP,
        {},
        "compares other than two values",
    ),
    "indices": (
        [node("MaxPool", "x", "m i", kernel_shape=[1, 1]), node("Add", "m i")],
        MAP,
        {},
        "returns indices, which unpooling needs",
    ),
    "a max-pool padded on one side": (
        [node("MaxPool", kernel_shape=[2, 2], pads=[0, 0, 1, 1])],
        MAP,
        {},
        "pads by [0, 0] on one side and [1, 1] on the other",
    ),
    "windows of one axis": (
        [node("MaxPool", kernel_shape=[2])],
        MAP,
        {},
        "has windows of 1 axes for values of 4",
    ),
    "windows left out": ([node("MaxPool")], MAP, {}, "kernel_shape must be given as integers"),
    "dilated averages": (
        [node("AveragePool", kernel_shape=[2, 2], dilations=[2, 2])],
        MAP,
        {},
        "dilations must be 1, not [2, 2]",
    ),
    "another number at the edges": (
        [node("AveragePool", kernel_shape=[2, 2], pads=[0, 0, 1, 1])],
        MAP,
        {},
        "divides by another number at the edges",
    ),
    "a mean over channels": (
        [node("ReduceMean", "x axes")],
        MAP,
        {"axes": n(1)},
        "is over the axes [1], and only the mean over the whole feature map",
    ),
    "a mean over everything": (
        [node("ReduceMean")],
        MAP,
        {},
        "is over the axes of the batch, too",
    ),
    "a pool of features": ([node("GlobalMaxPool")], FEATURES, {}, "pools values of 2 axes"),
    "flattened later": (
        [node("Flatten", axis=2)],
        MAP,
        {},
        "flattens from axis 2 on, not from 1: use nn.Flatten()",
    ),
    "a reshape of the batch": (
        [node("Reshape", "x s")],
        MAP,
        {"s": n(2, -1)},
        "makes (2, 36) of values of shape (1, 2, 6, 6), and the first axis must stay",
    ),
    "a reshape that does not fit": (
        [node("Reshape", "x s")],
        MAP,
        {"s": n(-1, 71)},
        "makes [-1, 71] of values of shape (1, 2, 6, 6), which does not fit",
    ),
    "the batch in another place": (
        [
            node("Shape", "x", "s", start=0, end=1),
            node("Concat", "rest s", "to", axis=0),
            node("Reshape", "x to"),
        ],
        MAP,
        {"rest": n(72)},
        "moves the axis of the batch: keep it first",
    ),
    "arithmetic with the batch": (
        [
            node("Shape", "x", "s", start=0, end=1),
            node("Mul", "s two", "more"),
            node("Concat", "more rest", "to", axis=0),
            node("Reshape", "x to"),
        ],
        MAP,
        {"two": n(2), "rest": n(36)},
        "which does not fit",
    ),
    "axes of another order": (
        [node("Transpose", perm=[1, 0, 2, 3])],
        MAP,
        {},
        "moves the axis of the batch: keep it first",
    ),
    "no order": ([node("Transpose", perm=[0, 0, 2, 3])], MAP, {}, "perm [0, 0, 2, 3] is no order"),
    "squeezed batch": (
        [node("Squeeze", "x axes")],
        MAP,
        {"axes": n(0)},
        "leaves out the axis of the batch",
    ),
    "squeezed channels": (
        [node("Squeeze", "x axes")],
        MAP,
        {"axes": n(1)},
        "leaves out axes [1] of [1, 2, 6, 6], which are not 1",
    ),
    "joined images": (
        [node("Relu", "x", "a"), node("Concat", "a x", axis=0)],
        MAP,
        {},
        "joins images of a batch: join channels",
    ),
    "joined nothing": (
        [node("Concat", "", "y", axis=1), node("Add", "x y", "o")],
        MAP,
        {},
        "joins nothing: export the model again",
    ),
    "joined with a constant": (
        [node("Concat", "x c", axis=1)],
        MAP,
        {"c": f(1, 1, 6, 6)},
        "its input 2 is constant or missing, where values of the network are expected",
    ),
    "split images": ([node("Split", "x", "y z", axis=0), node("Add", "y z", "o")], MAP, {}, "axis"),
    "a slice backwards": (
        [node("Slice", "x a b c d")],
        MAP,
        {"a": n(-1), "b": n(-9), "c": n(2), "d": n(-1)},
        "turns an axis round, or takes nothing of it",
    ),
    "a slice of images": (
        [node("Slice", "x a b c")],
        MAP,
        {"a": n(0), "b": n(-1), "c": n(0)},
        "turns an axis round, or takes nothing of it",
    ),
    "reflected": ([node("Pad", "x p", mode="reflect")], MAP, {"p": n(*[0] * 8)}, "pads with"),
    "padded by ones": (
        [node("Pad", "x p one")],
        MAP,
        {"p": n(*[0] * 8), "one": f()},
        "pads with 1.0: pad with zeros",
    ),
    "padded batch": (
        [node("Pad", "x p")],
        MAP,
        {"p": n(1, *[0] * 7)},
        "pads the batch: pad channels, rows or columns",
    ),
    "a mask": (
        [node("Dropout", "x", "a m"), node("Add", "a m")],
        MAP,
        {},
        "returns its mask: call model.eval() before the export",
    ),
    "half precision": ([node("Cast", to=10)], MAP, {}, "gives values another type"),
    "subtracted branches": (
        [node("Relu", "x", "a"), node("Sub", "a x")],
        MAP,
        {},
        "computes with two values of the network, and these can only be added",
    ),
    "a constant that is larger": (
        [node("Add", "x c")],
        MAP,
        {"c": f(3, 2, 6, 6)},
        "computes with a constant of shape (3, 2, 6, 6), which does not fit",
    ),
    "large constants of small ones": (
        [node("Mul", "a b", "c"), node("Reshape", "c s", "w"), node("Conv", "x w")],
        MAP,
        {"a": f(900, 1), "b": f(1, 900), "s": n(-1, 2, 1, 1)},
        "makes a large tensor of small ones",
    ),
    "a large tensor of one number": (
        [node("ConstantOfShape", "s", "w"), node("Conv", "x w")],
        MAP,
        {"s": n(1 << 20, 2, 1, 1)},
        "makes a large tensor",
    ),
    "picked values": ([node("Gather", "x i", axis=1)], MAP, {"i": n(0)}, "picks values of the"),
    "picked beyond the end": (
        [node("Gather", "c i", "a"), node("Add", "x a")],
        MAP,
        {"c": f(2), "i": n(5)},
        "picks numbers that are not there",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_node_is_refused_in_one_line(name: str) -> None:
    nodes, shape, tensors, message = CASES[name]
    output = nodes[-1].output[0]
    with pytest.raises(UnsupportedError) as caught:
        from_onnx(content(nodes, shape, tensors, output=output))
    text = str(caught.value)
    assert text.startswith("ONNX model: ")
    assert message in text
    assert "\n" not in text
    assert any(f"{node.op_type} {node.output[0]!r}: " in text for node in nodes)


@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_without_a_counterpart_is_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_onnx(content([node(name, name="/act/here")], MAP))
    assert str(caught.value) == f"ONNX model: {name} '/act/here': {REFUSED[name]}"
    assert ": " in REFUSED[name]


def test_no_operator_is_both_taken_and_refused() -> None:
    assert not REFUSED.keys() & Operator.kinds.keys()


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(UnsupportedError, match=r"Foo 'y': is not among the operators that can"):
        from_onnx(content([node("Foo")], MAP))


@pytest.mark.parametrize("kind", ["Conv", "Gelu2"])
def test_an_operator_of_another_domain_is_named(kind: str) -> None:
    graph = content([node(kind, "x x", domain="com.microsoft")], MAP)
    with pytest.raises(UnsupportedError, match=r"is of the domain 'com.microsoft', which is not"):
        from_onnx(graph)


@pytest.mark.parametrize("opset", [8, 99])
def test_another_opset_is_refused(opset: int) -> None:
    with pytest.raises(UnsupportedError, match=rf"uses opset {opset}, and opsets 9 to \d\d can"):
        from_onnx(content([node("Relu")], MAP, opset=opset))


def test_a_softmax_of_an_old_opset_over_feature_maps_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="is over several axes: put Flatten ahead of it"):
        from_onnx(content([node("Softmax")], MAP, opset=11))
