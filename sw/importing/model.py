"""Populations of neurons and the linear ways between them: a graph without its other nodes.

A *way* leads from a population, or from the input, to another one: an optional sum-pool, and
weights, as a connection of the contract has them, but in real numbers. Averages, scales and the
worth of a pixel are factors of the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikeloom.sw.errors import ContractError, UnsupportedError
from spikeloom.sw.importing.fields import Reals
from spikeloom.sw.importing.rules import Rule
from spikeloom.sw.network import Conv2d, Identity, SumPool, Synapses
from spikeloom.sw.network import Linear as LinearSynapses
from spikeloom.sw.network.record import Shape

#: Number of weights that a kernel may have once it is spread by its dilation or merged with a pool,
#: and how many times those that it has in the file it may have beyond that.
_ROOM, _TIMES = 1 << 22, 64


@dataclass(frozen=True, eq=False)
class Way:
    """A linear way from a source.

    Parameters
    ----------
    source : str
        Name of a node, or ``"input"``.
    shape : tuple of int
        Shape of its end.
    factor : array of float64, shape (channels of the source,)
        Of each channel's values, as long as there are no weights.
    pool : (int, int), optional
        Size of a sum-pool ahead of the weights.
    weight : array of float64, optional
        Of shape (out, in) or (out, in / groups, rows, columns); without, each value goes to its own
        place.
    stride, padding, groups
        Of a convolution.
    recurrent : bool
        Whether it carries the spikes of the timestep before.
    """

    source: str
    shape: Shape
    factor: Reals
    pool: tuple[int, int] | None = None
    weight: Reals | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    recurrent: bool = False

    def linear(self, weight: Reals, where: str) -> Way:
        """Return the way behind a fully connected node."""
        size = math.prod(self.shape)
        if weight.shape[1] != size:
            raise UnsupportedError(
                f"{where} has weights for {weight.shape[1]} values, but gets {size} of shape "
                f"{self.shape}: give the shape of one image without batch and time (--input-shape)"
            )
        out = (len(weight),)
        if self.weight is None:
            columns = np.repeat(self.factor, size // len(self.factor))
            return replace(self, shape=out, weight=weight * columns, factor=np.ones(len(weight)))
        if self.weight.ndim != 2:
            raise UnsupportedError(_two_weights(where))
        return replace(self, shape=out, weight=weight @ self.weight, factor=np.ones(len(weight)))

    def conv(
        self, weight: Reals, stride: tuple[int, int], pad: tuple[int, int], groups: int, where: str
    ) -> Way:
        """Return the way behind a convolution."""
        if self.weight is not None:
            raise UnsupportedError(_two_weights(where))
        channels = len(self.factor)
        if len(self.shape) != 3 or weight.shape[1] * groups != channels:
            raise UnsupportedError(
                f"{where} has weights for {weight.shape[1] * groups} channels, but gets values of "
                f"shape {self.shape}: give the shape of one image without batch and time "
                f"(--input-shape)"
            )
        per_group = len(weight) // groups
        first = np.arange(len(weight)) // per_group * weight.shape[1]
        factors = self.factor[first[:, None] + np.arange(weight.shape[1])]
        done = replace(
            self,
            weight=weight * factors[:, :, None, None],
            stride=stride,
            padding=pad,
            groups=groups,
            factor=np.ones(len(weight)),
        )
        return done.sized(where)

    def sized(self, where: str) -> Way:
        """Return the way with the shape that its source and its nodes give, starting from a map."""
        assert self.weight is not None
        rows, columns = (
            (self.shape[axis + 1] + 2 * self.padding[axis] - self.weight.shape[axis + 2])
            // self.stride[axis]
            + 1
            for axis in (0, 1)
        )
        if min(rows, columns) < 1:
            raise UnsupportedError(
                f"{where} has a kernel of {self.weight.shape[2:]}, larger than its source "
                f"{self.shape}: give the shape of one image (--input-shape)"
            )
        return replace(self, shape=(len(self.weight), rows, columns))

    def pooled(
        self, size: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int], where: str
    ) -> Way:
        """Return the way behind a sum over windows."""
        if len(self.shape) != 3:
            raise UnsupportedError(
                f"{where} is a pool, which needs values of shape (channels, rows, columns), not "
                f"{self.shape}: give the shape of one image (--input-shape)"
            )
        beside = stride == size and pad == (0, 0)
        if self.weight is None and beside:
            whole = self.pool or (1, 1)
            shape = (self.shape[0], self.shape[1] // size[0], self.shape[2] // size[1])
            if min(shape) < 1:
                raise UnsupportedError(f"{where} is a pool of {size}, larger than {self.shape}")
            return replace(self, shape=shape, pool=(whole[0] * size[0], whole[1] * size[1]))
        if self.weight is None:
            require_room((len(self.factor), 1, *size), 1, where)
            ones = np.ones((len(self.factor), 1, *size))
            return self.conv(ones, stride, pad, len(self.factor), where)
        if self.weight.ndim != 4 or pad != (0, 0):
            raise UnsupportedError(
                f"{where} is a padded pool behind weights: put it behind neurons"
            )
        return self._merged(size, stride, where)

    def _merged(self, size: tuple[int, int], stride: tuple[int, int], where: str) -> Way:
        """Return one convolution for this one and the sums of its outputs over windows."""
        assert self.weight is not None
        out, channels, rows, columns = self.weight.shape
        reach = [(n - 1) * s for n, s in zip(size, self.stride, strict=True)]
        wide = (out, channels, rows + reach[0], columns + reach[1])
        shape = tuple((self.shape[a + 1] - size[a]) // stride[a] + 1 for a in (0, 1))
        if min(shape) < 1:
            raise UnsupportedError(f"{where} is a pool of {size}, larger than {self.shape}")
        require_room(wide, self.weight.size, where)
        # One axis behind the other, so that a pool of n x n takes 2 n steps.
        tall = np.zeros((out, channels, wide[2], columns))
        for y in range(0, reach[0] + 1, self.stride[0]):
            tall[:, :, y : y + rows] += self.weight
        weight = np.zeros(wide)
        for x in range(0, reach[1] + 1, self.stride[1]):
            weight[:, :, :, x : x + columns] += tall
        return replace(
            self,
            weight=weight,
            stride=(self.stride[0] * stride[0], self.stride[1] * stride[1]),
            shape=(out, *shape),
        )

    def scaled(self, factors: Reals, where: str) -> Way:
        """Return the way behind a factor for each value of its end."""
        if factors.size == 1:
            factors = np.full(self.shape[0], factors.reshape(-1)[0])
        elif factors.size == math.prod(self.shape):
            rows = factors.reshape(self.shape[0], -1)
            if (rows != rows[:, :1]).any():
                raise UnsupportedError(
                    f"{where} has factors that differ within a channel: give each channel one"
                )
            factors = rows[:, 0]
        elif factors.size != self.shape[0] or factors.ndim not in (1, 3):
            raise UnsupportedError(
                f"{where} has factors of shape {factors.shape} for values of shape {self.shape}"
            )
        factors = factors.reshape(-1)
        if self.weight is None:
            return replace(self, factor=self.factor * factors)
        return replace(self, weight=(self.weight.T * factors).T)

    def synapses(self, weight: Any) -> Synapses:
        """Return synapses of the contract with these integer weights."""
        if self.weight is None:
            return Identity(weight)
        if self.weight.ndim == 2:
            return LinearSynapses(weight)
        return Conv2d(weight, self.stride, self.padding, self.groups)

    @property
    def weights(self) -> Reals:
        """Its weights; of a way without, one for each channel."""
        return self.factor if self.weight is None else self.weight

    def sum_pool(self) -> SumPool | None:
        """Return the contract's pool."""
        return None if self.pool is None else SumPool(self.pool)


