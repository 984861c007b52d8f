"""Neurons of the contract: what their parameters are and which values they can take.

How a neuron *behaves* is written once in :mod:`spikeloom.sw.golden` (PyTorch) and once in
:mod:`spikeloom.hw.neuron` (Amaranth); both find it by the ``kind`` given here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import TENSOR, IntArray, Record, freeze, require_int

#: Most fraction bits that currents can be shifted by.
MAX_FRACTION_BITS = 16


class Neuron(Record):
    """A population's dynamics, with parameters per output channel.

    Attributes
    ----------
    fires : bool
        Whether it emits spikes; a network's last layer does not.
    incoming, outgoing : frozenset of str
        Transports that its incoming and outgoing connections may use.
    """

    fires: ClassVar[bool] = True
    incoming: ClassVar[frozenset[str]] = frozenset({"spikes", "count"})
    outgoing: ClassVar[frozenset[str]] = frozenset({"spikes", "count"})

    @property
    def channels(self) -> int:
        """Number of output channels that the parameters are for."""
        raise NotImplementedError

    def check(self, timesteps: int, accumulator: Range) -> None:
        """Raise `ContractError` unless the parameters fit ``timesteps`` and the accumulator."""
        self.potential(timesteps, accumulator).require_width("the membrane potential")

    def spike(self) -> Range:
        """Return the range of one timestep's spike value."""
        return Range(0, 1)

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
class If(Neuron, kind="if"):
    """Integrate-and-fire with soft reset.

    ``v += A*2^F + B; s = [v >= threshold]; v -= s*threshold``

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
        _freeze_channels(self, "threshold", "initial", "bias")
        _check_fraction_bits(self)
        low = np.flatnonzero(self.threshold < 1)
        if low.size:
            c = int(low[0])
            raise ContractError(
                f"threshold of channel {c} must be positive, not {self.threshold[c]}: "
                f"raise fraction_bits (now {self.fraction_bits}) or the channel's threshold"
            )
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
        current = _current(accumulator, self.fraction_bits, self.bias)
        # A spike leaves v >= 0, so v falls below zero by at most T steps of the lowest current;
        # it may rise past the threshold by T steps of the highest, since one step fires once.
        drift = Range(min(current.low, 0), max(current.high, 0)).times(timesteps)
        return drift + Range(0, int(self.initial.max()))


@dataclass(frozen=True, eq=False)
class Ladder(Neuron, kind="ladder"):
    """An IF layer under constant current, solved beforehand: ``n = sum_k [A >= levels[k]]``.

    Parameters
    ----------
    levels : array of int64, shape (channels, T)
        Non-decreasing in each channel; level k is the least accumulator value with a count of
        at least k + 1.

    Raises
    ------
    ContractError
        If the levels of a channel decrease.
    """

    levels: IntArray = field(metadata=TENSOR)

    incoming = frozenset({"count"})
    outgoing = frozenset({"count"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", freeze(self.levels, "levels", 2))
        _require_magnitude(self.levels, "levels")
        falling = np.argwhere(np.diff(self.levels, axis=1) < 0)
        if falling.size:
            c, k = (int(i) for i in falling[0])
            raise ContractError(
                f"levels of channel {c} must not decrease, not {self.levels[c, k]} then "
                f"{self.levels[c, k + 1]}"
            )

    @property
    def channels(self) -> int:
        return len(self.levels)

    def check(self, timesteps: int, accumulator: Range) -> None:
        super().check(timesteps, accumulator)
        if self.levels.shape[1] != timesteps:
            raise ContractError(
                f"a ladder must have one level per timestep: {self.levels.shape[1]} levels for "
                f"{timesteps} timesteps"
            )

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        return accumulator


@dataclass(frozen=True, eq=False)
class Logits(Neuron, kind="logits"):
    """The output layer: ``v += A*2^F + B`` at every timestep, no spikes; v at the end is the logit.

    Parameters
    ----------
    bias : array of int64, shape (channels,)
        Added at every timestep.
    fraction_bits : int
        F, the fraction bits of the bias, 0 to 16.
    """

    bias: IntArray = field(metadata=TENSOR)
    fraction_bits: int

    fires = False
    outgoing = frozenset()

    def __post_init__(self) -> None:
        _freeze_channels(self, "bias")
        _check_fraction_bits(self)

    @property
    def channels(self) -> int:
        return len(self.bias)

    def spike(self) -> Range:
        return Range(0, 0)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        current = _current(accumulator, self.fraction_bits, self.bias)
        return Range(min(current.low, 0), max(current.high, 0)).times(timesteps)


def _current(accumulator: Range, fraction_bits: int, bias: IntArray) -> Range:
    """Return the range of ``A * 2^F + B`` over all channels."""
    return accumulator.times(1 << fraction_bits) + Range(int(bias.min()), int(bias.max()))


def _freeze_channels(neuron: Neuron, *names: str) -> None:
    """Freeze parameters of shape (channels,) in place and require one common length."""
    for name in names:
        object.__setattr__(neuron, name, freeze(getattr(neuron, name), name, 1))
        _require_magnitude(getattr(neuron, name), name)
    lengths = {name: len(getattr(neuron, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ContractError(f"parameters must have one value per channel each, not {lengths}")


def _require_magnitude(values: IntArray, what: str) -> None:
    """Refuse values that no register of the contract could hold, before they are added up."""
    extremes = Range(int(values.min()), int(values.max()))
    extremes.require_width(what)


def _check_fraction_bits(neuron: If | Logits) -> None:
    bits = require_int(neuron.fraction_bits, "fraction_bits", 0, MAX_FRACTION_BITS)
    object.__setattr__(neuron, "fraction_bits", bits)
