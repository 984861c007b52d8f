"""Synapses as convolutions: the windows and weights that the hardware reads for each kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, cast

from spikeloom.hw.planning.streams import StreamPlan
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Conv2d, Identity, Linear, Synapses
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.registry import Registered


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution in the place of synapses of any kind.

    Parameters
    ----------
    weight : array of int64, shape (out, in / groups, kernel height, kernel width)
    stride, padding : (int, int)
        Vertical and horizontal.
    groups : int
        Groups of channels, as in the contract's :class:`~spikeloom.sw.network.Conv2d`.
    spare_rows : int
        Rows that the buffer holds in addition to those of one line of windows, so that the source
        can write while a line is read.
    """

    weight: IntArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    spare_rows: int = 1

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel height and width."""
        return (int(self.weight.shape[2]), int(self.weight.shape[3]))


class SynapsesPlan(Registered, ABC):
    """The convolution in the place of one kind of synapses, found by that kind."""

    kinds: ClassVar[dict[str, type[SynapsesPlan]]] = {}

    @staticmethod
    @abstractmethod
    def convolution(synapses: Synapses, source: StreamPlan) -> Convolution:
        """Return the convolution that computes the same sums.

        Parameters
        ----------
        synapses : Synapses
        source : StreamPlan
            The stream that they read, after alignment and pool.
        """


class LinearPlan(SynapsesPlan, kind=Linear.kind):
    """One window, as large as the whole feature map."""

    @staticmethod
    def convolution(synapses: Synapses, source: StreamPlan) -> Convolution:
        """Return the convolution that computes the same sums."""
        shape = (-1, source.channels, source.height, source.width)
        return Convolution(synapses.weight.reshape(shape), spare_rows=source.height)


class Conv2dPlan(SynapsesPlan, kind=Conv2d.kind):
    """The convolution itself."""

    @staticmethod
    def convolution(synapses: Synapses, source: StreamPlan) -> Convolution:
        """Return the convolution that computes the same sums."""
        conv = cast(Conv2d, synapses)
        return Convolution(conv.weight, conv.stride, conv.padding, conv.groups, conv.stride[0])


class IdentityPlan(SynapsesPlan, kind=Identity.kind):
    """A depthwise convolution with a kernel of a single weight."""

    @staticmethod
    def convolution(synapses: Synapses, source: StreamPlan) -> Convolution:
        """Return the convolution that computes the same sums."""
        return Convolution(synapses.weight.reshape(-1, 1, 1, 1), groups=synapses.channels)


def convolution(synapses: Synapses, source: StreamPlan) -> Convolution:
    """Return the convolution that computes the same sums as ``synapses``.

    Raises
    ------
    UnsupportedError
        If the hardware has no such synapses.
    """
    if synapses.kind not in SynapsesPlan.kinds:
        raise UnsupportedError(f"synapses of kind {synapses.kind!r} cannot be generated")
    return SynapsesPlan.kinds[synapses.kind].convolution(synapses, source)
