"""Folding: a prepared model's layers as integer weights, real scales and real biases, in float64.

The folded layers are the definition of the quantized ANN. The converter turns them into integers,
and :mod:`spikeloom.sw.conversion.reference` runs them in real numbers; both must agree on every
count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import LayerSpec, Pooling, SynapseSpec, Tap, conv_padding
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized import Activation, QuantConv2d, QuantLinear
from spikeloom.sw.quantized.additions import gain_of
from spikeloom.sw.quantized.prepare import activation_of, layers_of

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldedSynapses:
    """The weights of one connection, with batch-norm folded in.

    Parameters
    ----------
    tap : Tap
        The source, and the pool that it is read through.
    weight : array of int64
        Shape (out, in) of a fully connected layer, (out, in / groups, kernel height, kernel width)
        of a convolution, (channels,) of the identity of a residual shortcut.
    scale : array of float64, shape (out,)
        Positive real value of one unit of each channel's weights.
    stride, padding : (int, int)
        Of a convolution; (1, 1) and (0, 0) otherwise.
    groups : int
        Of a convolution; 1 otherwise.
    """

    tap: Tap
    weight: IntArray
    scale: FloatArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    @property
    def identity(self) -> bool:
        """Whether this is a residual shortcut, which adds the source's values as they are."""
        return self.weight.ndim == 1

    def currents(self, values: Tensor, weight: Tensor) -> Tensor:
        """Return the sums of weight times (pooled) value.

        Parameters
        ----------
        values : tensor, shape (N, *shape)
        weight : tensor
            Of the shape of ``self.weight``; the values may be others, such as real weights.
        """
        if weight.ndim == 1:
            return values * weight.reshape(-1, *[1] * (values.ndim - 2))
        if weight.ndim == 2:
            return functional.linear(values.flatten(1), weight)
        return functional.conv2d(
            values, weight, stride=self.stride, padding=self.padding, groups=self.groups
        )


def pooled(pool: Pooling | None, values: Tensor) -> Tensor:
    """Return the averages or maxima of a pool over values of (N, channels, height, width)."""
    if pool is None:
        return values
    function = functional.avg_pool2d if pool.kind == "sum" else functional.max_pool2d
    return function(values, pool.size)


@dataclass(frozen=True, eq=False)
class FoldedLayer:
    """One layer of the quantized ANN.

    Parameters
    ----------
    name : str
    synapses : tuple of FoldedSynapses
        In the order of the layer's addition; at least one has weights of its own.
    bias : array of float64, shape (out,)
        Real.
    activation : Activation or None
        None for the output layer.
    """

    name: str
    synapses: tuple[FoldedSynapses, ...]
    bias: FloatArray
    activation: Activation | None


def fold(prepared: nn.Module) -> list[FoldedLayer]:
    """Return the layers of a prepared model, in order, the output layer last.

    Raises
    ------
    UnsupportedError
        If the model was not prepared, or its weights are not finite.
    """
    layers = layers_of(prepared)
    assert isinstance(prepared, fx.GraphModule)
    return [_fold_layer(prepared, layer) for layer in layers]


def _fold_layer(prepared: fx.GraphModule, layer: LayerSpec) -> FoldedLayer:
    pairs = [_fold_synapses(prepared, s, s.target) for s in layer.synapses if s.target is not None]
    channels = len(pairs[0][0].weight)
    bias = np.asarray(sum(b for _, b in pairs), dtype=np.float64)
    weighted = iter(synapses for synapses, _ in pairs)
    folded = tuple(
        _shortcut(synapse, channels) if synapse.target is None else next(weighted)
        for synapse in layer.synapses
    )
    if not all(np.isfinite(values).all() for values in (bias, *(s.scale for s in folded))):
        raise UnsupportedError(
            f"layer {layer.name!r} has weights or statistics that are not finite: its training has "
            f"diverged; train again with a lower learning rate"
        )
    activation = None if layer.activation is None else activation_of(prepared, layer)
    return FoldedLayer(layer.name, folded, bias, activation)


def _shortcut(synapse: SynapseSpec, channels: int) -> FoldedSynapses:
    return FoldedSynapses(synapse.tap, np.ones(channels, dtype=np.int64), np.ones(channels))


def _fold_synapses(
    prepared: fx.GraphModule, synapse: SynapseSpec, target: str
) -> tuple[FoldedSynapses, FloatArray]:
    module = prepared.get_submodule(target)
    if not isinstance(module, (QuantConv2d, QuantLinear)):
        raise UnsupportedError(f"the weights of {target!r} are not quantized: prepare() it")
    weight = module.int_weight()
    scale = np.array(module.channel_scale(), dtype=np.float64)
    bias = np.zeros(len(weight)) if module.bias is None else _float64(module.bias)
    if synapse.norm is not None:
        gain, offset = _gain(prepared.get_submodule(synapse.norm))
        bias = bias * gain + offset
        # Quantization per channel commutes with a gain per channel; a negative gain turns the
        # integers' sign, and a gain of zero leaves nothing of them.
        weight = weight * np.sign(gain).astype(np.int64).reshape(-1, *[1] * (weight.ndim - 1))
        scale = np.where(gain == 0, scale, scale * np.abs(gain))
    if isinstance(module, QuantConv2d):
        stride = (module.stride[0], module.stride[1])
        padding = conv_padding(module)
        return FoldedSynapses(synapse.tap, weight, scale, stride, padding, module.groups), bias
    return FoldedSynapses(synapse.tap, weight, scale), bias


def _gain(norm: Any) -> tuple[FloatArray, FloatArray]:
    """Return a batch-norm as ``y = x * gain + offset``."""
    gain = _float64(gain_of(norm))
    beta = np.zeros_like(gain) if norm.bias is None else _float64(norm.bias)
    return gain, beta - _float64(norm.running_mean) * gain


def _float64(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().double().cpu().numpy()
    return array
