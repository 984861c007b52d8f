"""Base of the contract's neurons, and of those that have one threshold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.leaks import reach
from spikeloom.sw.network.parameters import (
    check_fraction_bits,
    check_threshold,
    current_range,
    freeze_channels,
)
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import TENSOR, IntArray, Record
from spikeloom.sw.network.transports import Transport


class Neuron(Record):
    """The neurons of one layer, with parameters for each output channel.

    Attributes
    ----------
    fires : bool
        Whether they emit spikes; those of a network's last layer do not.
    converted : bool
        Whether models can be converted to them; networks of other toolkits have the others.
    decided : frozenset of str
        Fields that a user decides when a model is converted.
    signed : bool
        Whether their counts can be negative, so that they stand for activations with negative
        values.
    incoming, outgoing : frozenset of Transport
        Transports that connections to and from these neurons may use.
    """

    kinds: ClassVar[dict[str, type[Neuron]]] = {}
    fires: ClassVar[bool] = True
    converted: ClassVar[bool] = True
    decided: ClassVar[frozenset[str]] = frozenset()
    signed: ClassVar[bool] = False
    incoming: ClassVar[frozenset[str]] = frozenset(Transport)
    outgoing: ClassVar[frozenset[str]] = frozenset(Transport)

    @classmethod
    def firing(cls) -> dict[str, type[Neuron]]:
        """Return the kinds that a hidden layer of a converted model can have."""
        kinds = cls.kinds.items()
        return {kind: neuron for kind, neuron in kinds if neuron.fires and neuron.converted}

    @property
    def channels(self) -> int:
        """Number of output channels."""
        raise NotImplementedError

    def check(self, timesteps: int, accumulator: Range) -> None:
        """Raise `ContractError` unless the parameters fit ``timesteps`` and the accumulator."""
        self.potential(timesteps, accumulator).require_width("the membrane potential")

    def spike(self) -> Range:
        """Return the range of the spike value of one timestep."""
        return Range(0, 1)

    @property
    def shifts(self) -> tuple[int, ...]:
        """Shifts of the leak of the potential; none, if it does not leak."""
        return ()

    @property
    def foldable(self) -> bool:
        """Whether the count under a constant current has the closed form of the contract."""
        return not self.shifts

    @property
    def most_quanta(self) -> int:
        """Most quanta that a neuron can fire in one timestep."""
        return 1

    @property
    def amplitudes(self) -> tuple[int, int]:
        """Spike values of a positive and of a negative quantum."""
        return (1, 1)

    @property
    def operations(self) -> int:
        """Number of additions and comparisons of one neuron in one timestep.

        Two add A*2^F and B, one compares with the threshold, one subtracts the reset, whether the
        neuron fires or not, and each shift of the leak subtracts a term.
        """
        return 4 + len(self.shifts)

    def count(self, timesteps: int) -> Range:
        """Return the range of the count, the sum of ``timesteps`` spikes."""
        return self.spike().times(timesteps)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        """Return the range of the membrane potential before and after firing.

        Parameters
        ----------
        timesteps : int
            T of the layer.
        accumulator : Range
            Range of the accumulated weights A of one timestep, over all channels.
        """
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Integrator(Neuron):
    """Base of the neurons that have one threshold, an initial potential and a bias.

    Parameters
    ----------
    threshold : array of int64, shape (channels,)
        Positive.
    initial : array of int64, shape (channels,)
        Membrane potential before the first timestep, ``0 <= initial < threshold``.
    bias : array of int64, shape (channels,)
        Added to the potential at every timestep.
    fraction_bits : int
        F, the fraction bits that threshold, initial and bias have in common, 0 to 16.

    Raises
    ------
    ContractError
        If a parameter is outside its range or the shapes differ.
    """

    threshold: IntArray = field(metadata=TENSOR)
    initial: IntArray = field(metadata=TENSOR)
    bias: IntArray = field(metadata=TENSOR)
    fraction_bits: int

    def __post_init__(self) -> None:
        freeze_channels(self, "threshold", "initial", "bias")
        check_fraction_bits(self)
        check_threshold(self)
        self._check_initial()

    def _check_initial(self) -> None:
        """Refuse initial potentials that are negative, or not below the threshold."""
        off = np.flatnonzero((self.initial < 0) | (self.initial >= self.threshold))
        if off.size:
            c = int(off[0])
            raise ContractError(
                f"initial potential of channel {c} must be from 0 to threshold - 1 = "
                f"{self.threshold[c] - 1}, not {self.initial[c]}"
            )

    @property
    def channels(self) -> int:
        return len(self.threshold)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        # A spike leaves v >= 0, so v falls below zero by at most T steps of the lowest current;
        # it may rise past the threshold by T steps of the highest, since one step takes away only
        # so much. A spike that is taken back only raises a v below zero, to less than a threshold
        # that it had reached.
        drift = current_range(accumulator, self.fraction_bits, self.bias)
        start = Range(0, int(self.initial.max()))
        if not self.shifts:
            return drift.times(timesteps) + start
        return reach(start, [drift] * timesteps, self.shifts)
