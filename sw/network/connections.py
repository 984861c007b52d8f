"""Connections of the contract: synapses between a source and a layer, perhaps behind a pool."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.pools import Pool
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import (
    TENSOR,
    IntArray,
    Record,
    Shape,
    freeze,
    require_int,
    require_pair,
)
from spikeloom.sw.network.transports import TRANSPORTS, Transport


class Synapses(Record):
    """Integer weights between a source and a layer's neurons.

    The first axis of the weights is that of the output channels.

    Attributes
    ----------
    multiplies : bool
        Whether an artificial neural network would multiply here; where not, it adds the value as it
        is, and the weight is but the scale of integers.
    """

    kinds: ClassVar[dict[str, type[Synapses]]] = {}
    multiplies: ClassVar[bool] = True
    weight: IntArray

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return len(self.weight)

    @cached_property
    def weights(self) -> Range:
        """Range of the weights, 0 included."""
        return Range(int(self.weight.min()), int(self.weight.max())) | Range(0, 0)

    def shape(self, source: Shape) -> Shape:
        """Return the shape of the target, given the (pooled) source's.

        Raises
        ------
        ContractError
            If the weights do not fit the source.
        """
        raise NotImplementedError

    def pairs(self, source: Shape) -> int:
        """Return the number of pairs of a source value and a target neuron that are connected.

        Parameters
        ----------
        source : tuple of int
            Shape of the (pooled) source. Values of its padding are not counted.
        """
        raise NotImplementedError

    def accumulator(self, source: Range) -> list[Range]:
        """Return, per output channel, the proven range of ``sum(w * s)`` over one timestep.

        Parameters
        ----------
        source : Range
            Range of one source value. The result allows for 0 in its place, since padding is 0.
        """
        flat = self.weight.reshape(self.channels, -1).astype(object)
        reach = source | Range(0, 0)
        highs = np.where(flat > 0, flat * reach.high, flat * reach.low).sum(axis=1)
        lows = np.where(flat > 0, flat * reach.low, flat * reach.high).sum(axis=1)
        return [Range(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]


@dataclass(frozen=True, eq=False)
class Linear(Synapses, kind="linear"):
    """Fully connected. A source feature map is flattened channel by channel, row by row.

    Parameters
    ----------
    weight : array of int64, shape (out, in)
    """

    weight: IntArray = field(metadata=TENSOR)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _freeze_weight(self.weight, 2))

    def shape(self, source: Shape) -> Shape:
        features = math.prod(source)
        if self.weight.shape[1] != features:
            raise ContractError(
                f"linear weights {self.weight.shape} need {self.weight.shape[1]} source values, "
                f"but the source has {features} {source}"
            )
        return (self.channels,)

    def pairs(self, source: Shape) -> int:
        return int(self.weight.size)


@dataclass(frozen=True, eq=False)
class Conv2d(Synapses, kind="conv2d"):
    """2-D cross-correlation, as ``torch.nn.Conv2d``; outside the source, values are 0.

    Parameters
    ----------
    weight : array of int64, shape (out, in / groups, kernel height, kernel width)
    stride, padding : (int, int)
        Vertical and horizontal.
    groups : int
        Output channels and source channels are dealt, in order, to this many groups, between which
        there are no weights; as many groups as source channels make a depthwise convolution.
    """

    weight: IntArray = field(metadata=TENSOR)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _freeze_weight(self.weight, 4))
        object.__setattr__(self, "stride", require_pair(self.stride, "stride", 1, 1 << 12))
        object.__setattr__(self, "padding", require_pair(self.padding, "padding", 0, 1 << 12))
        for axis, name in enumerate(("vertical", "horizontal")):
            if self.padding[axis] >= self.kernel[axis]:
                raise ContractError(
                    f"{name} padding {self.padding[axis]} must be smaller than the kernel's "
                    f"{self.kernel[axis]}: windows of padding alone compute nothing"
                )
        groups = require_int(self.groups, "groups", 1, 1 << 20)
        object.__setattr__(self, "groups", groups)
        if self.channels % groups:
            raise ContractError(f"groups {groups} must divide the {self.channels} output channels")

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel height and width."""
        return (int(self.weight.shape[2]), int(self.weight.shape[3]))

    def shape(self, source: Shape) -> Shape:
        channels = self.weight.shape[1] * self.groups
        if len(source) != 3 or source[0] != channels:
            raise ContractError(
                f"convolution weights {self.weight.shape} in {self.groups} groups need a source of "
                f"shape ({channels}, height, width), not {source}"
            )
        out = [
            (source[axis + 1] + 2 * self.padding[axis] - self.kernel[axis]) // self.stride[axis] + 1
            for axis in (0, 1)
        ]
        if min(out) < 1:
            raise ContractError(
                f"a kernel of {self.kernel} with padding {self.padding} is larger than its "
                f"source {source}"
            )
        return (self.channels, *out)

    def pairs(self, source: Shape) -> int:
        target = self.shape(source)
        pairs = math.prod(self.weight.shape[:2])
        for axis in (0, 1):
            starts = np.arange(target[axis + 1]) * self.stride[axis] - self.padding[axis]
            places = starts[:, None] + np.arange(self.kernel[axis])
            pairs *= int(((places >= 0) & (places < source[axis + 1])).sum())
        return pairs


