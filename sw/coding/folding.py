"""Folding: a prepared model's layers as integer weights, real scales and real biases, in float64.

The folded layers are the definition of the quantized ANN. The converter turns them into integers,
and :mod:`spikeloom.sw.conversion.reference` runs them in real numbers; both must agree on every
count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from spikeloom.sw.coding import lowering
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.graph import (
    Axis,
    LayerSpec,
    Pooling,
    Selection,
    SynapseSpec,
    Tap,
    conv_padding,
    map_shape,
)
from spikeloom.sw.network import (
    INPUT,
    Conv2d,
    Identity,
    Linear,
    MaxPool,
    Pool,
    Shape,
    Synapses,
)
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized import Activation, QuantConv1d, QuantConv2d, QuantLinear
from spikeloom.sw.quantized.additions import gain_of
from spikeloom.sw.quantized.prepared import META, activation_of, layers_of, require_threshold
from spikeloom.sw.quantized.weights import QuantizedWeights, QuantShortcut, weights_of

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
    identity : bool
        Whether this is a residual shortcut, which adds the source's values as they are.
    summed : int
        Area of the sums beyond the pool, by which an average divides.
    """

    tap: Tap
    weight: IntArray
    scale: FloatArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    identity: bool = False
    summed: int = 1

    @property
    def divisor(self) -> int:
        """Area of all sums between the source and the layer."""
        return self.tap.area * self.summed

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
    """Return the averages or maxima of a pool over values of (N, channels, height, width).

    Signals, (N, channels, length), have a height of 1.
    """
    if values.ndim == 3:
        values = values[:, :, None]
    if pool is None:
        return values
    if pool.kind == "sum":
        return functional.avg_pool2d(values, pool.size)
    return functional.max_pool2d(values, pool.size, pool.stride, pool.padding, ceil_mode=pool.ceil)


def pool_of(pooling: Pooling | None) -> Pool | None:
    """Return the pool of the contract that stands for a model's pooling."""
    if pooling is None:
        return None
    if pooling.kind == MaxPool.kind:
        return MaxPool(pooling.size, pooling.stride, pooling.padding, pooling.ceil)
    return Pool.kinds[pooling.kind](pooling.size)


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
    folder = _Folder(prepared)
    return [folder.fold(layer) for layer in layers]


