"""Populations: a layer's neurons in exact real numbers, which absorption turns into integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from torch import Tensor

from spikeloom.sw.coding import FoldedLayer, LayerCoding
from spikeloom.sw.errors import UnsupportedError
from spikeloom.sw.network import Range
from spikeloom.sw.network.parameters import MAX_FRACTION_BITS
from spikeloom.sw.spiking.neurons import SpikingNeuron

#: Most edges of a table; more than that cannot all be met by :data:`MAX_FRACTION_BITS` anyway.
MAX_EDGES = 1 << 12
#: Thresholds of leaky neurons are at least 2^7 times the number of timesteps that the potential
#: remembers.
LEAK_PRECISION = 7


@dataclass(frozen=True, eq=False)
class Population:
    """A layer's neurons in exact real numbers.

    Parameters
    ----------
    name : str
    timesteps : int
        T.
    thresholds : sequence of Fraction
        Potential that ``largest`` spikes take together, per channel: λ, unless it was freed.
    units : sequence of Fraction
        u, the real value of one unit of A, per channel.
    biases : sequence of Fraction
        b per channel, at every timestep.
    reach : sequence of Range
        Proven range of A at one timestep, per channel.
    constant : bool
        Whether A is the same at every timestep (count transport).
    counted : bool
        Whether all readers of the layer read its counts, so that the order of spikes is irrelevant.
    largest : int
        Most spikes of one timestep, each worth ``λ / largest``.
    leak : int, optional
        k of a leak by 2^-k.
    negative_thresholds : sequence of Fraction, optional
        N of signed neurons, per channel.
    amplitudes : (int, int)
        Spike values of a positive and a negative quantum.
    shares : sequence of Fraction, optional
        v0 as a share of the quantum in [0, 1), per channel, where it was freed. Otherwise it is
        one half, or 0 for signed and leaky neurons.
    """

    name: str
    timesteps: int
    thresholds: Sequence[Fraction]
    units: Sequence[Fraction]
    biases: Sequence[Fraction]
    reach: Sequence[Range]
    constant: bool
    counted: bool = True
    largest: int = 1
    leak: int | None = None
    negative_thresholds: Sequence[Fraction] | None = None
    amplitudes: tuple[int, int] = (1, 1)
    shares: Sequence[Fraction] | None = None

    @classmethod
    def of(
        cls,
        folded: FoldedLayer,
        coding: LayerCoding,
        units: Sequence[Fraction],
        reach: Sequence[Range],
        neuron: SpikingNeuron | None = None,
    ) -> Population:
        """Return the neurons of a layer that fires.

        Parameters
        ----------
        folded : FoldedLayer
        coding : LayerCoding
        units, reach : sequence of Fraction, sequence of Range
            As above.
        neuron : SpikingNeuron, optional
            With its freed thresholds and initial potentials, if it has any.
        """
        activation = folded.activation
        assert activation is not None
        negative = activation.negative_threshold
        channels = len(folded.bias)
        gains = _fractions(None if neuron is None else neuron.gains(), channels)
        below = _fractions(None if neuron is None else neuron.negative_gains(), channels)
        shares = _fractions(None if neuron is None else neuron.shares(), channels)

        def scaled(threshold: float, by: list[Fraction] | None) -> list[Fraction]:
            exact = Fraction(threshold)
            return [exact] * channels if by is None else [exact * gain for gain in by]

        return cls(
            name=folded.name,
            timesteps=coding.timesteps,
            thresholds=scaled(activation.threshold, gains),
            units=units,
            biases=[Fraction(bias) for bias in folded.bias.tolist()],
            reach=reach,
            constant=coding.constant,
            counted=coding.counted,
            largest=coding.largest,
            leak=coding.leak,
            negative_thresholds=None if negative is None else scaled(negative, below),
            amplitudes=coding.amplitudes,
            shares=shares,
        )

    @cached_property
    def quanta(self) -> list[Fraction]:
        """Potential that one spike takes, in real units, per channel."""
        return [threshold / self.largest for threshold in self.thresholds]

    @cached_property
    def tables(self) -> list[bool]:
        """The tables of edges to try in turn: for each, whether it has only the last timestep.

        A table with all timesteps is met by integer neurons that fire exactly as the real ones,
        spike by spike. A table of the last timestep is met by neurons with the same counts; it is
        enough where only counts are read and the current is constant.
        """
        if self.constant and self.counted:
            return [True]
        most = self.largest * self.timesteps * (self.timesteps + 1) * (1 if self.constant else 2)
        return [False, True] if most <= 2 * MAX_EDGES else [True]


def leak_grid(
    population: Population, live: Sequence[bool], fraction_bits: int | None = None
) -> tuple[int, list[Fraction]]:
    """Return the fraction bits of leaky neurons, and the real value of one unit of v per channel.

    The bits are the fewest for which every threshold is at least ``2^7 · min(2^k, T)`` units. In
    every timestep the shift rounds by less than one unit, and the bias by half a unit; the
    potential remembers at most 2^k timesteps, so both together displace it by less than
    ``1.5/2^7``, or 1.2 %, of the threshold.

    Parameters
    ----------
    population : Population
        With a leak. Only its quanta, units, timesteps and leak are used.
    live : sequence of bool
        Channels that have any weights. The unit of the others is free.
    fraction_bits : int, optional
        Bits to use instead.

    Raises
    ------
    UnsupportedError
        If 16 fraction bits are too few.
    """
    assert population.leak is not None
    needed = min(1 << population.leak, population.timesteps) << LEAK_PRECISION
    quanta = population.quanta
    thetas = [q / u for q, u, on in zip(quanta, population.units, live, strict=True) if on]
    bits = fraction_bits
    if bits is None:
        least = min(thetas, default=Fraction(needed))
        fitting = (n for n in range(MAX_FRACTION_BITS + 1) if least * (1 << n) >= needed)
        bits = next(fitting, None)
    if bits is None:
        raise UnsupportedError(
            f"layer {population.name!r}: with a leak of tau = {1 << population.leak} over "
            f"{population.timesteps} timesteps, {MAX_FRACTION_BITS} fraction bits leave its "
            f"thresholds too coarse: use a smaller tau or fewer timesteps, or choose fraction_bits"
        )
    return bits, [
        unit / (1 << bits) if on else quantum / needed
        for quantum, unit, on in zip(quanta, population.units, live, strict=True)
    ]


def _fractions(values: Tensor | None, channels: int) -> list[Fraction] | None:
    """Return values of shape (channels,) or (1,) as one exact number per channel."""
    if values is None:
        return None
    exact = [Fraction(value) for value in values.detach().double().tolist()]
    return exact * channels if len(exact) == 1 else exact
