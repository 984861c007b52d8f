"""What a graph as a whole cannot have: inputs, outputs and sizes, and what is left out of it."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from support.models.onnx_graphs import content, node

from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.importing.onnx import from_onnx

MAP, FEATURES = (2, 6, 6), (6,)


@pytest.mark.parametrize("shape", [(1, "h", 6), (1, None, 6), (None,)])
def test_open_sizes_need_a_shape(shape: Any) -> None:
    graph = content([node("Relu")], shape)
    with pytest.raises(UnsupportedError, match=r"where only the number of images may be open"):
        from_onnx(graph)
    known = tuple(5 if size in ("h", None) else size for size in shape)
    assert from_onnx(graph, input_shape=known).input_shape == known


def test_a_shape_must_be_that_of_the_file() -> None:
    with pytest.raises(ConfigError, match=r"input_shape \(2, 6, 7\) is not that of ONNX model: "):
        from_onnx(content([node("Relu")], MAP), input_shape=(2, 6, 7))


def test_images_must_be_images() -> None:
    with pytest.raises(UnsupportedError, match="images have the shape 1x2x3x4: use"):
        from_onnx(content([node("Relu")], (1, 2, 3, 4)))
    with pytest.raises(UnsupportedError, match="images have the shape 0x3x4"):
        from_onnx(content([node("Relu")], (0, 3, 4)))


@pytest.mark.parametrize(
    ("shape", "batch"), [((1 << 26, 2), "n"), (((1 << 63) - 1,), 1), (FEATURES, (1 << 63) - 1)]
)
def test_images_beyond_all_bounds(shape: Any, batch: Any) -> None:
    with pytest.raises(UnsupportedError, match="an image has at most 67,108,864 values, and as ma"):
        from_onnx(content([node("Relu")], shape, batch=batch))
    assert from_onnx(content([node("Relu")], (1 << 26,))).input_shape == (1 << 26,)


def test_a_missing_initialiser_is_named() -> None:
    with pytest.raises(FileFormatError, match=r"reads 'fc.weight', which neither an initialiser"):
        from_onnx(content([node("Gemm", "x fc.weight")], FEATURES))


def test_nodes_that_the_output_does_not_need_are_left_out() -> None:
    model = from_onnx(content([node("Gelu", "x", "unused"), node("Relu")], MAP))
    assert [x.op for x in model.graph.nodes] == ["placeholder", "call_function", "output"]


def changed(change: Any, *, nodes: Any = None) -> bytes:
    model = onnx.ModelProto.FromString(content(nodes or [node("Relu")], MAP))
    change(model)
    return bytes(model.SerializeToString())


def test_a_second_input_is_refused() -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.input.append(
            onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1, 2, 6, 6])
        )

    with pytest.raises(UnsupportedError, match="must have one input, and has 'x', 'z'"):
        from_onnx(changed(add, nodes=[node("Add", "x z")]))
    # An input that nothing reads does no harm.
    assert from_onnx(changed(add)).input_shape == MAP


def test_a_second_output_is_refused() -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)
        )

    with pytest.raises(UnsupportedError, match="has 2 outputs: export the logits only"):
        from_onnx(changed(add))


def test_an_output_that_is_constant_is_refused() -> None:
    constant = [node("Constant", "", "y", value_float=1.0)]
    with pytest.raises(UnsupportedError, match="output 'y' does not depend on the"):
        from_onnx(content(constant, MAP))


def test_integers_as_input_are_refused() -> None:
    def integers(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8

    with pytest.raises(UnsupportedError, match="the input 'x' is not of float32"):
        from_onnx(changed(integers))


def test_functions_of_the_file_are_refused() -> None:
    def add(model: onnx.ModelProto) -> None:
        model.functions.append(
            onnx.helper.make_function("own", "block", ["a"], ["b"], [node("Relu", "a", "b")], [])
        )

    with pytest.raises(UnsupportedError, match=r"has functions of its own \(block\): replace"):
        from_onnx(changed(add))
