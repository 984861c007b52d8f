"""Absorption: real thresholds, biases and scales become the integer parameters of neurons.

One unit of the accumulator A is worth ``u`` (weight scale times the real value of one source unit,
over the pool's area), so a threshold λ is ``Θ = λ/u`` and a bias b is ``B = b/u``. All of it is
exact arithmetic on fractions of the float64 values; what is rounded is rounded once, last.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise, product
from typing import ClassVar

import numpy as np

from spikeloom.sw.errors import ConfigError, UnsupportedError
from spikeloom.sw.network import MAX_WIDTH, If, Ladder, Logits, Neuron, Range
from spikeloom.sw.network.neurons import MAX_FRACTION_BITS

#: Fraction bits that logits have at least, unless they would not fit the contract's width.
LOGIT_FRACTION_BITS = 8
#: How far the integers of an IF neuron may lie from the rounded real ones.
_NUDGE = 2


@dataclass(frozen=True, eq=False)
class Population:
    """A layer's neurons in exact real numbers.

    Parameters
    ----------
    name : str
    timesteps : int
        T.
    threshold : Fraction
        λ.
    units : sequence of Fraction
        u, the real value of one unit of A, per channel.
    biases : sequence of Fraction
        b per channel, at every timestep.
    reach : sequence of Range
        Proven range of A per channel.
    constant : bool
        Whether A is the same at every timestep (count transport).
    """

    name: str
    timesteps: int
    threshold: Fraction
    units: Sequence[Fraction]
    biases: Sequence[Fraction]
    reach: Sequence[Range]
    constant: bool

    @cached_property
    def real_levels(self) -> list[list[Fraction]]:
        """The mean A from which the k-th spike fires, ``(k - 1/2)Θ/T - B``; channels by T."""
        return [
            [
                ((k - Fraction(1, 2)) * self.threshold / self.timesteps - bias) / unit
                for k in range(1, self.timesteps + 1)
            ]
            for unit, bias in zip(self.units, self.biases, strict=True)
        ]

    def levels(self, steps: int = 1) -> list[list[int]]:
        """Return the least sum of A over ``steps`` timesteps with a count of k, channels by T.

        A level beyond the channel's range is moved to its edge, where it means the same: always,
        or never.
        """
        return [
            [
                min(max(math.ceil(steps * level), steps * reach.low), steps * reach.high + 1)
                for level in levels
            ]
            for levels, reach in zip(self.real_levels, self.reach, strict=True)
        ]

    def constant_counts(self) -> list[int | None]:
        """Return, per channel, the count that it has whatever its source does, else None."""
        counts: list[int | None] = []
        for levels, reach in zip(self.levels(), self.reach, strict=True):
            always = sum(level <= reach.low for level in levels)
            never = sum(level > reach.high for level in levels)
            counts.append(always if always + never == self.timesteps else None)
        return counts


class Absorber(ABC):
    """Makes one kind of neuron of the contract from real numbers; found by that kind.

    A new kind of neuron is one more subclass.
    """

    kinds: ClassVar[dict[str, type[Absorber]]] = {}

    def __init_subclass__(cls, kind: str) -> None:
        super().__init_subclass__()
        cls.kinds[kind] = cls

    @abstractmethod
    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return the neurons of ``population``; ``fraction_bits`` of None chooses them."""


