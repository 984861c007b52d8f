"""Absorption: real thresholds, biases and scales become the integer parameters of neurons.

One unit of the accumulator A is worth ``u`` (weight scale times the real value of one source unit,
over the pool's area), so a threshold λ is ``Θ = λ/u`` and a bias b is ``B = b/u``. The arithmetic
is exact, on fractions of the float64 values; each result is rounded once, at the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any, ClassVar

import numpy as np

from spikeloom.sw.conversion.fitting import (
    Edges,
    Fit,
    FreeSide,
    Numerator,
    Side,
    edges,
    fit,
    fit_idle,
)
from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import (
    MAX_WIDTH,
    Burst,
    Dual,
    If,
    Ladder,
    Neuron,
    Range,
    Signed,
)
from spikeloom.sw.network.parameters import MAX_FRACTION_BITS
from spikeloom.sw.network.record import IntArray
from spikeloom.sw.registry import Registered
from spikeloom.sw.spiking.population import Population, leak_grid


class Absorber(Registered, ABC):
    """Turns real numbers into one kind of the contract's neurons; found by that kind."""

    kinds: ClassVar[dict[str, type[Absorber]]] = {}

    @abstractmethod
    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return the integer neurons of ``population``.

        Parameters
        ----------
        population : Population
        fraction_bits : int or None
            F; None for the fewest that are exact.
        """

    @abstractmethod
    def idle(self, population: Population) -> list[bool]:
        """Return, per channel, whether its spikes are the same for every input."""


class LadderAbsorber(Absorber, kind="ladder"):
    """Levels from the real Θ and B: no rounding loss at all."""

    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return ``τ_k = ceil((kΘ - v0)/T - B)``."""
        if fraction_bits is not None:
            raise ConfigError(
                "'ladder' neurons have no fraction bits: leave fraction_bits out or use 'if'"
            )
        return Ladder(levels=np.array([side.target for side in _above(population, True)]))

    def idle(self, population: Population) -> list[bool]:
        """Return, per channel, whether all levels lie beyond the range of A."""
        return [side.settled for side in _above(population, last_only=True)]


