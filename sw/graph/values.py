"""Values of nodes: the roles that a model's tensors can have in a spiking network.

A rule (:mod:`spikeloom.sw.graph.rules`) gives each node of a model one of these values:

* :class:`Tap`: values that a layer can read, the input's or those that a layer fires, possibly
  through a pool and a :class:`View`;
* :class:`Joined`: values of several sources side by side, as a concatenation gives them;
* :class:`Pending`: a sum of synapses that waits for its activation. A residual connection adds a
  synapse to it;
* :class:`Constant`: a buffer of the model, by which it normalises its input;
* :class:`Pieces`: the parts of a tensor that ``split`` or ``chunk`` returns;
* :data:`SCALAR`: a number such as ``x.size(0)``, which flattening needs;
* :data:`UNKNOWN`: the value of a node that was refused, and of all nodes that depend on it.

They are immutable: a rule returns a changed copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from spikeloom.sw.graph.pooling import Pooling


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
class Axis:
    """Rows or columns of a view: value i is the sum of ``width`` values from ``first + step * i``.

    Outside the source, values are 0, so a view can pad its source as well as cut it.

    Parameters
    ----------
    size : int
        Rows or columns of the source, behind its pool.
    count : int
        Rows or columns of the view.
    first, step : int
    width : int
        Above 1 for an average pool whose windows overlap or are padded.
    """

    size: int
    count: int
    first: int = 0
    step: int = 1
    width: int = 1

    @property
    def whole(self) -> bool:
        """Whether the view shows the source's rows or columns as they are."""
        return self == Axis(self.size, self.size)

    def part(self, first: int, step: int, count: int) -> Axis:
        """Return the axis of each ``step``-th value of this one, from ``first``, which may be -1.

        Raises
        ------
        ValueError
            If it would show, as padding, values that the source has.
        """
        for index in (first, first + step * (count - 1)):
            outside = range(index, 0) if index < 0 else range(self.count, index + 1)
            if any(self._shows(beyond) for beyond in outside):
                raise ValueError
        return Axis(self.size, count, self.first + self.step * first, self.step * step, self.width)

    def sums(self, size: int, first: int, step: int, count: int) -> Axis:
        """Return the axis of sums of ``size`` neighbours, as :meth:`part` returns one of values."""
        if self.width > 1 or self.step > 1:
            raise ValueError
        last = first + step * (count - 1) + size - 1
        if any(self._shows(i) for i in (*range(first, 0), *range(self.count, last + 1))):
            raise ValueError
        return Axis(self.size, count, self.first + first, step, size)

    def _shows(self, index: int) -> bool:
        start = self.first + self.step * index
        return start + self.width > 0 and start < self.size


@dataclass(frozen=True)
class Selection:
    """Channels of a view, or features behind a flattening, in any order.

    Parameters
    ----------
    size : int
        Number of channels, or features, to choose from.
    chosen : tuple of int or None
        For each channel of the view, the number of the source's; None for one that is all 0.
    """

    size: int
    chosen: tuple[int | None, ...]

    @staticmethod
    def of(size: int, chosen: Iterable[int | None]) -> Selection | None:
        """Return a selection; None if it is everything in its order."""
        picked = tuple(chosen)
        return None if picked == tuple(range(size)) else Selection(size, picked)


