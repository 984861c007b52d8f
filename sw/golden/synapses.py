"""Synapses and pools of the golden model: one class for each kind of the contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, cast

import torch
from torch import Tensor
from torch.nn import functional

from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.golden.dynamics import on_device
from spikeloom.sw.network import Conv2d, Identity, Linear, MaxPool, Pool, SumPool, Synapses
from spikeloom.sw.registry import Registered


class GoldenSynapses(Registered, ABC):
    """The sums of one kind of synapses, found by that kind.

    Everything is computed in ``float64``, in which all partial sums are exact; see
    :mod:`spikeloom.sw.golden.model`.

    Parameters
    ----------
    synapses : Synapses
    device : torch.device
        Where the weights are put.

    Attributes
    ----------
    weight : Tensor of float64
        Of the shape that the contract gives it.
    """

    kinds: ClassVar[dict[str, type[GoldenSynapses]]] = {}

    def __init__(self, synapses: Synapses, device: torch.device) -> None:
        self.synapses = synapses
        self.weight = on_device(synapses.weight, device).double()

    @classmethod
    def of(cls, synapses: Synapses, device: torch.device) -> GoldenSynapses:
        """Return the sums of ``synapses``.

        Raises
        ------
        UnsupportedError
            If there is no class for their kind.
        """
        message = f"the golden model has no synapses of kind {synapses.kind!r}; it has"
        return cls.member(synapses.kind, UnsupportedError, message)(synapses, device)

    @abstractmethod
    def sums(self, values: Tensor) -> Tensor:
        """Return the sums of weight times value.

        Parameters
        ----------
        values : Tensor of float64, shape (N, *source shape)

        Returns
        -------
        Tensor of float64, shape (N, *target shape); positions may be one flat axis
        """


class GoldenLinear(GoldenSynapses, kind=Linear.kind):
    """A matrix product."""

    def sums(self, values: Tensor) -> Tensor:
        """Return the sums of weight times value."""
        return values.flatten(1) @ self.weight.T


class GoldenConv2d(GoldenSynapses, kind=Conv2d.kind):
    """An explicit im2col, and one matrix product for each group."""

    def sums(self, values: Tensor) -> Tensor:
        """Return the sums of weight times value."""
        conv = cast(Conv2d, self.synapses)
        columns = functional.unfold(values, conv.kernel, padding=conv.padding, stride=conv.stride)
        # The source channels of a group lie together, and so do its output channels.
        groups, outs = conv.groups, len(self.weight)
        fan_in = self.weight[0].numel()
        columns = columns.reshape(len(values), groups, fan_in, -1)
        return (self.weight.reshape(groups, outs // groups, fan_in) @ columns).flatten(1, 2)


class GoldenIdentity(GoldenSynapses, kind=Identity.kind):
    """One product for each value."""

    def sums(self, values: Tensor) -> Tensor:
        """Return the products of weight and value."""
        return values * self.weight.reshape(-1, *[1] * (values.ndim - 2))


class GoldenPool(Registered, ABC):
    """The values of one kind of pool, found by that kind."""

    kinds: ClassVar[dict[str, type[GoldenPool]]] = {}

    @staticmethod
    @abstractmethod
    def combine(windows: Tensor) -> Tensor:
        """Return the pooled values, shape (N, C, H, W).

        Parameters
        ----------
        windows : Tensor of int64, shape (N, C, H, window height, W, window width)
        """


class GoldenSumPool(GoldenPool, kind=SumPool.kind):
    """Sum over each window."""

    @staticmethod
    def combine(windows: Tensor) -> Tensor:
        """Return the sums."""
        return windows.sum((3, 5))


class GoldenMaxPool(GoldenPool, kind=MaxPool.kind):
    """Maximum over each window."""

    @staticmethod
    def combine(windows: Tensor) -> Tensor:
        """Return the maxima."""
        return windows.amax((3, 5))


def pooled(pool: Pool, values: Tensor) -> Tensor:
    """Return (N, C, H, W) values of int64 pooled.

    Raises
    ------
    UnsupportedError
        If there is no class for the kind of pool.
    """
    message = f"the golden model has no pools of kind {pool.kind!r}; it has"
    found = GoldenPool.member(pool.kind, UnsupportedError, message)
    for axis in (0, 1):
        values = _windows(pool, values, axis)
    return found.combine(values.permute(0, 1, 2, 4, 3, 5))


def _windows(pool: Pool, values: Tensor, axis: int) -> Tensor:
    """Return the windows of a pool along an axis (0: rows, 1: columns), each in a new last axis.

    What lies beyond the source is the smallest number that there is, so that it is no maximum.
    """
    size, stride, padding = pool.size[axis], pool.stride[axis], pool.padding[axis]
    along = 2 + axis
    length = values.shape[along]
    count = pool.windows(length, axis)
    behind = max((count - 1) * stride + size - padding - length, 0)
    if padding or behind:
        shape = list(values.shape)
        shape[along] = padding + length + behind
        cut = values.new_full(shape, torch.iinfo(values.dtype).min)
        cut.narrow(along, padding, length).copy_(values)
        values = cut
    return values.unfold(along, size, stride).narrow(along, 0, count)
