"""Integer weights stay as they are from the file to the network; activations keep their levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from support.models.onnx_graphs import QONNX, content, node
from torch import nn

from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.golden import Golden
from spikeloom.sw.importing.onnx import from_onnx
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import QCFS, SignedQCFS, initialise, prepare
from spikeloom.sw.quantized.activations import Activation
from spikeloom.sw.quantized.weights import QuantConv2d, QuantLinear

Array = np.ndarray[Any, Any]
SHAPE = (1, 6, 6)


def f(value: Any) -> Array:
    return np.array(value, dtype=np.float32)


def integers(*shape: int, top: int, seed: int = 0, low: int | None = None) -> Array:
    """Return random integers up to ``top``, which no channel needs to reach."""
    rng = np.random.default_rng(seed)
    return rng.integers(-top if low is None else low, top, shape, endpoint=True)


def quant(inputs: str, outputs: str, **options: Any) -> onnx.NodeProto:
    return node("Quant", inputs, outputs, domain=QONNX, **options)


#: Integer weights of a small network, below 4 bits and below 8 bits with a scale for all.
CONV, HEAD = integers(3, 1, 3, 3, top=6), integers(5, 48, top=50, seed=1)
CONV_SCALE, HEAD_SCALE = f([0.013, 0.11, 0.027]), f(0.0123)
BIASES = {"cb": f([0.1, -0.2, 0.3]), "hb": f([0.1, 0.0, -0.1, 0.3, 0.2])}
#: Levels of the activation, and their distance.
LEVELS, STEP = 15, f(0.043)


def brevitas() -> bytes:
    """Return a network as Brevitas exports it in QONNX."""
    return content(
        [
            quant("w ws zero four", "wq", signed=1, narrow=1, rounding_mode="ROUND"),
            node("Conv", "x wq cb", "c", name="/conv/Conv"),
            node("Relu", "c", "r"),
            quant("r as zero four", "a", signed=0, narrow=0, rounding_mode="ROUND"),
            node("Flatten", "a", "flat"),
            quant("v vs zero eight", "vq", signed=1, narrow=1, rounding_mode="ROUND"),
            node("Transpose", "vq", "vt", perm=[1, 0]),
            node("MatMul", "flat vt", "m"),
            node("Add", "m hb", "y"),
        ],
        SHAPE,
        {
            "w": f(CONV * CONV_SCALE.reshape(3, 1, 1, 1)),
            "ws": CONV_SCALE.reshape(3, 1, 1, 1),
            "v": f(HEAD * HEAD_SCALE),
            "vs": HEAD_SCALE,
            "as": STEP,
            "zero": f(0),
            "four": f(4),
            "eight": f(8),
            **BIASES,
        },
    )


def qdq() -> bytes:
    """Return the same network with QuantizeLinear and DequantizeLinear."""
    zero = np.array(0, np.int8)
    return content(
        [
            node("DequantizeLinear", "w ws", "wq", axis=0),
            node("Conv", "x wq cb", "c", name="/conv/Conv"),
            node("Relu", "c", "r"),
            node("QuantizeLinear", "r as zero", "q"),
            node("DequantizeLinear", "q as zero", "a"),
            node("Flatten", "a", "flat"),
            node("DequantizeLinear", "v vs zero", "vq"),
            node("Gemm", "flat vq hb", "y", transB=1),
        ],
        SHAPE,
        {
            "w": CONV.astype(np.int8),
            "ws": CONV_SCALE,
            "v": HEAD.astype(np.int8),
            "vs": HEAD_SCALE,
            "as": STEP,
            "zero": zero,
            **BIASES,
        },
    )


def converted(content: bytes) -> tuple[nn.Module, Network]:
    model = from_onnx(content)
    prepared = prepare(model, input_shape=SHAPE, pixels=Pixels(8))
    images = np.random.default_rng(2).integers(0, 256, (40, *SHAPE))
    initialise(prepared, torch.from_numpy(images / 255).float())
    return prepared, convert(prepared, check=images)


def weights(network: Network) -> list[Array]:
    found: list[Any] = [layer.connections[0].synapses for layer in network.layers]
    return [np.array(synapses.weight) for synapses in found]


@pytest.mark.parametrize(("written", "levels"), [(brevitas, LEVELS), (qdq, 127)])
def test_the_network_has_the_integers_of_the_file(written: Any, levels: int) -> None:
    prepared, network = converted(written())
    conv, head = weights(network)
    assert np.array_equal(conv, CONV)
    assert np.array_equal(head.reshape(HEAD.shape), HEAD)
    assert network.layers[0].timesteps == levels
    (activation,) = (part for part in prepared.modules() if isinstance(part, Activation))
    assert activation.levels == levels
    assert activation.threshold == pytest.approx(float(STEP) * levels)
    agreement = network.about["agreement"]
    assert agreement["network_as_prepared"] == agreement["images"] == 40


def test_the_golden_model_has_the_file_s_counts_and_logits() -> None:
    _, network = converted(brevitas())
    images = np.random.default_rng(3).integers(0, 256, (9, *SHAPE))
    result = Golden(network).run(torch.from_numpy(images))
    # In float64, by the file's own words; no value is so near to a tie that float32 would matter.
    x = torch.from_numpy(images / 255)
    conv = torch.from_numpy(CONV * CONV_SCALE.astype(float).reshape(3, 1, 1, 1))
    current = nn.functional.conv2d(x, conv, torch.from_numpy(BIASES["cb"].astype(float)))
    share = current / float(STEP)
    assert (share % 1 - 0.5).abs().min() > 1e-5
    counts = share.round().clamp(0, LEVELS)
    found = result.counts[network.layers[0].name]
    assert torch.equal(found.reshape(counts.shape), counts.long())
    logits = counts.flatten(1) * float(STEP) @ torch.from_numpy(HEAD * float(HEAD_SCALE)).T
    logits += torch.from_numpy(BIASES["hb"].astype(float))
    assert torch.equal(result.labels, logits.argmax(1))


def test_training_goes_on_from_the_integers() -> None:
    model = from_onnx(brevitas())
    prepared = prepare(model, input_shape=SHAPE)
    (conv,) = (part for part in prepared.modules() if isinstance(part, QuantConv2d))
    prepared.train()
    prepared(torch.rand(2, *SHAPE)).sum().backward()
    assert conv.weight.grad is not None
    assert np.array_equal(conv.int_weight(), CONV)


def test_other_levels_can_be_chosen() -> None:
    prepared = prepare(from_onnx(brevitas()), input_shape=SHAPE, timesteps=7)
    (activation,) = (part for part in prepared.modules() if isinstance(part, QCFS))
    assert activation.levels == 7
    assert activation.threshold == pytest.approx(float(STEP) * LEVELS)


def test_the_smallest_integer_of_a_full_range_is_kept() -> None:
    whole = integers(4, 6, top=127, low=-128)
    whole[0, 0] = -128
    model = from_onnx(
        content(
            [node("DequantizeLinear", "w s", "v"), node("Gemm", "x v", transB=1)],
            (6,),
            {"w": whole.astype(np.int8), "s": f(0.01)},
        )
    )
    (layer,) = (part for part in model.modules() if isinstance(part, QuantLinear))
    assert (layer.bits, layer.int_weight().tolist()) == (9, whole.tolist())


def test_weights_of_one_bit_become_integers() -> None:
    weight = f([[0.3, -0.2, 0.0], [-1.0, 2.0, -0.1]])
    model = from_onnx(
        content(
            [
                node("BipolarQuant", "w s", "v", domain=QONNX),
                node("Transpose", "v", "t", perm=[1, 0]),
                node("MatMul", "x t"),
            ],
            (3,),
            {"w": weight, "s": f(0.5)},
        )
    )
    (layer,) = (part for part in model.modules() if isinstance(part, QuantLinear))
    assert (layer.bits, layer.int_weight().tolist()) == (2, [[1, -1, 1], [-1, 1, -1]])
    assert model(torch.ones(1, 3)).tolist() == [[0.5, -0.5]]


def test_weights_rounded_in_the_file_are_rounded_half_to_even() -> None:
    model = from_onnx(
        content(
            [
                node("QuantizeLinear", "w s zero", "q"),
                node("DequantizeLinear", "q s zero", "v"),
                node("Gemm", "x v", transB=1),
            ],
            (4,),
            {"w": f([[0.5, 1.5, -2.5, 400.0]]), "s": f(1), "zero": np.array(0, np.int8)},
        )
    )
    (layer,) = (part for part in model.modules() if isinstance(part, QuantLinear))
    assert layer.int_weight().tolist() == [[0, 2, -2, 127]]


def test_a_scale_for_each_logit_is_given_up_with_a_warning() -> None:
    graph = content(
        [node("DequantizeLinear", "w s", "v", axis=0), node("Gemm", "x v b", transB=1)],
        (6,),
        {"w": integers(3, 6, top=7).astype(np.int8), "s": f([0.1, 0.2, 0.3]), "b": f([1, 2, 3])},
    )
    with pytest.warns(UserWarning, match="the last layer have a scale for each output"):
        model = from_onnx(graph)
    (layer,) = model.children()
    assert type(layer) is nn.Linear
    images = torch.ones(1, 6)
    expected = integers(3, 6, top=7).sum(1) * f([0.1, 0.2, 0.3]) + f([1, 2, 3])
    np.testing.assert_allclose(model(images)[0].detach().numpy(), expected, rtol=1e-6)


def test_side_by_side_sources_keep_the_scale() -> None:
    whole = integers(4, 6, 1, 1, top=7)
    graph = content(
        [
            node("Conv", "x a", "p"),
            node("Relu", "p", "pr"),
            node("Conv", "x b", "q"),
            node("Relu", "q", "qr"),
            node("Concat", "pr qr", "joined", axis=1),
            node("DequantizeLinear", "w s", "v"),
            node("Conv", "joined v", "c"),
            node("Relu", "c", "r"),
            node("Flatten", "r", "flat"),
            node("Gemm", "flat h", transB=1),
        ],
        (2, 3, 3),
        {
            "a": f(integers(3, 2, 1, 1, top=3)),
            "b": f(integers(3, 2, 1, 1, top=3, seed=4)),
            "w": whole.astype(np.int8),
            "s": f(0.05),
            "h": f(integers(2, 36, top=3)),
        },
    )
    prepared = prepare(from_onnx(graph), input_shape=(2, 3, 3))
    parts = [
        part
        for part in prepared.modules()
        if isinstance(part, QuantConv2d) and part.weight.shape == (4, 3, 1, 1)
    ]
    # Both sources are worth the same, since no threshold has been set.
    assert np.array_equal(np.concatenate([part.int_weight() for part in parts], 1), whole)


def activations(nodes: Sequence[onnx.NodeProto], tensors: dict[str, Any]) -> list[Activation]:
    graph = content(nodes, (2, 4, 4), {"w": f(integers(3, 2, 1, 1, top=3)), **tensors})
    model = from_onnx(graph)
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
        {"s": f(0.125), "z": zero, "w": f(integers(2, 3, top=3))},
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