@dataclass(frozen=True)
class View:
    """The part of a source's feature map that a reader sees, behind a pool.

    Parameters
    ----------
    channels : Selection, optional
        All of them, if left out.
    rows, columns : Axis, optional
        All of them, if left out.
    """

    channels: Selection | None = None
    rows: Axis | None = None
    columns: Axis | None = None

    @property
    def area(self) -> int:
        """Number of values in each sum, by which an average divides."""
        return math.prod(axis.width for axis in (self.rows, self.columns) if axis is not None)

    def __str__(self) -> str:
        parts = []
        if self.channels is not None:
            real = sum(channel is not None for channel in self.channels.chosen)
            parts.append(f"{real} of {self.channels.size} channels")
        for axis, what in ((self.rows, "rows"), (self.columns, "columns")):
            if axis is not None and not axis.whole:
                every = f", one in {axis.step}" if axis.step > 1 else ""
                wide = f", sums of {axis.width}" if axis.width > 1 else ""
                parts.append(f"{axis.count} {what} from {axis.first}{every}{wide}")
        return "; ".join(parts)


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
    view : View, optional
        Part of the (pooled) feature map that is read.
    features : Selection, optional
        Part of the flattened values that is read.
    weights : str, optional
        Path of the module that multiplies each channel by a number near 1, for a shortcut.
    """

    source: str
    pool: Pooling | None = None
    flat: bool = False
    signed: bool = False
    affine: Affine | None = None
    view: View | None = None
    features: Selection | None = None
    weights: str | None = None

    @property
    def area(self) -> int:
        """Area of the pool, by which an average divides; 1 without a pool."""
        return 1 if self.pool is None else self.pool.area

    @property
    def divisor(self) -> int:
        """Area of all sums, those of the view included, by which an average divides."""
        return self.area * (1 if self.view is None else self.view.area)

    def __str__(self) -> str:
        text = self.source
        if self.pool is not None:
            text += f" through a {self.pool}"
        return text if self.view is None else f"{text} ({self.view})"


@dataclass(frozen=True)
class Joined:
    """Values of several sources side by side.

    Parameters
    ----------
    taps : tuple of Tap
        Without selections of their own.
    places : tuple of (int, int) or None
        For each channel, or each feature if the taps are flat, the number of the tap and of its
        channel or feature; None for one that is all 0.
    sizes : tuple of int
        Channels or features of each tap.
    """

    taps: tuple[Tap, ...]
    places: tuple[tuple[int, int] | None, ...]
    sizes: tuple[int, ...]

    @property
    def flat(self) -> bool:
        """Whether the values have been flattened."""
        return self.taps[0].flat

    @property
    def signed(self) -> bool:
        """Whether the values can be negative."""
        return any(tap.signed for tap in self.taps)

    def split(self) -> list[tuple[Tap, tuple[int, ...]]]:
        """Return the taps that are read, and for each the places that it has among the values."""
        found = []
        for number, (tap, size) in enumerate(zip(self.taps, self.sizes, strict=True)):
            here = [i for i, p in enumerate(self.places) if p is not None and p[0] == number]
            chosen = [p[1] for p in self.places if p is not None and p[0] == number]
            if here:
                found.append((selected(tap, Selection.of(size, chosen)), tuple(here)))
        return found

    def layers(self) -> list[Tap]:
        """Return, for each tap, its values at their places, and 0 at those of the others."""
        found = []
        for number, (tap, size) in enumerate(zip(self.taps, self.sizes, strict=True)):
            chosen = [p[1] if p is not None and p[0] == number else None for p in self.places]
            if any(place is not None for place in chosen):
                found.append(selected(tap, Selection.of(size, chosen)))
        return found

    def __str__(self) -> str:
        return " and ".join(str(tap) for tap in self.taps)


def selected(tap: Tap, selection: Selection | None) -> Tap:
    """Return a tap without a selection with one of its channels, or features if it is flat."""
    if tap.flat:
        return replace(tap, features=selection)
    if selection is None:
        return tap
    return replace(tap, view=replace(tap.view or View(), channels=selection))


@dataclass(frozen=True)
class Pieces:
    """The parts of a tensor, as ``chunk`` and ``split`` return them.

    Parameters
    ----------
    parts : tuple of Tap or Joined
    sizes : tuple of int
        Channels of each.
    """

    parts: tuple[Tap | Joined, ...]
    sizes: tuple[int, ...]


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
    part : int, optional
        Number of the part of the module's weights, if it reads several sources side by side.
    columns : tuple of int
        Input channels or features of the module that this part has; all, if there is one part.
    average : Pooling, optional
        Average over the sums.
    place : (str, str), optional
        Of an identity: names of the node that adds or normalises it, and of the node that it reads.
    """

    target: str | None
    tap: Tap
    norm: str | None = None
    part: int | None = None
    columns: tuple[int, ...] = ()
    average: Pooling | None = None
    place: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def divisor(self) -> int:
        """Area of all sums on the way, by which an average divides."""
        return self.tap.divisor * (1 if self.average is None else self.average.area)


@dataclass(frozen=True)
class Pending:
    """A layer that waits for its activation.

    Parameters
    ----------
    name : str
    synapses : tuple of SynapseSpec
        Identities come last.
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
Value = Tap | Joined | Pieces | Pending | Constant | _Sentinel


def map_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of values as the contract has it: of signals (C, L), (C, 1, L)."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape
