"""Layers with weights of few bits: symmetric, per channel, with a straight-through gradient."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spikeloom.sw.errors import ConfigError
from spikeloom.sw.graph import SynapseSpec, mask_of
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.quantized.additions import Addition

MIN_BITS, MAX_BITS = 2, 16
#: Clip ratios, relative to max|w|, that the search for the best scale tries first, ...
_COARSE = [step / 40 for step in range(2, 41)]
#: ... and then around the best of them, as differences.
_FINE = [step / 400 for step in range(-9, 10) if step]
#: Weights that are searched at a time: as many as a processor's cache holds.
_CHUNK = 1 << 16


def largest(bits: int) -> int:
    """Return the largest magnitude of a narrow-range integer: 1 for 2 bits, 127 for 8.

    Raises
    ------
    ConfigError
        If ``bits`` is not an integer from 2 to 16.
    """
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise ConfigError(f"weight bits must be an integer, not {bits!r}")
    if not MIN_BITS <= bits <= MAX_BITS:
        raise ConfigError(f"weight bits must be from {MIN_BITS} to {MAX_BITS}, not {bits}")
    return (1 << (bits - 1)) - 1


def quantize(weight: Tensor, scale: Tensor, bits: int, finer: Tensor | None = None) -> Tensor:
    """Return ``weight / scale``, rounded to the nearest integers of ``bits`` bits (narrow range).

    Parameters
    ----------
    weight : tensor, shape (channels, ...)
    scale : tensor, shape (channels,) or (1,)
        Positive.
    bits : int
    finer : tensor, shape (channels,), optional
        Factor, at least 1, by which the integers of each channel may exceed ``bits`` bits.

    Returns
    -------
    tensor of float32
        Integers. The quotient is always computed in float32, where IEEE 754 defines it to the last
        bit: a model in float64 has the same integer weights as the float32 model it was made from.
    """
    top = largest(bits)
    flat = (weight.flatten(1).float() / scale.float()[:, None]).round()
    if finer is None:
        return flat.clamp(-top, top).reshape(weight.shape)
    tops = (top * finer).round().float()[:, None]
    return flat.clamp(-tops, tops).reshape(weight.shape)


def best_scale(weight: Tensor, bits: int, per_channel: bool = True) -> Tensor:
    """Return the scales that minimise the squared error of the quantized weights.

    Each clip ratio of a grid is refined by least squares (for fixed integers q the best scale is
    ``<w, q> / <q, q>``), and the best of all is taken.

    Parameters
    ----------
    weight : tensor, shape (channels, ...)
    bits : int
    per_channel : bool
        Whether each output channel has a scale of its own, or all have one.

    Returns
    -------
    tensor, shape (channels,) or (1,)
        Of the weight's dtype; 1 where all weights are zero.
    """
    top = largest(bits)
    with torch.no_grad():
        flat = (weight if per_channel else weight[None]).flatten(1).float()
        rows = max(1, _CHUNK // flat.shape[1])
        found = [_search(flat[i : i + rows], top) for i in range(0, len(flat), rows)]
        return torch.cat(found).to(weight.dtype)


def _search(flat: Tensor, top: int) -> Tensor:
    peak = flat.abs().amax(1)
    whole = torch.where(peak > 0, peak / top, torch.ones_like(peak))
    best, ratio = whole, torch.ones_like(peak)
    least = torch.full_like(peak, torch.inf)
    for candidates in (_COARSE, _FINE):
        centre = 0.0 if candidates is _COARSE else ratio.clone()
        for candidate in candidates:
            tried = (centre + candidate) * torch.ones_like(peak)
            scale = _least_squares(flat, whole * tried, top)
            error = (flat - _round(flat, scale, top) * scale[:, None]).square().sum(1)
            better = error < least
            least = torch.where(better, error, least)
            best, ratio = torch.where(better, scale, best), torch.where(better, tried, ratio)
    return torch.where(peak > 0, best, whole)


def _round(flat: Tensor, scale: Tensor, top: int) -> Tensor:
    return (flat / scale[:, None]).round().clamp(-top, top)


def _least_squares(flat: Tensor, scale: Tensor, top: int) -> Tensor:
    """Return the best scales for the integers that result from ``scale``.

    A channel whose integers are all 0 would never come back, so it gets a fresh scale.
    """
    q = _round(flat, scale, top)
    power = q.square().sum(1)
    peak = flat.abs().amax(1)
    fresh = torch.where(peak > 0, peak / top, scale)
    return torch.where(power > 0, (flat * q).sum(1) / power.clamp(min=1), fresh)


class _StraightThrough(torch.autograd.Function):
    """Has the value of the second argument, and passes the gradient to the first."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, quantized: Tensor) -> Tensor:
        return quantized.view_as(quantized)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class QuantizedWeights(nn.Module):
    """Base of layers with quantized weights; the real weights stay in ``weight``.

    ``scale`` is the best scale for these weights. Where several connections are added up,
    ``addition`` derives the scale that is used from the unit that they share. ``mask`` is 0 where
    weights were pruned, or where a source has none, and keeps them at 0 in training.
    """

    weight: Tensor
    scale: Tensor
    bits: int
    addition: Addition | None = None
    mask: Tensor | None

    def _quantize_with(
        self,
        bits: int,
        per_channel: bool,
        mask: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> None:
        self.bits = bits
        self.register_buffer("mask", mask, persistent=False)
        if scale is None:  # otherwise the weights are integers times a scale already
            scale = best_scale(self.weight, bits, per_channel)
        self.register_buffer("scale", scale.clone())

    def requantize(self, bits: int) -> None:
        """Round to integers of other bits from now on, with the best scale for these weights.

        Parameters
        ----------
        bits : int
            2 to 16.
        """
        if bits != self.bits:
            self.bits = bits
            # One scale may stand for all channels.
            per_channel = len(self.scale) == len(self.weight)
            self.scale.copy_(best_scale(self._real(), bits, per_channel))

    def _real(self) -> Tensor:
        """Return the weights, 0 where there are none."""
        return self.weight if self.mask is None else self.weight * self.mask

    def quantized_weight(self) -> Tensor:
        """Return the quantized weights; in training, the scale is first adapted to the weights."""
        with torch.no_grad():
            if self.training:
                flat = self._real().reshape(len(self.scale), -1)
                self.scale.copy_(_least_squares(flat, self.scale, largest(self.bits)))
            scale = self._channel_scale()
            value = self._integers(scale) * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        result: Tensor = _StraightThrough.apply(  # type: ignore[no-untyped-call]
            self._real(), value.to(self.weight.dtype)
        )
        return result

    def int_weight(self) -> IntArray:
        """Return the integer weights, as the network's connection has them.

        Returns
        -------
        array of int64, of the weight's shape
            Magnitudes are up to ``largest(bits)``, or more where an addition's unit is finer than
            ``scale``. Times :meth:`channel_scale`, they are exactly the weights that the layer
            computes with in eval mode.
        """
        with torch.no_grad():
            q = self._integers(self._channel_scale())
        return q.cpu().numpy().astype(np.int64)

    def channel_scale(self) -> list[float]:
        """Return the real value of one unit of the integer weights, per output channel."""
        values: list[float] = self._channel_scale().double().tolist()
        return values

    def _channel_scale(self) -> Tensor:
        if self.addition is not None:
            return self.addition.scale(self)
        return self.scale.expand(len(self.weight))

    def _integers(self, scale: Tensor) -> Tensor:
        if self.addition is None:
            return quantize(self._real(), scale, self.bits)
        return quantize(self._real(), scale, self.bits, (self.scale / scale).clamp(min=1))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bits={self.bits}"


class _QuantConv(QuantizedWeights):
    """Base of convolutions with quantized weights."""

    @classmethod
    def of(
        cls, conv: Any, bits: int, per_channel: bool = True, scale: Tensor | None = None
    ) -> Self:
        """Return the quantized form of ``conv``, whose parameters it takes over, on ``scale``."""
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            device="meta",  # no memory and no random numbers for weights that are replaced
        )
        layer.weight, layer.bias = conv.weight, conv.bias
        layer._quantize_with(bits, per_channel, mask_of(conv), scale)
        return layer.train(conv.training)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve with the quantized weights."""
        result: Tensor = self._conv_forward(  # type: ignore[operator]  # of torch's convolutions
            input, self.quantized_weight(), self.bias
        )
        return result


class QuantConv2d(_QuantConv, nn.Conv2d):
    """A 2-D convolution with quantized weights.

    ``scale`` is a buffer of shape (out_channels,) or (1,). In training it follows the weights by
    one step of least squares per forward pass; in eval mode it is frozen.
    """


class QuantConv1d(_QuantConv, nn.Conv1d):
    """A convolution of signals with quantized weights; see :class:`QuantConv2d`."""


class QuantLinear(QuantizedWeights, nn.Linear):
    """A fully connected layer with quantized weights; see :class:`QuantConv2d`."""

    @classmethod
    def of(
        cls, linear: nn.Linear, bits: int, per_channel: bool = True, scale: Tensor | None = None
    ) -> Self:
        """Return the quantized form of ``linear``, whose parameters it takes over, on ``scale``."""
        layer = cls(linear.in_features, linear.out_features, linear.bias is not None, device="meta")
        layer.weight, layer.bias = linear.weight, linear.bias
        layer._quantize_with(bits, per_channel, mask_of(linear), scale)
        return layer.train(linear.training)

    def forward(self, input: Tensor) -> Tensor:
        """Multiply with the quantized weights."""
        return functional.linear(input, self.quantized_weight(), self.bias)


class QuantShortcut(QuantizedWeights):
    """A shortcut whose weight, 1, is rounded to a whole number of the layer's units.

    Parameters
    ----------
    channels : int
    bits : int
    """

    shortcut = True

    def __init__(self, channels: int, bits: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels, 1))
        self.bias = None
        self._quantize_with(bits, per_channel=True)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input, multiplied by a number near 1 for each channel."""
        weight = self.quantized_weight().reshape(-1, *[1] * (input.ndim - 2))
        return input * weight


