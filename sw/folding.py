"""Folding: a prepared model's layers as integer weights, real scales and real biases, in float64.

What is folded here is *the* quantized ANN. The converter turns it into integers, and
:mod:`spikeloom.sw.reference` runs it in real numbers; they must agree on every count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx, nn

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph.layer_rules import conv_padding
from spikeloom.sw.graph.nodes import LayerSpec, SynapseSpec, Tap
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.prepare import activation_of, layers_of
from spikeloom.sw.quantize import QuantConv2d, QuantLinear

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldedSynapses:
    """One connection's weights, batch-norm folded in.

    Parameters
    ----------
    tap : Tap
        What it reads.
    weight : array of int64, shape (out, in) or (out, in, kernel height, kernel width)
    scale : array of float64, shape (out,)
        Positive real value of one unit of each channel's weights.
    stride, padding : (int, int)
        Of a convolution; (1, 1) and (0, 0) otherwise.
    """

    tap: Tap
    weight: IntArray
    scale: FloatArray
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class FoldedLayer:
    """One layer of the quantized ANN.

    Parameters
    ----------
    name : str
    synapses : tuple of FoldedSynapses
    bias : array of float64, shape (out,)
        Real.
    threshold : float or None
        λ; None for the output layer.
    levels : int or None
        L, which the layer was trained with; None for the output layer.
    """

    name: str
    synapses: tuple[FoldedSynapses, ...]
    bias: FloatArray
    threshold: float | None
    levels: int | None


def fold(prepared: nn.Module) -> list[FoldedLayer]:
    """Return the layers of a prepared model, in order, the output layer last.

    Raises
    ------
    UnsupportedError
        If the model was not prepared, or its weights are not finite.
    """
    layers = layers_of(prepared).layers
    assert isinstance(prepared, fx.GraphModule)
    return [_fold_layer(prepared, layer) for layer in layers]


def _fold_layer(prepared: fx.GraphModule, layer: LayerSpec) -> FoldedLayer:
    pairs = [_fold_synapses(prepared, synapse) for synapse in layer.synapses]
    bias = np.asarray(sum(b for _, b in pairs), dtype=np.float64)
    folded = tuple(synapses for synapses, _ in pairs)
    if not all(np.isfinite(values).all() for values in (bias, *(s.scale for s in folded))):
        raise UnsupportedError(
            f"layer {layer.name!r} has weights or statistics that are not finite: its training has "
            f"diverged; train again with a lower learning rate"
        )
    if layer.activation is None:
        return FoldedLayer(layer.name, folded, bias, None, None)
    activation = activation_of(prepared, layer)
    return FoldedLayer(layer.name, folded, bias, activation.threshold, activation.levels)


def _fold_synapses(
    prepared: fx.GraphModule, synapse: SynapseSpec
) -> tuple[FoldedSynapses, FloatArray]:
    module = prepared.get_submodule(synapse.target)
    if not isinstance(module, (QuantConv2d, QuantLinear)):
        raise UnsupportedError(f"the weights of {synapse.target!r} are not quantized: prepare() it")
    weight = module.int_weight()
    scale = np.array(module.channel_scale(), dtype=np.float64)
    bias = np.zeros(len(weight)) if module.bias is None else _float64(module.bias)
    if synapse.norm is not None:
        gain, offset = _gain(prepared.get_submodule(synapse.norm), len(weight))
        bias = bias * gain + offset
        # Quantization per channel commutes with a gain per channel; a negative gain turns the
        # integers' sign, and a gain of zero leaves nothing of them.
        weight = weight * np.sign(gain).astype(np.int64).reshape(-1, *[1] * (weight.ndim - 1))
        scale = np.where(gain == 0, scale, scale * np.abs(gain))
    stride, padding = (1, 1), (0, 0)
    if isinstance(module, QuantConv2d):
        stride, padding = (module.stride[0], module.stride[1]), conv_padding(module)
    return FoldedSynapses(synapse.tap, weight, scale, stride, padding), bias


def _gain(norm: Any, channels: int) -> tuple[FloatArray, FloatArray]:
    """Return a batch-norm as ``y = x * gain + offset``."""
    gamma = np.ones(channels) if norm.weight is None else _float64(norm.weight)
    beta = np.zeros(channels) if norm.bias is None else _float64(norm.bias)
    gain = gamma / np.sqrt(_float64(norm.running_var) + norm.eps)
    return gain, beta - _float64(norm.running_mean) * gain


def _float64(tensor: torch.Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().double().cpu().numpy()
    return array