class FittedAbsorber(Absorber):
    """Integer Θ, B and v0 with which a neuron fires exactly as the real one, in the fewest bits.

    The integers near the real values are tried, with the fewest fraction bits for which every
    channel fires as the real neuron does: with the same count if the current is constant and only
    counts are read, and otherwise with the same spikes at every timestep, for every input. Where T
    is too large for that with any number of fraction bits, the fewest are taken that give the
    counts of a neuron whose input spikes are spread evenly.
    """

    @abstractmethod
    def sides(self, population: Population, last_only: bool) -> list[tuple[Side, ...]]:
        """Return the thresholds of each channel, with the edges that they decide."""

    @abstractmethod
    def neuron(self, population: Population, fits: Sequence[Fit], fraction_bits: int) -> Neuron:
        """Return the neurons with fitted integers as parameters."""

    def limits(self, population: Population, channel: int) -> tuple[Fraction, Fraction]:
        """Return the currents beyond which a neuron saturates at every timestep."""
        return Fraction(0), population.thresholds[channel]

    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return the neurons.

        Raises
        ------
        ConfigError
            If a threshold rounds to 0 with the given fraction bits.
        UnsupportedError
            If no number of fraction bits is enough.
        """
        if fraction_bits is not None:
            sides = self.sides(population, population.tables[0])
            fits = self._fits(population, sides, self.idle(population), fraction_bits, exact=False)
            assert fits is not None
            return self.neuron(population, fits, fraction_bits)
        idle = self.idle(population)
        for last_only in population.tables:
            sides = self.sides(population, last_only)
            for bits in range(MAX_FRACTION_BITS + 1):
                fits = self._fits(population, sides, idle, bits, exact=True)
                if fits is not None:
                    return self.neuron(population, fits, bits)
        raise UnsupportedError(
            f"layer {population.name!r}: no fraction_bits up to {MAX_FRACTION_BITS} give integer "
            f"thresholds with the counts of the quantized ANN: use fewer timesteps, 'ladder' "
            f"neurons in count transport, or accept a loss by choosing fraction_bits"
        )

    def idle(self, population: Population) -> list[bool]:
        """Return, per channel, whether its spikes are the same for every input."""
        last_only = population.tables[0]
        if last_only and not (population.constant and population.counted):
            # The table says too little: only channels without any input are known to be idle.
            return [reach == Range(0, 0) for reach in population.reach]
        return [all(side.settled for side in sides) for sides in self.sides(population, last_only)]

    def _fits(
        self,
        population: Population,
        channels: Sequence[tuple[Side, ...]],
        idle: Sequence[bool],
        bits: int,
        exact: bool,
    ) -> list[Fit] | None:
        """Return the best integers per channel; None if ``exact`` and some edge is missed."""
        fits = []
        for c, sides in enumerate(channels):
            if idle[c]:
                low, high = (limit / population.units[c] for limit in self.limits(population, c))
                found = fit_idle(sides, (low, high))
            else:
                _check_width(population, c, sides, bits)
                found = fit(sides, bits)
            if exact and found.missed:
                return None
            if found.missed and any(round(side.threshold * (1 << bits)) < 1 for side in sides):
                needed = max(_bits_for(side.threshold) for side in sides)
                raise ConfigError(
                    f"the threshold of layer {population.name!r}, channel {c}, rounds to 0 with "
                    f"fraction_bits {bits}: use at least {needed}, or leave fraction_bits out"
                )
            fits.append(found)
        return fits


class IfAbsorber(FittedAbsorber, kind="if"):
    """``v0 = Θ >> 1``, unless it was freed."""

    def sides(self, population: Population, last_only: bool) -> list[tuple[Side, ...]]:
        """Return the threshold: k quanta need ``kΘ - v0``."""
        return [(side,) for side in _above(population, last_only)]

    def neuron(self, population: Population, fits: Sequence[Fit], fraction_bits: int) -> Neuron:
        """Return the neurons with fitted integers as parameters."""
        return If(**_integrator(fits), fraction_bits=fraction_bits)


class DualAbsorber(IfAbsorber, kind="dual"):
    """As IF: a spike is taken back below the very edge from which it was fired."""

    def neuron(self, population: Population, fits: Sequence[Fit], fraction_bits: int) -> Neuron:
        """Return the neurons with fitted integers as parameters."""
        return Dual(**_integrator(fits), fraction_bits=fraction_bits)


class SignedAbsorber(FittedAbsorber, kind="signed"):
    """P and N from v = 0; each is fired from half of it, and taken back from half of it."""

    def sides(self, population: Population, last_only: bool) -> list[tuple[Side, ...]]:
        """Return P, with the quanta k > 0, and N, with k <= 0 (k = 0 fires a quantum downwards)."""
        assert population.negative_thresholds is not None
        # Under a constant current, or with evenly spread spikes, no quantum is ever taken back.
        back = not (population.constant or last_only)

        def above(t: int) -> list[tuple[int, bool]]:
            return [(k, up) for k in range(1, t + 1) for up in ((True, False) if back else (True,))]

        def below(t: int) -> list[tuple[int, bool]]:
            return [
                (1 - k, up) for k in range(1, t + 1) for up in ((False, True) if back else (False,))
            ]

        table = partial(edges, population.timesteps, population.constant, last_only)
        return list(
            zip(
                _sides(population, population.thresholds, table(above), _from_zero),
                _sides(population, population.negative_thresholds, table(below), _from_zero),
                strict=True,
            )
        )

    def limits(self, population: Population, channel: int) -> tuple[Fraction, Fraction]:
        """Return -N and P."""
        assert population.negative_thresholds is not None
        return -population.negative_thresholds[channel], population.thresholds[channel]

    def neuron(self, population: Population, fits: Sequence[Fit], fraction_bits: int) -> Neuron:
        """Return the neurons with fitted integers as parameters."""
        threshold, bias = _arrays(fits)
        amplitude, negative_amplitude = population.amplitudes
        return Signed(
            threshold=threshold,
            negative_threshold=_arrays(fits, side=1)[0],
            bias=bias,
            fraction_bits=fraction_bits,
            amplitude=amplitude,
            negative_amplitude=negative_amplitude,
        )


class BurstAbsorber(IfAbsorber, kind="burst"):
    """As IF with several quanta per timestep; with a leak, rounded on a fine grid instead.

    A leaky potential depends on more than the sum of its currents, and its shift rounds, so the
    integer neuron only approximates the real one. `leak_grid` states how closely.
    """

    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return the neurons; with a leak, they start from 0 unless that was freed."""
        if population.leak is None:
            return super().absorb(population, fraction_bits)
        live = [reach != Range(0, 0) for reach in population.reach]
        bits, grid = leak_grid(population, live, fraction_bits)
        quanta = population.quanta
        units = [round(quantum / g) for quantum, g in zip(quanta, grid, strict=True)]
        threshold = np.array(units, dtype=np.int64)
        if (threshold < 1).any():
            raise ConfigError(
                f"a threshold of layer {population.name!r} rounds to 0 with fraction_bits {bits}: "
                f"use more, or leave fraction_bits out"
            )
        biases = [round(b / g) for b, g in zip(population.biases, grid, strict=True)]
        shares = population.shares or [Fraction(0)] * len(quanta)
        starts = [
            min(round(share * quantum / g), most - 1)
            for share, quantum, g, most in zip(shares, quanta, grid, units, strict=True)
        ]
        return Burst(
            threshold=threshold,
            initial=np.array(starts, dtype=np.int64),
            bias=np.array(biases, dtype=np.int64),
            fraction_bits=bits,
            largest=population.largest,
            leak=population.leak,
        )

    def idle(self, population: Population) -> list[bool]:
        """Return, per channel, whether its spikes are the same for every input."""
        if population.leak is None:
            return super().idle(population)
        return [reach == Range(0, 0) for reach in population.reach]

    def neuron(self, population: Population, fits: Sequence[Fit], fraction_bits: int) -> Neuron:
        """Return the neurons with fitted integers as parameters."""
        return Burst(**_integrator(fits), fraction_bits=fraction_bits, largest=population.largest)