class _Folder:
    """Folds layer after layer, and keeps the shapes of those before."""

    def __init__(self, prepared: fx.GraphModule) -> None:
        self.prepared = prepared
        self.shapes: dict[str, Shape] = {INPUT: map_shape(prepared.meta[META]["input_shape"])}

    def fold(self, layer: LayerSpec) -> FoldedLayer:
        pairs = [self._synapses(synapse) for synapse in layer.synapses]
        biases = [
            bias
            for (_, bias), synapse in zip(pairs, layer.synapses, strict=True)
            if synapse.norm is None
        ]
        # A batch-norm behind an addition scales every summand, but shifts the sum once.
        for norm in dict.fromkeys(s.norm for s in layer.synapses if s.norm is not None):
            gain, offset = _gain(self.prepared.get_submodule(norm))
            normed = [
                bias
                for (_, bias), synapse in zip(pairs, layer.synapses, strict=True)
                if synapse.norm == norm
            ]
            biases.append(np.asarray(sum(normed), dtype=np.float64) * gain + offset)
        folded = tuple(synapses for synapses, _ in pairs)
        bias = np.asarray(sum(biases), dtype=np.float64)
        if not all(np.isfinite(values).all() for values in (bias, *(s.scale for s in folded))):
            raise UnsupportedError(
                f"layer {layer.name!r} has weights or statistics that are not finite: its training "
                f"has diverged; train again with a lower learning rate"
            )
        first = folded[0]
        self.shapes[layer.name] = lowered_synapses(first).shape(
            pooled_shape(first.tap, self.shapes)
        )
        activation = None if layer.activation is None else activation_of(self.prepared, layer)
        if activation is not None:
            require_threshold(layer.name, activation)
        return FoldedLayer(layer.name, folded, bias, activation)

    def _synapses(self, synapse: SynapseSpec) -> tuple[FoldedSynapses, FloatArray]:
        """Return a synapse in integers, and its bias ahead of the batch-norm."""
        source = pooled_shape(synapse.tap, self.shapes)
        if synapse.target is None:
            return self._shortcut(synapse, source)
        module = weights_of(self.prepared, synapse)
        if not isinstance(module, QuantizedWeights):
            raise UnsupportedError(
                f"the weights of {synapse.target!r} are not quantized: prepare() it"
            )
        if not torch.isfinite(module.weight).all():
            raise UnsupportedError(
                f"the weights of {synapse.target!r} are not finite: its training has diverged; "
                f"train again with a lower learning rate"
            )
        weight = module.int_weight()
        scale = np.array(module.channel_scale(), dtype=np.float64)
        bias = np.zeros(len(weight)) if module.bias is None else _float64(cast(Tensor, module.bias))
        if synapse.norm is not None:
            weight, scale = self._scaled(synapse.norm, weight, scale)
        if isinstance(module, QuantShortcut):
            return _copies(synapse, weight[:, 0], scale, source), bias
        if isinstance(module, QuantLinear):
            weight = lowering.linear(weight, synapse.tap, source)
            return FoldedSynapses(synapse.tap, weight, scale, summed=_summed(synapse)), bias
        assert isinstance(module, (QuantConv1d, QuantConv2d))
        flat = weight.ndim == 3
        lowered = lowering.convolution(
            weight[:, :, None] if flat else weight,
            synapse.tap,
            stride=_pair(module.stride, flat),
            padding=conv_padding(module),
            dilation=_pair(module.dilation, flat),
            groups=module.groups,
            average=(1, 1) if synapse.average is None else synapse.average.size,
            source=source,
        )
        return _convolved(synapse, lowered, scale), bias

    def _shortcut(self, synapse: SynapseSpec, source: Shape) -> tuple[FoldedSynapses, FloatArray]:
        view = synapse.tap.view
        selection = None if view is None else view.channels
        channels = source[0] if selection is None else len(selection.chosen)
        weight, scale = np.ones(channels, dtype=np.int64), np.ones(channels)
        if synapse.norm is not None:
            weight, scale = self._scaled(synapse.norm, weight, scale)
        return _copies(synapse, weight, scale, source, identity=True), np.zeros(channels)

    def _scaled(
        self, norm: str, weight: IntArray, scale: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Return weights and scales with the gain of a batch-norm.

        Quantization per channel commutes with a gain per channel; a negative gain turns the
        integers' sign, and a gain of zero leaves nothing of them.
        """
        gain, _ = _gain(self.prepared.get_submodule(norm))
        weight = weight * np.sign(gain).astype(np.int64).reshape(-1, *[1] * (weight.ndim - 1))
        return weight, np.where(gain == 0, scale, scale * np.abs(gain))


def pooled_shape(tap: Tap, shapes: Mapping[str, Shape]) -> Shape:
    """Return the shape of a tap's source behind its pool."""
    shape, pool = shapes[tap.source], pool_of(tap.pool)
    return shape if pool is None else pool.shape(shape)


def lowered_synapses(folded: FoldedSynapses, weight: IntArray | None = None) -> Synapses:
    """Return the contract's synapses, with the weights of a shared unit or with their own."""
    weight = folded.weight if weight is None else weight
    if weight.ndim == 1:
        return Identity(weight)
    if weight.ndim == 2:
        return Linear(weight)
    return Conv2d(weight, folded.stride, folded.padding, folded.groups)


def _copies(
    synapse: SynapseSpec,
    weight: IntArray,
    scale: FloatArray,
    source: Shape,
    identity: bool = False,
) -> FoldedSynapses:
    """Return a shortcut with one weight for each channel: an identity, or a convolution."""
    if synapse.tap.view is None:
        return FoldedSynapses(
            synapse.tap, weight, scale, identity=identity, summed=_summed(synapse)
        )
    kernel = weight[:, None, None, None]
    lowered = lowering.convolution(kernel, synapse.tap, groups=len(weight), source=source)
    return _convolved(synapse, lowered, scale, identity)


def _convolved(
    synapse: SynapseSpec, lowered: lowering.Lowered, scale: FloatArray, identity: bool = False
) -> FoldedSynapses:
    return FoldedSynapses(
        synapse.tap,
        lowered.weight,
        scale,
        lowered.stride,
        lowered.padding,
        lowered.groups,
        identity,
        _summed(synapse),
    )


def _summed(synapse: SynapseSpec) -> int:
    return synapse.divisor // synapse.tap.area


def _pair(value: Any, flat: bool) -> tuple[int, int]:
    """Return an option of a convolution for rows and columns; signals have rows of 1."""
    return (1, int(value[0])) if flat else (int(value[0]), int(value[1]))


def read(tap: Tap, values: Tensor) -> Tensor:
    """Return the values that a tap shows of its source's.

    Parameters
    ----------
    tap : Tap
    values : tensor, shape (N, *shape)

    Returns
    -------
    tensor
        Averages where there are sums.
    """
    values = pooled(tap.pool, values)
    if tap.view is not None:
        if tap.view.channels is not None:
            values = _chosen(values, tap.view.channels)
        for axis, at in ((tap.view.rows, 2), (tap.view.columns, 3)):
            if axis is not None:
                values = _along(values, axis, at)
        values = values / tap.view.area
    if tap.flat:
        values = values.flatten(1)
    return values if tap.features is None else _chosen(values, tap.features)


def _chosen(values: Tensor, selection: Selection) -> Tensor:
    places = [selection.size if place is None else place for place in selection.chosen]
    nothing = torch.zeros_like(values[:, :1])
    index = torch.tensor(places, device=values.device)
    return torch.cat([values, nothing], 1).index_select(1, index)


def _along(values: Tensor, axis: Axis, at: int) -> Tensor:
    """Return the sums of an axis of a view."""
    selections = (
        [axis.first + axis.step * i + j for i in range(axis.count)] for j in range(axis.width)
    )
    turned = values.transpose(1, at)
    parts = [
        _chosen(turned, Selection(axis.size, tuple(i if 0 <= i < axis.size else None for i in s)))
        for s in selections
    ]
    return sum(parts[1:], parts[0]).transpose(1, at)


def _gain(norm: Any) -> tuple[FloatArray, FloatArray]:
    """Return a batch-norm as ``y = x * gain + offset``."""
    gain = _float64(gain_of(norm))
    beta = np.zeros_like(gain) if norm.bias is None else _float64(norm.bias)
    return gain, beta - _float64(norm.running_mean) * gain


def _float64(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().double().cpu().numpy()
    return array
