"""Neurons of the contract: their parameters, and the ranges of the values that they can take.

The behaviour of each kind is written twice, in PyTorch (:mod:`spikeloom.sw.golden.dynamics`) and in
Amaranth (:mod:`spikeloom.hw.neurons`); both classes are found by the ``kind`` that is given here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikeloom.sw.errors import ContractError
from spikeloom.sw.network.leaks import Leak, checked_leak, reach
from spikeloom.sw.network.neuron import Integrator, Neuron
from spikeloom.sw.network.parameters import (
    check_fraction_bits,
    check_threshold,
    current_range,
    freeze_channels,
    require_magnitude,
)
from spikeloom.sw.network.ranges import Range
from spikeloom.sw.network.record import OMITTED, TENSOR, IntArray, freeze, require_int
from spikeloom.sw.network.transports import Transport

#: Largest value of one spike.
MAX_SPIKE = 1 << 12


@dataclass(frozen=True, eq=False)
class If(Integrator, kind="if"):
    """Integrate-and-fire with soft or hard reset, and a leak.

    ``v -= leak(v); v += A*2^F + B; s = [v >= threshold]; v -= s*reset_amount``, or
    ``v = reset_value`` where s is 1.

    Parameters
    ----------
    threshold, initial, bias, fraction_bits
        As of :class:`Integrator`; with a leak or a reset of its own, ``initial`` may be any
        integer.
    leak : sequence of int, optional
        Up to three shifts k, 1 to 31 or -31 to -1: the leak takes away ``v >> k``, or adds
        ``v >> -k`` if k is negative, all of the same v. No leak, by default.
    reset_amount : array of int64, shape (channels,), optional
        Taken from the potential when it fires; positive. By default the threshold.
    reset_value : array of int64, shape (channels,), optional
        Potential after it has fired, instead of a reset by an amount.

    Raises
    ------
    ContractError
        If a parameter is outside its range, the shapes differ, or both resets are given.
    """

    leak: Leak = field(default=(), metadata=OMITTED)
    reset_amount: IntArray | None = field(default=None, metadata=TENSOR)
    reset_value: IntArray | None = field(default=None, metadata=TENSOR)

    def __post_init__(self) -> None:
        object.__setattr__(self, "leak", checked_leak(self.leak))
        super().__post_init__()
        if self.reset_amount is not None and self.reset_value is not None:
            raise ContractError("a neuron has a reset_amount or a reset_value, not both")
        for name in ("reset_amount", "reset_value"):
            if getattr(self, name) is not None:
                freeze_channels(self, name, "threshold")
        if self.reset_amount is not None:
            check_threshold(self, "reset_amount")

    def _check_initial(self) -> None:
        if self.foldable:
            super()._check_initial()

    @property
    def shifts(self) -> tuple[int, ...]:
        return checked_leak(self.leak)

    @property
    def foldable(self) -> bool:
        return not self.shifts and self.reset_amount is None and self.reset_value is None

    @property
    def operations(self) -> int:
        # A reset to a value chooses it, and subtracts nothing.
        return super().operations - (self.reset_value is not None)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        if self.foldable:
            return super().potential(timesteps, accumulator)
        drift = current_range(accumulator, self.fraction_bits, self.bias)
        return self.reach([drift] * timesteps)

    def reach(self, drifts: list[Range]) -> Range:
        """Return the range of a potential to which values of these ranges are added."""
        start = Range(int(self.initial.min()), int(self.initial.max())) | Range(0, 0)
        resets = None
        if self.reset_value is not None:
            resets = Range(int(self.reset_value.min()), int(self.reset_value.max()))
        elif self.reset_amount is not None:
            # Of a v from the threshold on; what a smaller amount leaves is not below 0.
            resets = Range(min(0, int((self.threshold - self.reset_amount).min())), 0)
        return reach(start, drifts, self.shifts, resets)


@dataclass(frozen=True, eq=False)
class Dual(Integrator, kind="dual"):
    """Dual threshold: an IF neuron that takes back spikes which later currents do not justify.

    ``v -= leak(v); v += A*2^F + B; s = 1 if v >= threshold, else -1 if v < 0 and m > 0, else 0;
    v -= s*threshold; m += s``, with m the net number of spikes so far. The range of the potential
    is that of :class:`Integrator`: as m >= 0, it is bounded from above as without negative spikes,
    and a negative spike only raises a potential below zero.

    Parameters
    ----------
    threshold, initial, bias, fraction_bits
        As of :class:`Integrator`.
    leak : sequence of int, optional
        Up to three shifts, as of :class:`If`.

    Raises
    ------
    ContractError
        If a parameter is outside its range or the shapes differ.

    References
    ----------
    "Efficient ANN-SNN conversion with error compensation learning", arXiv:2506.01968, eq. 4 and 5,
    with the net count in place of "has fired before" and ``v < 0`` for its small negative
    threshold.
    """

    leak: Leak = field(default=(), metadata=OMITTED)

    def __post_init__(self) -> None:
        object.__setattr__(self, "leak", checked_leak(self.leak))
        super().__post_init__()

    @property
    def shifts(self) -> tuple[int, ...]:
        return checked_leak(self.leak)

    @property
    def operations(self) -> int:
        # m counts; v < 0 and m > 0 are signs.
        return super().operations + 1

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

    @property
    def operations(self) -> int:
        # Two thresholds, and m counts.
        return super().operations + 2

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

    ``v -= leak(v)``, then ``v += A*2^F + B; s = clip(floor(v / threshold), 0, largest);
    v -= s*threshold``.

    Parameters
    ----------
    threshold, initial, bias, fraction_bits
        As of :class:`Integrator`.
    largest : int
        Most spikes of one timestep, 1 to 4096.
    leak : int or sequence of int, optional
        k of a leak by ``2^-k`` in every timestep (tau = 2^k), 1 to 31; or up to three shifts, as
        of :class:`If`. Shifts are arithmetic: they round toward minus infinity.

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
    leak: Leak = None

    decided = frozenset({"largest", "leak"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "leak", checked_leak(self.leak))
        super().__post_init__()
        object.__setattr__(self, "largest", require_int(self.largest, "largest", 1, MAX_SPIKE))

    def header(self) -> dict[str, Any]:
        # As it was before there were several shifts, so that files and digests stay.
        shifts = self.shifts
        plain = len(shifts) == 1 and shifts[0] > 0
        return super().header() | {"leak": shifts[0] if plain else shifts or None}

    @property
    def shifts(self) -> tuple[int, ...]:
        return checked_leak(self.leak)

    @property
    def most_quanta(self) -> int:
        return self.largest

    @property
    def operations(self) -> int:
        # A comparison and a subtraction for each bit of the spike.
        return super().operations + 2 * (self.largest.bit_length() - 1)

    def spike(self) -> Range:
        return Range(0, self.largest)


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

    @property
    def operations(self) -> int:
        return 1  # A is compared with a level

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
    """The output layer: ``v -= leak(v); v += A*2^F + B`` at every timestep, without spikes.

    v ends as the logit.

    Parameters
    ----------
    bias : array of int64, shape (channels,)
        Added at every timestep.
    fraction_bits : int
        F, the fraction bits of the bias, 0 to 16.
    leak : sequence of int, optional
        Up to three shifts, as of :class:`If`.
    """

    bias: IntArray = field(metadata=TENSOR)
    fraction_bits: int
    leak: Leak = field(default=(), metadata=OMITTED)

    fires = False
    outgoing = frozenset()

    def __post_init__(self) -> None:
        freeze_channels(self, "bias")
        check_fraction_bits(self)
        object.__setattr__(self, "leak", checked_leak(self.leak))

    @property
    def shifts(self) -> tuple[int, ...]:
        return checked_leak(self.leak)

    @property
    def channels(self) -> int:
        return len(self.bias)

    @property
    def operations(self) -> int:
        return 2 + len(self.shifts)  # nothing is compared, and nothing is reset

    def spike(self) -> Range:
        return Range(0, 0)

    def potential(self, timesteps: int, accumulator: Range) -> Range:
        drift = current_range(accumulator, self.fraction_bits, self.bias)
        if not self.shifts:
            return drift.times(timesteps)
        return reach(Range(0, 0), [drift] * timesteps, self.shifts)