class QuantParts(nn.Module):
    """Weights that read several sources side by side: one quantized module for each source.

    A convolution of a concatenation is the sum of the sources' convolutions. Each has its own scale
    of weights, so that one unit is worth the same behind all of them.

    Parameters
    ----------
    parts : sequence of QuantConv1d, QuantConv2d or QuantLinear
        The first one has the bias.
    columns : sequence of sequence of int
        Input channels, or features, of each.
    """

    columns: Tensor

    def __init__(
        self, parts: Sequence[QuantConv1d | QuantConv2d | QuantLinear], columns: Sequence[Any]
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        places = [i for chosen in columns for i in chosen]
        self.register_buffer("columns", torch.tensor(places), persistent=False)
        self.sizes = [len(chosen) for chosen in columns]

    @property
    def like(self) -> nn.Module:
        """A part, in place of all."""
        return self.parts[0]

    @classmethod
    def of(
        cls,
        module: Any,
        bits: int,
        per_channel: bool,
        columns: Sequence[Any],
        scale: Tensor | None = None,
    ) -> Self:
        """Return the quantized parts of ``module``, whose parameters they take over."""
        weight, mask = _dense(module)
        parts = []
        for number, chosen in enumerate(columns):
            part = copy.copy(module)
            part._parameters = dict(module._parameters)
            picked = torch.tensor(list(chosen), device=weight.device)
            part.weight = nn.Parameter(
                weight.index_select(1, picked).contiguous(), module.weight.requires_grad
            )
            if number:
                part.bias = None
            kind: Any = QuantLinear
            if not isinstance(module, nn.Linear):
                part.in_channels, part.groups = len(chosen), 1
                kind = QuantConv1d if isinstance(module, nn.Conv1d) else QuantConv2d
            else:
                part.in_features = len(chosen)
            quantized = kind.of(part, bits, per_channel, scale)
            if mask is not None:
                quantized.mask = mask.index_select(1, picked).contiguous()
            parts.append(quantized)
        return cls(parts, columns).to(weight.device).train(module.training)

    def forward(self, input: Tensor) -> Tensor:
        """Return the sum of the parts."""
        chosen = torch.split(self.columns, self.sizes)
        sums: list[Tensor] = [
            part(input.index_select(1, picked))
            for part, picked in zip(self.parts, chosen, strict=True)
        ]
        return sum(sums[1:], sums[0])


def _dense(module: Any) -> tuple[Tensor, Tensor | None]:
    """Return weights without groups, and where they are not 0; None if they can be everywhere."""
    weight, kept = module.weight.detach(), mask_of(module)
    groups = getattr(module, "groups", 1)
    if groups == 1:
        return weight, kept
    outs, each = len(weight) // groups, weight.shape[1]
    dense = weight.new_zeros(len(weight), each * groups, *weight.shape[2:])
    mask = torch.zeros_like(dense)
    for group in range(groups):
        rows, columns = (
            slice(group * outs, (group + 1) * outs),
            slice(group * each, (group + 1) * each),
        )
        dense[rows, columns] = weight[rows]
        mask[rows, columns] = 1 if kept is None else kept[rows]
    return dense, mask


def weights_of(model: nn.Module, synapse: SynapseSpec) -> Any:
    """Return the module of a prepared model with the weights of a synapse; None for an identity."""
    if synapse.target is None:
        return None
    module = model.get_submodule(synapse.target)
    return module if synapse.part is None else module.parts[synapse.part]  # type: ignore[index]
