"""Neurons of the contract: their parameters, and the ranges of the values that they can take.

The behaviour of each kind is written twice, in PyTorch (:mod:`spikeloom.sw.golden.dynamics`) and in
Amaranth (:mod:`spikeloom.hw.neurons`); both classes are found by the ``kind`` that is given here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.parameters import (
    check_fraction_bits,
    check_initial,
    check_threshold,
    current_range,
    freeze_channels,
    require_magnitude,
)
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import TENSOR, IntArray, Record, freeze, require_int
from spikeloom.sw.network.transports import Transport

#: Largest value of one spike.
MAX_SPIKE = 1 << 12
#: Largest shift of a leak.
MAX_LEAK = 31


class Neuron(Record):
    """The neurons of one layer, with parameters for each output channel.

    Attributes
    ----------
    fires : bool
        Whether they emit spikes; those of a network's last layer do not.
    signed : bool
        Whether their counts can be negative, so that they stand for activations with negative
        values.
    incoming, outgoing : frozenset of Transport
        Transports that connections to and from these neurons may use.
    """

    kinds: ClassVar[dict[str, type[Neuron]]] = {}
    fires: ClassVar[bool] = True
    signed: ClassVar[bool] = False
    incoming: ClassVar[frozenset[str]] = frozenset(Transport)
    outgoing: ClassVar[frozenset[str]] = frozenset(Transport)

    @classmethod
    def firing(cls) -> dict[str, type[Neuron]]:
        """Return the kinds that emit spikes: those that a hidden layer can have."""
        return {kind: neuron for kind, neuron in cls.kinds.items() if neuron.fires}

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
    def most_quanta(self) -> int:
        """Most quanta that a neuron can fire in one timestep."""
        return 1

    @property
    def amplitudes(self) -> tuple[int, int]:
        """Spike values of a positive and of a negative quantum."""
        return (1, 1)

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
        check_initial(self)

    @property
    def channels(self) -> int:
        return len(self.threshold)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        # A spike leaves v >= 0, so v falls below zero by at most T steps of the lowest current;
        # it may rise past the threshold by T steps of the highest, since one step takes away only
        # so much.
        drift = current_range(accumulator, self.fraction_bits, self.bias).times(timesteps)
        return drift + Range(0, int(self.initial.max()))


@dataclass(frozen=True, eq=False)
class If(Integrator, kind="if"):
    """Integrate-and-fire with soft reset.

    ``v += A*2^F + B; s = [v >= threshold]; v -= s*threshold``. Parameters and errors are those of
    :class:`Integrator`.
    """


@dataclass(frozen=True, eq=False)
class Dual(Integrator, kind="dual"):
    """Dual threshold: an IF neuron that takes back spikes which later currents do not justify.

    ``v += A*2^F + B; s = 1 if v >= threshold, else -1 if v < 0 and m > 0, else 0;
    v -= s*threshold; m += s``, with m the net number of spikes so far. Parameters and errors are
    those of :class:`Integrator`. So is the range of the potential: as m >= 0, it is bounded from
    above as without negative spikes, and a negative spike only raises a potential below zero.

    References
    ----------
    "Efficient ANN-SNN conversion with error compensation learning", arXiv:2506.01968, eq. 4 and 5,
    with the net count in place of "has fired before" and ``v < 0`` for its small negative
    threshold.
    """

    def spike(self) -> Range:
        return Range(-1, 1)

    def count(self, timesteps: int) -> Range:
        # Only spikes that were sent are taken back.
        return Range(0, timesteps)


@dataclass(frozen=True, eq=False)
class Signed(Neuron, kind="signed"):
    """Signed spikes with two thresholds and two amplitudes, for leaky ReLUs.

    It starts from v = 0 and m = 0, the net number of quanta. A quantum upwards is worth P
    (``threshold``) if m >= 0, else it takes back one of N (``negative_threshold``); downwards, N
    if m <= 0, else P. ``v += A*2^F + B``; if ``2v >= up``: the spike is +amplitude of that
    quantum, v -= up, m += 1; else if ``2v <= -down``: minus its amplitude, v += down, m -= 1.

    Parameters
    ----------
    threshold, negative_threshold : array of int64, shape (channels,)
        P and N; positive.
    bias : array of int64, shape (channels,)
        Added to the potential at every timestep.
    fraction_bits : int
        F, the fraction bits that thresholds and bias have in common, 0 to 16.
    amplitude, negative_amplitude : int
        Spike values of the quanta P and N: powers of two, 1 to 4096.

    Raises
    ------
    ContractError
        If a parameter is outside its range or the shapes differ.

    References
    ----------
    Wang et al., "A fast and accurate ANN-SNN conversion algorithm with negative spikes", IJCAI
    2025, eq. 11 to 18, in the form that is exact under constant current: a negative spike moves v
    towards zero, and beta is the ratio of the source's own amplitudes.
    """

    threshold: IntArray = field(metadata=TENSOR)
    negative_threshold: IntArray = field(metadata=TENSOR)
    bias: IntArray = field(metadata=TENSOR)
    fraction_bits: int
    amplitude: int = 1
    negative_amplitude: int = 1

    signed = True

    def __post_init__(self) -> None:
        freeze_channels(self, "threshold", "negative_threshold", "bias")
        check_fraction_bits(self)
        check_threshold(self)
        check_threshold(self, "negative_threshold")
        for name in ("amplitude", "negative_amplitude"):
            value = require_int(getattr(self, name), name, 1, MAX_SPIKE)
            if value & (value - 1):
                raise ContractError(
                    f"{name} must be a power of two, not {value}: a spike is one shifted addition"
                )
            object.__setattr__(self, name, value)

    @property
    def channels(self) -> int:
        return len(self.threshold)

    @property
    def amplitudes(self) -> tuple[int, int]:
        return self.amplitude, self.negative_amplitude

    def spike(self) -> Range:
        largest = max(self.amplitudes)
        return Range(-largest, largest)

    def count(self, timesteps: int) -> Range:
        return Range(-timesteps * self.negative_amplitude, timesteps * self.amplitude)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        # A quantum fires from |v| >= half of it, and so leaves v no further from zero than it was.
        drift = current_range(accumulator, self.fraction_bits, self.bias).times(timesteps)
        furthest = max(-drift.low, drift.high)
        return Range(-furthest, furthest)


@dataclass(frozen=True, eq=False)
class Burst(Integrator, kind="burst"):
    """Several spikes in one timestep, with a leak: quantized burst LIF.

    ``v -= v >> leak`` (no leak if it is None), then ``v += A*2^F + B;
    s = clip(floor(v / threshold), 0, largest); v -= s*threshold``.

    Parameters
    ----------
    threshold, initial, bias, fraction_bits
        As of :class:`Integrator`.
    largest : int
        Most spikes of one timestep, 1 to 4096.
    leak : int, optional
        k of the leak by ``2^-k`` in every timestep (tau = 2^k), 1 to 31. The shift is arithmetic:
        it rounds toward minus infinity.

    Raises
    ------
    ContractError
        If a parameter is outside its range or the shapes differ.

    References
    ----------
    Bai et al., "QB-LIF: learnable-scale quantized burst neurons", arXiv:2604.25688, with the leak
    ``(1 - 1/tau) v``.
    """

    largest: int
    leak: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "largest", require_int(self.largest, "largest", 1, MAX_SPIKE))
        if self.leak is not None:
            object.__setattr__(self, "leak", require_int(self.leak, "leak", 1, MAX_LEAK))

    @property
    def most_quanta(self) -> int:
        return self.largest

    def spike(self) -> Range:
        return Range(0, self.largest)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        if self.leak is None:
            return super().potential(timesteps, accumulator)
        drift = current_range(accumulator, self.fraction_bits, self.bias)
        # The leak keeps the order of potentials, so the extremes stay extremes. They are reached
        # where nothing fires; a spike leaves v >= 0.
        low, high = 0, int(self.initial.max())
        for _ in range(timesteps):
            low = min(low, low - (low >> self.leak) + drift.low)
            high = max(high, high - (high >> self.leak) + drift.high)
        return Range(low, high)


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

    incoming = frozenset({Transport.COUNT})
    outgoing = frozenset({Transport.COUNT})

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", freeze(self.levels, "levels", 2))
        require_magnitude(self.levels, "levels")
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
    """The output layer: ``v += A*2^F + B`` at every timestep, without spikes; v ends as the logit.

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
        freeze_channels(self, "bias")
        check_fraction_bits(self)

    @property
    def channels(self) -> int:
        return len(self.bias)

    def spike(self) -> Range:
        return Range(0, 0)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        return current_range(accumulator, self.fraction_bits, self.bias).times(timesteps)