def _above(population: Population, last_only: bool) -> list[Side]:
    """Return, per channel, the one threshold of neurons that fire from below."""

    def quanta(t: int) -> list[tuple[int, bool]]:
        return [(k, True) for k in range(1, t * population.largest + 1)]

    table = edges(population.timesteps, population.constant, last_only, quanta)
    sides = _sides(population, population.quanta, table, _from_half)
    if population.shares is None:
        return sides
    return [
        FreeSide(s.threshold, s.bias, s.reach, s.edges, s.numerator, share)
        for s, share in zip(sides, population.shares, strict=True)
    ]


def _sides(
    population: Population, thresholds: Sequence[Fraction], table: Edges, numerator: Numerator
) -> list[Side]:
    return [
        Side(threshold / unit, bias / unit, reach, table, numerator)
        for threshold, unit, bias, reach in zip(
            thresholds, population.units, population.biases, population.reach, strict=True
        )
    ]


def _from_half(threshold: IntArray, quanta: IntArray) -> IntArray:
    return 2 * (quanta * threshold - (threshold >> 1))


def _from_zero(threshold: IntArray, quanta: IntArray) -> IntArray:
    return (2 * quanta - 1) * threshold


def _arrays(fits: Sequence[Fit], side: int = 0) -> tuple[IntArray, IntArray]:
    """Return the thresholds of one side, and the biases."""
    thresholds = np.array([f.thresholds[side] for f in fits], dtype=np.int64)
    return thresholds, np.array([f.bias for f in fits], dtype=np.int64)


def _integrator(fits: Sequence[Fit]) -> dict[str, Any]:
    """Return the parameters per channel of neurons that have one threshold."""
    threshold, bias = _arrays(fits)
    initial = np.array([f.initial for f in fits], dtype=np.int64)
    return {"threshold": threshold, "initial": initial, "bias": bias}


def _check_width(population: Population, c: int, sides: Sequence[Side], bits: int) -> None:
    scale = (1 << bits) / population.units[c]
    threshold = max(round(side.threshold * (1 << bits)) for side in sides)
    bias = round(population.biases[c] * scale)
    most = population.timesteps * population.largest
    if max(threshold, abs(bias)).bit_length() + most.bit_length() > MAX_WIDTH + 12:
        raise UnsupportedError(
            f"layer {population.name!r}, channel {c}: threshold {threshold} and bias {bias} do "
            f"not fit {MAX_WIDTH} bits; its weights are too small against its threshold: use "
            f"'ladder' neurons, or train on"
        )


def _bits_for(threshold: Fraction) -> int:
    """Return the fewest fraction bits with which a threshold does not round to 0."""
    bits = 0
    while round(threshold * (1 << bits)) < 1:
        bits += 1
    return bits