@dataclass(frozen=True, eq=False)
class Identity(Synapses, kind="identity"):
    """A residual shortcut: each source neuron to the target at its place, one weight per channel.

    Parameters
    ----------
    weight : array of int64, shape (channels,)
    """

    multiplies = False
    weight: IntArray = field(metadata=TENSOR)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _freeze_weight(self.weight, 1))

    def shape(self, source: Shape) -> Shape:
        if source[0] != self.channels:
            raise ContractError(
                f"an identity with weights for {self.channels} channels needs a source of as many, "
                f"not {source}"
            )
        return source

    def pairs(self, source: Shape) -> int:
        return math.prod(source)


@dataclass(frozen=True, eq=False)
class Connection:
    """A connection of a source to a layer: a transport, an optional pool, and synapses.

    Parameters
    ----------
    source : str
        Name of an earlier layer, or ``"input"``.
    transport : Transport, or its value
        Whether the sum of the source's spikes is carried, which the target sees as a constant
        current, or its spikes, timestep by timestep; see
        :func:`~spikeloom.sw.network.source_steps`.
    synapses : Synapses
    pool : Pool, optional
    """

    source: str
    transport: str
    synapses: Synapses
    pool: Pool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.source, str):
            raise ContractError(f"a connection's source must be a name, not {self.source!r}")
        if not isinstance(self.transport, str) or self.transport not in TRANSPORTS:
            raise ContractError(
                f"transport must be one of {', '.join(TRANSPORTS)}, not {self.transport!r}"
            )
        object.__setattr__(self, "transport", Transport(self.transport))
        _require_member(self.synapses, Synapses, "synapses")
        if self.pool is not None:
            _require_member(self.pool, Pool, "pool")
            if self.transport not in self.pool.transports:
                raise ContractError(
                    f"a {self.pool.kind}-pool of the source {self.source!r} is not exact in "
                    f"{self.transport} transport: use count transport or a sum-pool"
                )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connection):
            return NotImplemented
        return (self.source, self.transport, self.synapses, self.pool) == (
            other.source,
            other.transport,
            other.synapses,
            other.pool,
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def constant(self) -> bool:
        """Whether it carries the same values at every timestep."""
        return self.transport == Transport.COUNT

    def pooled_shape(self, source: Shape) -> Shape:
        """Return the shape that the synapses see."""
        return self.pool.shape(source) if self.pool else source

    def pooled_values(self, source: Range) -> Range:
        """Return the range of the values that the synapses see."""
        return self.pool.values(source) if self.pool else source


def _freeze_weight(weight: Any, ndim: int) -> IntArray:
    frozen = freeze(weight, "weight", ndim)
    extremes = Range(int(frozen.min()), int(frozen.max()))
    require_int(extremes.width, "the width of the weights in bits", 1, 32)
    return frozen


def _require_member(value: object, family: type, what: str) -> None:
    if not isinstance(value, family):
        raise ContractError(f"{what} must be a {family.__name__}, not {value!r}")
