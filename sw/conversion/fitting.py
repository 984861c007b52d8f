"""Fitting: integer thresholds and biases with which a neuron fires exactly as the real one.

The potential of a neuron without a leak follows from three numbers: after t timesteps, with S the
sum of all A so far and m quanta fired so far. The neuron fires once more where S reaches an *edge*,
``(m + 1)Θ - v0 - tB`` or similar. S is an integer, so only the ceiling (or floor) of an edge
matters. If these agree between the integer parameters and the real ones for every t and m, both
neurons fire alike for every sequence of inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
import numpy.typing as npt

from spikeloom.sw.network import Range
from spikeloom.sw.network.record import IntArray

#: Largest distance of the integers from the rounded real ones.
NUDGE = 2
#: Cost of a missed edge; moving an integer by one costs 1.
_MISS = 1 << 8
#: Thresholds of channels without input are at most this power of two.
_IDLE_BITS = 24

#: Beyond every potential.
_FAR = 1 << 62

#: Twice the sum at which the k-th quantum fires, from an integer threshold: shapes (M, 1), (E,).
Numerator = Callable[[IntArray, IntArray], IntArray]


@dataclass(frozen=True)
class Edges:
    """The edges of one threshold: a table of (timestep, quantum), the same for all channels.

    Parameters
    ----------
    steps : array of int64, shape (E,)
        t, from 1.
    quanta : array of int64, shape (E,)
        k: the edge lies at ``kΘ - v0 - tB``, and k is 0 or less below zero.
    up : array of bool, shape (E,)
        Whether it is reached from below (S >= edge), or from above (S <= edge).
    grain : array of int64, shape (E,)
        S is a multiple of this: t under constant current, 1 otherwise.
    """

    steps: IntArray
    quanta: IntArray
    up: npt.NDArray[np.bool_]
    grain: IntArray

    def __len__(self) -> int:
        return len(self.steps)

    def real(self, threshold: Fraction, start: Fraction, bias: Fraction) -> list[int]:
        """Return the edges of real Θ, v0 and B in units of the grain: their ceilings or floors."""
        # With one denominator for all, these are integers of any size, without fractions to reduce.
        base = lcm(threshold.denominator, start.denominator, bias.denominator)
        theta, first, drift = (
            value.numerator * (base // value.denominator) for value in (threshold, start, bias)
        )
        edges = []
        for t, k, up, grain in zip(
            self.steps.tolist(), self.quanta.tolist(), self.up, self.grain.tolist(), strict=True
        ):
            need, unit = k * theta - first - t * drift, base * grain
            edges.append(-(-need // unit) if up else need // unit)
        return edges

    def clip(self, edges: IntArray, reach: Range) -> IntArray:
        """Return the edges, with those out of reach moved to the nearest that means the same."""
        return np.clip(edges, *self.rim(reach))

    def settled(self, targets: IntArray, reach: Range) -> bool:
        """Return whether no input within ``reach`` makes a difference."""
        low, high = self.rim(reach)
        return bool(((targets == low) | (targets == high)).all())

    def rim(self, reach: Range) -> tuple[IntArray, IntArray]:
        """Return the edges that are always reached, and those that never are."""
        spans = self.steps // self.grain
        return spans * reach.low - ~self.up, spans * reach.high + self.up

    def target(
        self, threshold: Fraction, start: Fraction, bias: Fraction, reach: Range
    ) -> IntArray:
        """Return the clipped edges of real Θ, v0 and B."""
        spans = [t // g for t, g in zip(self.steps.tolist(), self.grain.tolist(), strict=True)]
        # Edges are clipped before they become int64, since they may be larger.
        edges = [
            min(max(edge, span * reach.low - 1), span * reach.high + 1)
            for edge, span in zip(self.real(threshold, start, bias), spans, strict=True)
        ]
        return self.clip(np.array(edges, dtype=np.int64), reach)


@dataclass(frozen=True, eq=False)
class Side:
    """One threshold of one channel, with its edges; the potential starts from half the threshold.

    Parameters
    ----------
    threshold, bias : Fraction
        Real Θ and B in units of A.
    reach : Range
        Of A at one timestep.
    edges : Edges
    numerator : Numerator
    """

    threshold: Fraction
    bias: Fraction
    reach: Range
    edges: Edges
    numerator: Numerator

    @property
    def start(self) -> Fraction:
        """Real v0 in units of A."""
        return self.threshold / 2

    @cached_property
    def target(self) -> IntArray:
        """The clipped edges of real Θ, v0 and B."""
        return self.edges.target(self.threshold, self.start, self.bias, self.reach)

    @property
    def settled(self) -> bool:
        """Whether no input makes a difference."""
        return self.edges.settled(self.target, self.reach)

    def missed(self, thresholds: IntArray, biases: IntArray, bits: int) -> IntArray:
        """Return how many edges integer thresholds and biases miss: thresholds by biases."""
        table = self.edges
        need = self.numerator(thresholds[:, None], table.quanta)[:, None, :]
        need = need - 2 * biases[None, :, None] * table.steps
        unit = table.grain << (bits + 1)
        found = np.where(table.up, -(-need // unit), need // unit)
        missed: IntArray = (table.clip(found, self.reach) != self.target).sum(axis=2)
        return missed

    def initial(self, threshold: int, bias: int, bits: int) -> int:
        """Return the integer v0 that goes with an integer threshold and bias."""
        return threshold >> 1


@dataclass(frozen=True, eq=False)
class FreeSide(Side):
    """A threshold with a v0 of its own; all edges are reached from below.

    Each edge bounds the integer v0 from both sides, so that no search for it is needed.

    Parameters
    ----------
    share : Fraction
        v0 as a share of the threshold, in [0, 1).
    """

    share: Fraction = Fraction(1, 2)

    @property
    def start(self) -> Fraction:
        """Real v0 in units of A."""
        return self.threshold * self.share

    def missed(self, thresholds: IntArray, biases: IntArray, bits: int) -> IntArray:
        """Return how many edges integers miss with their best v0: thresholds by biases."""
        low, high = self._bounds(thresholds, biases, bits)
        start = self._start(thresholds, low, high)[:, :, None]
        missed: IntArray = ((start < low) | (start > high)).sum(axis=2)
        return missed

    def initial(self, threshold: int, bias: int, bits: int) -> int:
        """Return the integer v0 that goes with an integer threshold and bias."""
        thresholds = np.array([threshold])
        low, high = self._bounds(thresholds, np.array([bias]), bits)
        return int(self._start(thresholds, low, high)[0, 0])

    def _start(self, thresholds: IntArray, low: IntArray, high: IntArray) -> IntArray:
        """Return the nearest v0 to the real one that meets all edges, or the nearest of all."""
        most = thresholds[:, None] - 1
        near = np.array([round(self.share * t) for t in thresholds.tolist()])[:, None]
        near = np.minimum(near, most)
        least = np.maximum(low.max(axis=2, initial=0), 0)
        most = np.minimum(high.min(axis=2, initial=_FAR), most)
        met: IntArray = np.clip(near, least, np.maximum(least, most))
        return np.where(least <= most, met, near)

    def _bounds(
        self, thresholds: IntArray, biases: IntArray, bits: int
    ) -> tuple[IntArray, IntArray]:
        """Return the least and the largest v0 that meet each edge: thresholds by biases by edges.

        An edge E is met if ``E - 1 < (kΘ - v0 - tB) / 2^F <= E``, in units of the grain.
        """
        table = self.edges
        need = thresholds[:, None, None] * table.quanta - biases[None, :, None] * table.steps
        always, never = table.rim(self.reach)
        # Edges further away than any need of 60 bits decide nothing, and would overflow.
        rim = (_FAR >> 1) >> bits
        reached = np.clip(self.target * table.grain, -rim, rim) << bits
        before = np.clip((self.target - 1) * table.grain, -rim, rim) << bits
        low = np.where(self.target < never, need - reached, -_FAR)
        high = np.where(self.target > always, need - before - 1, _FAR)
        return low, high


@dataclass(frozen=True)
class Fit:
    """The integer parameters of one channel.

    Parameters
    ----------
    thresholds : tuple of int
        One per side.
    bias : int
    initial : int
        v0.
    missed : int
        Number of edges that they do not meet.
    """

    thresholds: tuple[int, ...]
    bias: int
    initial: int
    missed: int


def fit(sides: Sequence[Side], bits: int) -> Fit:
    """Return the best integers for one channel with ``bits`` fraction bits.

    Parameters
    ----------
    sides : sequence of Side
        With one bias and one reach.
    bits : int
        F.
    """
    moves = np.array(sorted(range(-NUDGE, NUDGE + 1), key=lambda move: (abs(move), move)))
    biases = round(sides[0].bias * (1 << bits)) + moves
    cost = np.abs(moves)
    chosen: list[tuple[IntArray, IntArray]] = []
    for side in sides:
        thresholds = round(side.threshold * (1 << bits)) + moves
        costs = side.missed(np.maximum(thresholds, 1), biases, bits) * _MISS
        costs = costs + np.abs(moves)[:, None]
        costs[thresholds < 1] = np.iinfo(np.int64).max >> 8
        best = costs.argmin(axis=0)
        chosen.append((thresholds, best))
        cost = cost + costs.min(axis=0)
    b = int(cost.argmin())
    found = tuple(int(thresholds[best[b]]) for thresholds, best in chosen)
    initial = sides[0].initial(found[0], int(biases[b]), bits)
    return Fit(found, int(biases[b]), initial, int(cost[b]) // _MISS)


def fit_idle(sides: Sequence[Side], limits: tuple[Fraction, Fraction]) -> Fit:
    """Return small integers for a channel whose potential depends on nothing but its bias.

    Its unit is arbitrary, so the threshold can be any power of two; fraction bits do not matter.

    Parameters
    ----------
    sides : sequence of Side
    limits : (Fraction, Fraction)
        Currents, in units of A, beyond which a neuron saturates at every timestep.
    """
    bias = min(max(sides[0].bias, limits[0]), limits[1])
    still = [replace(side, bias=bias, reach=Range(0, 0)) for side in sides]
    for size in range(_IDLE_BITS + 1):
        unit = sides[0].threshold / (1 << size)
        thresholds = tuple(max(round(side.threshold / unit), 1) for side in still)
        b = round(bias / unit)
        missed = sum(
            int(side.missed(np.array([theta]), np.array([b]), 0)[0, 0])
            for side, theta in zip(still, thresholds, strict=True)
        )
        if missed == 0:
            break
    return Fit(thresholds, b, still[0].initial(thresholds[0], b, 0), missed)


def edges(
    steps: int,
    constant: bool,
    last_only: bool,
    quanta: Callable[[int], list[tuple[int, bool]]],
) -> Edges:
    """Return the table of edges of a threshold.

    Parameters
    ----------
    steps : int
        T.
    constant : bool
        Whether A is the same at every timestep.
    last_only : bool
        Whether only the last timestep is of interest.
    quanta : callable
        Returns the k that can be decided at timestep t, and for each whether from below.
    """
    rows = [
        (t, k, up) for t in ([steps] if last_only else range(1, steps + 1)) for k, up in quanta(t)
    ]
    t = np.array([row[0] for row in rows], dtype=np.int64)
    return Edges(
        steps=t,
        quanta=np.array([row[1] for row in rows], dtype=np.int64),
        up=np.array([row[2] for row in rows], dtype=bool),
        grain=t if constant else np.ones_like(t),
    )