def require_room(shape: Shape, held: int, where: str) -> None:
    """Check the size of a kernel ahead of making it, since it may have nothing to do with the file.

    Parameters
    ----------
    shape : tuple of int
        Of the kernel.
    held : int
        Number of weights that the file has for it.
    where : str
        Node, for the message.

    Raises
    ------
    UnsupportedError
        If the kernel is far larger than its weights in the file.
    """
    if math.prod(shape) > max(_ROOM, _TIMES * held):
        raise UnsupportedError(
            f"{where} makes a kernel of shape {shape}, far larger than what the file holds: check "
            f"its dilation, or the size of the pool"
        )


def _two_weights(where: str) -> str:
    return (
        f"{where} follows other weights without neurons between, where one of both is a "
        f"convolution: multiply them into one beforehand"
    )


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one layer, or the readout.

    Parameters
    ----------
    name : str
        Of its layer.
    node : str
        Of its node.
    shape : tuple of int
    rule : Rule or None
        None of the readout, which adds up what it gets.
    ways : tuple of Way
    bias : array of float64, shape (channels,)
    """

    name: str
    node: str
    shape: Shape
    rule: Rule | None
    ways: tuple[Way, ...]
    bias: Reals


@dataclass(frozen=True, eq=False)
class Model:
    """All populations in an order of evaluation, the readout last.

    Parameters
    ----------
    shape : tuple of int
        Shape of the input, without batch and time.
    populations : tuple of Population
    repairs : tuple of str
        Sentences on what was mended in the graph.
    """

    shape: Shape
    populations: tuple[Population, ...]
    repairs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shape) not in (1, 3):
            raise ContractError(f"the input's shape {self.shape} has neither one axis nor three")
