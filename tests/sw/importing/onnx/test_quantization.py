"""Integer weights stay as they are from the file to the network; activations keep their levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from support.models.onnx_graphs import QONNX, content, node
from torch import nn

from spikeloom.sw.conversion import convert
from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.golden import Golden
from spikeloom.sw.importing.onnx import from_onnx
from spikeloom.sw.network import Network
from spikeloom.sw.quantized import QCFS, initialise, prepare
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


def test_all_of_a_network_in_qdq() -> None:
    """As ONNX Runtime writes it: input, biases, activations, pools and outputs."""
    small, zero = np.array(0, np.uint8), np.array(0, np.int32)
    conv, head = integers(3, 1, 3, 3, top=127), integers(5, 3, top=127, seed=1)
    biases = {"cb": integers(3, top=4000), "hb": integers(5, top=4000)}
    graph = content(
        [
            node("QuantizeLinear", "x px small", "xq"),
            node("DequantizeLinear", "xq px small", "xd"),
            node("DequantizeLinear", "w ws", "wd", axis=0),
            node("DequantizeLinear", "cb bs zero", "cbd", axis=0),
            node("Conv", "xd wd cbd", "c"),
            node("QuantizeLinear", "c as small", "q"),
            node("DequantizeLinear", "q as small", "r"),
            node("MaxPool", "r", "m", kernel_shape=[2, 2], strides=[2, 2]),
            node("QuantizeLinear", "m as small", "mq"),
            node("DequantizeLinear", "mq as small", "md"),
            node("GlobalAveragePool", "md", "g"),
            node("QuantizeLinear", "g gs small", "gq"),
            node("DequantizeLinear", "gq gs small", "gd"),
            node("Flatten", "gd", "flat"),
            node("DequantizeLinear", "v vs", "vd"),
            node("DequantizeLinear", "hb hs", "hbd"),
            node("Gemm", "flat vd hbd", "l", transB=1),
            node("QuantizeLinear", "l ls lz", "lq"),
            node("DequantizeLinear", "lq ls lz", "y"),
        ],
        SHAPE,
        {
            "px": f(1 / 255),
            "w": conv.astype(np.int8),
            "ws": CONV_SCALE,
            "cb": biases["cb"].astype(np.int32),
            "bs": CONV_SCALE / f(255),
            "as": STEP,
            "gs": STEP / f(2),
            "v": head.astype(np.int8),
            "vs": HEAD_SCALE,
            "hb": biases["hb"].astype(np.int32),
            "hs": HEAD_SCALE * STEP / f(2),
            "ls": f(0.1),
            "lz": np.array(128, np.uint8),
            "small": small,
            "zero": zero,
        },
    )
    with pytest.warns(UserWarning, match="rounds the outputs, which no network does"):
        model = from_onnx(graph)
    assert model.pixels == Pixels(8, float(f(1 / 255)))
    prepared = prepare(model, input_shape=SHAPE, pixels=model.pixels)
    images = np.random.default_rng(2).integers(0, 256, (40, *SHAPE))
    network = convert(prepared, check=images)
    assert [layer.timesteps for layer in network.layers[:-1]] == [255, 255]
    found = weights(network)
    assert np.array_equal(found[0], conv)
    assert np.array_equal(found[-1].reshape(5, 3), head)
    agreement = network.about["agreement"]
    assert agreement["network_as_prepared"] == agreement["images"] == 40


def test_integers_that_are_clipped_to_fewer_bits() -> None:
    """As Brevitas writes it in QCDQ."""
    weight = f(integers(3, 2, 1, 1, top=9)) * f(0.25)
    graph = content(
        [
            node("QuantizeLinear", "w s zero", "wq"),
            node("Clip", "wq low high", "wc"),
            node("DequantizeLinear", "wc s zero", "wd"),
            node("Conv", "x wd", "c"),
            node("QuantizeLinear", "c s small", "q"),
            node("Clip", "q none most", "qc"),
            node("DequantizeLinear", "qc s small", "r"),
            node("Flatten", "r"),
        ],
        (2, 2, 2),
        {
            "w": weight,
            "s": f(0.25),
            "zero": np.array(0, np.int8),
            "low": np.array(-7, np.int8),
            "high": np.array(7, np.int8),
            "small": np.array(0, np.uint8),
            "none": np.array(0, np.uint8),
            "most": np.array(15, np.uint8),
        },
    )
    modules = list(from_onnx(graph).modules())
    (conv,) = (part for part in modules if isinstance(part, QuantConv2d))
    assert conv.int_weight().tolist() == (weight * 4).clip(-7, 7).astype(int).tolist()
    (activation,) = (part for part in modules if isinstance(part, QCFS))
    assert (activation.levels, activation.threshold) == (15, pytest.approx(3.75))
