"""Activations with levels in a file: which are kept, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from support.models.onnx_graphs import QONNX, content, node

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.importing.onnx import from_onnx
from spikeloom.sw.quantized import SignedQCFS
from spikeloom.sw.quantized.activations import Activation

Array = np.ndarray[Any, Any]


def f(value: Any) -> Array:
    return np.array(value, dtype=np.float32)


def integers(*shape: int) -> Array:
    return f(np.random.default_rng(0).integers(-3, 4, shape))


def quant(inputs: str, outputs: str, **options: Any) -> onnx.NodeProto:
    return node("Quant", inputs, outputs, domain=QONNX, **options)


def activations(nodes: Sequence[onnx.NodeProto], tensors: dict[str, Any]) -> list[Activation]:
    nodes = [*nodes, node("Flatten", "y", "z")]
    given = {"w": integers(3, 2, 1, 1), **tensors}
    model = from_onnx(content(nodes, (2, 4, 4), given, output="z"))
    return [part for part in model.modules() if isinstance(part, Activation)]


FOUR = {"s": f(0.5), "zero": f(0), "bits": f(4)}


def test_levels_on_both_sides_become_signed() -> None:
    nodes = [node("Conv", "x w", "c"), quant("c s zero bits", "y", signed=1, narrow=1)]
    (found,) = activations(nodes, FOUR)
    assert isinstance(found, SignedQCFS)
    assert (found.levels, found.threshold, found.slope) == (7, pytest.approx(3.5), 1.0)


def test_levels_that_values_have_already_are_left_out() -> None:
    nodes = [
        node("Conv", "x w", "c"),
        quant("c s zero bits", "a", signed=0, narrow=0),
        node("MaxPool", "a", "m", kernel_shape=[2, 2], strides=[2, 2]),
        quant("m s zero bits", "y", signed=0, narrow=0),
    ]
    (found,) = activations(nodes, FOUR)
    assert (found.levels, found.given) == (15, True)


def test_zero_points_at_the_end_of_the_range_are_levels_from_0() -> None:
    nodes = [
        node("Conv", "x w", "c"),
        node("QuantizeLinear", "c s z", "q"),
        node("DequantizeLinear", "q s z", "y"),
    ]
    (found,) = activations(nodes, {"s": f(0.5), "z": np.array(-128, np.int8)})
    assert (found.levels, found.threshold) == (255, pytest.approx(127.5))


@pytest.mark.parametrize(
    ("zero", "pixels"),
    [
        (np.array(0, np.uint8), Pixels(8, 0.125)),
        (np.array(12, np.uint8), Pixels(8, 0.125, 12.0)),
        (np.array(0, np.int8), Pixels(8, 0.125, 0.0, signed=True)),
    ],
)
def test_a_rounded_input_describes_the_pixels(zero: Array, pixels: Pixels) -> None:
    graph = content(
        [
            node("QuantizeLinear", "x s z", "q"),
            node("DequantizeLinear", "q s z", "a"),
            node("Gemm", "a w", transB=1),
        ],
        (3,),
        {"s": f(0.125), "z": zero, "w": integers(2, 3)},
    )
    assert from_onnx(graph).pixels == pixels


LAYER = [node("Conv", "x w", "c"), node("Relu", "c", "r")]
REFUSED = {
    "levels that are not alike": (
        [LAYER[0], quant("c s zero bits", "y", signed=1, narrow=0)],
        FOUR,
        "has levels from -8 to 7, and spikes need levels from 0, or as many",
    ),
    "zero point": (
        [*LAYER, quant("r s one bits", "y", signed=0)],
        FOUR | {"one": f(1)},
        "its zero point must be 0: quantize symmetrically",
    ),
    "rounding": (
        [*LAYER, quant("r s zero bits", "y", signed=0, rounding_mode="FLOOR")],
        FOUR,
        "rounds by FLOOR: use ROUND",
    ),
    "bits": ([*LAYER, quant("r s zero s", "y", signed=0)], FOUR, "has 0.5 bits: use a whole"),
    "a scale for each channel": (
        [*LAYER, quant("r ss zero bits", "y", signed=0)],
        FOUR | {"ss": f([[[[1]], [[2]], [[3]]]])},
        "has a scale for each channel: activations need one for all",
    ),
    "another scale behind": (
        [
            *LAYER,
            node("QuantizeLinear", "r s z", "q"),
            node("DequantizeLinear", "q s2 z", "y"),
        ],
        {"s": f(1), "s2": f(2), "z": np.array(0, np.uint8)},
        "has another scale than its QuantizeLinear: use the same",
    ),
    "integers": (
        [*LAYER, node("QuantizeLinear", "r s z", "q"), node("Relu", "q", "y")],
        {"s": f(1), "z": np.array(0, np.uint8)},
        "reads the integers of a QuantizeLinear: put the DequantizeLinear right behind it",
    ),
    "binary activations": (
        [*LAYER, node("BipolarQuant", "r s", "y", domain=QONNX)],
        FOUR,
        "makes values -1 or 1, which spike counts cannot follow: use ReLU with a Quant",
    ),
    "scale of 0": (
        [node("DequantizeLinear", "i s", "w2"), node("Conv", "x w2", "y")],
        {"i": np.ones((3, 2, 1, 1), np.int8), "s": f(0)},
        "has a scale that is not positive",
    ),
    "zero point of weights": (
        [node("DequantizeLinear", "i s z", "w2"), node("Conv", "x w2", "y")],
        {"i": np.ones((3, 2, 1, 1), np.int8), "s": f(1), "z": np.array(3, np.int8)},
        "its zero point must be 0: quantize weights symmetrically",
    ),
    "scales of input channels": (
        [node("DequantizeLinear", "i s", "w2", axis=1), node("Conv", "x w2", "y")],
        {"i": np.ones((3, 2, 1, 1), np.int8), "s": f([1, 2])},
        "quantize the weights per output channel or per tensor",
    ),
    "wide weights": (
        [node("DequantizeLinear", "i s", "w2"), node("Conv", "x w2", "y")],
        {"i": np.full((3, 2, 1, 1), 1 << 20, np.int32), "s": f(1)},
        "its integer weights reach 1,048,576: use up to 16 bits",
    ),
    "a narrow range of pixels": (
        [quant("x s zero bits", "q", signed=1, narrow=1), node("Conv", "q w", "y")],
        FOUR,
        "rounds the input to -7 to 7 times its scale",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_refused(name: str) -> None:
    nodes, tensors, message = REFUSED[name]
    with pytest.raises(UnsupportedError) as caught:
        activations(nodes, tensors)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
