"""Fitting: integer thresholds and biases that do exactly what the real ones do.

A neuron without a leak decides by sums: after t timesteps it has seen the sum S of all A so far,
and what it has fired so far is m quanta, so its potential is known from S, t and m alone. It
fires once more where S reaches an *edge*, for instance ``((m + 1/2)Θ - tB)``. S is an integer, so
only the edge's ceiling (or floor) matters, and these can be compared: if the integers' edges and
the real ones agree for every t and m, both fire alike for every sequence of inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import lcm

import numpy as np
import numpy.typing as npt

from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import IntArray

#: How far the integers may lie from the rounded real ones.
NUDGE = 2
#: A move of one costs this much less than a missed edge.
_MISS = 1 << 8
#: Most edges of a table; more than that cannot all be met by :data:`MAX_FRACTION_BITS` anyway.
MAX_EDGES = 1 << 12
#: Thresholds of channels that see nothing: up to this power of two.
_IDLE_BITS = 24

#: Twice the sum at which the k-th quantum fires, from an integer threshold: shapes (M, 1), (E,).
Numerator = Callable[[IntArray, IntArray], IntArray]


@dataclass(frozen=True)
class Edges:
    """Where one threshold decides: a table of (timestep, quantum), the same for all channels.

    Parameters
    ----------
    steps : array of int64, shape (E,)
        t, from 1.
    quanta : array of int64, shape (E,)
        k: the edge lies at ``(k - 1/2)Θ - tB``, and k is 0 or less below zero.
    up : array of bool, shape (E,)
        Whether it is reached from below (S >= edge), or from above (S <= edge).
    grain : array of int64, shape (E,)
        What S is a multiple of: t under constant current, 1 otherwise.
    """

    steps: IntArray
    quanta: IntArray
    up: npt.NDArray[np.bool_]
    grain: IntArray

    def __len__(self) -> int:
        return len(self.steps)

    def real(self, threshold: Fraction, bias: Fraction) -> list[int]:
        """Return the edges of real Θ and B, in units of the grain, rounded to what matters."""
        # One denominator for all: integers of any size, and no fraction to reduce.
        base = lcm(threshold.denominator, bias.denominator)
        theta = threshold.numerator * (base // threshold.denominator)
        drift = bias.numerator * (base // bias.denominator)
        edges = []
        for t, k, up, grain in zip(
            self.steps.tolist(), self.quanta.tolist(), self.up, self.grain.tolist(), strict=True
        ):
            need, unit = (2 * k - 1) * theta - 2 * t * drift, 2 * base * grain
            edges.append(-(-need // unit) if up else need // unit)
        return edges

    def clip(self, edges: IntArray, reach: Range) -> IntArray:
        """Move edges out of reach to its rim, where they mean the same: always, or never."""
        return np.clip(edges, *self._rim(reach))

    def settled(self, targets: IntArray, reach: Range) -> bool:
        """Return whether nothing that comes in within ``reach`` makes a difference."""
        low, high = self._rim(reach)
        return bool(((targets == low) | (targets == high)).all())

    def _rim(self, reach: Range) -> tuple[IntArray, IntArray]:
        spans = self.steps // self.grain
        return spans * reach.low - ~self.up, spans * reach.high + self.up

    def target(self, threshold: Fraction, bias: Fraction, reach: Range) -> IntArray:
        """Return the clipped edges of real Θ and B."""
        spans = [t // g for t, g in zip(self.steps.tolist(), self.grain.tolist(), strict=True)]
        # Clipped before they become int64, which real edges may not fit.
        edges = [
            min(max(edge, span * reach.low - 1), span * reach.high + 1)
            for edge, span in zip(self.real(threshold, bias), spans, strict=True)
        ]
        return self.clip(np.array(edges, dtype=np.int64), reach)


@dataclass(frozen=True, eq=False)
class Side:
    """One threshold of one channel, with the edges that it decides.

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

    @cached_property
    def target(self) -> IntArray:
        """The clipped edges of real Θ and B."""
        return self.edges.target(self.threshold, self.bias, self.reach)

    @property
    def settled(self) -> bool:
        """Whether nothing that comes in makes a difference."""
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


@dataclass(frozen=True)
class Fit:
    """Integers of one channel.

    Parameters
    ----------
    thresholds : tuple of int
        One per side.
    bias : int
    missed : int
        Edges that they do not meet.
    """

    thresholds: tuple[int, ...]
    bias: int
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
    return Fit(found, int(biases[b]), int(cost[b]) // _MISS)


def fit_idle(sides: Sequence[Side], limits: tuple[Fraction, Fraction]) -> Fit:
    """Return small integers for a channel that nothing but its bias moves.

    Its unit means nothing, so the threshold can be any power of two; fraction bits do not matter.

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
    return Fit(thresholds, b, missed)


def edges(
    steps: int,
    constant: bool,
    last_only: bool,
    quanta: Callable[[int], list[tuple[int, bool]]],
) -> Edges:
    """Return the table of a threshold.

    Parameters
    ----------
    steps : int
        T.
    constant : bool
        Whether A is the same at every timestep.
    last_only : bool
        Whether only the sum over all timesteps counts.
    quanta : callable
        The k that can be decided at timestep t, and whether from below.
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