class LadderAbsorber(Absorber, kind="ladder"):
    """Levels from the real Θ and B: no rounding loss at all."""

    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return ``τ_k = ceil((k - 1/2)Θ/T - B)``."""
        if fraction_bits is not None:
            raise ConfigError(
                "'ladder' neurons have no fraction bits: leave fraction_bits out or use 'if'"
            )
        return Ladder(levels=np.array(population.levels(), dtype=object).astype(np.int64))


@dataclass(frozen=True)
class _IfChannel:
    """Integer parameters of one channel, and how many of its levels they miss."""

    threshold: int
    bias: int
    missed: int


class IfAbsorber(Absorber, kind="if"):
    """Θ and B as integers that give the same counts as the real ones, in as few bits as that takes.

    Rounding moves the sums of A at which the count changes. These sums are integers, so they can
    be compared with those of the real Θ and B: the integers nearby are tried, and of the fraction
    bits the fewest with which every level of every channel is met. Under constant current the
    layer then has exactly the counts of the quantized ANN.
    """

    def absorb(self, population: Population, fraction_bits: int | None) -> Neuron:
        """Return the neurons, with ``v0 = Θ >> 1``.

        Raises
        ------
        ConfigError
            If a threshold rounds to 0 with the given fraction bits.
        UnsupportedError
            If no number of fraction bits gives the right counts.
        """
        if fraction_bits is not None:
            channels = self._channels(population, fraction_bits, exact=False)
            assert channels is not None
            return self._neuron(channels, fraction_bits)
        for bits in range(MAX_FRACTION_BITS + 1):
            channels = self._channels(population, bits, exact=True)
            if channels is not None:
                return self._neuron(channels, bits)
        raise UnsupportedError(
            f"layer {population.name!r}: no fraction_bits up to {MAX_FRACTION_BITS} give integer "
            f"thresholds with the counts of the quantized ANN: use 'ladder' neurons, fewer "
            f"timesteps, or accept a loss by choosing fraction_bits"
        )

    def _neuron(self, channels: list[_IfChannel], fraction_bits: int) -> If:
        threshold = np.array([c.threshold for c in channels], dtype=np.int64)
        bias = np.array([c.bias for c in channels], dtype=np.int64)
        return If(
            threshold=threshold, initial=threshold >> 1, bias=bias, fraction_bits=fraction_bits
        )

    def _channels(self, population: Population, bits: int, exact: bool) -> list[_IfChannel] | None:
        """Return the best integers per channel; None if ``exact`` and some level is missed."""
        steps = population.timesteps
        # Under constant current the sum over T steps is T·A, so only multiples of T occur.
        grain = steps if population.constant else 1
        channels = []
        wanted = population.levels(steps // grain)
        for c, constant in enumerate(population.constant_counts()):
            if constant is not None:
                # Θ = T, B = n: (T>>1) + T·n crosses the threshold n times, one spike per step.
                channels.append(_IfChannel(steps, constant, 0))
                continue
            channel = self._channel(population, c, bits, grain, wanted[c])
            if channel is None:
                if exact:
                    return None
                needed = _bits_for(population.threshold / population.units[c])
                raise ConfigError(
                    f"the threshold of layer {population.name!r}, channel {c}, rounds to 0 with "
                    f"fraction_bits {bits}: use at least {needed}, or leave fraction_bits out"
                )
            if exact and channel.missed:
                return None
            channels.append(channel)
        return channels

    def _channel(
        self, population: Population, c: int, bits: int, grain: int, wanted: list[int]
    ) -> _IfChannel | None:
        unit, steps, reach = population.units[c], population.timesteps, population.reach[c]
        threshold = round(population.threshold / unit * (1 << bits))
        bias = round(population.biases[c] / unit * (1 << bits))
        if max(threshold, abs(bias)).bit_length() + steps.bit_length() > MAX_WIDTH + 12:
            raise UnsupportedError(
                f"layer {population.name!r}, channel {c}: threshold {threshold} and bias {bias} do "
                f"not fit {MAX_WIDTH} bits; its weights are too small against its threshold: use "
                f"'ladder' neurons, or train on"
            )
        low = reach.low * steps // grain
        high = reach.high * steps // grain + 1
        fired, target = np.arange(1, steps + 1), np.array(wanted)
        best: _IfChannel | None = None
        moves = sorted(product(range(-_NUDGE, _NUDGE + 1), repeat=2), key=lambda m: (_size(m), m))
        for move in moves:
            theta, b = threshold + move[0], bias + move[1]
            if theta < 1:
                continue
            # (theta >> 1) + grain·S·2^F + T·b >= k·theta, solved for the least integer S
            need = fired * theta - (theta >> 1) - steps * b
            level = np.clip(-(-need // (grain << bits)), low, high)
            missed = int((level != target).sum())
            if best is None or missed < best.missed:
                best = _IfChannel(theta, b, missed)
            if missed == 0:
                break
        if best is not None and threshold < 1 and best.missed:
            return None
        return best


def absorb_logits(
    name: str,
    timesteps: int,
    unit: Fraction,
    biases: Sequence[Fraction],
    reach: Sequence[Range],
) -> Logits:
    """Return the output layer, whose channels share one unit.

    Over one timestep the label is exactly that of the real biases: logits are compared, the
    accumulators are integers, so all that counts of the biases' fractions is their order, and
    rounding is made to keep it.
    """
    real = [bias / unit for bias in biases]
    accumulator = Range(min(r.low for r in reach), max(r.high for r in reach))
    for bits in [*range(LOGIT_FRACTION_BITS, MAX_FRACTION_BITS + 1), *range(8)[::-1]]:
        rounded = _rounded_in_order(real, bits) if timesteps == 1 else _rounded(real, bits)
        if rounded is None:
            continue
        if max(map(abs, rounded)).bit_length() >= MAX_WIDTH:
            continue
        logits = Logits(bias=np.array(rounded, dtype=np.int64), fraction_bits=bits)
        if logits.potential(timesteps, accumulator).width <= MAX_WIDTH:
            return logits
    raise UnsupportedError(
        f"the biases of the output layer {name!r}, up to {float(max(map(abs, real))):.3g} units of "
        f"its accumulator, do not fit {MAX_WIDTH} bits: its weights have collapsed; train on"
    )


def _rounded(real: Sequence[Fraction], bits: int) -> list[int]:
    return [round(value * (1 << bits)) for value in real]


def _rounded_in_order(real: Sequence[Fraction], bits: int) -> list[int] | None:
    """Round so that the fractional parts keep their order, equal ones staying equal."""
    whole = [math.floor(value) for value in real]
    parts = [value - integer for value, integer in zip(real, whole, strict=True)]
    ordered = sorted(set(parts))
    if len(ordered) > 1 << bits:
        return None
    placed = {part: round(part * (1 << bits)) for part in ordered}
    for before, part in pairwise(ordered):
        placed[part] = max(placed[part], placed[before] + 1)
    # All of them within one unit of A, or the largest would reach the next integer's smallest.
    limit = placed[ordered[0]] + (1 << bits)
    for part in reversed(ordered):
        limit = placed[part] = min(placed[part], limit - 1)
    return [(integer << bits) + placed[part] for integer, part in zip(whole, parts, strict=True)]


def _size(move: tuple[int, ...]) -> int:
    return abs(move[0]) + abs(move[1])


def _bits_for(threshold: Fraction) -> int:
    """Return the fewest fraction bits with which a threshold does not round to 0."""
    bits = 0
    while round(threshold * (1 << bits)) < 1:
        bits += 1
    return bits
