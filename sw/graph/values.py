"""Values of nodes: the roles that a model's tensors can have in a spiking network.

A rule (:mod:`spikeloom.sw.graph.rules`) gives each node of a model one of these values:

* :class:`Tap`: values that a layer can read, the input's or those that a layer fires, possibly
  through a pool;
* :class:`Pending`: a sum of synapses that waits for its activation. A residual connection adds a
  synapse to it;
* :class:`Constant`: a buffer of the model, by which it normalises its input;
* :data:`SCALAR`: a number such as ``x.size(0)``, which flattening needs;
* :data:`UNKNOWN`: the value of a node that was refused, and of all nodes that depend on it.

They are immutable: a rule returns a changed copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Pooling:
    """A pool whose stride equals its window.

    Parameters
    ----------
    kind : {"sum", "max"}
        As in the contract. An average is a sum: its 1/area goes into the next threshold.
    size : (int, int)
        Rows and columns of the window.
    """

    kind: str
    size: tuple[int, int]

    @property
    def area(self) -> int:
        """Number of values in a sum, by which an average divides; 1 for a maximum."""
        return self.size[0] * self.size[1] if self.kind == "sum" else 1


@dataclass(frozen=True)
class Affine:
    """A factor and a summand for each channel, by which a model normalises its input.

    Parameters
    ----------
    factors, shifts : tuple of float
        One for all channels, or one for each: ``factor * value + shift``. No factor is 0.
    """

    factors: tuple[float, ...]
    shifts: tuple[float, ...]

    def then(self, factors: tuple[float, ...], shifts: tuple[float, ...]) -> Affine:
        """Return this, followed by another factor and summand."""
        number = max(map(len, (self.factors, self.shifts, factors, shifts)))
        a, b, c, d = (
            values * number if len(values) == 1 else values
            for values in (self.factors, self.shifts, factors, shifts)
        )
        return Affine(
            tuple(x * y for x, y in zip(a, c, strict=True)),
            tuple(x * y + z for x, y, z in zip(b, c, d, strict=True)),
        )


@dataclass(frozen=True)
class Constant:
    """A buffer of the model.

    Parameters
    ----------
    target : str
        Path of the buffer.
    """

    target: str


@dataclass(frozen=True)
class Tap:
    """Values that synapses can read: pixels, or the spikes and counts of a layer.

    Parameters
    ----------
    source : str
        Name of the layer, or ``"input"``.
    pool : Pooling, optional
        Pool between the source and the reader.
    flat : bool
        Whether the values have been flattened since.
    signed : bool
        Whether the values can be negative.
    affine : Affine, optional
        Normalisation of the input by the model itself.
    """

    source: str
    pool: Pooling | None = None
    flat: bool = False
    signed: bool = False
    affine: Affine | None = None

    @property
    def area(self) -> int:
        """Area of the pool, by which an average divides; 1 without a pool."""
        return 1 if self.pool is None else self.pool.area

    def __str__(self) -> str:
        if self.pool is None:
            return self.source
        return f"{self.source} through a {self.pool.kind}-pool of {self.pool.size}"


@dataclass(frozen=True)
class SynapseSpec:
    """One way into a layer: weights, the values that they multiply, and a batch-norm.

    Parameters
    ----------
    target : str or None
        Path of the convolution or fully connected module. None for an identity: the shortcut of a
        residual connection, which adds the values unchanged.
    tap : Tap
        Values that are read.
    norm : str, optional
        Path of the batch-norm module that follows the weights.
    """

    target: str | None
    tap: Tap
    norm: str | None = None


@dataclass(frozen=True)
class Pending:
    """A layer that waits for its activation.

    Parameters
    ----------
    name : str
    synapses : tuple of SynapseSpec
        At least one has weights; identities come last.
    pool : Pooling, optional
        A max-pool ahead of the activation. It commutes with the activation, since both are
        monotone.
    flat : bool
        Whether the sums have been flattened.
    """

    name: str
    synapses: tuple[SynapseSpec, ...]
    pool: Pooling | None = None
    flat: bool = False


class _Sentinel:
    """A value without attributes; there is one object of each name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


SCALAR: Final = _Sentinel("SCALAR")
UNKNOWN: Final = _Sentinel("UNKNOWN")
Value = Tap | Pending | Constant | _Sentinel
